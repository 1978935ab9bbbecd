//! Pages of a database, many at once: each with its own key and initialisation vector, in place or from one buffer to
//! another, at any address.
//!
//! A page here is what is encrypted of it. What stays readable in front (a header) or behind (a checksum) is the
//! caller's, who also chooses initialisation vectors.
//!
//! CBC encryption is serial within a page, and a batch is the way out: where the processor has the instructions,
//! 10 to 32 pages run at the same time, and hundreds of pages take a tenth of the time they take one by one.
//! Decryption and counter mode fill the processor with a single page.
//!
//! ```
//! use strongroom_cipher::Buffer;
//! use strongroom_cipher::pages::{self, Page, PageKey, Rule};
//!
//! let key = PageKey::new(&[7; 32])?;
//! let mut file = vec![0x5A; 64 * 16384];
//! let batch = |file: &mut [u8], work: fn(Rule, &mut [Page<'_>]) -> Result<(), _>| {
//!     let mut pages: Vec<Page<'_>> = file
//!         .chunks_mut(16384)
//!         .map(|page| Page { key: &key, iv: [9; 16], data: Buffer::InPlace(&mut page[38..]) })
//!         .collect();
//!     work(Rule::InnoDb, &mut pages)
//! };
//! batch(&mut file, pages::encrypt)?;
//! assert_ne!(file[38..54], [0x5A; 16]);
//! batch(&mut file, pages::decrypt)?;
//! assert!(file.iter().all(|byte| *byte == 0x5A));
//! # Ok::<(), strongroom_cipher::CipherError>(())
//! ```

use zeroize::Zeroizing;

use crate::{AesDecrypt, AesEncrypt, BLOCK_BYTES, Backend, Buffer, CipherError, Iv};

/// What becomes of a page's last bytes where they fill no block. The length never changes, and a page of whole blocks
/// is plain CBC under every rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// There are none: another length is an error.
    WholeBlocks,
    /// MySQL's InnoDB: after the whole blocks, the page's last 32 bytes are encrypted once more, as two blocks of a chain
    /// that starts from the page's initialisation vector again. Needs 32 bytes.
    InnoDb,
    /// MariaDB: they are combined by exclusive-or with the encrypted initialisation vector.
    MariaDb,
}

impl Rule {
    /// Whether a page can have this many bytes.
    #[must_use]
    pub fn allows(self, bytes: usize) -> bool {
        bytes.is_multiple_of(BLOCK_BYTES)
            || match self {
                Self::WholeBlocks => false,
                Self::InnoDb => bytes >= 2 * BLOCK_BYTES,
                Self::MariaDb => true,
            }
    }
}

/// A key expanded for both directions. Cleared on drop.
pub struct PageKey {
    encrypt: AesEncrypt,
    decrypt: AesDecrypt,
}

impl PageKey {
    /// Expands a key of 16, 24 or 32 bytes for the fastest code this processor has.
    ///
    /// # Errors
    /// [`CipherError::KeyLength`] for any other length.
    pub fn new(key: &[u8]) -> Result<Self, CipherError> {
        Self::with_backend(key, Backend::best())
    }

    /// Expands a key for a named back end.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`CipherError::Backend`] where the processor cannot run it.
    pub fn with_backend(key: &[u8], backend: Backend) -> Result<Self, CipherError> {
        let encrypt = AesEncrypt::with_backend(key, backend)?;
        let decrypt = encrypt.inverse();
        Ok(Self { encrypt, decrypt })
    }

    /// What this key runs on.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.encrypt.backend()
    }
}

/// One page of a batch.
pub struct Page<'a> {
    /// Its key; pages that share a key should share this reference, which is the fastest.
    pub key: &'a PageKey,
    /// Its initialisation vector, or its first counter block.
    pub iv: Iv,
    /// What of it is encrypted.
    pub data: Buffer<'a>,
}

