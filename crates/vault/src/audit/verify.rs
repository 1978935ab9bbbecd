//! Walking the chain.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::error::{AuditError, BrokenChain, Fault};
use super::line::{LINE_LEN_MAX, Position};

/// What a walk found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// After the last whole line.
    pub position: Position,
    /// Bytes of an incomplete last line; 0 when there is none.
    pub torn_bytes: u64,
}

/// Checks the whole journal, first line to last. `anchor`, where known, is a position that the journal must have.
///
/// Works without the vault's keys, so that anybody who may read the journal can check it.
///
/// # Errors
/// [`AuditError::Broken`] names the first line that is wrong; [`AuditError::Io`].
pub fn verify(path: &Path, anchor: Option<&Position>) -> Result<Verified, AuditError> {
    walk(path, Position::default(), anchor)
}

/// Checks that the journal has `anchor`, and the chain from there on.
pub(super) fn follow(path: &Path, anchor: Option<&Position>) -> Result<Verified, AuditError> {
    let Some(anchor) = anchor.filter(|anchor| anchor.seq > 0) else {
        return walk(path, Position::default(), None);
    };
    let broken = |fault| AuditError::Broken(BrokenChain { path: path.to_owned(), line: anchor.seq, fault });
    let mut file = File::open(path).map_err(|error| AuditError::io("opening", path, &error))?;
    let len = file.metadata().map_err(|error| AuditError::io("reading", path, &error))?.len();
    if len < anchor.end {
        return Err(broken(Fault::Cut));
    }
    // The anchor says what its line must hash to; the line's own check needs no earlier line.
    let line_len = usize::try_from(anchor.end - anchor.start).unwrap_or(usize::MAX);
    if line_len == 0 || line_len > LINE_LEN_MAX {
        return Err(broken(Fault::Malformed));
    }
    let mut line = vec![0; line_len];
    file.seek(SeekFrom::Start(anchor.start))
        .and_then(|_| file.read_exact(&mut line))
        .map_err(|error| AuditError::io("reading", path, &error))?;
    if Position::own_hash(&line).is_none_or(|hash| hash != anchor.hash) {
        return Err(broken(Fault::Rewritten));
    }
    walk(path, *anchor, None)
}

fn walk(path: &Path, from: Position, anchor: Option<&Position>) -> Result<Verified, AuditError> {
    let io_error = |error: &io::Error| AuditError::io("reading", path, error);
    let mut file = File::open(path).map_err(|error| AuditError::io("opening", path, &error))?;
    file.seek(SeekFrom::Start(from.end)).map_err(|error| io_error(&error))?;
    let mut reader = BufReader::with_capacity(LINE_LEN_MAX, file);
    let mut position = from;
    let mut torn_bytes = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = LINE_LEN_MAX as u64 + 1;
        let read =
            (&mut reader).take(limit).read_until(b'\n', &mut line).map_err(|error| io_error(&error))?;
        let broken = |fault| BrokenChain { path: path.to_owned(), line: position.seq + 1, fault };
        if read == 0 {
            break;
        }
        match line.split_last() {
            Some((b'\n', content)) => {
                position = position.follow(content).map_err(|fault| AuditError::Broken(broken(fault)))?;
            }
            _ if read as u64 == limit => return Err(AuditError::Broken(broken(Fault::Malformed))),
            _ => {
                torn_bytes = read as u64;
                break;
            }
        }
        if let Some(anchor) = anchor
            && anchor.seq == position.seq
            && anchor.hash != position.hash
        {
            let broken = BrokenChain { path: path.to_owned(), line: position.seq, fault: Fault::Rewritten };
            return Err(AuditError::Broken(broken));
        }
    }
    match anchor {
        Some(anchor) if anchor.seq > position.seq => Err(AuditError::Broken(BrokenChain {
            path: path.to_owned(),
            line: position.seq + 1,
            fault: Fault::Cut,
        })),
        _ => Ok(Verified { position, torn_bytes }),
    }
}
