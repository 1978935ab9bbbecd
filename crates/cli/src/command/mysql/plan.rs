//! Files to be written: shown first, then each done in one step.

use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::error::Error;

/// What a file is to hold.
enum Content {
    /// This text.
    Text(String),
    /// The bytes of another file.
    Copy(PathBuf),
    /// What it holds: its owner alone changes.
    Same,
}

/// One file that is to be other than it is.
struct Change {
    path: PathBuf,
    content: Content,
    /// What it holds now, if it is text and there.
    before: Option<String>,
    mode: u32,
    /// User and group; those who run the command where nothing is said.
    owner: Option<(u32, u32)>,
}

/// Files that are to be other than they are, in the order in which they are written.
#[derive(Default)]
pub(super) struct Plan {
    changes: Vec<Change>,
    unchanged: Vec<PathBuf>,
}

impl Plan {
    /// A file with this text.
    ///
    /// # Errors
    /// [`Error::Read`] when what is there cannot be read.
    pub(super) fn text(
        &mut self,
        path: PathBuf,
        text: String,
        mode: u32,
        owner: Option<(u32, u32)>,
    ) -> Result<(), Error> {
        let before = match fs::read(&path) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(source) => return Err(Error::Read { path, source }),
        };
        if before.as_ref() == Some(&text) && is_as(&path, mode, owner) {
            self.unchanged.push(path);
        } else {
            self.changes.push(Change { path, content: Content::Text(text), before, mode, owner });
        }
        Ok(())
    }

    /// A file with the bytes of another one.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub(super) fn copy(
        &mut self,
        path: PathBuf,
        from: PathBuf,
        mode: u32,
        owner: Option<(u32, u32)>,
    ) -> Result<(), Error> {
        let bytes = fs::read(&from).map_err(|source| Error::Read { path: from.clone(), source })?;
        let same = fs::read(&path).is_ok_and(|present| present == bytes);
        if same && is_as(&path, mode, owner) {
            self.unchanged.push(path);
        } else {
            self.changes.push(Change { path, content: Content::Copy(from), before: None, mode, owner });
        }
        Ok(())
    }

    /// A file or folder that stays as it is but gets another owner.
    pub(super) fn give(&mut self, path: PathBuf, mode: u32, owner: (u32, u32)) {
        self.changes.push(Change { path, content: Content::Same, before: None, mode, owner: Some(owner) });
    }

    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Writes the files, each in one step.
    ///
    /// # Errors
    /// [`Error::Write`] names the first that could not be written; those before it are.
    pub(super) fn apply(&self) -> Result<(), Error> {
        for change in &self.changes {
            change.apply().map_err(|source| Error::Write { path: change.path.clone(), source })?;
        }
        Ok(())
    }

    /// What would be done, as people read it.
    pub(super) fn show(&self) -> String {
        let mut text = String::new();
        for change in &self.changes {
            text.push_str(&change.show());
        }
        for path in &self.unchanged {
            text.push_str(&format!("  {}: as it should be\n", path.display()));
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// The same as JSON.
    pub(super) fn document(&self) -> Vec<Value> {
        let changes = self.changes.iter().map(|change| {
            let (text, from) = match &change.content {
                Content::Text(text) => (Some(text.as_str()), None),
                Content::Copy(from) => (None, Some(from)),
                Content::Same => (None, None),
            };
            json!({
                "path": change.path,
                "mode": format!("{:04o}", change.mode),
                "owner": change.owner.map(|(user, group)| format!("{user}:{group}")),
                "before": change.before,
                "text": text,
                "copy_of": from,
            })
        });
        changes.collect()
    }
}

impl Change {
    fn apply(&self) -> std::io::Result<()> {
        if let Content::Same = self.content {
            if let Some((user, group)) = self.owner {
                chown(&self.path, Some(user), Some(group))?;
            }
            return fs::set_permissions(&self.path, Permissions::from_mode(self.mode));
        }
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new().prefix(".strongroom-").tempfile_in(folder)?;
        match &self.content {
            Content::Text(text) => file.write_all(text.as_bytes())?,
            Content::Copy(from) => {
                std::io::copy(&mut File::open(from)?, &mut file)?;
            }
            Content::Same => {}
        }
        if let Some((user, group)) = self.owner {
            chown(file.path(), Some(user), Some(group))?;
        }
        file.as_file().set_permissions(Permissions::from_mode(self.mode))?;
        file.as_file().sync_all()?;
        // A library that is in use keeps its old file; only its name changes hands.
        file.persist(&self.path).map_err(|refused| refused.error)?;
        File::open(folder).and_then(|folder| folder.sync_all())
    }

    fn show(&self) -> String {
        let owner = self.owner.map_or_else(String::new, |(user, group)| format!(", owner {user}:{group}"));
        let about = format!("{} (mode {:04o}{owner})\n", self.path.display(), self.mode);
        match &self.content {
            Content::Copy(from) => format!("+ {about}    copy of {}\n", from.display()),
            Content::Same => format!("~ {about}"),
            Content::Text(text) => {
                let sign = if self.before.is_some() { '~' } else { '+' };
                format!("{sign} {about}{}", difference(self.before.as_deref().unwrap_or_default(), text))
            }
        }
    }
}

/// The lines that go and those that come; what is the same at both ends is left out.
fn difference(before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - start;
    let end = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let mut text = String::new();
    for line in &old[start..old.len() - end] {
        text.push_str(&format!("    - {line}\n"));
    }
    for line in &new[start..new.len() - end] {
        text.push_str(&format!("    + {line}\n"));
    }
    text
}

fn is_as(path: &Path, mode: u32, owner: Option<(u32, u32)>) -> bool {
    fs::symlink_metadata(path).is_ok_and(|about| {
        about.is_file()
            && about.mode() & 0o7777 == mode
            && owner.is_none_or(|owner| (about.uid(), about.gid()) == owner)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_shown_and_written() {
        assert_eq!(difference("a\nb\nc\n", "a\nx\nc\n"), "    - b\n    + x\n");
        assert_eq!(difference("", "a\n"), "    + a\n");
        assert_eq!(difference("a\na\n", "a\n"), "    - a\n");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/file");
        let plan = |text: &str| {
            let mut plan = Plan::default();
            plan.text(path.clone(), text.to_owned(), 0o440, None).unwrap();
            plan
        };
        let first = plan("one\n");
        assert!(first.show().starts_with("+ ") && !path.exists());
        first.apply().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o440);
        assert!(plan("one\n").is_empty());
        let second = plan("two\n");
        assert!(second.show().starts_with("~ ") && second.show().contains("- one"));
        second.apply().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