/// Encrypts pages with CBC.
///
/// # Errors
/// [`CipherError::PageLength`] and [`CipherError::OutputTooSmall`], with no page touched.
pub fn encrypt(rule: Rule, pages: &mut [Page<'_>]) -> Result<(), CipherError> {
    check(rule, pages)?;
    #[cfg(target_arch = "x86_64")]
    {
        interleaved::encrypt(rule, pages)
    }
    #[cfg(not(target_arch = "x86_64"))]
    pages.iter_mut().try_for_each(|page| encrypt_one(rule, page))
}

/// Decrypts pages with CBC.
///
/// # Errors
/// [`CipherError::PageLength`] and [`CipherError::OutputTooSmall`], with no page touched.
pub fn decrypt(rule: Rule, pages: &mut [Page<'_>]) -> Result<(), CipherError> {
    check(rule, pages)?;
    pages.iter_mut().try_for_each(|page| decrypt_one(rule, page))
}

/// Encrypts or decrypts pages of any length in counter mode; see [`ctr`](crate::ctr).
///
/// # Errors
/// [`CipherError::OutputTooSmall`], with no page touched.
pub fn apply_ctr(pages: &mut [Page<'_>]) -> Result<(), CipherError> {
    pages.iter().try_for_each(|page| page.data.check())?;
    for page in pages {
        let aes = &page.key.encrypt;
        let mut counter = u128::from_be_bytes(page.iv);
        let data = page.data.reborrow();
        let whole = data.len() / BLOCK_BYTES * BLOCK_BYTES;
        let (blocks, rest) = data.split_at(whole);
        aes.ctr(&mut counter, blocks)?;
        if !rest.is_empty() {
            mask(rest.into_output()?, &Zeroizing::new(aes.block(counter.to_be_bytes())?));
        }
    }
    Ok(())
}

fn check(rule: Rule, pages: &[Page<'_>]) -> Result<(), CipherError> {
    for (page, Page { data, .. }) in pages.iter().enumerate() {
        if !rule.allows(data.len()) {
            return Err(CipherError::PageLength { page, bytes: data.len() });
        }
        data.check()?;
    }
    Ok(())
}

fn encrypt_one(rule: Rule, page: &mut Page<'_>) -> Result<(), CipherError> {
    let aes = &page.key.encrypt;
    let (len, mut before) = (page.data.len(), page.iv);
    let (whole, tail) = (len / BLOCK_BYTES * BLOCK_BYTES, len % BLOCK_BYTES);
    let (blocks, rest) = page.data.reborrow().split_at(whole);
    aes.cbc(&mut before, blocks)?;
    if tail == 0 {
        return Ok(());
    }
    let rest = rest.into_output()?;
    match rule {
        Rule::WholeBlocks => {}
        Rule::InnoDb => {
            let last = &mut output(&mut page.data)[len - 2 * BLOCK_BYTES..len];
            let mut before = page.iv;
            aes.cbc(&mut before, Buffer::InPlace(last))?;
        }
        Rule::MariaDb => mask(rest, &Zeroizing::new(aes.block(page.iv)?)),
    }
    Ok(())
}

fn decrypt_one(rule: Rule, page: &mut Page<'_>) -> Result<(), CipherError> {
    let (encrypt, aes) = (&page.key.encrypt, &page.key.decrypt);
    let len = page.data.len();
    let (whole, tail) = (len / BLOCK_BYTES * BLOCK_BYTES, len % BLOCK_BYTES);
    let mut before = page.iv;
    if tail == 0 || rule == Rule::MariaDb {
        let (blocks, rest) = page.data.reborrow().split_at(whole);
        aes.cbc(&mut before, blocks)?;
        if tail > 0 {
            mask(rest.into_output()?, &Zeroizing::new(encrypt.block(page.iv)?));
        }
        return Ok(());
    }
    // InnoDB's rule, undone backwards. The last 32 bytes begin inside the block before the last two, so the whole
    // blocks they touch are read from the output.
    let untouched = (len - 2 * BLOCK_BYTES) / BLOCK_BYTES * BLOCK_BYTES;
    let (front, back) = page.data.reborrow().split_at(untouched);
    let back = back.into_output()?;
    let start = back.len() - 2 * BLOCK_BYTES;
    let mut again = page.iv;
    aes.cbc(&mut again, Buffer::InPlace(&mut back[start..]))?;
    aes.cbc(&mut before, front)?;
    aes.cbc(&mut before, Buffer::InPlace(&mut back[..whole - untouched]))
}

/// The place a page's output is in.
fn output<'a>(data: &'a mut Buffer<'_>) -> &'a mut [u8] {
    match data {
        Buffer::InPlace(data) => data,
        Buffer::Across { dst, .. } => dst,
    }
}

fn mask(data: &mut [u8], mask: &Iv) {
    for (byte, mask) in data.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

#[cfg(target_arch = "x86_64")]
mod interleaved {
    //! Batches sorted by what must be equal in all lanes: the instruction set and the number of rounds.

    use super::{Page, Rule, encrypt_one};
    use crate::CipherError;
    use crate::simd;

    /// Fewer pages than this gain nothing from lanes.
    const PAGES_MIN: usize = 2;

    pub(super) fn encrypt(rule: Rule, pages: &mut [Page<'_>]) -> Result<(), CipherError> {
        if pages.len() < PAGES_MIN {
            return pages.iter_mut().try_for_each(|page| encrypt_one(rule, page));
        }
        // Each kind is handled where its first page stands; batches of more than one kind are rare.
        let mut kinds = Vec::new();
        for at in 0..pages.len() {
            match kind(&pages[at]) {
                None => encrypt_one(rule, &mut pages[at])?,
                Some(kind) if kinds.contains(&kind) => {}
                Some(kind) => {
                    kinds.push(kind);
                    together(rule, &mut pages[at..], kind);
                }
            }
        }
        Ok(())
    }

    /// What must be equal: the instruction set and the rounds. Nothing for the portable back end.
    fn kind(page: &Page<'_>) -> Option<(simd::InstructionSet, usize)> {
        page.key.encrypt.schedule().map(|schedule| (schedule.instruction_set(), schedule.rounds()))
    }

    fn together(rule: Rule, pages: &mut [Page<'_>], wanted: (simd::InstructionSet, usize)) {
        let Some(first) = pages.first().and_then(|page| page.key.encrypt.schedule()) else {
            return;
        };
        let of_kind = |page: &Page<'_>| kind(page) == Some(wanted);
        let shared = pages
            .iter()
            .filter(|page| of_kind(page))
            .all(|page| page.key.encrypt.schedule().is_some_and(|one| core::ptr::eq(one, first)));
        let pages = pages.iter_mut().filter(|page| of_kind(page)).filter_map(|page| {
            let schedule = page.key.encrypt.schedule()?;
            Some((schedule, &page.iv, &mut page.data))
        });
        simd::cbc_encrypt_pages(first, shared, rule, pages);
    }
}
