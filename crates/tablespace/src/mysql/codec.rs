//! Pages of a MySQL tablespace.
//!
//! A page is encrypted with AES-256-CBC without padding, from byte 38 to its end, after its checksum was computed. All
//! pages of a tablespace have the same key and the same initialisation vector. The last bytes follow InnoDB's rule
//! ([`Rule::InnoDb`]). What is encrypted is told by the page type:
//!
//! | type | was | where the type was put |
//! |---|---|---|
//! | 15 | any other | bytes 28..30 |
//! | 16 | page-compressed (14) | nowhere: it is always 14, and the header of the compressed page stays |
//! | 17 | a spatial index (17854) | nowhere: bytes 26..34 hold the split sequence number |
//!
//! A plain page in an encrypted tablespace is normal: it was not written since encryption began.

use strongroom_cipher::pages::{self, Page, PageKey, Rule};
use strongroom_cipher::{Buffer, Iv};

use super::compression::{self, ORIGINAL_TYPE};
use super::key::TablespaceKey;
use crate::codec::{CodecError, Options, PageClass, PageCodec, PageState};
use crate::page::header::{self, FLUSH_LSN, HEADER_BYTES, NUMBER, SPACE_ID, TYPE};
use crate::page::{Fault, Geometry, PageFault, PageType, checksum, is_zero};

/// Page of the system tablespace that says where the doublewrite buffer is. It is never encrypted.
pub(crate) const TRANSACTION_SYSTEM_PAGE: u32 = 5;

/// The pages of one tablespace.
pub struct Codec {
    geometry: Geometry,
    space_id: u32,
    key: Option<(PageKey, Iv)>,
    options: Options,
}

impl Codec {
    /// Pages of tablespace `space_id`, which has `key` if it is encrypted or is to be.
    #[must_use]
    pub fn new(geometry: Geometry, space_id: u32, key: Option<&TablespaceKey>, options: Options) -> Self {
        Self { geometry, space_id, key: key.map(TablespaceKey::expand), options }
    }

    /// Whether a page is one that the server never encrypts.
    fn stays_plain(&self, number: u32) -> bool {
        number == 0
            || (self.space_id == 0 && number == TRANSACTION_SYSTEM_PAGE)
            || self.options.is_doublewrite(number)
    }

    /// Puts back the type of an encrypted page. How many bytes of it are encrypted, with the header; `None` for a page that
    /// is not encrypted.
    fn begin_decryption(&self, number: u32, page: &mut [u8]) -> Result<Option<usize>, Fault> {
        let found = header::page_type(page);
        if self.options.is_doublewrite(number) || !found.is_mysql_encrypted() {
            return Ok(None);
        }
        if self.key.is_none() {
            return Err(Fault::EncryptedWithoutKey);
        }
        if self.stays_plain(number) {
            return Err(Fault::Type { found });
        }
        match found {
            PageType::COMPRESSED_AND_ENCRYPTED => {
                if self.geometry.is_compressed() {
                    return Err(Fault::Type { found });
                }
                let len = compression::encrypted_len(page).map_err(Fault::Compression)?;
                header::put(page, TYPE, &PageType::COMPRESSED.0.to_be_bytes());
                Ok(Some(len))
            }
            PageType::ENCRYPTED_SPATIAL_INDEX => {
                header::put(page, TYPE, &PageType::SPATIAL_INDEX.0.to_be_bytes());
                Ok(Some(page.len()))
            }
            _ => {
                page.copy_within(ORIGINAL_TYPE..ORIGINAL_TYPE + 2, TYPE);
                page[ORIGINAL_TYPE..ORIGINAL_TYPE + 2].fill(0);
                Ok(Some(page.len()))
            }
        }
    }

    /// Checks a plain page and changes its type to that of an encrypted one. How many bytes are to be encrypted, with the
    /// header; `None` for a page that stays plain.
    fn begin_encryption(&self, number: u32, page: &mut [u8]) -> Result<Option<usize>, Fault> {
        if page.len() == self.geometry.physical() && header::page_type(page).is_mysql_encrypted() {
            return Err(Fault::AlreadyEncrypted);
        }
        self.check(number, page)?;
        if self.stays_plain(number) || is_zero(page) {
            return Ok(None);
        }
        let (encrypted, len) = match header::page_type(page) {
            PageType::COMPRESSED => {
                let len = compression::encrypted_len(page).map_err(Fault::Compression)?;
                (PageType::COMPRESSED_AND_ENCRYPTED, len)
            }
            PageType::SPATIAL_INDEX => (PageType::ENCRYPTED_SPATIAL_INDEX, page.len()),
            _ => {
                page.copy_within(TYPE..TYPE + 2, ORIGINAL_TYPE);
                (PageType::ENCRYPTED, page.len())
            }
        };
        header::put(page, TYPE, &encrypted.0.to_be_bytes());
        Ok(Some(len))
    }

