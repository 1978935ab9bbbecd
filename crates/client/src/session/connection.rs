//! One connection to one server: a TLS session and the version that is spoken over it.

use std::sync::Arc;

use rustls::ClientConfig;
use strongroom_kmip::message::{RequestMessage, ResponseMessage};
use strongroom_kmip::ttlv::{Limits, MessageBytes, Tag, message_length};
use strongroom_kmip::version::OFFSET_ITEMS_BEFORE_1_3;
use strongroom_kmip::{DecodeError, EncodeError, ProtocolVersion};

use super::answer::AnswerFault;
use super::negotiate::{Verdict, discover};
use super::options::Options;
use crate::address::ServerAddress;
use crate::connect::{Deadline, ReceiveFault, Stream, open_tcp, resolve};
use crate::error::{Cause, ServerFailure, Step};

/// A connection that is ready for a request.
pub(super) struct Connection {
    pub(super) stream: Stream,
    pub(super) version: ProtocolVersion,
}

impl Connection {
    /// Goes through all the steps, up to the agreement on a version.
    pub(super) fn open(
        server: &ServerAddress,
        tls: &Arc<ClientConfig>,
        options: &Options,
        deadline: Deadline,
    ) -> Result<Self, ServerFailure> {
        let at = |step| move |cause| ServerFailure { server: server.clone(), step, cause };
        let addresses = resolve(server, options.resolution, deadline).map_err(at(Step::Name))?;
        let tcp = open_tcp(&addresses, deadline).map_err(at(Step::Tcp))?;
        let mut stream = Stream::handshake(tcp, tls, server, deadline).map_err(at(Step::Tls))?;
        match discover(&mut stream, options.newest_version, &options.limits, deadline) {
            Ok(Verdict { chosen, .. }) => Ok(Self { stream, version: chosen }),
            Err((step, cause)) => Err(at(step)(cause)),
        }
    }
}

/// Writes a request down. Older versions may page through a Locate, as Percona's component does.
pub(super) fn encode(request: &RequestMessage) -> Result<MessageBytes, EncodeError> {
    request.encode_allowing(&[OFFSET_ITEMS_BEFORE_1_3])
}

/// Receives a response.
pub(super) fn receive(
    stream: &mut Stream,
    limits: &Limits,
    deadline: Deadline,
) -> Result<ResponseMessage, (Step, Cause)> {
    let malformed = |error: DecodeError| (Step::Kmip, Cause::Answer(Box::new(AnswerFault::Malformed(error))));
    let bytes = stream.receive(deadline, |head| message_length(head, Tag::ResponseMessage, limits)).map_err(
        |fault| match fault {
            ReceiveFault::Session(step, cause) => (step, cause),
            ReceiveFault::Framing(error) => malformed(error),
        },
    )?;
    ResponseMessage::decode(&bytes, limits).map_err(malformed)
}

/// Sends a request and receives its response, where neither is repeated whatever happens.
pub(crate) fn exchange(
    stream: &mut Stream,
    request: &RequestMessage,
    limits: &Limits,
    deadline: Deadline,
) -> Result<ResponseMessage, (Step, Cause)> {
    let message = encode(request).map_err(|error| (Step::Kmip, Cause::Request(error)))?;
    stream.send(&message, deadline)?;
    receive(stream, limits, deadline)
}
