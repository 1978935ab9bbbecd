//! The files of a directory, and of a whole data directory.
//!
//! | name | what it is |
//! |---|---|
//! | `*.ibd` | a tablespace: a table, a partition, general, `mysql.ibd` |
//! | `ibdata1`… | the system tablespace |
//! | `undo_001`, `undo001`, `*.ibu` | an undo tablespace |
//! | `ibtmp1`, `*.ibt` | temporary: made anew at every start of the server |
//! | `#innodb_redo/#ib_redo7`, `ib_logfile0` | redo log |
//! | `#ib_16384_0.dblwr` | doublewrite buffer |
//! | `*.isl` | the path of a tablespace that is elsewhere |
//! | `*.strongroom-draft` | left by a run of ours that was killed |

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::draft::DRAFT_SUFFIX;
use super::in_use::SYSTEM_TABLESPACE;

/// Folders within folders that are gone into. Data directories have two.
const DEPTH_MAX: usize = 16;
/// The longest path in an `.isl` file, in bytes.
const LINK_BYTES_MAX: u64 = 4096;

/// What a file is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// A table's, a partition's or a general tablespace.
    Tablespace,
    /// A file of the system tablespace.
    System,
    /// An undo tablespace.
    Undo,
    /// A tablespace that the server makes anew when it starts.
    Temporary,
    /// Redo log.
    Redo,
    /// Doublewrite buffer.
    Doublewrite,
    /// Something that was named on its own and has none of these names.
    Named,
}

/// A file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub kind: FileKind,
}

/// Whose data directory it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// MySQL's.
    MySql,
    /// MariaDB's.
    MariaDb,
    /// InnoDB's, and no file tells whose.
    Unknown,
}

/// A data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDirectory {
    /// Where it is.
    pub path: PathBuf,
    /// Whose.
    pub server: Server,
}

/// What there is below some paths.
#[derive(Debug, Default)]
pub struct Walk {
    /// The files, in the order of their names within each folder; none twice.
    pub files: Vec<Found>,
    /// The data directories among the paths.
    pub data_directories: Vec<DataDirectory>,
    /// Tablespaces that are elsewhere, as `.isl` files name them, and that are not there.
    pub lost_links: Vec<PathBuf>,
    /// Unfinished files of runs that were killed.
    pub drafts: Vec<PathBuf>,
    seen: HashSet<(u64, u64)>,
}

/// Finds the files below `paths`. A path that names a file is taken whatever its name is.
///
/// # Errors
/// The path that cannot be looked at, and the system's answer.
pub fn walk(paths: &[PathBuf]) -> Result<Walk, (PathBuf, io::Error)> {
    let mut walk = Walk::default();
    for path in paths {
        let about = fs::metadata(path).map_err(|error| (path.clone(), error))?;
        if about.is_dir() {
            if is_data_directory(path) {
                walk.data_directories.push(data_directory(path));
            }
            walk.folder(path, 0)?;
        } else {
            let kind = kind_of(path).unwrap_or(FileKind::Named);
            walk.file(path.clone(), kind)?;
        }
    }
    Ok(walk)
}

/// Whether a folder is a data directory: whether it has a file that every data directory of some release has. Which ones, the
/// server's settings say (`innodb_data_home_dir`, `innodb_log_group_home_dir`), so that one is enough.
#[must_use]
pub fn is_data_directory(path: &Path) -> bool {
    [SYSTEM_TABLESPACE, "mysql.ibd", "#innodb_redo", "ib_logfile0", "aria_log_control"]
        .iter()
        .any(|name| path.join(name).exists())
}

/// A folder that is a data directory, and whose it is.
#[must_use]
pub fn data_directory(path: &Path) -> DataDirectory {
    DataDirectory { path: path.to_owned(), server: server_of(path) }
}

