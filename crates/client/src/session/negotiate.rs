//! Agreement on a protocol version (KMIP 1.4 §4.26).

use strongroom_kmip::message::{RequestMessage, RequestPayload};
use strongroom_kmip::operation::discover_versions;
use strongroom_kmip::ttlv::Limits;
use strongroom_kmip::types::ResultReason;
use strongroom_kmip::{Failure, ProtocolVersion, ResponsePayload};

use super::connection::exchange;
use crate::connect::{Deadline, Stream};
use crate::error::{Cause, Step};

/// The versions spoken here, newest first.
const SPOKEN: [ProtocolVersion; 5] = [
    ProtocolVersion::V1_4,
    ProtocolVersion::V1_3,
    ProtocolVersion::V1_2,
    ProtocolVersion::V1_1,
    ProtocolVersion::V1_0,
];

/// The version that Discover Versions is asked in: the first that has it, so that every server which has it can read the request.
const ASKED_IN: ProtocolVersion = ProtocolVersion::V1_1;

/// What came of asking.
pub(crate) struct Verdict {
    /// The version to speak.
    pub(crate) chosen: ProtocolVersion,
    /// The versions that the server named; empty where it does not know Discover Versions.
    pub(crate) offered: Vec<ProtocolVersion>,
}

/// The request for all versions that both sides know.
pub(super) fn discover_versions() -> RequestPayload {
    discover_versions::Request { versions: SPOKEN.to_vec() }.into()
}

/// Asks for the server's versions, and chooses the newest that both sides know and that is no newer than `newest`.
///
/// A server that does not know the question is one of 1.0.
pub(crate) fn discover(
    stream: &mut Stream,
    newest: ProtocolVersion,
    limits: &Limits,
    deadline: Deadline,
) -> Result<Verdict, (Step, Cause)> {
    let request = RequestMessage::single(ASKED_IN, discover_versions());
    let response = exchange(stream, &request, limits, deadline)?;
    match response.items.into_iter().next().map(|item| item.result) {
        Some(Ok(ResponsePayload::DiscoverVersions(answer))) => choose(answer.versions, newest),
        Some(Err(failure)) if is_identity_refused(&failure) => {
            Err((Step::Kmip, Cause::IdentityRefused(failure)))
        }
        _ => Ok(Verdict { chosen: ProtocolVersion::V1_0, offered: vec![] }),
    }
}

/// Whether the server says that we are nobody it knows.
pub(crate) fn is_identity_refused(failure: &Failure) -> bool {
    matches!(failure.reason, ResultReason::AuthenticationNotSuccessful | ResultReason::NotAuthorised)
}

fn choose(offered: Vec<ProtocolVersion>, newest: ProtocolVersion) -> Result<Verdict, (Step, Cause)> {
    let chosen =
        SPOKEN.into_iter().filter(|version| *version <= newest).find(|version| offered.contains(version));
    match chosen {
        Some(chosen) => Ok(Verdict { chosen, offered }),
        None => Err((Step::Kmip, Cause::NoCommonVersion { offered })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_common_version_is_chosen_whatever_the_order() {
        let chosen =
            |offered: &[ProtocolVersion], newest| choose(offered.to_vec(), newest).map(|v| v.chosen).ok();
        let all =
            [ProtocolVersion::V1_0, ProtocolVersion::V2_1, ProtocolVersion::V1_3, ProtocolVersion::V1_2];
        assert_eq!(chosen(&all, ProtocolVersion::V1_4), Some(ProtocolVersion::V1_3));
        assert_eq!(chosen(&all, ProtocolVersion::V1_2), Some(ProtocolVersion::V1_2));
        assert_eq!(chosen(&all, ProtocolVersion::V1_1), Some(ProtocolVersion::V1_0));
        assert_eq!(chosen(&[ProtocolVersion::V2_0], ProtocolVersion::V1_4), None);
        assert_eq!(chosen(&[], ProtocolVersion::V1_4), None);
    }
}
