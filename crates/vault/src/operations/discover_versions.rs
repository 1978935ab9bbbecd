//! Discover Versions: which versions both sides know (KMIP 1.4 §4.26).

use strongroom_kmip::operation::discover_versions::{Request, Response};

use super::{Done, VERSIONS};

pub(super) fn discover_versions(request: &Request) -> Done {
    let versions = VERSIONS
        .into_iter()
        .filter(|version| request.versions.is_empty() || request.versions.contains(version))
        .collect();
    Done::read(Response { versions }, None)
}
