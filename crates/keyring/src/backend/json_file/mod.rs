//! Keys in the data file of MySQL's `component_keyring_file`, which is JSON (`docs/formats/component-keyring-file.md`).
//!
//! The server reads the file once, when it loads its keyring, and writes all of it at each change. A change made here under a running
//! server is therefore undone by the server's next one, so that nothing but a stopped server's file is a place to write to.

mod error;
mod text;

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;
use strongroom_secret::KeyMaterial;
use zeroize::Zeroizing;

use super::{Backend, Memory};
use crate::error::Error;
use crate::key::{Description, Key, KeyKind};
use crate::key_file::append;
use crate::name::KeyName;

pub use error::{JsonFault, JsonFileError};
use text::Element;

/// The longest file that is read, in bytes: room for some 100,000 master keys.
pub const FILE_BYTES_MAX: usize = 64 << 20;

/// Keys in a JSON file. It is read at each call, and replaced in one step at each change.
#[derive(Debug)]
pub struct JsonFile {
    path: PathBuf,
}

/// A key of the file that this keyring does not keep: RSA, DSA, and AES keys of other lengths than AES has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotKept {
    /// The key.
    pub name: KeyName,
    /// Its type as the file has it.
    pub key_type: String,
    /// Its length in bytes.
    pub bytes: usize,
}

impl JsonFile {
    /// The keys of a file that is there.
    ///
    /// # Errors
    /// [`JsonFileError`] when it cannot be read or is not such a file.
    pub fn open(path: &Path) -> Result<Self, JsonFileError> {
        // A symbolic link stays one: what it leads to is replaced.
        let path = fs::canonicalize(path)
            .map_err(|error| JsonFileError::new(path, JsonFault::System { step: "open", error }))?;
        let file = Self { path };
        file.elements()?;
        Ok(file)
    }

    /// A new file (0600) without keys; a file that is there is never overwritten.
    ///
    /// # Errors
    /// [`JsonFileError`], with [`std::io::ErrorKind::AlreadyExists`] where there is one.
    pub fn create(path: &Path) -> Result<Self, JsonFileError> {
        let system = |step| move |error| JsonFileError::new(path, JsonFault::System { step, error });
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}", std::process::id()));
        let beside = folder.join(name);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside);
        let mut file = made.map_err(system("make"))?;
        let written = file
            .write_all(&text::render(&[]))
            .and_then(|()| file.sync_all())
            // Unlike a rename, a second name is never given in the place of another file.
            .and_then(|()| fs::hard_link(&beside, path));
        let removed = fs::remove_file(&beside);
        written.and(removed).map_err(system("make"))?;
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(system("synchronise the folder of"))?;
        Self::open(path)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys of the file that this keyring does not keep.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn not_kept(&self) -> Result<Vec<NotKept>, JsonFileError> {
        let elements = self.elements()?;
        let others = elements.into_iter().filter(|element| element.kind().is_err());
        Ok(others
            .map(|element| NotKept {
                name: element.name,
                bytes: element.material.len(),
                key_type: element.data_type,
            })
            .collect())
    }

    /// A copy in memory of the keys that this keyring keeps, for who asks for many of them.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn to_memory(&self) -> Result<Memory, Error> {
        in_memory(self.elements()?)
    }

    /// The same of the text of such a file, which `path` names in errors.
    ///
    /// # Errors
    /// [`JsonFileError`] when it is not the text of such a file.
    pub fn text_to_memory(path: &Path, text: &[u8]) -> Result<Memory, Error> {
        in_memory(text::parse(text).map_err(|fault| JsonFileError::new(path, fault))?)
    }

    /// Keeps several keys, with the file replaced once.
    ///
    /// # Errors
    /// [`Error::Exists`] when there is a key of one of these names; then none of them is kept.
    pub fn register_all(&self, keys: Vec<(KeyName, Key)>) -> Result<(), Error> {
        self.change(|elements| {
            let mut taken: HashSet<KeyName> = elements.iter().map(|element| element.name.clone()).collect();
            for (name, key) in keys {
                if !taken.insert(name.clone()) {
                    return Err(Error::Exists { name: name.in_back_end() });
                }
                elements.push(Element::new(name, key.kind, key.material));
            }
            Ok((true, ()))
        })
    }

    fn elements(&self) -> Result<Vec<Element>, JsonFileError> {
        let fail = |fault| Err(JsonFileError::new(&self.path, fault));
        let mut backup = self.path.clone().into_os_string();
        backup.push(".backup");
        // The server writes this one first and takes it away last.
        if fs::metadata(&backup).is_ok_and(|backup| backup.len() > 0) {
            return fail(JsonFault::Unfinished);
        }
        let system = |step| move |error| JsonFileError::new(&self.path, JsonFault::System { step, error });
        let mut file = File::open(&self.path).map_err(system("open"))?;
        let about = file.metadata().map_err(system("look at"))?;
        if !about.is_file() {
            return fail(JsonFault::NotRegular);
        }
        let length = usize::try_from(about.len()).unwrap_or(usize::MAX);
        if length > FILE_BYTES_MAX {
            return fail(JsonFault::TooLarge);
        }
        // A buffer that grows would leave copies of keys behind.
        let mut text = Zeroizing::new(vec![0; length]);
        file.read_exact(&mut text).map_err(system("read"))?;
        text::parse(&text).map_err(|fault| JsonFileError::new(&self.path, fault))
    }

    /// Replaces the file by one that holds what `change` makes of its keys, if it says that something has changed.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Vec<Element>) -> Result<(bool, T), Error>,
    ) -> Result<T, Error> {
        let failed = |error| JsonFileError::new(&self.path, JsonFault::Change(error));
        let locked = append::lock(&self.path).map_err(failed)?;
        let mut elements = self.elements()?;
        let (changed, value) = change(&mut elements)?;
        if changed {
            let text = text::render(&elements);
            text::parse(&text).map_err(|fault| JsonFileError::new(&self.path, fault))?;
            append::replace(&self.path, &text).map_err(failed)?;
        }
        drop(locked);
        Ok(value)
    }

    fn insert(&self, name: &KeyName, kind: KeyKind, material: KeyMaterial) -> Result<(), Error> {
        self.register_all(vec![(name.clone(), Key { kind, material })])
    }

    fn find(&self, name: &KeyName) -> Result<Option<Element>, Error> {
        Ok(self.elements()?.into_iter().find(|element| element.name == *name))
    }
}

