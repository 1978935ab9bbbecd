//! A file through many hands: each takes the next chunk, reads it, works on its pages and, where there is a target, writes it.
//!
//! What is a hole in the source stays one in the target as long as it is zero there as well. Work stops at the first chunk
//! in which something is wrong, unless nothing is written: a check names every page.

use std::io;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use zeroize::Zeroizing;

use super::Run;
use super::extents::{BLOCK_BYTES, Extents};
use crate::codec::CodecError;
use crate::disk::{DiskFile, read_exactly};
use crate::page::PageFault;

/// Bytes that are worked on at once. Hundreds of pages are encrypted together at ten times the speed of one.
pub const CHUNK_BYTES: usize = 4 << 20;

/// Why a file did not get through.
#[derive(Debug)]
pub enum Stopped {
    /// The source cannot be read.
    Read(io::Error),
    /// The target cannot be written.
    Write(io::Error),
    /// These pages are bad, in the order of their numbers. Where nothing was to be written, these are all of them.
    Pages(Vec<PageFault>),
    /// Pages cannot be worked on at all.
    Codec(CodecError),
}

/// Works on pages, of which the first has this number, in place.
pub type Work<'a> = dyn Fn(u32, &mut [u8]) -> Result<Vec<PageFault>, CodecError> + Sync + 'a;

/// Sends the first `size` bytes of `source`, which are whole pages of `page_bytes`, through `work` and, where there is one, into
/// `target`, which is new and empty.
///
/// Chunks that are one hole are neither read nor worked on: pages of zeros are as good encrypted as plain.
///
/// # Errors
/// [`Stopped`]. What is in the target then is worth nothing.
pub fn send(
    source: &dyn DiskFile,
    target: Option<&dyn DiskFile>,
    size: u64,
    page_bytes: usize,
    run: Run<'_>,
    work: &Work<'_>,
) -> Result<(), Stopped> {
    let extents = Extents::of(source).map_err(Stopped::Read)?;
    if let Some(target) = target {
        target.set_len(size).map_err(Stopped::Write)?;
    }
    let chunk = CHUNK_BYTES.max(page_bytes) / page_bytes * page_bytes;
    let chunks = size.div_ceil(chunk as u64);
    let belt = Belt {
        source,
        target,
        extents,
        size,
        chunk,
        page_bytes,
        next: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
        faults: Mutex::default(),
    };
    let jobs = run.jobs.get().min(usize::try_from(chunks).unwrap_or(usize::MAX)).max(1);
    let ended = if jobs == 1 {
        belt.take_part(run, work)
    } else {
        std::thread::scope(|scope| {
            let hands: Vec<_> = (1..jobs).map(|_| scope.spawn(|| belt.take_part(run, work))).collect();
            let own = belt.take_part(run, work);
            // A hand that panicked is a defect of this program, and goes on panicking here.
            hands.into_iter().fold(own, |ended, hand| {
                ended.and(hand.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            })
        })
    };
    ended?;
    let mut faults = belt.faults.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    faults.sort_by_key(|fault| fault.page);
    if faults.is_empty() { Ok(()) } else { Err(Stopped::Pages(faults)) }
}

struct Belt<'a> {
    source: &'a dyn DiskFile,
    target: Option<&'a dyn DiskFile>,
    extents: Extents,
    size: u64,
    chunk: usize,
    page_bytes: usize,
    next: AtomicU64,
    is_over: AtomicBool,
    faults: Mutex<Vec<PageFault>>,
}

impl Belt<'_> {
    fn take_part(&self, run: Run<'_>, work: &Work<'_>) -> Result<(), Stopped> {
        // Pages in the clear are in here.
        let room = self.chunk.min(usize::try_from(self.size).unwrap_or(usize::MAX));
        let mut buffer = Zeroizing::new(vec![0; room]);
        while !self.is_over.load(Ordering::Relaxed) {
            let start = self.next.fetch_add(1, Ordering::Relaxed).saturating_mul(self.chunk as u64);
            if start >= self.size {
                break;
            }
            let stretch = start..self.size.min(start + self.chunk as u64);
            let done = self.one(&mut buffer, &stretch, work);
            if done.is_err() {
                self.is_over.store(true, Ordering::Relaxed);
                return done;
            }
            run.progress.advance(stretch.end - stretch.start);
        }
        Ok(())
    }

    fn one(&self, buffer: &mut [u8], stretch: &Range<u64>, work: &Work<'_>) -> Result<(), Stopped> {
        if !self.extents.touches(stretch) {
            return Ok(());
        }
        let count = usize::try_from(stretch.end - stretch.start).unwrap_or(usize::MAX).min(buffer.len());
        let pages = &mut buffer[..count];
        read_exactly(self.source, pages, stretch.start).map_err(Stopped::Read)?;
        let first = u32::try_from(stretch.start / self.page_bytes as u64).unwrap_or(u32::MAX);
        let faults = work(first, pages).map_err(Stopped::Codec)?;
        if !faults.is_empty() {
            self.faults.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(faults);
            // Where something is to be written, one bad page is enough.
            self.is_over.fetch_or(self.target.is_some(), Ordering::Relaxed);
            return Ok(());
        }
        let Some(target) = self.target else { return Ok(()) };
        self.write(target, pages, stretch).map_err(Stopped::Write)?;
        // Left to the sync at the end, nothing would be written while the rest is read.
        target.was_written(stretch);
        Ok(())
    }

    /// Writes a chunk, but for the blocks that are holes in the source and zero here.
    fn write(&self, target: &dyn DiskFile, pages: &[u8], stretch: &Range<u64>) -> io::Result<()> {
        if self.extents.covers(stretch) {
            return target.write_at(pages, stretch.start);
        }
        let mut pending = 0..0;
        for (at, block) in pages.chunks(BLOCK_BYTES).enumerate() {
            let from = at * BLOCK_BYTES;
            let place = stretch.start + from as u64..stretch.start + (from + block.len()) as u64;
            if self.extents.touches(&place) || !crate::page::is_zero(block) {
                pending.end = from + block.len();
            } else {
                if !pending.is_empty() {
                    target.write_at(&pages[pending.clone()], stretch.start + pending.start as u64)?;
                }
                pending = from + block.len()..from + block.len();
            }
        }
        if pending.is_empty() {
            return Ok(());
        }
        target.write_at(&pages[pending.clone()], stretch.start + pending.start as u64)
    }
}
