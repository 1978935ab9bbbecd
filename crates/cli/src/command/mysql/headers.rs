//! Which master keys the files on disk need: tablespaces and redo logs name theirs in their headers, in the clear.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use strongroom_tablespace::disk::walk::{FileKind, kind_of, walk};
use strongroom_tablespace::mysql::MasterKeyId;
use strongroom_tablespace::mysql::redo::{HEADER_BYTES, RedoHeader};
use strongroom_tablespace::{DetectError, Encryption, HEAD_BYTES, Tablespace};

/// A running server may write a page 0 while it is read.
const ATTEMPTS: u32 = 5;
/// How long such a write may take.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(50);
/// How long first pages are waited for: an idle server writes them within seconds.
const WRITTEN_LIMIT: Duration = Duration::from_secs(30);
const WRITTEN_LOOK: Duration = Duration::from_millis(500);
/// What backup tools append to the names of files that they compress or encrypt.
const PACKED: [&str; 6] = ["zst", "qp", "lz4", "gz", "xbcrypt", "xbstream"];
/// Where a page has its type (`FIL_PAGE_TYPE`).
const PAGE_TYPE: Range<usize> = 24..26;
/// The first format of redo logs in which each file has log sequence numbers of its own: that of 8.0.30.
const FORMAT_OWN_LSN: u32 = 6;
/// The redo log of a backup made by xtrabackup.
const XTRABACKUP_LOG: &str = "xtrabackup_logfile";

/// What the headers say.
#[derive(Debug, Default)]
pub(super) struct Headers {
    /// Files by the master key that they name.
    pub(super) files: BTreeMap<String, Vec<PathBuf>>,
    /// Files that name no master key of a keyring and are encrypted all the same: the constant of a server without one.
    pub(super) unprotected: Vec<PathBuf>,
    /// Files that cannot be read or understood, with the reason.
    pub(super) unreadable: Vec<String>,
    /// How many of those may be readable once the server has written its first pages.
    unwritten: usize,
    /// How many tablespaces and redo logs were looked at.
    pub(super) seen: usize,
    /// Files of redo logs, until all of a log have been looked at.
    redo: Vec<(PathBuf, RedoHeader)>,
}

impl Headers {
    /// Reads the headers of all files below `paths`, and of those files of `others` that are not below them.
    pub(super) fn read(paths: &[PathBuf], others: &[PathBuf]) -> Self {
        let mut headers = Self::default();
        let all: Vec<PathBuf> =
            paths.iter().cloned().chain(others.iter().filter(|other| other.exists()).cloned()).collect();
        match walk(&all) {
            Ok(walk) => {
                for lost in &walk.lost_links {
                    headers.cannot(lost, "is not there");
                }
                for found in &walk.files {
                    headers.file(&found.path, found.kind);
                }
            }
            Err((path, error)) => headers.cannot(&path, &crate::message::reason(&error)),
        }
        for path in paths {
            headers.packed(path);
        }
        headers.weigh_redo();
        headers
    }

    /// Whether waiting does not help: all could be read, or something cannot be for good.
    pub(super) fn is_final(&self) -> bool {
        self.unwritten == 0 || self.unreadable.len() > self.unwritten
    }

    /// The same, read again for a while as long as `wanted` does not hold: a server writes first pages when it comes to it.
    pub(super) fn await_written(
        paths: &[PathBuf],
        others: &[PathBuf],
        wanted: impl Fn(&Self) -> bool,
    ) -> Self {
        let deadline = Instant::now() + WRITTEN_LIMIT;
        loop {
            let headers = Self::read(paths, others);
            if wanted(&headers) || Instant::now() >= deadline {
                return headers;
            }
            thread::sleep(WRITTEN_LOOK);
        }
    }

    /// How many files name this master key.
    pub(super) fn count(&self, key_id: &str) -> usize {
        self.files.get(key_id).map_or(0, Vec::len)
    }

    fn cannot(&mut self, path: &Path, why: &str) {
        self.unreadable.push(format!("{} {why}", path.display()));
    }

    fn file(&mut self, path: &Path, kind: FileKind) {
        match kind {
            // Made anew at every start, or full of pages whose tablespaces are looked at.
            FileKind::Temporary | FileKind::Doublewrite => {}
            FileKind::Redo => self.redo(path),
            FileKind::Tablespace | FileKind::System | FileKind::Undo | FileKind::Named => {
                self.tablespace(path, kind);
            }
        }
    }