fn in_memory(elements: Vec<Element>) -> Result<Memory, Error> {
    let memory = Memory::new();
    for element in elements {
        if let Ok(kind) = element.kind() {
            memory.register(&element.name, kind, &element.material)?;
        }
    }
    Ok(memory)
}

fn describe(name: KeyName, kind: KeyKind, bytes: usize) -> Description {
    Description { identifier: name.in_back_end(), name, kind, bytes }
}

impl Backend for JsonFile {
    fn create(&self, name: &KeyName, bytes: usize) -> Result<(), Error> {
        let material = KeyMaterial::try_fill(bytes, rand::fill).map_err(|_| Error::Random)?;
        self.insert(name, KeyKind::Aes, material)
    }

    fn register(&self, name: &KeyName, kind: KeyKind, material: &KeyMaterial) -> Result<(), Error> {
        self.insert(name, kind, material.duplicate())
    }

    fn fetch(&self, name: &KeyName) -> Result<Option<Key>, Error> {
        let Some(element) = self.find(name)? else { return Ok(None) };
        Ok(Some(Key { kind: element.kind()?, material: element.material }))
    }

    fn describe(&self, name: &KeyName) -> Result<Option<Description>, Error> {
        let Some(element) = self.find(name)? else { return Ok(None) };
        let (kind, bytes) = (element.kind()?, element.material.len());
        Ok(Some(describe(element.name, kind, bytes)))
    }

    fn remove(&self, name: &KeyName) -> Result<bool, Error> {
        self.change(|elements| {
            let before = elements.len();
            elements.retain(|element| element.name != *name);
            let removed = elements.len() != before;
            Ok((removed, removed))
        })
    }

    fn list(&self) -> Result<Vec<Description>, Error> {
        let kept = self.elements()?.into_iter().filter_map(|element| {
            let kind = element.kind().ok()?;
            Some(describe(element.name, kind, element.material.len()))
        });
        Ok(kept.collect())
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn name(id: &str) -> KeyName {
        KeyName::new(id, Some("root@localhost")).unwrap()
    }

    #[test]
    fn a_new_file_is_its_owners_alone_and_takes_no_others_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let file = JsonFile::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        file.create(&name("a"), 32).unwrap();
        let again = JsonFile::create(&path).unwrap_err();
        assert!(
            matches!(&again.fault, JsonFault::System { error, .. } if error.kind() == ErrorKind::AlreadyExists),
            "{again}"
        );
        assert_eq!(file.list().unwrap().len(), 1);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn keys_that_are_not_kept_stay_where_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let element = |id: &str, key_type: &str, data: &str| {
            format!(
                r#"{{"user":"","data_id":"{id}","data_type":"{key_type}","data":"{data}","extension":[]}}"#
            )
        };
        let elements =
            [element("rsa", "RSA", "0102"), element("odd", "AES", "010203"), element("s", "SECRET", "05")];
        fs::write(&path, format!(r#"{{"version":"1.0","elements":[{}]}}"#, elements.join(","))).unwrap();
        let file = JsonFile::open(&path).unwrap();
        let not_kept: Vec<_> = file
            .not_kept()
            .unwrap()
            .into_iter()
            .map(|key| (key.name.id().to_owned(), key.key_type, key.bytes))
            .collect();
        assert_eq!(not_kept, [("rsa".into(), "RSA".into(), 2), ("odd".into(), "AES".into(), 3)]);
        assert_eq!(file.list().unwrap().len(), 1);
        let rsa = KeyName::new("rsa", None).unwrap();
        assert!(matches!(file.fetch(&rsa), Err(Error::TypeNotKept(_))));
        assert!(matches!(file.create(&rsa, 16), Err(Error::Exists { .. })));
        file.create(&name("new"), 16).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(&elements.join(",")), "{text}");
    }

    #[test]
    fn a_file_whose_change_the_server_has_not_finished_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let file = JsonFile::create(&path).unwrap();
        fs::write(folder.path().join("keys.backup"), "{").unwrap();
        assert!(
            matches!(file.list(), Err(Error::File(error)) if matches!(error.fault, JsonFault::Unfinished))
        );
    }
}
