//! The sum over the set of records, which shows when a record was rolled back or dropped.
//!
//! Each record contributes a keyed hash of its address and version; the set's hash is their sum modulo 2^256
//! (the additive multiset hash of Clarke et al., ASIACRYPT 2003). A change alters the sum by what it adds minus what it
//! replaces, without reading the other records. The sum is stored sealed, together with the number of the change.

use aws_lc_rs::hmac;

use crate::store::{RecordId, RecordKind, RecordVersion};

/// A number modulo 2^256, big-endian: the sum itself, or what a change adds to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetDelta(pub [u8; 32]);

impl SetDelta {
    /// What one record contributes.
    pub(super) fn element(key: &hmac::Key, kind: RecordKind, id: RecordId, version: RecordVersion) -> Self {
        let mut message = [0; 25];
        message[0] = kind.0;
        message[1..17].copy_from_slice(&id.0);
        message[17..].copy_from_slice(&version.0.to_be_bytes());
        let mut sum = [0; 32];
        sum.copy_from_slice(hmac::sign(key, &message).as_ref());
        Self(sum)
    }

    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let mut sum = [0; 32];
        let mut carry = 0;
        for index in (0..32).rev() {
            let digit = u16::from(self.0[index]) + u16::from(other.0[index]) + carry;
            sum[index] = (digit & 0xff) as u8;
            carry = digit >> 8;
        }
        Self(sum)
    }

    /// This without the other.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        // Two's complement: -x is (not x) + 1.
        let mut one = [0; 32];
        one[31] = 1;
        self.plus(Self(other.0.map(|byte| !byte))).plus(Self(one))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_added_can_be_taken_away(a: [u8; 32], b: [u8; 32]) {
            prop_assert_eq!(SetDelta(a).plus(SetDelta(b)).minus(SetDelta(b)), SetDelta(a));
        }

        #[test]
        fn the_order_of_records_does_not_matter(a: [u8; 32], b: [u8; 32], c: [u8; 32]) {
            let (a, b, c) = (SetDelta(a), SetDelta(b), SetDelta(c));
            prop_assert_eq!(a.plus(b).plus(c), c.plus(a).plus(b));
        }
    }
}
