//! The bytes of one key.

use std::fmt;
use std::ptr::NonNull;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::arena;

/// The bytes of one key, or of any other secret: wiped on drop, locked, kept out of core dumps, redacted in `Debug`.
///
/// There is no `Clone`: a copy of a key is a decision, so it has a name, [`KeyMaterial::duplicate`].
pub struct KeyMaterial {
    /// `len` bytes from the arena; dangling when `len` is 0.
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the bytes are owned by this value alone and reached only through `&self` and `&mut self`.
unsafe impl Send for KeyMaterial {}
// SAFETY: `&KeyMaterial` only reads.
unsafe impl Sync for KeyMaterial {}

impl KeyMaterial {
    /// Copies `bytes`. Whoever holds the original clears it.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let mut material = Self::zeroed(bytes.len());
        material.as_mut_bytes().copy_from_slice(bytes);
        material
    }

    /// Takes over `bytes` from the heap, where they are wiped.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "taking the value is what wipes the copy on the heap")]
    pub fn from_zeroizing(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self::new(&bytes)
    }

    /// `len` bytes written by `fill`, such as a random generator, without a copy elsewhere.
    ///
    /// # Errors
    /// What `fill` returns; the bytes written so far are wiped.
    pub fn try_fill<E>(len: usize, fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut material = Self::zeroed(len);
        fill(material.as_mut_bytes())?;
        Ok(material)
    }

    /// A second copy of the same bytes, as well kept as the first.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self::new(self.as_bytes())
    }

    /// The bytes. Keep the borrow short and copy nothing out of it that is not wiped.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: `start` is either dangling with `len` 0, or `len` initialised bytes owned by `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn zeroed(len: usize) -> Self {
        let start = if len == 0 { NonNull::dangling() } else { arena::allocate(len) };
        Self { start, len }
    }

    fn as_mut_bytes(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_bytes`, and `&mut self` makes the borrow exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for KeyMaterial {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: `start` came from `allocate(len)`, and no borrow of `self` outlives it.
            unsafe { arena::release(self.start, self.len) };
        }
    }
}

impl fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyMaterial({} bytes)", self.len)
    }
}

/// Constant time in the bytes; a different length is told at once, since lengths are no secret.
impl PartialEq for KeyMaterial {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl Eq for KeyMaterial {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_it_was_given_at_every_size() {
        for len in [0, 1, 16, 31, 32, 33, 64, 1000, 4095, 4096, 4097, 70_000] {
            let bytes: Vec<u8> = (0..len).map(|i| (i * 7 + 3) as u8).collect();
            let material = KeyMaterial::new(&bytes);
            assert_eq!(material.as_bytes(), bytes);
            assert_eq!(material.duplicate(), material);
            assert_eq!(material.is_empty(), len == 0);
        }
    }

    #[test]
    fn values_of_one_size_do_not_share_memory() {
        let all: Vec<KeyMaterial> = (0..2000_u32).map(|i| KeyMaterial::new(&i.to_be_bytes())).collect();
        assert!((0..2000_u32).zip(&all).all(|(i, material)| material.as_bytes() == i.to_be_bytes()));
    }

    #[test]
    fn debug_tells_the_length_and_nothing_else() {
        assert_eq!(format!("{:?}", KeyMaterial::new(b"a secret")), "KeyMaterial(8 bytes)");
    }

    #[test]
    fn a_failed_fill_gives_its_error() {
        assert_eq!(KeyMaterial::try_fill(32, |_| Err("no entropy")).unwrap_err(), "no entropy");
    }

    #[test]
    fn different_bytes_and_lengths_are_unequal() {
        assert_ne!(KeyMaterial::new(&[1, 2]), KeyMaterial::new(&[1, 3]));
        assert_ne!(KeyMaterial::new(&[1, 2]), KeyMaterial::new(&[1, 2, 0]));
    }

    /// The kernel's own word that the pages are kept out of core dumps (`dd`) and locked (`lo`).
    #[test]
    fn pages_are_marked_do_not_dump_and_locked() {
        let material = KeyMaterial::new(&[7; 32]);
        let address = material.as_bytes().as_ptr() as usize;
        let maps = std::fs::read_to_string("/proc/self/smaps").expect("smaps is readable on Linux");
        let mut inside = false;
        let flags = maps
            .lines()
            .find_map(|line| {
                if let Some((range, _)) = line.split_once(' ')
                    && let Some((from, to)) = range.split_once('-')
                    && let (Ok(from), Ok(to)) =
                        (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16))
                {
                    inside = (from..to).contains(&address);
                }
                line.strip_prefix("VmFlags:").filter(|_| inside)
            })
            .expect("the page is mapped");
        assert!(flags.split_whitespace().any(|flag| flag == "dd"), "{flags}");
        if crate::pages().unlocked_bytes == 0 {
            assert!(flags.split_whitespace().any(|flag| flag == "lo"), "{flags}");
        }
    }
}
