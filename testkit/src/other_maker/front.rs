//! One client's connection: each request is refused, changed or passed on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, MutexGuard, PoisonError};

use rustls::{ClientConnection, ServerConnection, StreamOwned};
use strongroom_kmip::attribute::{Attribute, AttributeKind, Attributes};
use strongroom_kmip::message::{
    RequestItem, RequestMessage, RequestPayload, ResponseItem, ResponseMessage, ResponsePayload,
};
use strongroom_kmip::operation::{discover_versions, get_attributes};
use strongroom_kmip::ttlv::{DateTime, Limits, Tag, message_length};
use strongroom_kmip::types::ResultReason;
use strongroom_kmip::{Failure, ProtocolVersion};

use super::trouble::Fault;
use super::{Front, OffsetItems};

/// The vault's side of a connection.
type Vault = StreamOwned<ClientConnection, TcpStream>;

impl Front {
    /// Serves one connection until either side is gone.
    pub(super) fn serve(&self, tcp: TcpStream) {
        let _ = tcp.set_nodelay(true);
        let Ok(connection) = ServerConnection::new(Arc::clone(&self.server)) else { return };
        let mut client = StreamOwned::new(connection, tcp);
        let Some(mut vault) = self.connect() else { return };
        while let Some(request) = read_message(&mut client, Tag::RequestMessage, &Limits::REQUEST) {
            let answer = match self.counter.next() {
                None | Some(Fault::Slow) => self.answer(&request, &mut vault),
                Some(Fault::Cut | Fault::Hang) => return,
                Some(Fault::AnswerLost) => {
                    let _ = self.answer(&request, &mut vault);
                    return;
                }
                Some(Fault::Refused) => refused(&request),
                Some(Fault::Garbage) => Some(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
            };
            let Some(answer) = answer else { return };
            if client.write_all(&answer).and_then(|()| client.flush()).is_err() {
                return;
            }
        }
    }

    fn connect(&self) -> Option<Vault> {
        let tcp = TcpStream::connect(self.vault_address).ok()?;
        tcp.set_nodelay(true).ok()?;
        let connection =
            ClientConnection::new(Arc::clone(&self.vault), self.vault_address.ip().into()).ok()?;
        Some(StreamOwned::new(connection, tcp))
    }

    fn answer(&self, message: &[u8], vault: &mut Vault) -> Option<Vec<u8>> {
        let request = RequestMessage::decode(message, &Limits::REQUEST).ok()?;
        if let Some(failure) = self.refusal(&request) {
            let version = request.header.version.min(self.habits.newest);
            let item = ResponseItem::failure(None, None, failure);
            return encode(&ResponseMessage::single(version, DateTime(0), item));
        }
        if let [RequestItem { payload: RequestPayload::DiscoverVersions(asked), .. }] = &request.items[..] {
            let known = |version: &ProtocolVersion| *version <= self.habits.newest;
            let versions = asked.versions.iter().copied().filter(known).collect();
            let item = ResponseItem::success(None, discover_versions::Response { versions });
            return encode(&ResponseMessage::single(request.header.version, DateTime(0), item));
        }
        let names = self.names_to_reserve(&request, vault)?;
        let answer = match self.changed(request) {
            Some(changed) => exchange(vault, &changed.encode().ok()?)?,
            None => exchange(vault, message)?,
        };
        let was_done = || {
            ResponseMessage::decode(&answer, &Limits::RESPONSE)
                .is_ok_and(|response| response.items.iter().all(|item| item.result.is_ok()))
        };
        if !names.is_empty() && was_done() {
            self.reserved().extend(names);
        }
        Some(answer)
    }

    /// Why the request as a whole is refused, if it is.
    fn refusal(&self, request: &RequestMessage) -> Option<Failure> {
        let refuse = |reason, words: &str| Some(Failure::new(reason, words));
        if request.header.version > self.habits.newest {
            return refuse(ResultReason::InvalidMessage, "this protocol version is not supported");
        }
        if request.items.len() > 1 && !self.habits.batches {
            return refuse(ResultReason::FeatureNotSupported, "one item at a time");
        }
        for item in &request.items {
            if let RequestPayload::Locate(locate) = &item.payload
                && locate.offset_items.is_some()
                && self.habits.offset_items == OffsetItems::Refused
            {
                return refuse(ResultReason::InvalidField, "Offset Items are not known");
            }
            if let RequestPayload::Locate(locate) = &item.payload
                && !self.habits.states_are_compared
                && locate.attributes.all(AttributeKind::State).next().is_some()
            {
                return refuse(ResultReason::InvalidField, "objects are not searched by State");
            }
            if matches!(item.payload, RequestPayload::Destroy(_)) && !self.habits.destroys {
                return refuse(ResultReason::PermissionDenied, "this client may not destroy objects");
            }
            let Some(attributes) = given(&item.payload) else { continue };
            if !self.habits.custom_attributes && attributes.iter().any(is_custom) {
                return refuse(ResultReason::InvalidField, "custom attributes are not supported");
            }
            let reserved = self.reserved();
            if attributes.names().any(|name| reserved.contains(&name.value)) {
                return refuse(ResultReason::IllegalOperation, "the name is that of a destroyed object");
            }
        }
        None
    }

    /// The names that the request's Destroy would keep from being used again.
    fn names_to_reserve(&self, request: &RequestMessage, vault: &mut Vault) -> Option<Vec<String>> {
        if self.habits.names_are_free_again {
            return Some(Vec::new());
        }
        let mut names = Vec::new();
        for item in &request.items {
            let RequestPayload::Destroy(destroy) = &item.payload else { continue };
            let question = get_attributes::Request {
                unique_identifier: destroy.unique_identifier.clone(),
                names: vec![AttributeKind::Name.into()],
            };
            let question = RequestMessage::single(request.header.version, question).encode().ok()?;
            let answer = ResponseMessage::decode(&exchange(vault, &question)?, &Limits::RESPONSE).ok()?;
            for item in answer.items {
                if let Ok(ResponsePayload::GetAttributes(found)) = item.result {
                    names.extend(found.attributes.names().map(|name| name.value.clone()));
                }
            }
        }
        Some(names)
    }

    /// The request without what is ignored, where there is something of it.
    fn changed(&self, mut request: RequestMessage) -> Option<RequestMessage> {
        let mut changed = false;
        for item in &mut request.items {
            if !self.habits.object_groups {
                let attributes = match &mut item.payload {
                    RequestPayload::Create(create) => Some(&mut create.template.attributes),
                    RequestPayload::Register(register) => Some(&mut register.template.attributes),
                    RequestPayload::Locate(locate) => Some(&mut locate.attributes),
                    _ => None,
                };
                let is_group = |attribute: &Attribute| matches!(attribute, Attribute::ObjectGroup(_));
                changed |= attributes.is_some_and(|attributes| take_away(attributes, is_group));
            }
            let RequestPayload::Locate(locate) = &mut item.payload else { continue };
            if self.habits.offset_items == OffsetItems::Ignored {
                changed |= locate.offset_items.take().is_some();
            }
            if !self.habits.names_are_compared {
                changed |=
                    take_away(&mut locate.attributes, |attribute| matches!(attribute, Attribute::Name(_)));
            }
        }
        changed.then_some(request)
    }

    fn reserved(&self) -> MutexGuard<'_, std::collections::HashSet<String>> {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The attributes that a new object is given.
fn given(payload: &RequestPayload) -> Option<&Attributes> {
    match payload {
        RequestPayload::Create(create) => Some(&create.template.attributes),
        RequestPayload::Register(register) => Some(&register.template.attributes),
        _ => None,
    }
}

/// Takes some attributes away; whether there was one.
fn take_away(attributes: &mut Attributes, which: impl Fn(&Attribute) -> bool) -> bool {
    let mut others = Attributes::new();
    for attribute in attributes.instances().filter(|instance| !which(&instance.attribute)) {
        others.push_instance(attribute.clone());
    }
    let found = others.instances().count() < attributes.instances().count();
    *attributes = others;
    found
}

fn is_custom(attribute: &Attribute) -> bool {
    matches!(attribute, Attribute::Custom { .. } | Attribute::Vendor(_))
}

/// An answer that says no more than that it failed.
fn refused(message: &[u8]) -> Option<Vec<u8>> {
    let request = RequestMessage::decode(message, &Limits::REQUEST).ok()?;
    let failure = Failure::new(ResultReason::GeneralFailure, "something went wrong");
    let item = ResponseItem::failure(None, None, failure);
    encode(&ResponseMessage::single(request.header.version, DateTime(0), item))
}

fn encode(response: &ResponseMessage) -> Option<Vec<u8>> {
    response.encode().ok().map(|message| message.to_vec())
}

fn exchange(vault: &mut Vault, message: &[u8]) -> Option<Vec<u8>> {
    vault.write_all(message).and_then(|()| vault.flush()).ok()?;
    read_message(vault, Tag::ResponseMessage, &Limits::RESPONSE)
}

fn read_message(stream: &mut impl Read, tag: Tag, limits: &Limits) -> Option<Vec<u8>> {
    let mut head = [0; 8];
    stream.read_exact(&mut head).ok()?;
    let length = message_length(&head, tag, limits).ok()?;
    let mut message = head.to_vec();
    message.resize(length, 0);
    stream.read_exact(&mut message[8..]).ok()?;
    Some(message)
}
