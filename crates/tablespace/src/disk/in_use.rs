//! Whether a server has a file open.
//!
//! InnoDB holds a write lock of `fcntl` on every file of its that it has open, which any process may ask about. Servers close
//! files that they have not used for a while, so the files of a data directory are in use as long as its system tablespace is.
//! What no lock tells, `/proc/PID/fd` does, as far as it may be read.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::{Flock, FlockType};

use super::folder_of;

/// The first file of InnoDB's system tablespace, which every data directory has.
pub const SYSTEM_TABLESPACE: &str = "ibdata1";

/// A file that another process has open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InUse {
    /// The file.
    pub path: PathBuf,
    /// The process, where the system tells.
    pub pid: Option<u32>,
}

/// The first of these files that another process has open, if any. The system tablespace of the data directory that a file is
/// in, if it is in one, counts as well.
///
/// # Errors
/// The system's, where a file cannot be looked at.
pub fn find(paths: &[PathBuf]) -> io::Result<Option<InUse>> {
    let mut looked_at: HashMap<(u64, u64), PathBuf> = HashMap::with_capacity(paths.len());
    let mut folders = HashSet::new();
    for path in paths {
        if let Some(found) = look(path, &mut looked_at)? {
            return Ok(Some(found));
        }
        let folder = folder_of(path);
        if !folders.contains(folder) {
            folders.insert(folder.to_owned());
            for system in system_tablespaces(path) {
                if let Some(found) = look(&system, &mut looked_at)? {
                    return Ok(Some(found));
                }
            }
        }
    }
    Ok(find_descriptor(&looked_at))
}

fn look(path: &Path, looked_at: &mut HashMap<(u64, u64), PathBuf>) -> io::Result<Option<InUse>> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    if looked_at.insert(inode(&about), path.to_owned()).is_some() {
        return Ok(None);
    }
    Ok(lock_holder(&file)?.map(|pid| InUse { path: path.to_owned(), pid }))
}

/// Those that are beside the file or one folder further up, where a schema's files have it.
fn system_tablespaces(path: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let folder = folder_of(path).to_owned();
    let above = folder.join("..");
    [folder, above].into_iter().map(|folder| folder.join(SYSTEM_TABLESPACE)).filter(|path| path.is_file())
}

/// The process that a write lock would have to wait for. A lock held through an open file description has no process.
fn lock_holder(file: &File) -> io::Result<Option<Option<u32>>> {
    match rustix::process::fcntl_getlk(file, &Flock::from(FlockType::WriteLock)) {
        Ok(holder) => {
            Ok(holder.map(|lock| lock.pid.and_then(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok())))
        }
        // File systems without locks.
        Err(rustix::io::Errno::NOLCK | rustix::io::Errno::NOSYS | rustix::io::Errno::OPNOTSUPP) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A process that has one of the files open for writing, as far as this process may see.
fn find_descriptor(files: &HashMap<(u64, u64), PathBuf>) -> Option<InUse> {
    let own = std::process::id();
    let processes = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        (pid != own).then_some(pid)
    });
    for pid in processes {
        let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { continue };
        for descriptor in descriptors.flatten() {
            let Ok(about) = fs::metadata(descriptor.path()) else { continue };
            if let Some(path) = files.get(&inode(&about))
                && is_writable(pid, &descriptor.file_name().to_string_lossy())
            {
                return Some(InUse { path: path.clone(), pid: Some(pid) });
            }
        }
    }
    None
}

/// Whether a descriptor may write: somebody who only reads, such as a backup, is no danger and is in none.
fn is_writable(pid: u32, descriptor: &str) -> bool {
    const ACCESS_MODES: u32 = 0o3;
    let Ok(about) = fs::read_to_string(format!("/proc/{pid}/fdinfo/{descriptor}")) else { return true };
    let flags = about.lines().find_map(|line| line.strip_prefix("flags:"));
    flags
        .and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok())
        .is_none_or(|flags| flags & ACCESS_MODES != 0)
}

fn inode(about: &Metadata) -> (u64, u64) {
    (about.dev(), about.ino())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A process that has opened a file for writing, once this returns.
    fn holder(path: &Path) -> Child {
        let mut child = Command::new("sh")
            .args(["-c", "exec 3<>\"$1\" && echo && read line", "sh"])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        child
    }

    #[test]
    fn a_file_that_another_process_writes_is_found_and_so_is_its_process() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("t.ibd"), folder.path().join("u.ibd"));
        fs::write(&path, "").unwrap();
        fs::write(&other, "").unwrap();
        assert_eq!(find(&[path.clone(), other.clone()]).unwrap(), None);
        let mut child = holder(&path);
        let found = find(&[other, path.clone()]).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found, Some(InUse { path, pid: Some(child.id()) }));
    }

    #[test]
    fn files_of_a_data_directory_are_in_use_as_long_as_its_system_tablespace_is() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("s")).unwrap();
        let (path, system) = (folder.path().join("s/t.ibd"), folder.path().join(SYSTEM_TABLESPACE));
        fs::write(&path, "").unwrap();
        fs::write(&system, "").unwrap();
        let mut child = holder(&system);
        let found = find(&[path]).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.is_some_and(|found| found.path.ends_with(SYSTEM_TABLESPACE)));
    }

    #[test]
    fn a_file_that_is_only_read_is_not_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.ibd");
        fs::write(&path, "").unwrap();
        let _reader = File::open(&path).unwrap();
        assert_eq!(find(&[path]).unwrap(), None);
    }
}
