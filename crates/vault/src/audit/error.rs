//! What can go wrong with the journal.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// The journal cannot be used.
#[derive(Debug)]
pub enum AuditError {
    /// It could not be read, written or made durable.
    Io {
        /// What was being done.
        doing: &'static str,
        /// The journal.
        path: PathBuf,
        /// The system's answer.
        kind: io::ErrorKind,
        /// The system's words.
        detail: String,
    },
    /// What reached the disk is not known, so nothing more is written until the journal is opened anew.
    Lasting {
        /// What was being done.
        doing: &'static str,
        /// The journal.
        path: PathBuf,
        /// The system's words.
        detail: String,
    },
    /// Entries of changes that were made wait to be written.
    Backlog {
        /// How many changes.
        changes: usize,
    },
    /// The file was removed or replaced while the vault ran.
    Replaced {
        /// The journal.
        path: PathBuf,
    },
    /// Lines were altered, removed, added or reordered.
    Broken(BrokenChain),
    /// The store knows fewer changes than the journal: an old copy of the store was put in place.
    StoreRolledBack {
        /// The store's last change.
        store: u64,
        /// The last change in the journal.
        journal: u64,
    },
    /// The journal lacks changes that the store has.
    Behind {
        /// The store's last change whose entry must be in the journal.
        store: u64,
        /// The last change in the journal.
        journal: u64,
    },
}

/// Where the chain is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenChain {
    /// The journal.
    pub path: PathBuf,
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with a line of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not a line of a journal.
    Malformed,
    /// Its content does not have its hash: it was edited.
    Edited,
    /// It does not follow the line before it: lines were removed, added or reordered.
    OutOfChain,
    /// The journal ends before the place that the store remembers: its tail was cut off.
    Cut,
    /// The line at the place that the store remembers is another one: the journal was rewritten.
    Rewritten,
    /// The last line is incomplete. A vault that opens the journal cuts it off, and says so in the journal.
    Torn,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "is not a journal entry",
            Self::Edited => "was edited: its content does not have its hash",
            Self::OutOfChain => {
                "does not follow the entry before it: entries were removed, added or reordered"
            }
            Self::Cut => "is missing: the end of the journal was cut off",
            Self::Rewritten => "is not the entry that the store remembers: the journal was rewritten",
            Self::Torn => "is incomplete",
        })
    }
}

impl fmt::Display for BrokenChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: line {} {}", self.path.display(), self.line, self.fault)
    }
}

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, path, kind: io::ErrorKind::StorageFull, .. } => write!(
                f,
                "{doing} the audit journal {}: no space is left on its disk; no key leaves until there is",
                path.display()
            ),
            Self::Io { doing, path, detail, .. } => {
                write!(
                    f,
                    "{doing} the audit journal {}: {detail}; no key leaves until it can be written",
                    path.display()
                )
            }
            Self::Lasting { doing, path, detail } => write!(
                f,
                "{doing} the audit journal {} failed ({detail}); no key leaves any more: check the disk, then restart \
                 the vault",
                path.display()
            ),
            Self::Backlog { changes } => {
                write!(f, "the audit journal lacks the entries of {changes} changes; free space on its disk")
            }
            Self::Replaced { path } => write!(
                f,
                "the audit journal {} was removed or replaced while in use; put it back and restart the vault",
                path.display()
            ),
            Self::Broken(broken) => write!(f, "the audit journal was tampered with: {broken}"),
            Self::StoreRolledBack { store, journal } => write!(
                f,
                "the store is an old copy: it ends with change {store}, the audit journal with change {journal}; \
                 put back the store that belongs to this journal, or restore the vault's whole directory from one backup"
            ),
            Self::Behind { store, journal } => write!(
                f,
                "the audit journal ends with change {journal}, but the store has journaled change {store}: \
                 the end of the journal was cut off"
            ),
        }
    }
}

impl std::error::Error for AuditError {}

impl AuditError {
    pub(super) fn io(doing: &'static str, path: &std::path::Path, error: &io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), kind: error.kind(), detail: error.to_string() }
    }
}
