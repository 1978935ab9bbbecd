//! Every page of a file, decrypted and checked.

use std::sync::{Arc, Mutex, PoisonError};

use super::count::{Counts, finished};
use super::{FileFault, Source};
use crate::keys::MasterKeySource;
use crate::page::PageFault;
use crate::run::{Run, pipeline};

/// What was found.
#[derive(Debug)]
pub struct Verified {
    /// The pages, by what they are.
    pub counts: Counts,
    /// The bad ones, in the order of their numbers.
    pub faults: Vec<PageFault>,
}

/// Decrypts and checks every page. Nothing is written.
///
/// # Errors
/// [`FileFault`] where the pages could not be looked at. Bad pages are no error here.
pub fn verify(source: &Source, keys: &Arc<dyn MasterKeySource>, run: Run<'_>) -> Result<Verified, FileFault> {
    let codec = source.codec(keys)?;
    let all = Mutex::new(Counts::default());
    let work = |first: u32, pages: &mut [u8]| {
        let first = source.first_page.saturating_add(first);
        let mut counts = Counts::default();
        counts.add(&*codec, first, pages);
        all.lock().unwrap_or_else(PoisonError::into_inner).merge(counts);
        codec.decrypt(first, pages)
    };
    let mut faults = match pipeline::send(source.file(), None, source.size, source.page_bytes(), run, &work) {
        Ok(()) => Vec::new(),
        Err(pipeline::Stopped::Pages(faults)) => faults,
        Err(stopped) => return Err(stopped.into()),
    };
    if source.first_page == 0 {
        faults.extend(source.space.cut_off(source.size));
    }
    Ok(Verified { counts: finished(all, source), faults })
}
