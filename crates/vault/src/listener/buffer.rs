//! The buffer that one connection receives into.
//!
//! It is reused from request to request, grows only as bytes really arrive (never from a length that
//! a peer announced), and is wiped behind every request, because a request may carry key bytes.

use zeroize::{Zeroize, Zeroizing};

/// Bytes kept between requests. Every ordinary request fits; a larger one makes the buffer grow for its own time.
const RESTING_BYTES: usize = 4 * 1024;

/// Received bytes that have not been answered yet.
pub(super) struct ReceiveBuffer {
    /// Initialised over its whole length; `filled` says how much of it is received bytes.
    bytes: Zeroizing<Vec<u8>>,
    filled: usize,
}

impl ReceiveBuffer {
    pub(super) fn new() -> Self {
        Self { bytes: Zeroizing::new(vec![0; RESTING_BYTES]), filled: 0 }
    }

    /// What has been received and not consumed.
    pub(super) fn received(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Room for more bytes, at least one. Doubles the buffer when it is full.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.filled == self.bytes.len() {
            // Not `Vec::resize`: moving the allocation would leave the old bytes behind unwiped.
            let mut larger = Zeroizing::new(vec![0; self.bytes.len() * 2]);
            larger[..self.filled].copy_from_slice(&self.bytes);
            self.bytes = larger;
        }
        &mut self.bytes[self.filled..]
    }

    /// Marks `count` bytes of [`room`](Self::room) as received.
    pub(super) fn advance(&mut self, count: usize) {
        self.filled += count;
        debug_assert!(self.filled <= self.bytes.len());
    }

    /// Wipes the first `count` bytes; what a peer sent after them moves to the front.
    pub(super) fn consume(&mut self, count: usize) {
        let rest = self.filled - count;
        if rest == 0 && self.bytes.len() > RESTING_BYTES {
            *self = Self::new();
            return;
        }
        self.bytes.copy_within(count..self.filled, 0);
        self.bytes[rest..self.filled].zeroize();
        self.filled = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(buffer: &mut ReceiveBuffer, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = buffer.room();
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            buffer.advance(count);
            bytes = &bytes[count..];
        }
    }

    #[test]
    fn a_second_request_in_the_same_read_is_kept() {
        let mut buffer = ReceiveBuffer::new();
        receive(&mut buffer, b"firstsecond");
        buffer.consume(5);
        assert_eq!(buffer.received(), b"second");
        buffer.consume(6);
        assert!(buffer.received().is_empty());
    }

    #[test]
    fn consumed_bytes_are_wiped() {
        let mut buffer = ReceiveBuffer::new();
        receive(&mut buffer, &[0xAA; 1000]);
        receive(&mut buffer, b"next");
        buffer.consume(1000);
        assert_eq!(buffer.received(), b"next");
        assert!(buffer.bytes[4..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_large_request_does_not_keep_its_memory() {
        let mut buffer = ReceiveBuffer::new();
        receive(&mut buffer, &vec![7; 100_000]);
        assert_eq!(buffer.received().len(), 100_000);
        buffer.consume(100_000);
        assert_eq!(buffer.bytes.len(), RESTING_BYTES);
    }
}
