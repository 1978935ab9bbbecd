//! What can go wrong below a record.

use std::fmt;

/// The store could not do what was asked. Nothing of a refused change is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError {
    /// What was being done: "reading a record", "committing".
    pub doing: &'static str,
    /// Why it failed.
    pub cause: StoreCause,
}

/// Why the store failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreCause {
    /// No space is left where the store lives.
    DiskFull,
    /// The system reported a read, write or sync error. What an unsuccessful sync left behind is unknown, so the
    /// store refuses further commits until it is opened anew.
    Io {
        /// The system's or the engine's words.
        detail: String,
    },
    /// An earlier read, write or sync error: no change is tried any more until the store is opened anew.
    Stopped {
        /// The words of that error.
        detail: String,
    },
    /// The file is not a store of ours, or it is damaged.
    Corrupt {
        /// What is wrong with it.
        detail: String,
    },
    /// The store was written by a newer release.
    NewerFormat {
        /// The format found.
        found: u32,
        /// The newest format that this release reads.
        known: u32,
    },
    /// The store was written before the first release.
    OlderFormat {
        /// The format found.
        found: u32,
        /// The oldest format that this release reads.
        known: u32,
    },
    /// Another process uses the store.
    Busy,
    /// The store has been closed, or its committer has ended.
    Closed,
    /// Anything else that the engine reports.
    Engine {
        /// The engine's words.
        detail: String,
    },
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store failed while {}: ", self.doing)?;
        match &self.cause {
            StoreCause::DiskFull => {
                write!(f, "no space is left on its disk; nothing was changed, free some space and try again")
            }
            StoreCause::Io { detail } => {
                write!(f, "the disk reported an error ({detail}); check the disk, then restart the vault")
            }
            StoreCause::Stopped { detail } => write!(
                f,
                "it takes no changes since its disk reported an error ({detail}); check the disk, then restart the vault"
            ),
            StoreCause::Corrupt { detail } => {
                write!(f, "its file is damaged or not a store ({detail}); restore it from a backup")
            }
            StoreCause::NewerFormat { found, known } => write!(
                f,
                "it has format {found}, and this release knows formats up to {known}; use the release that wrote it"
            ),
            StoreCause::OlderFormat { found, known } => write!(
                f,
                "it has format {found} of a release that was never published, and this one begins with {known}; \
                 fetch its keys with the release that wrote it, and make a new vault"
            ),
            StoreCause::Busy => write!(f, "another process uses it; stop that process first"),
            StoreCause::Closed => write!(f, "it is closed; restart the vault"),
            StoreCause::Engine { detail } => write!(f, "{detail}"),
        }
    }
}

impl std::error::Error for StoreError {}
