//! How much of somebody else's bytes is believed.

/// Bounds on decoding. Every length, depth and count that comes from outside is held against one of them.
///
/// Together with the rule that a length is only believed once its bytes are there, they bound memory: a decoded message takes at most
/// a small multiple of its encoded size (see `tests/kmip/memory.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a whole message, its header included.
    pub message_bytes: usize,
    /// Structures inside structures, the message itself counting as the first.
    pub depth: usize,
    /// Items in one structure.
    pub items_per_structure: usize,
    /// Items in one batch.
    pub batch_items: usize,
    /// Bytes of one text string.
    pub text_bytes: usize,
}

impl Limits {
    /// For requests: 1 MiB, which is more than any client of a database key server was ever seen to send.
    pub const REQUEST: Self = Self {
        message_bytes: 1 << 20,
        depth: 32,
        items_per_structure: 10_000,
        batch_items: 1_000,
        text_bytes: 64 * 1024,
    };

    /// For responses: 16 MiB, because a Locate over many keys, or a batch of Gets, is answered in one message.
    pub const RESPONSE: Self =
        Self { message_bytes: 16 << 20, items_per_structure: 400_000, ..Self::REQUEST };
}

impl Default for Limits {
    fn default() -> Self {
        Self::REQUEST
    }
}
