//! How much at once, and who is told how far it is: what all work on whole files has in common.
//!
//! | module | what it does |
//! |---|---|
//! | [`extents`] | which stretches of a file are stored and which are holes |
//! | [`pipeline`] | a file through many hands, chunk by chunk, into nothing or into another file |

pub mod extents;
pub mod pipeline;

use std::num::NonZeroUsize;

/// Is told how far work is. Called from many threads.
pub trait Progress: Sync {
    /// So many bytes more to do, as soon as it is known.
    fn expect(&self, bytes: u64) {
        let _ = bytes;
    }

    /// So many bytes more are done.
    fn advance(&self, bytes: u64) {
        let _ = bytes;
    }
}

/// Nobody wants to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}

/// How work is done.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// Threads that work on one file.
    pub jobs: NonZeroUsize,
    /// Is told how far it is.
    pub progress: &'a dyn Progress,
}

/// Threads beyond one for each processor: somebody is always waiting for the disk.
const WAITING_JOBS: usize = 2;

impl Default for Run<'_> {
    /// Somewhat more threads than there are processors, and nobody is told.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { jobs: processors.saturating_add(WAITING_JOBS), progress: &Silent }
    }
}
