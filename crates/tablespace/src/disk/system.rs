//! The file system of this machine.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{Advice, CWD, FlockOperation, RenameFlags, SeekFrom, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;

use super::{Access, Bulk, Disk, DiskFile};

/// Bytes of extended attributes, and of their names, that are taken over from a file. Linux allows no more.
const XATTR_BYTES_MAX: usize = 64 * 1024;

/// The file system of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(access == Access::Write).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        if access == Access::Read {
            // Advice only: where it is not taken, reading is slower.
            let _ = rustix::fs::fadvise(&file, 0, None, Advice::Sequential);
        }
        Ok(Box::new(SystemFile(file)))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Box::new(SystemFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // File systems that cannot do it in one step can do it in two: a second link is refused where the name is taken.
            Err(Errno::INVAL | Errno::NOSYS) => {
                fs::hard_link(from, to)?;
                fs::remove_file(from)
            }
            done => Ok(done?),
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        match fs::symlink_metadata(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn begin_bulk(&self, folders: &[&Path]) -> io::Result<Box<dyn Bulk>> {
        let mut devices = Vec::new();
        let mut held = Vec::new();
        for folder in folders {
            let folder = File::open(folder)?;
            let device = folder.metadata()?.dev();
            if !devices.contains(&device) {
                devices.push(device);
                held.push(folder);
            }
        }
        Ok(Box::new(FileSystems(held)))
    }
}

/// One open folder of each file system that is written to. `syncfs` reports every write-back error since its descriptor was
/// opened (Linux 5.8), so these are opened before the first write.
struct FileSystems(Vec<File>);

impl Bulk for FileSystems {
    fn sync(&self) -> io::Result<()> {
        self.0.iter().try_for_each(|folder| Ok(rustix::fs::syncfs(folder)?))
    }
}

struct SystemFile(File);

impl DiskFile for SystemFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.0.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }

    fn was_written(&self, stretch: &Range<u64>) {
        if let Some(len) = stretch.end.checked_sub(stretch.start).and_then(NonZeroU64::new) {
            // Linux begins to write out what is dirty there, and drops from its cache only what is clean. Where the advice is
            // not taken, the sync has more to do.
            let _ = rustix::fs::fadvise(&self.0, stretch.start, Some(len), Advice::DontNeed);
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn stored(&self, offset: u64) -> io::Result<Option<Range<u64>>> {
        let len = self.size()?;
        if offset >= len {
            return Ok(None);
        }
        let start = match rustix::fs::seek(&self.0, SeekFrom::Data(offset)) {
            Ok(start) => start,
            Err(Errno::NXIO) => return Ok(None),
            Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(Some(offset..len)),
            Err(error) => return Err(error.into()),
        };
        let end = rustix::fs::seek(&self.0, SeekFrom::Hole(start))?;
        Ok(Some(start..end))
    }

    fn take_after(&self, path: &Path) -> io::Result<()> {
        let model = File::open(path)?;
        let about = model.metadata()?;
        let own = self.0.metadata()?;
        if (own.uid(), own.gid()) != (about.uid(), about.gid()) {
            std::os::unix::fs::fchown(&self.0, Some(about.uid()), Some(about.gid()))?;
        }
        take_attributes(&model, &self.0)?;
        // After the owner, because a change of owner clears the bits that let others run as him.
        self.0.set_permissions(Permissions::from_mode(about.mode() & 0o7777))?;
        let times = Timestamps {
            last_access: Timespec { tv_sec: about.atime(), tv_nsec: about.atime_nsec() as _ },
            last_modification: Timespec { tv_sec: about.mtime(), tv_nsec: about.mtime_nsec() as _ },
        };
        Ok(rustix::fs::futimens(&self.0, &times)?)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn claim(&self) -> io::Result<bool> {
        match rustix::fs::flock(&self.0, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(false),
            Err(Errno::NOLCK | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
        // Whoever had it before may have removed it.
        Ok(self.0.metadata()?.nlink() > 0)
    }
}

/// Extended attributes, among them access control lists. Those that the system sets by itself and lets nobody else set are
/// left to it.
fn take_attributes(from: &File, to: &File) -> io::Result<()> {
    let mut names = vec![0_u8; XATTR_BYTES_MAX];
    let count = match rustix::fs::flistxattr(from, &mut names[..]) {
        Ok(count) => count,
        Err(Errno::OPNOTSUPP) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut value = vec![0_u8; XATTR_BYTES_MAX];
    for name in names[..count].split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let len = match rustix::fs::fgetxattr(from, name, &mut value[..]) {
            Ok(len) => len,
            Err(Errno::NODATA) => continue,
            Err(error) => return Err(error.into()),
        };
        match rustix::fs::fsetxattr(to, name, &value[..len], XattrFlags::empty()) {
            Ok(()) => {}
            Err(Errno::PERM | Errno::OPNOTSUPP) if !name.starts_with(b"user.") => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_name_that_is_taken_is_not_given_again() {
        let folder = folder();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        fs::write(&one, "1").unwrap();
        fs::write(&other, "2").unwrap();
        let refused = SystemDisk.rename_new(&one, &other).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&other).unwrap(), b"2");
        assert_eq!(SystemDisk.create(&other).err().unwrap().kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn holes_are_found() {
        let folder = folder();
        let path = folder.path().join("sparse");
        let file = SystemDisk.create(&path).unwrap();
        file.set_len(1 << 20).unwrap();
        assert_eq!(file.stored(0).unwrap(), None);
        file.write_at(&[1; 4096], 1 << 16).unwrap();
        assert_eq!(file.stored(0).unwrap(), Some(1 << 16..(1 << 16) + 4096));
        assert_eq!(file.stored((1 << 16) + 4096).unwrap(), None);
        assert_eq!(file.stored(1 << 20).unwrap(), None);
    }

    #[test]
    fn mode_times_and_attributes_are_taken_over() {
        let folder = folder();
        let (model, copy) = (folder.path().join("model"), folder.path().join("copy"));
        fs::write(&model, "").unwrap();
        fs::set_permissions(&model, Permissions::from_mode(0o640)).unwrap();
        let file = File::options().write(true).open(&model).unwrap();
        let has_attributes = rustix::fs::fsetxattr(&file, "user.note", b"kept", XattrFlags::empty()).is_ok();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 5)).unwrap();
        SystemDisk.create(&copy).unwrap().take_after(&model).unwrap();
        let (model, about) = (fs::metadata(&model).unwrap(), fs::metadata(&copy).unwrap());
        assert_eq!(about.mode() & 0o7777, 0o640);
        assert_eq!((about.mtime(), about.mtime_nsec()), (model.mtime(), model.mtime_nsec()));
        if has_attributes {
            let mut value = [0; 8];
            let len = rustix::fs::getxattr(&copy, "user.note", &mut value[..]).unwrap();
            assert_eq!(&value[..len], b"kept");
        }
    }

    #[test]
    fn a_folder_is_not_a_file() {
        let folder = folder();
        assert!(SystemDisk.open(folder.path(), Access::Read).is_err());
    }
}
