//! A small disk that a test can fill: a tmpfs over a folder. It needs root.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Unavailable;
use crate::folder::{self, Scratch};

/// A folder on a small disk of its own. Dropping it takes the disk away, with what was written to it.
#[derive(Debug)]
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Puts a disk of `kib` KiB under `folder`, with what is in the folder now.
    ///
    /// # Errors
    /// When this process may not mount.
    ///
    /// # Panics
    /// When the content of the folder cannot be copied.
    pub fn under(folder: &Path, kib: u32) -> Result<Self, Unavailable> {
        let unavailable = |why: String| Unavailable::new("a small disk", why);
        if !rustix::process::geteuid().is_root() {
            return Err(unavailable("mounting one needs root".to_owned()));
        }
        let aside = Scratch::new("aside");
        let copy = |from: &Path, to: &Path| {
            if let Err(error) = folder::copy_tree(from, to) {
                panic!("{} cannot be copied: {error}", from.display());
            }
        };
        copy(folder, aside.path());
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k,mode=0700"), "strongroom-testkit"])
            .arg(folder)
            .output()
            .map_err(|error| unavailable(format!("mount cannot be run: {error}")))?;
        if !mounted.status.success() {
            return Err(unavailable(String::from_utf8_lossy(&mounted.stderr).trim().to_owned()));
        }
        let disk = Self { folder: folder.to_owned() };
        copy(aside.path(), folder);
        Ok(disk)
    }

    /// Leaves no space on it.
    ///
    /// # Panics
    /// When writing fails for any other reason than a full disk.
    pub fn fill(&self) {
        let ballast = OpenOptions::new().create(true).append(true).open(self.ballast());
        let mut ballast = ballast.expect("a file can be made on the disk");
        loop {
            match ballast.write_all(&[0; 4096]) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return,
                Err(error) => panic!("the disk cannot be filled: {error}"),
            }
        }
    }

    /// Gives back what [`SmallDisk::fill`] took.
    ///
    /// # Panics
    /// When it was not filled.
    pub fn free(&self) {
        fs::remove_file(self.ballast()).expect("the disk was filled");
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, because a server may still have files open on it.
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
    }
}
