//! Pages of a MariaDB tablespace.
//!
//! Each encrypted page names the version of the key that it is encrypted with, so a tablespace may have pages of several
//! versions, and plain ones. The key is the tablespace's own (`key`), the initialisation vector made of
//! tablespace, page number and log sequence number. The bytes that fill no block follow [`Rule::MariaDb`].
//!
//! The file does not say whether the server encrypts with CBC or in counter mode (`file_key_management`'s
//! `encryption_algorithm`): the first encrypted page tells, because it decrypts in one way only.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use strongroom_cipher::pages::{self, Page, PageKey, Rule};
use strongroom_cipher::{Buffer, CipherError};
use zeroize::Zeroizing;

use super::crypt_data::CryptData;
use super::flags::{Format, Layout};
use super::key::{TablespaceKeys, page_iv};
use super::{full_crc32, older};
use crate::codec::{CodecError, Options, PageClass, PageCodec, PageState};
use crate::keys::MasterKeySource;
use crate::page::fault::CompressionFault;
use crate::page::header::{self, LSN, NUMBER};
use crate::page::{Fault, Geometry, PageFault, PageType, is_zero};

/// Page of the system tablespace that says where the doublewrite buffer is. It is never encrypted.
const TRANSACTION_SYSTEM_PAGE: u32 = 5;

/// How a server encrypts pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// `aes_cbc`, the default.
    Cbc,
    /// `aes_ctr`.
    Ctr,
}

