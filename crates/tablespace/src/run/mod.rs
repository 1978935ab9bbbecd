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

impl Default for Run<'_> {
    /// As many threads as there are processors, and nobody is told.
    fn default() -> Self {
        Self { jobs: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN), progress: &Silent }
    }
}