/// Whose data directory it is, by the files that only one of them makes.
fn server_of(path: &Path) -> Server {
    let has = |name: &str| path.join(name).exists();
    if has("aria_log_control") {
        Server::MariaDb
    } else if has("mysql.ibd") || has("auto.cnf") {
        Server::MySql
    } else {
        Server::Unknown
    }
}

/// What a file is, by its name. Nothing for files that are not InnoDB's.
#[must_use]
pub fn kind_of(path: &Path) -> Option<FileKind> {
    let name = path.file_name()?.as_bytes();
    let numbered = |prefix: &[u8]| {
        name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.iter().all(u8::is_ascii_digit))
    };
    let ends = |suffix: &[u8]| name.len() > suffix.len() && name.ends_with(suffix);
    Some(if ends(b".ibd") {
        FileKind::Tablespace
    } else if numbered(b"ibdata") {
        FileKind::System
    } else if numbered(b"undo_") || numbered(b"undo") || ends(b".ibu") {
        FileKind::Undo
    } else if numbered(b"ibtmp") || ends(b".ibt") {
        FileKind::Temporary
    } else if numbered(b"#ib_redo") || numbered(b"ib_logfile") {
        FileKind::Redo
    } else if name.starts_with(b"#ib_") && (ends(b".dblwr") || ends(b".bdblwr")) {
        FileKind::Doublewrite
    } else {
        return None;
    })
}