    fn tablespace(&mut self, path: &Path, kind: FileKind) {
        let mut last = String::new();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                thread::sleep(BETWEEN_ATTEMPTS);
            }
            let bytes = match head(path, HEAD_BYTES) {
                Ok(bytes) => bytes,
                // Dropped or renamed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return,
                Err(error) => return self.cannot(path, &crate::message::reason(&error)),
            };
            match Tablespace::detect(&bytes) {
                // Not written yet, or a later file of the system tablespace.
                Err(DetectError::Short { .. } | DetectError::Zero) => return,
                Err(DetectError::Number { .. }) if kind == FileKind::System => return,
                Ok(Tablespace { head: Ok(_), encryption: Encryption::None, .. }) => {
                    self.seen += 1;
                    return;
                }
                Ok(Tablespace { head: Ok(_), encryption: Encryption::MySql(encryption), .. }) => {
                    match encryption.information {
                        Ok(information) => return self.named(path, information.master_key()),
                        Err(_) => last = "has no encryption information that can be read".to_owned(),
                    }
                }
                Ok(tablespace) => {
                    last = match tablespace.head {
                        Err(_) => "has a damaged first page".to_owned(),
                        Ok(_) => "is encrypted in a way that is not MySQL's".to_owned(),
                    };
                }
                // A server makes a file with a first page without a type, and writes that page in full when it comes to it.
                Err(DetectError::Type { .. }) if bytes.get(PAGE_TYPE) == Some(&[0, 0]) => {
                    last = "is new, and its first page is not written in full yet".to_owned();
                }
                Err(_) => last = "is not taken for a tablespace of MySQL".to_owned(),
            }
        }
        self.unwritten += 1;
        self.cannot(path, &last);
    }

    fn redo(&mut self, path: &Path) {
        match head(path, HEADER_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.cannot(path, &crate::message::reason(&error)),
            // A spare file that the server has not begun.
            Ok(bytes) if bytes.iter().all(|&byte| byte == 0) => {}
            Ok(bytes) => match RedoHeader::parse(&bytes) {
                Ok(header) if header.information.is_ok() => self.redo.push((path.to_owned(), header)),
                _ => self.cannot(path, "is not a redo log that can be read"),
            },
        }
    }

    /// Counts the files of redo logs that are still needed. Those that end before the last checkpoint, which no start reads, keep
    /// the information that was theirs: they name master keys of before later rotations.
    fn weigh_redo(&mut self) {
        let files = std::mem::take(&mut self.redo);
        for (path, header) in &files {
            let same_log = || {
                files.iter().filter(|(other, header)| {
                    other.parent() == path.parent() && header.format >= FORMAT_OWN_LSN
                })
            };
            let checkpoint = same_log().filter_map(|(_, header)| header.checkpoint()).max();
            let needed_from = checkpoint.and_then(|checkpoint| {
                same_log().map(|(_, header)| header.start_lsn).filter(|&start| start <= checkpoint).max()
            });
            let behind =
                header.format >= FORMAT_OWN_LSN && needed_from.is_some_and(|from| header.start_lsn < from);
            match &header.information {
                Ok(Some(information)) if !behind => self.named(path, information.master_key()),
                _ => self.seen += 1,
            }
        }
    }

    fn named(&mut self, path: &Path, key: &MasterKeyId) {
        self.seen += 1;
        match key.key_id() {
            Some(id) => self.files.entry(id).or_default().push(path.to_owned()),
            // The id of 5.7.11 is told by the server id alone, which is not known here: all such keys stay.
            None if *key != MasterKeyId::Default => {
                self.cannot(path, "names its master key by a server id (MySQL 5.7.11)");
            }
            None => self.unprotected.push(path.to_owned()),
        }
    }

    /// Files of a backup that hide their headers, and xtrabackup's redo log.
    fn packed(&mut self, folder: &Path) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            let is_log = path.file_name().is_some_and(|name| name == XTRABACKUP_LOG);
            let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned());
            if is_log {
                self.redo(&path);
            } else if extension.as_deref() == Some("xbstream")
                || extension.is_some_and(|extension| PACKED.contains(&extension.as_str()))
                    && kind_of(&path.with_extension("")).is_some()
            {
                self.cannot(&path, "is packed");
            } else if path.is_dir() && !path.is_symlink() {
                self.packed(&path);
            }
        }
    }
}

fn head(path: &Path, bytes: usize) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(bytes);
    File::open(path)?.take(bytes as u64).read_to_end(&mut head)?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_hides_its_header_is_named_and_what_is_not_begun_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("s")).unwrap();
        fs::write(root.join("s/packed.ibd.zst"), [1; 100]).unwrap();
        fs::write(root.join("s/new.ibd"), [0; 65536]).unwrap();
        fs::write(root.join("s/odd.ibd"), [7; 65536]).unwrap();
        fs::write(root.join("ibtmp1"), [7; 65536]).unwrap();
        fs::write(root.join("notes.zst"), "x").unwrap();
        let headers = Headers::read(&[root.to_owned()], &[]);
        let mut unreadable = headers.unreadable;
        unreadable.sort();
        assert_eq!(unreadable.len(), 2, "{unreadable:?}");
        assert!(unreadable[0].ends_with("odd.ibd is not taken for a tablespace of MySQL"), "{unreadable:?}");
        assert!(unreadable[1].ends_with("packed.ibd.zst is packed"), "{unreadable:?}");
        assert!(headers.files.is_empty());
    }

    #[test]
    fn a_folder_that_is_not_there_is_unreadable() {
        assert_eq!(Headers::read(&["/nowhere/at/all".into()], &[]).unreadable.len(), 1);
    }
}
