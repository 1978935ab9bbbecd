//! Which disk a file is on.
//!
//! Two files share a disk when their file systems are one, or when what lies under them leads to a common disk: two partitions, two
//! logical volumes on one physical one, two subvolumes, a file that is mounted. What is in memory (tmpfs, ramfs) is on no disk. A
//! container sees its own mounts only: what the host has underneath an overlay or a volume cannot be seen from there.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{major, makedev, minor};

/// The places in which the kernel tells about disks and mounts.
#[derive(Debug)]
pub(super) struct Machine {
    /// `/sys/dev/block`
    block_devices: PathBuf,
    /// `/proc/self/mountinfo`
    mounts: PathBuf,
}

/// How many layers of devices are followed.
const LAYERS_MAX: u32 = 16;

/// A path, and why nothing could be learnt about it.
type Fault = (PathBuf, io::Error);

/// What is known of a mount: proc(5), `mountinfo`.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    file_system: String,
    source: String,
}

impl Machine {
    pub(super) fn this() -> Self {
        Self { block_devices: "/sys/dev/block".into(), mounts: "/proc/self/mountinfo".into() }
    }

    /// Whether two files (or folders) are on one disk, as far as can be seen.
    pub(super) fn share_a_disk(&self, one: &Path, other: &Path) -> Result<bool, Fault> {
        let device = |path: &Path| {
            fs::metadata(path).map(|metadata| metadata.dev()).map_err(|error| (path.to_path_buf(), error))
        };
        let (first, second) = (device(one)?, device(other)?);
        if first == second {
            return Ok(true);
        }
        Ok(!self.disks(one, first)?.is_disjoint(&self.disks(other, second)?))
    }

    /// Names of the disks under a file whose file system has this device number.
    fn disks(&self, path: &Path, device: u64) -> Result<BTreeSet<String>, Fault> {
        let mut disks = BTreeSet::new();
        if self.add_block_device(device, &mut disks, LAYERS_MAX) {
            return Ok(disks);
        }
        // A file system with a device number of its own making: the mount knows what is underneath.
        let whole = fs::canonicalize(path).map_err(|error| (path.to_path_buf(), error))?;
        let mounts = fs::read(&self.mounts).map_err(|error| (self.mounts.clone(), error))?;
        let Some(mount) = mount_of(&mounts, &whole) else { return Ok(disks) };
        match mount.file_system.as_str() {
            "zfs" => {
                let pool = mount.source.split('/').next().unwrap_or_default();
                disks.insert(format!("zfs:{pool}"));
            }
            _ if mount.source.starts_with("/dev/") => {
                let known = fs::metadata(&mount.source)
                    .is_ok_and(|device| self.add_block_device(device.rdev(), &mut disks, LAYERS_MAX));
                if !known {
                    disks.insert(mount.source);
                }
            }
            // A network file system: one server counts as one disk.
            _ => {
                if let Some((server, _)) = mount.source.split_once(":/") {
                    disks.insert(format!("network:{server}"));
                } else if let Some(share) = mount.source.strip_prefix("//") {
                    disks.insert(format!("network:{}", share.split('/').next().unwrap_or_default()));
                }
            }
        }
        Ok(disks)
    }

    /// Adds the disks under a block device; false where there is no such device.
    fn add_block_device(&self, device: u64, disks: &mut BTreeSet<String>, layers: u32) -> bool {
        let entry = self.block_devices.join(format!("{}:{}", major(device), minor(device)));
        let Ok(folder) = fs::canonicalize(entry) else { return false };
        self.add_folder(&folder, disks, layers);
        true
    }