impl Mode {
    fn decrypt(self, batch: &mut [Page<'_>]) -> Result<(), CipherError> {
        match self {
            Self::Cbc => pages::decrypt(Rule::MariaDb, batch),
            Self::Ctr => pages::apply_ctr(batch),
        }
    }

    fn encrypt(self, batch: &mut [Page<'_>]) -> Result<(), CipherError> {
        match self {
            Self::Cbc => pages::encrypt(Rule::MariaDb, batch),
            Self::Ctr => pages::apply_ctr(batch),
        }
    }
}

/// The pages of one tablespace.
pub struct Codec {
    format: Format,
    space_id: u32,
    keys: Option<TablespaceKeys>,
    /// What to encrypt with: the latest version, asked for once, unless another was named.
    version: OnceLock<u32>,
    mode: OnceLock<Mode>,
    options: Options,
}

/// A page to encrypt or decrypt.
struct Job {
    /// Its place in the run.
    at: usize,
    number: u32,
    version: u32,
    body: Range<usize>,
}

impl Codec {
    /// Pages of tablespace `space_id`, with its crypt data where it has any and the keyring that has its keys.
    #[must_use]
    pub fn new(
        format: Format,
        space_id: u32,
        crypt: Option<(&CryptData, &Arc<dyn MasterKeySource>)>,
        options: Options,
    ) -> Self {
        let keys = crypt
            .filter(|(data, _)| data.encrypted)
            .map(|(data, source)| TablespaceKeys::new(Arc::clone(source), data));
        Self { format, space_id, keys, version: OnceLock::new(), mode: OnceLock::new(), options }
    }

    /// Encrypts in this mode, and decrypts in no other. Without it the mode is that of the pages that were decrypted before,
    /// or CBC.
    #[must_use]
    pub fn in_mode(mut self, mode: Mode) -> Self {
        self.mode = OnceLock::from(mode);
        self
    }

    /// Encrypts with this version of the key, and not with the latest.
    #[must_use]
    pub fn with_version(mut self, version: u32) -> Self {
        self.version = OnceLock::from(version);
        self
    }

    /// The mode of the pages that were decrypted so far, or that was set.
    #[must_use]
    pub fn mode(&self) -> Option<Mode> {
        self.mode.get().copied()
    }

    /// The key version that a page says it is encrypted with, 0 for none. The page is as it is on disk.
    fn key_version(&self, number: u32, page: &[u8]) -> u32 {
        if self.stays_plain(number, page) {
            return 0;
        }
        match self.format.layout {
            Layout::FullCrc32(_) => full_crc32::key_version(page),
            Layout::Older => older::key_version(self.format.geometry, page),
        }
    }

    /// Whether a page is one that the server never encrypts.
    fn stays_plain(&self, number: u32, page: &[u8]) -> bool {
        number == 0
            || (self.space_id == 0 && number == TRANSACTION_SYSTEM_PAGE)
            || self.options.is_doublewrite(number)
            || match header::page_type(page) {
                PageType::SPACE_HEADER | PageType::EXTENT_DESCRIPTORS => true,
                PageType::SPATIAL_INDEX => !self.format.is_full_crc32(),
                _ => false,
            }
    }

    /// Checks an encrypted page as it is on disk. Nothing for a page that is not encrypted.
    fn begin_decryption(&self, at: usize, number: u32, page: &[u8]) -> Result<Option<Job>, Fault> {
        let version = self.key_version(number, page);
        if version == 0 || self.options.is_doublewrite(number) {
            return Ok(None);
        }
        if self.format.is_full_crc32() {
            full_crc32::verify(page)?;
        }
        if self.keys.is_none() {
            return Err(Fault::EncryptedWithoutKey);
        }
        let found = header::u32_at(page, NUMBER);
        if found != number {
            return Err(Fault::Number { found });
        }
        let body = match self.format.layout {
            Layout::FullCrc32(_) => full_crc32::body(page),
            Layout::Older => older::body(page),
        }?;
        Ok(Some(Job { at, number, version, body }))
    }

    /// Checks a plain page and marks it as encrypted with `version`. Nothing for a page that stays plain.
    fn begin_encryption(
        &self,
        at: usize,
        number: u32,
        page: &mut [u8],
        version: u32,
    ) -> Result<Option<Job>, Fault> {
        if page.len() == self.geometry().physical() && self.key_version(number, page) != 0 {
            return Err(Fault::AlreadyEncrypted);
        }
        self.check(number, page)?;
        if self.stays_plain(number, page) || is_zero(page) {
            return Ok(None);
        }
        let body = match self.format.layout {
            Layout::FullCrc32(_) => full_crc32::begin_encryption(page, version),
            Layout::Older => older::begin_encryption(page, version),
        }?;
        Ok(Some(Job { at, number, version, body }))
    }

    fn finish_decryption(&self, page: &mut [u8]) {
        match self.format.layout {
            Layout::FullCrc32(_) => full_crc32::finish_decryption(page),
            Layout::Older => older::finish_decryption(page),
        }
    }

    /// Checks a page that has been decrypted; its checksum on disk was good before.
    fn check_decrypted(&self, number: u32, page: &[u8]) -> Result<(), Fault> {
        match self.format.layout {
            Layout::FullCrc32(algorithm) => {
                full_crc32::check_contents(number, self.space_id, page, algorithm)
            }
            Layout::Older => self.check(number, page),
        }
    }

    /// What is wrong with a page that is taken for a plain one: where it was meant to be encrypted, that is what is named.
    fn told(&self, number: u32, page: &[u8], fault: Fault) -> Fault {
        let older = self.format.layout == Layout::Older && self.keys.is_some();
        match older && page.len() == self.geometry().physical() && !self.stays_plain(number, page) {
            true => older::encrypted_fault(self.geometry(), page).unwrap_or(fault),
            false => fault,
        }
    }

    /// Encrypts or decrypts the bodies of pages where they are.
    fn crypt(
        &self,
        run: &mut [u8],
        jobs: &[Job],
        keys: &BTreeMap<u32, Arc<PageKey>>,
        work: impl FnOnce(&mut [Page<'_>]) -> Result<(), CipherError>,
    ) -> Result<(), CipherError> {
        let mut batch = Vec::with_capacity(jobs.len());
        let mut pages = run.chunks_mut(self.geometry().physical()).enumerate();
        for job in jobs {
            let Some((_, page)) = pages.find(|(at, _)| *at == job.at) else { continue };
            let Some(key) = keys.get(&job.version) else { continue };
            let iv = page_iv(self.space_id, job.number, header::u64_at(page, LSN));
            batch.push(Page { key, iv, data: Buffer::InPlace(&mut page[job.body.clone()]) });
        }
        work(&mut batch)
    }

    /// The mode in which the first of these pages decrypts that does.
    fn find_mode(
        &self,
        run: &[u8],
        jobs: &[Job],
        keys: &BTreeMap<u32, Arc<PageKey>>,
    ) -> Result<Mode, CipherError> {
        if let Some(mode) = self.mode.get() {
            return Ok(*mode);
        }
        let bytes = self.geometry().physical();
        for job in jobs {
            for mode in [Mode::Cbc, Mode::Ctr] {
                let mut page = Zeroizing::new(run[job.at * bytes..][..bytes].to_vec());
                let alone = Job { at: 0, body: job.body.clone(), ..*job };
                self.crypt(&mut page, &[alone], keys, |batch| mode.decrypt(batch))?;
                self.finish_decryption(&mut page);
                if self.check_decrypted(job.number, &page).is_ok() {
                    return Ok(*self.mode.get_or_init(|| mode));
                }
            }
        }
        Ok(Mode::Cbc)
    }

    /// The keys of these pages. Pages whose key is not in the keyring are taken out and named.
    fn keys_of(
        &self,
        jobs: &mut Vec<Job>,
        faults: &mut Vec<PageFault>,
    ) -> Result<BTreeMap<u32, Arc<PageKey>>, CodecError> {
        let mut found = BTreeMap::new();
        let Some(keys) = &self.keys else { return Ok(found) };
        for version in jobs.iter().map(|job| job.version).collect::<BTreeSet<_>>() {
            if let Some(key) = keys.of(version)? {
                found.insert(version, key);
            }
        }
        jobs.retain(|job| {
            let known = found.contains_key(&job.version);
            if !known {
                let fault = Fault::KeyAbsent { key_id: keys.key_id, version: job.version };
                faults.push(PageFault { page: job.number, fault });
            }
            known
        });
        Ok(found)
    }
}

impl PageCodec for Codec {
    fn geometry(&self) -> Geometry {
        self.format.geometry
    }

    fn classify(&self, number: u32, page: &[u8]) -> PageClass {
        if self.options.is_doublewrite(number) {
            return PageClass { state: PageState::Doublewrite, page_compressed: false, page_type: None };
        }
        if is_zero(page) {
            return PageClass { state: PageState::Zero, page_compressed: false, page_type: None };
        }
        let state = match self.key_version(number, page) {
            0 => PageState::Plain,
            key_version => PageState::Encrypted { key_version },
        };
        let (page_compressed, page_type) = match self.format.layout {
            Layout::FullCrc32(_) => (full_crc32::is_compressed(page), full_crc32::page_type(page)),
            Layout::Older if older::is_compressed(page) => (true, None),
            Layout::Older => (false, Some(header::page_type(page))),
        };
        PageClass { state, page_compressed, page_type }
    }

    fn check(&self, number: u32, page: &[u8]) -> Result<(), Fault> {
        if page.len() != self.geometry().physical() {
            return Err(Fault::Partial { bytes: page.len() });
        }
        if self.options.is_doublewrite(number) || (number != 0 && is_zero(page)) {
            return Ok(());
        }
        match self.format.layout {
            Layout::FullCrc32(algorithm) => {
                full_crc32::verify(page)?;
                if number != 0 && full_crc32::key_version(page) != 0 {
                    return Err(Fault::EncryptedWithoutKey);
                }
                full_crc32::check_contents(number, self.space_id, page, algorithm)?;
            }
            Layout::Older => {
                older::check(self.geometry(), number, self.space_id, page, self.options.checksums)?;
            }
        }
        let found = header::page_type(page);
        if (number == 0) == (found == PageType::SPACE_HEADER) { Ok(()) } else { Err(Fault::Type { found }) }
    }

    fn decrypt(&self, first: u32, run: &mut [u8]) -> Result<Vec<PageFault>, CodecError> {
        let bytes = self.geometry().physical();
        let (mut faults, mut jobs) = (Vec::new(), Vec::new());
        for ((at, page), number) in run.chunks(bytes).enumerate().zip(first..) {
            let verdict = match page.len() == bytes {
                true => self.begin_decryption(at, number, page),
                false => Err(Fault::Partial { bytes: page.len() }),
            };
            match verdict {
                Ok(Some(job)) => jobs.push(job),
                Ok(None) => {
                    let fault = self.check(number, page).err().map(|fault| self.told(number, page, fault));
                    faults.extend(fault.map(|fault| PageFault { page: number, fault }));
                }
                Err(fault) => faults.push(PageFault { page: number, fault }),
            }
        }
        let keys = self.keys_of(&mut jobs, &mut faults)?;
        let mode = self.find_mode(run, &jobs, &keys)?;
        self.crypt(run, &jobs, &keys, |batch| mode.decrypt(batch))?;
        let key_id = self.keys.as_ref().map_or(0, |keys| keys.key_id);
        for job in jobs {
            let page = &mut run[job.at * bytes..][..bytes];
            self.finish_decryption(page);
            let fault = match self.check_decrypted(job.number, page) {
                Ok(()) => continue,
                Err(fault @ Fault::Compression(CompressionFault::Unsupported(_))) => fault,
                Err(_) => Fault::WrongKey { key_id, version: job.version },
            };
            faults.push(PageFault { page: job.number, fault });
        }
        faults.sort_by_key(|fault| fault.page);
        Ok(faults)
    }

    fn encrypt(&self, first: u32, run: &mut [u8]) -> Result<Vec<PageFault>, CodecError> {
        let keys = self.keys.as_ref().ok_or(CodecError::NoKey)?;
        let version = match self.version.get() {
            Some(version) => *version,
            None => {
                let latest = keys.latest()?;
                *self.version.get_or_init(|| latest)
            }
        };
        let bytes = self.geometry().physical();
        let (mut faults, mut jobs) = (Vec::new(), Vec::new());
        for ((at, page), number) in run.chunks_mut(bytes).enumerate().zip(first..) {
            match self.begin_encryption(at, number, page, version) {
                Ok(Some(job)) => jobs.push(job),
                Ok(None) => {}
                Err(fault) => faults.push(PageFault { page: number, fault }),
            }
        }
        let Some(key) = keys.of(version)? else { return Err(CodecError::KeyAbsent { key_id: keys.key_id }) };
        let keys = BTreeMap::from([(version, key)]);
        let mode = self.mode().unwrap_or(Mode::Cbc);
        self.crypt(run, &jobs, &keys, |batch| mode.encrypt(batch))?;
        for job in &jobs {
            let page = &mut run[job.at * bytes..][..bytes];
            match self.format.layout {
                Layout::FullCrc32(_) => full_crc32::write_checksum(page),
                Layout::Older => older::finish_encryption(self.geometry(), page),
            }
        }
        Ok(faults)
    }

    fn expand(&self, first: u32, run: &mut [u8]) -> Vec<PageFault> {
        let mut faults = Vec::new();
        for (number, page) in (first..).zip(run.chunks_exact_mut(self.geometry().physical())) {
            if number == 0 || self.options.is_doublewrite(number) {
                continue;
            }
            let verdict = match self.format.layout {
                Layout::FullCrc32(algorithm) => full_crc32::expand(page, algorithm),
                Layout::Older => older::expand(page),
            };
            faults.extend(verdict.err().map(|fault| PageFault { page: number, fault }));
        }
        faults
    }
}
