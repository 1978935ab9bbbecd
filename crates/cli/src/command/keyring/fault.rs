//! Why keys were not copied: what happened, then, after a semicolon, what to do.

use std::fmt;

use crate::exit::Exit;

/// How many keys a message names at most.
const NAMED_MAX: usize = 20;

/// Why keys were not copied. Names are those of people: id and owner.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Source and destination are the same.
    SamePlace,
    /// Keys of the source have other bytes in the destination.
    Conflict(Vec<String>),
    /// The destination cannot hold some keys.
    Unsupported(Vec<String>),
    /// A key of the source is gone since it was listed.
    Gone(String),
    /// Keys were copied, and come back missing or with other bytes.
    NotReadBack(Vec<String>),
}

impl Fault {
    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::SamePlace => Exit::Usage,
            Self::Conflict(_) | Self::Unsupported(_) | Self::Gone(_) => Exit::Failed,
            Self::NotReadBack(_) => Exit::Integrity,
        }
    }
}

/// `"a", "b" of "root@localhost" and 3 more`.
fn names(keys: &[String]) -> String {
    let named = keys.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    match keys.len().saturating_sub(NAMED_MAX) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SamePlace => f.write_str("both keyrings are the same one; name another with --to"),
            Self::Conflict(keys) => write!(
                f,
                "the destination has keys of the same name and other bytes: {}, and nothing was copied; they belong to another \
                 server, or were made since: use another group (--to-group) or endpoint, or remove those that are of no use \
                 (strongroom key remove)",
                names(keys)
            ),
            Self::Unsupported(keys) => write!(
                f,
                "the destination cannot hold {}, and nothing was copied; --leave-unsupported copies the others",
                names(keys)
            ),
            Self::Gone(key) => write!(
                f,
                "key {key} is gone since the source was listed; stop the server that uses the keyring, and run it again"
            ),
            Self::NotReadBack(keys) => write!(
                f,
                "keys do not come back as they were stored: {}; leave the server on its old keyring, and look at the \
                 destination's log",
                names(keys)
            ),
        }
    }
}
