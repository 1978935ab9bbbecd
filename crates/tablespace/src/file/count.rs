//! The pages of a file, by what they are.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::{FileFault, Source};
use crate::codec::{PageCodec, PageState};
use crate::page::PageType;
use crate::run::{Run, pipeline};

/// Pages by what they are. Pages in holes of the file are pages of zeros.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub pages: u64,
    /// Nothing but zeros.
    pub zero: u64,
    /// Encrypted ones, by the version of the key; 0 for MySQL.
    pub encrypted: BTreeMap<u32, u64>,
    /// Page-compressed ones.
    pub page_compressed: u64,
    /// In the doublewrite buffer of a system tablespace.
    pub doublewrite: u64,
    /// By type when decrypted, where the header tells it.
    pub types: BTreeMap<PageType, u64>,
}

impl Counts {
    /// Encrypted pages.
    #[must_use]
    pub fn encrypted_pages(&self) -> u64 {
        self.encrypted.values().sum()
    }

    /// The share of pages with contents that are encrypted, from 0 to 1. Page 0, which never is, does not count.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn encrypted_share(&self) -> f64 {
        let filled = self.pages.saturating_sub(self.zero + self.doublewrite + 1);
        if filled == 0 { 0.0 } else { self.encrypted_pages() as f64 / filled as f64 }
    }

    pub(super) fn add(&mut self, codec: &dyn PageCodec, first: u32, run: &[u8]) {
        for (number, page) in (first..).zip(run.chunks(codec.geometry().physical())) {
            self.pages += 1;
            let class = codec.classify(number, page);
            match class.state {
                PageState::Zero => {
                    self.zero += 1;
                    continue;
                }
                PageState::Doublewrite => self.doublewrite += 1,
                PageState::Encrypted { key_version } => *self.encrypted.entry(key_version).or_default() += 1,
                PageState::Plain => {}
            }
            self.page_compressed += u64::from(class.page_compressed);
            if let Some(page_type) = class.page_type {
                *self.types.entry(page_type).or_default() += 1;
            }
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.pages += other.pages;
        self.zero += other.zero;
        self.page_compressed += other.page_compressed;
        self.doublewrite += other.doublewrite;
        other
            .encrypted
            .into_iter()
            .for_each(|(version, count)| *self.encrypted.entry(version).or_default() += count);
        other.types.into_iter().for_each(|(kind, count)| *self.types.entry(kind).or_default() += count);
    }
}

/// Counts the pages of a file by their headers. `codec` needs no key for that.
///
/// # Errors
/// [`FileFault::Read`].
pub fn count(source: &Source, codec: &dyn PageCodec, run: Run<'_>) -> Result<Counts, FileFault> {
    let all = Mutex::new(Counts::default());
    let work = |first: u32, pages: &mut [u8]| {
        let first = source.first_page.saturating_add(first);
        let mut counts = Counts::default();
        counts.add(codec, first, pages);
        all.lock().unwrap_or_else(PoisonError::into_inner).merge(counts);
        Ok(Vec::new())
    };
    pipeline::send(source.file(), None, source.size, source.page_bytes(), run, &work)?;
    Ok(finished(all, source))
}

/// The counts of a whole file: what was not met lies in holes.
pub(super) fn finished(all: Mutex<Counts>, source: &Source) -> Counts {
    let mut counts = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    let all = source.size.div_ceil(source.page_bytes() as u64);
    counts.zero += all - counts.pages;
    counts.pages = all;
    counts
}
