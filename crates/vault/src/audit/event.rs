//! What happened, and who did it.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;

use super::line::push_number;
use crate::store::RecordId;

/// Bytes of one text in an entry at most; what is longer is cut and ends in `…`. Clients choose names and attribute names, and
/// a line that is longer than a reader of the journal takes ([`super::line`]) would break the chain for good.
const TEXT_LEN_MAX: usize = 1024;

/// Something that belongs in the journal.
#[derive(Clone, Debug)]
pub struct Event {
    /// When it happened.
    pub time: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// From where, when it came over the network.
    pub peer: Option<SocketAddr>,
    /// What was asked: a KMIP operation's name (`Get`) or an administrative act (`endpoint revoke`).
    pub operation: Cow<'static, str>,
    /// What it was done to.
    pub object: Option<RecordId>,
    /// How it ended.
    pub outcome: Outcome,
    /// Anything else worth keeping, such as a name. Never a secret.
    pub details: Vec<(&'static str, String)>,
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// An endpoint, known by its certificate or its token.
    Endpoint {
        /// Its id.
        id: RecordId,
        /// Its name at the time.
        name: Arc<str>,
    },
    /// Somebody on the vault's own machine, through the control socket.
    Administrator {
        /// The user id of the process that asked.
        uid: u32,
    },
    /// The vault itself.
    Vault,
    /// A peer that did not say who it is, or was not believed.
    Unknown,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused, or it failed.
    Failure {
        /// Why, in the words of the answer.
        reason: Cow<'static, str>,
    },
}

impl Event {
    /// A successful act; set the other fields as needed.
    pub fn new(time: Timestamp, actor: Actor, operation: impl Into<Cow<'static, str>>) -> Self {
        Self {
            time,
            actor,
            peer: None,
            operation: operation.into(),
            object: None,
            outcome: Outcome::Success,
            details: Vec::new(),
        }
    }

    /// The same, done to this object.
    #[must_use]
    pub fn on(mut self, object: RecordId) -> Self {
        self.object = Some(object);
        self
    }

    /// The same, from this address.
    #[must_use]
    pub fn from_peer(mut self, peer: SocketAddr) -> Self {
        self.peer = Some(peer);
        self
    }

    /// The same, but it failed.
    #[must_use]
    pub fn failed(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.outcome = Outcome::Failure { reason: reason.into() };
        self
    }

    /// The same, with one more detail.
    #[must_use]
    pub fn detail(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    /// Appends the event's members, without braces: `"time":…,"actor":…,"operation":…,…,"outcome":…`.
    pub(super) fn write_body(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"time\":\"");
        push_display(out, &self.time);
        out.extend_from_slice(b"\",\"actor\":");
        match &self.actor {
            Actor::Endpoint { id, name } => {
                out.extend_from_slice(b"{\"endpoint\":\"");
                out.extend_from_slice(&id.text());
                out.extend_from_slice(b"\",\"name\":");
                push_text(out, name);
                out.push(b'}');
            }
            Actor::Administrator { uid } => {
                out.extend_from_slice(b"{\"uid\":");
                push_display(out, uid);
                out.push(b'}');
            }
            Actor::Vault => out.extend_from_slice(b"\"vault\""),
            Actor::Unknown => out.extend_from_slice(b"\"unknown\""),
        }
        if let Some(peer) = &self.peer {
            out.extend_from_slice(b",\"peer\":\"");
            push_address(out, peer);
            out.push(b'"');
        }
        out.extend_from_slice(b",\"operation\":");
        push_text(out, &self.operation);
        if let Some(object) = &self.object {
            out.extend_from_slice(b",\"object\":\"");
            out.extend_from_slice(&object.text());
            out.push(b'"');
        }
        if !self.details.is_empty() {
            out.extend_from_slice(b",\"details\":{");
            for (index, (name, value)) in self.details.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                push_text(out, name);
                out.push(b':');
                push_text(out, value);
            }
            out.push(b'}');
        }
        match &self.outcome {
            Outcome::Success => out.extend_from_slice(b",\"outcome\":\"success\""),
            Outcome::Failure { reason } => {
                out.extend_from_slice(b",\"outcome\":\"failure\",\"reason\":");
                push_text(out, reason);
            }
        }
    }

    /// The bodies of several events, one per line.
    pub(crate) fn bodies(events: &[Self]) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 * events.len());
        for (index, event) in events.iter().enumerate() {
            if index > 0 {
                out.push(b'\n');
            }
            event.write_body(&mut out);
        }
        out
    }
}

fn push_display(out: &mut Vec<u8>, value: &impl std::fmt::Display) {
    use std::io::Write as _;
    // Writing to a vector cannot fail.
    let _ = write!(out, "{value}");
}

/// An IPv4 address by hand: one is written for every request.
fn push_address(out: &mut Vec<u8>, address: &SocketAddr) {
    let SocketAddr::V4(address) = address else { return push_display(out, address) };
    for (index, octet) in address.ip().octets().into_iter().enumerate() {
        if index > 0 {
            out.push(b'.');
        }
        push_number(out, octet.into());
    }
    out.push(b':');
    push_number(out, address.port().into());
}

/// Appends `text` as a JSON string, cut to [`TEXT_LEN_MAX`].
fn push_text(out: &mut Vec<u8>, text: &str) {
    let kept = &text[..text.floor_char_boundary(TEXT_LEN_MAX)];
    // A string always serialises, and writing to a vector cannot fail.
    let _ = if kept.len() == text.len() {
        serde_json::to_writer(out, text)
    } else {
        serde_json::to_writer(out, &format!("{kept}…"))
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_everybody_writes_them() {
        for text in ["127.0.0.1:5696", "10.20.255.0:65535", "[2001:db8::1]:80"] {
            let mut out = Vec::new();
            push_address(&mut out, &text.parse().unwrap());
            assert_eq!(out, text.as_bytes());
        }
    }

    #[test]
    fn a_body_is_json_whatever_the_names_contain() {
        let name: Arc<str> = "db \"1\"\n</script>".into();
        let actor = Actor::Endpoint { id: RecordId([7; 16]), name };
        let event = Event::new(Timestamp::UNIX_EPOCH, actor, "Get")
            .on(RecordId([1; 16]))
            .detail("name", "a\u{0}b")
            .failed("Item \"Not\" Found");
        let mut line = b"{".to_vec();
        event.write_body(&mut line);
        line.push(b'}');
        assert!(!line.contains(&b'\n'));
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(value["actor"]["name"], "db \"1\"\n</script>");
        assert_eq!(value["details"]["name"], "a\u{0}b");
        assert_eq!(value["reason"], "Item \"Not\" Found");
    }
}