    fn add_folder(&self, folder: &Path, disks: &mut BTreeSet<String>, layers: u32) {
        if layers == 0 {
            return;
        }
        if folder.join("partition").exists()
            && let Some(whole) = folder.parent()
        {
            return self.add_folder(whole, disks, layers - 1);
        }
        // A file that is mounted is on the disk that the file is on.
        if let Ok(mut file) = fs::read(folder.join("loop/backing_file")) {
            file.pop_if(|last| *last == b'\n');
            let file = PathBuf::from(std::ffi::OsString::from_vec(file));
            if fs::metadata(file).is_ok_and(|file| self.add_block_device(file.dev(), disks, layers - 1)) {
                return;
            }
        }
        let mut is_made_of_others = false;
        for below in fs::read_dir(folder.join("slaves")).into_iter().flatten().flatten() {
            is_made_of_others = true;
            let number = fs::read_to_string(below.path().join("dev")).ok();
            if !number
                .as_deref()
                .and_then(device_number)
                .is_some_and(|device| self.add_block_device(device, disks, layers - 1))
            {
                disks.insert(below.file_name().to_string_lossy().into_owned());
            }
        }
        if !is_made_of_others {
            disks.insert(folder.to_string_lossy().into_owned());
        }
    }
}

/// `8:1` and a line end.
fn device_number(text: &str) -> Option<u64> {
    let (major, minor) = text.trim().split_once(':')?;
    Some(makedev(major.parse().ok()?, minor.parse().ok()?))
}

/// The mount that a path belongs to: of those above it the nearest, and of those in one place the latest.
fn mount_of(mounts: &[u8], path: &Path) -> Option<Mount> {
    let mut nearest = None;
    let mut depth = 0;
    for line in mounts.split(|&byte| byte == b'\n') {
        let fields: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
        let Some(dash) = fields.iter().position(|field| *field == b"-") else { continue };
        let (Some(point), Some(file_system), Some(source)) =
            (fields.get(4), fields.get(dash + 1), fields.get(dash + 2))
        else {
            continue;
        };
        let point = PathBuf::from(std::ffi::OsString::from_vec(unescape(point)));
        let this = point.components().count();
        if path.starts_with(&point) && this >= depth {
            depth = this;
            let text = |bytes: &[u8]| String::from_utf8_lossy(&unescape(bytes)).into_owned();
            nearest = Some(Mount { file_system: text(file_system), source: text(source) });
        }
    }
    nearest
}