    /// Sorts the pages of a run: those to process are returned, those at fault are named.
    fn sort<'a>(
        &'a self,
        first: u32,
        run: &'a mut [u8],
        faults: &mut Vec<PageFault>,
        begin: impl Fn(&Self, u32, &mut [u8]) -> Result<Option<usize>, Fault>,
    ) -> Vec<Page<'a>> {
        let size = self.geometry.physical();
        let mut batch = Vec::with_capacity(run.len() / size);
        for (number, page) in (first..).zip(run.chunks_mut(size)) {
            let verdict = match page.len() == size {
                true => begin(self, number, page),
                false => Err(Fault::Partial { bytes: page.len() }),
            };
            match (verdict, &self.key) {
                (Ok(Some(len)), Some((key, iv))) => {
                    let data = Buffer::InPlace(&mut page[HEADER_BYTES..len]);
                    batch.push(Page { key, iv: *iv, data });
                }
                (Ok(_), _) => {}
                (Err(fault), _) => faults.push(PageFault { page: number, fault }),
            }
        }
        batch
    }

    fn check_header(&self, number: u32, page: &[u8]) -> Result<(), Fault> {
        let found = header::u32_at(page, NUMBER);
        if found != number {
            return Err(Fault::Number { found });
        }
        let found = header::u32_at(page, SPACE_ID);
        if found != self.space_id {
            return Err(Fault::SpaceId { found, expected: self.space_id });
        }
        let found = header::page_type(page);
        if (number == 0) != (found == PageType::SPACE_HEADER) {
            return Err(Fault::Type { found });
        }
        // The system tablespace keeps a log sequence number there, in the first page of each of its files, and pages of
        // large columns of ROW_FORMAT=COMPRESSED the number of another page.
        let used = self.space_id == 0 || self.geometry.is_compressed() || found == PageType::SPATIAL_INDEX;
        if used || is_zero(&page[FLUSH_LSN..SPACE_ID]) || is_left_behind(page) {
            return Ok(());
        }
        Err(Fault::HeaderNotZero)
    }
}

/// Whether bytes 26..34 are what a server leaves there in a page that it read encrypted or page-compressed and wrote as neither.
fn is_left_behind(page: &[u8]) -> bool {
    let [before, kept, after] =
        [FLUSH_LSN..ORIGINAL_TYPE, ORIGINAL_TYPE..ORIGINAL_TYPE + 2, ORIGINAL_TYPE + 2..SPACE_ID];
    let encrypted = PageType(header::u16_at(page, kept.start)) == PageType::ENCRYPTED;
    (encrypted && is_zero(&page[before]) && is_zero(&page[after])) || compression::is_left_behind(page)
}

impl PageCodec for Codec {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn classify(&self, number: u32, page: &[u8]) -> PageClass {
        let found = header::page_type(page);
        let kept = PageType(header::u16_at(page, ORIGINAL_TYPE));
        let (state, page_compressed, page_type) = if self.options.is_doublewrite(number) {
            (PageState::Doublewrite, false, None)
        } else {
            let encrypted = PageState::Encrypted { key_version: 0 };
            match found {
                PageType::ENCRYPTED => (encrypted, false, Some(kept)),
                PageType::COMPRESSED_AND_ENCRYPTED => (encrypted, true, Some(kept)),
                PageType::ENCRYPTED_SPATIAL_INDEX => (encrypted, false, Some(PageType::SPATIAL_INDEX)),
                PageType::COMPRESSED => (PageState::Plain, true, Some(kept)),
                _ if is_zero(page) => (PageState::Zero, false, None),
                _ => (PageState::Plain, false, Some(found)),
            }
        };
        PageClass { state, page_compressed, page_type }
    }

    fn check(&self, number: u32, page: &[u8]) -> Result<(), Fault> {
        if page.len() != self.geometry.physical() {
            return Err(Fault::Partial { bytes: page.len() });
        }
        if self.options.is_doublewrite(number) || (number != 0 && is_zero(page)) {
            return Ok(());
        }
        let found = header::page_type(page);
        if found.is_mysql_encrypted() {
            return Err(Fault::EncryptedWithoutKey);
        }
        if found == PageType::COMPRESSED && !self.geometry.is_compressed() && number != 0 {
            let mut page = page.to_vec();
            compression::expand(&mut page).map_err(Fault::Compression)?;
            checksum::verify(self.geometry, &page, self.options.checksums)?;
            return self.check_header(number, &page);
        }
        checksum::verify(self.geometry, page, self.options.checksums)?;
        self.check_header(number, page)
    }

    fn decrypt(&self, first: u32, run: &mut [u8]) -> Result<Vec<PageFault>, CodecError> {
        let mut faults = Vec::new();
        let mut batch = self.sort(first, run, &mut faults, Self::begin_decryption);
        pages::decrypt(Rule::InnoDb, &mut batch)?;
        drop(batch);
        let mut known = std::mem::take(&mut faults).into_iter().peekable();
        for (number, page) in (first..).zip(run.chunks(self.geometry.physical())) {
            match known.next_if(|fault| fault.page == number) {
                Some(fault) => faults.push(fault),
                None => faults
                    .extend(self.check(number, page).err().map(|fault| PageFault { page: number, fault })),
            }
        }
        Ok(faults)
    }

    fn encrypt(&self, first: u32, run: &mut [u8]) -> Result<Vec<PageFault>, CodecError> {
        if self.key.is_none() {
            return Err(CodecError::NoKey);
        }
        let mut faults = Vec::new();
        let mut batch = self.sort(first, run, &mut faults, Self::begin_encryption);
        pages::encrypt(Rule::InnoDb, &mut batch)?;
        Ok(faults)
    }

    fn expand(&self, first: u32, run: &mut [u8]) -> Vec<PageFault> {
        let mut faults = Vec::new();
        for (number, page) in (first..).zip(run.chunks_exact_mut(self.geometry.physical())) {
            let compressed = header::page_type(page) == PageType::COMPRESSED;
            if !compressed || self.geometry.is_compressed() || self.options.is_doublewrite(number) {
                continue;
            }
            if let Err(fault) = compression::expand(page) {
                faults.push(PageFault { page: number, fault: Fault::Compression(fault) });
            }
        }
        faults
    }
}