impl Walk {
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<(), (PathBuf, io::Error)> {
        let in_folder = |error| (folder.to_owned(), error);
        let about = fs::metadata(folder).map_err(in_folder)?;
        // A folder may be reached twice, through a symbolic link as MySQL and MariaDB allow for schemas.
        if depth > DEPTH_MAX || !self.seen.insert((about.dev(), about.ino())) {
            return Ok(());
        }
        let mut entries = fs::read_dir(folder)
            .and_then(|entries| {
                entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
            })
            .map_err(in_folder)?;
        entries.sort();
        for path in entries {
            let name = path.file_name().unwrap_or_default().as_bytes();
            if name.ends_with(DRAFT_SUFFIX.as_bytes()) {
                self.drafts.push(path);
            } else if name.ends_with(b".isl") {
                self.link(&path)?;
            } else if let Some(kind) = kind_of(&path) {
                self.file(path, kind)?;
            } else if fs::metadata(&path).is_ok_and(|about| about.is_dir()) {
                self.folder(&path, depth + 1)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: PathBuf, kind: FileKind) -> Result<(), (PathBuf, io::Error)> {
        let about = fs::metadata(&path).map_err(|error| (path.clone(), error))?;
        if about.is_file() && self.seen.insert((about.dev(), about.ino())) {
            // A symbolic link stays one: what it leads to is worked on, replaced and synced where it is. What a redo log file
            // is, only its name tells.
            let is_link = fs::symlink_metadata(&path).is_ok_and(|about| about.is_symlink());
            let path = match is_link && kind != FileKind::Redo {
                true => fs::canonicalize(&path).map_err(|error| (path.clone(), error))?,
                false => path,
            };
            self.files.push(Found { path, kind });
        }
        Ok(())
    }

    /// Takes up the tablespace that an `.isl` file leads to.
    fn link(&mut self, path: &Path) -> Result<(), (PathBuf, io::Error)> {
        let in_link = |error| (path.to_owned(), error);
        if fs::metadata(path).map_err(in_link)?.len() > LINK_BYTES_MAX {
            return Ok(());
        }
        let text = fs::read(path).map_err(in_link)?;
        let target = PathBuf::from(OsStr::from_bytes(text.trim_ascii()));
        if target.is_file() {
            self.file(target, FileKind::Tablespace)
        } else {
            self.lost_links.push(target);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_a_file_is() {
        let kind = |name: &str| kind_of(Path::new(name));
        for name in ["t.ibd", "t#p#p0.ibd", "mysql.ibd", "gts.ibd"] {
            assert_eq!(kind(name), Some(FileKind::Tablespace), "{name}");
        }
        for name in ["undo_001", "undo001", "my.ibu"] {
            assert_eq!(kind(name), Some(FileKind::Undo), "{name}");
        }
        for name in ["#ib_redo12", "ib_logfile0", "ib_logfile101"] {
            assert_eq!(kind(name), Some(FileKind::Redo), "{name}");
        }
        assert_eq!(kind("ibdata1"), Some(FileKind::System));
        assert_eq!(kind("ibtmp1"), Some(FileKind::Temporary));
        assert_eq!(kind("temp_1.ibt"), Some(FileKind::Temporary));
        assert_eq!(kind("#ib_16384_0.dblwr"), Some(FileKind::Doublewrite));
        for name in [
            ".ibd",
            "t.frm",
            "t.cfg",
            "ibdata",
            "undo",
            "#ib_redo12_tmp",
            "t.ibd.strongroom-draft",
            "ib_buffer_pool",
        ] {
            assert_eq!(kind(name), None, "{name}");
        }
    }

    #[test]
    fn a_data_directory_gives_each_file_once() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("s")).unwrap();
        fs::create_dir_all(root.join("#innodb_redo")).unwrap();
        let external = elsewhere.path().join("far.ibd");
        for path in [
            "ibdata1",
            "mysql.ibd",
            "undo_001",
            "s/t.ibd",
            "s/t.cfg",
            "#innodb_redo/#ib_redo3",
            "s/u.ibd.strongroom-draft",
        ] {
            fs::write(root.join(path), "").unwrap();
        }
        fs::write(&external, "").unwrap();
        fs::write(root.join("s/far.isl"), format!("{}\n", external.display())).unwrap();
        fs::write(root.join("s/lost.isl"), "/nowhere/lost.ibd").unwrap();
        std::os::unix::fs::symlink(root.join("s"), root.join("z")).unwrap();

        let walk = walk(&[root.to_owned(), root.join("s/t.ibd")]).unwrap();
        let names: Vec<_> = walk
            .files
            .iter()
            .map(|found| found.path.strip_prefix(root).unwrap_or(&found.path).to_string_lossy().into_owned())
            .collect();
        let external = external.to_string_lossy();
        assert_eq!(
            names,
            ["#innodb_redo/#ib_redo3", "ibdata1", "mysql.ibd", &external, "s/t.ibd", "undo_001"]
        );
        assert_eq!(walk.lost_links, [PathBuf::from("/nowhere/lost.ibd")]);
        assert_eq!(walk.drafts, [root.join("s/u.ibd.strongroom-draft")]);
        assert_eq!(walk.data_directories, [DataDirectory { path: root.to_owned(), server: Server::MySql }]);
    }

    #[test]
    fn a_data_directory_is_one_also_where_its_system_tablespace_is_elsewhere() {
        for name in ["mysql.ibd", "ib_logfile0"] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("t.ibd"), "").unwrap();
            assert_eq!(walk(&[folder.path().to_owned()]).unwrap().data_directories, []);
            fs::write(folder.path().join(name), "").unwrap();
            assert_eq!(walk(&[folder.path().to_owned()]).unwrap().data_directories.len(), 1, "{name}");
        }
    }

    #[test]
    fn a_tablespace_behind_a_symbolic_link_is_found_where_it_is() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = fs::canonicalize(elsewhere.path()).unwrap().join("far");
        fs::write(&path, "").unwrap();
        std::os::unix::fs::symlink(&path, folder.path().join("t.ibd")).unwrap();
        let walk = walk(&[folder.path().to_owned()]).unwrap();
        assert_eq!(walk.files, [Found { path, kind: FileKind::Tablespace }]);
    }

    #[test]
    fn a_file_named_on_its_own_is_taken_whatever_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("copy-of-t");
        fs::write(&path, "").unwrap();
        let walk = walk(std::slice::from_ref(&path)).unwrap();
        assert_eq!(walk.files, [Found { path, kind: FileKind::Named }]);
    }
}