/// Blanks and backslashes are written as three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, behind)) = rest.split_first() {
        let octal = behind.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.filter(|_| first == b'\\').and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[3..];
            }
            None => {
                bytes.push(first);
                rest = behind;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A machine with two disks: `sda` has two partitions, and the second of them carries the volume `dm-0`; `sdb` has none.
    fn machine(folder: &Path) -> Machine {
        let devices = folder.join("devices");
        let block_devices = folder.join("block");
        for (name, number) in
            [("sda", "8:0"), ("sda/sda1", "8:1"), ("sda/sda2", "8:2"), ("sdb", "8:16"), ("dm-0", "253:0")]
        {
            let device = devices.join(name);
            fs::create_dir_all(&device).unwrap();
            fs::write(device.join("dev"), format!("{number}\n")).unwrap();
            fs::create_dir_all(&block_devices).unwrap();
            symlink(&device, block_devices.join(number)).unwrap();
            if name.contains('/') {
                fs::write(device.join("partition"), "1\n").unwrap();
            }
        }
        fs::create_dir(devices.join("dm-0/slaves")).unwrap();
        symlink(devices.join("sda/sda2"), devices.join("dm-0/slaves/sda2")).unwrap();
        Machine { block_devices, mounts: folder.join("mountinfo") }
    }

    #[test]
    fn partitions_and_volumes_lead_to_their_disk() {
        let folder = tempfile::tempdir().unwrap();
        let machine = machine(folder.path());
        let disks = |number: &str| {
            let mut disks = BTreeSet::new();
            assert!(machine.add_block_device(device_number(number).unwrap(), &mut disks, LAYERS_MAX));
            disks
        };
        assert_eq!(disks("8:1"), disks("8:0"));
        assert_eq!(disks("253:0"), disks("8:1"), "a volume on another partition of the same disk");
        assert!(disks("8:16").is_disjoint(&disks("253:0")));
        assert!(!machine.add_block_device(device_number("9:9").unwrap(), &mut BTreeSet::new(), LAYERS_MAX));
    }

    /// A seal key in a file system that was in a file was taken for one on a disk of its own.
    #[test]
    fn a_mounted_file_leads_to_the_disk_that_it_is_on() {
        let folder = tempfile::tempdir().unwrap();
        let machine = machine(folder.path());
        let image = folder.path().join("image");
        fs::write(&image, "").unwrap();
        let device = fs::metadata(&image).unwrap().dev();
        let number = format!("{}:{}", major(device), minor(device));
        symlink(folder.path().join("devices/sdb"), machine.block_devices.join(number)).unwrap();
        let device = folder.path().join("devices/loop0");
        fs::create_dir_all(device.join("loop")).unwrap();
        fs::write(device.join("loop/backing_file"), format!("{}\n", image.display())).unwrap();
        symlink(&device, machine.block_devices.join("7:0")).unwrap();
        let disks = |number: &str| {
            let mut disks = BTreeSet::new();
            assert!(machine.add_block_device(device_number(number).unwrap(), &mut disks, LAYERS_MAX));
            disks
        };
        assert_eq!(disks("7:0"), disks("8:16"));
        fs::remove_file(&image).unwrap();
        assert!(disks("7:0").is_disjoint(&disks("8:16")), "nobody knows where it is");
    }

    #[test]
    fn the_nearest_mount_is_the_one_that_counts() {
        let mounts = b"22 1 0:21 / / rw shared:1 - overlay overlay rw\n\
            23 22 0:44 /@data /srv/my\\040data rw - btrfs /dev/sdz1 rw\n\
            24 22 0:45 / /srv/tank rw master:2 - zfs tank/keys rw\n\
            25 22 0:46 / /srv/share rw - nfs4 filer:/export rw\n\
            26 22 0:47 / /srv/share rw - tmpfs none rw\n";
        let of = |path: &str| mount_of(mounts, Path::new(path)).unwrap();
        let mount = |file_system: &str, source: &str| Mount {
            file_system: file_system.into(),
            source: source.into(),
        };
        assert_eq!(of("/srv/my data/x"), mount("btrfs", "/dev/sdz1"));
        assert_eq!(of("/srv/tank"), mount("zfs", "tank/keys"));
        assert_eq!(of("/srv/share/a"), mount("tmpfs", "none"));
        assert_eq!(of("/srv/shared"), mount("overlay", "overlay"));
    }

    #[test]
    fn file_systems_without_a_device_are_told_apart_by_what_is_underneath() {
        let folder = tempfile::tempdir().unwrap();
        let machine = machine(folder.path());
        let root = fs::canonicalize(folder.path()).unwrap();
        let place = |name: &str, file_system: &str, source: &str| {
            fs::create_dir(root.join(name)).unwrap();
            format!("1 1 0:1 / {}/{name} rw - {file_system} {source} rw\n", root.display())
        };
        let lines = [
            place("a", "btrfs", "/dev/no-such-disk"),
            place("b", "btrfs", "/dev/no-such-disk"),
            place("c", "zfs", "tank/c"),
            place("d", "zfs", "tank/d"),
            place("e", "nfs4", "filer:/e"),
            place("f", "nfs4", "filer:/f"),
            place("g", "tmpfs", "tmpfs"),
        ];
        fs::write(&machine.mounts, lines.concat()).unwrap();
        let disks = |name: &str| machine.disks(&root.join(name), device_number("0:1").unwrap()).unwrap();
        for (one, other) in [("a", "b"), ("c", "d"), ("e", "f")] {
            assert!(!disks(one).is_disjoint(&disks(other)), "{one} and {other}");
        }
        assert!(disks("a").is_disjoint(&disks("c")) && disks("c").is_disjoint(&disks("e")));
        assert!(disks("g").is_empty());
    }

    #[test]
    fn one_file_system_is_one_disk() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        fs::write(&one, "").unwrap();
        fs::write(&other, "").unwrap();
        assert!(Machine::this().share_a_disk(&one, &other).unwrap());
        let missing = folder.path().join("missing");
        assert_eq!(Machine::this().share_a_disk(&one, &missing).unwrap_err().0, missing);
    }
}
