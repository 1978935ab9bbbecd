//! A configuration file as a JSON object, from which each key is taken once.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::error::{ConfigError, Fault};

/// No configuration file is as large as this.
const MAX_BYTES: u64 = 1 << 20;

/// What a file says, less what has been taken from it.
pub(super) struct Document {
    path: PathBuf,
    values: Map<String, Value>,
}

impl Document {
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let fault = |fault| ConfigError::new(path, fault);
        let text = text(path).map_err(fault)?;
        match serde_json::from_slice(&text) {
            Ok(Value::Object(values)) => Ok(Self { path: path.to_owned(), values }),
            Ok(_) => Err(fault(Fault::NotJson("its outermost value is another kind of thing".into()))),
            Err(error) => Err(fault(Fault::NotJson(error.to_string()))),
        }
    }

    #[cfg(test)]
    pub(super) fn of(values: Value) -> Self {
        match values {
            Value::Object(values) => Self { path: PathBuf::from("test.cnf"), values },
            other => panic!("{other} is no object"),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The first of `keys` that occurs.
    pub(super) fn first_of(&self, keys: &[&'static str]) -> Option<&'static str> {
        keys.iter().copied().find(|key| self.values.contains_key(*key))
    }

    pub(super) fn fault(&self, fault: Fault) -> ConfigError {
        ConfigError::new(&self.path, fault)
    }

    fn wrong(&self, key: &'static str, wanted: &str) -> ConfigError {
        self.fault(Fault::WrongKind { key, wanted: wanted.into() })
    }

    /// Takes any value.
    pub(super) fn value(&mut self, key: &'static str) -> Option<Value> {
        self.values.remove(key)
    }

    /// Takes `true` or `false`.
    pub(super) fn switch(&mut self, key: &'static str) -> Result<Option<bool>, ConfigError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(_) => Err(self.wrong(key, "true or false, without quotes")),
        }
    }

    /// Takes a text.
    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, ConfigError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(value)) => Ok(Some(value)),
            Some(_) => Err(self.wrong(key, "a text in quotes")),
        }
    }

    /// Takes a number, which may stand in quotes, as Percona's port does.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        min: u64,
        max: u64,
    ) -> Result<Option<u64>, ConfigError> {
        let number = match self.value(key) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        match number {
            Some(number) if (min..=max).contains(&number) => Ok(Some(number)),
            _ => Err(self.wrong(key, &format!("a whole number from {min} to {max}"))),
        }
    }

    /// Takes an absolute path.
    pub(super) fn path(&mut self, key: &'static str) -> Result<Option<PathBuf>, ConfigError> {
        match self.text(key)?.map(PathBuf::from) {
            Some(path) if path.is_relative() => Err(self.fault(Fault::RelativePath { key, path })),
            path => Ok(path),
        }
    }

    /// Refuses what is left.
    pub(super) fn end(self) -> Result<(), ConfigError> {
        if self.values.is_empty() {
            return Ok(());
        }
        let keys = self.values.keys().cloned().collect();
        Err(self.fault(Fault::UnknownKeys(keys)))
    }
}

/// Reads a file without waiting, so that a FIFO in its place does not hang a starting database.
fn text(path: &Path) -> Result<Vec<u8>, Fault> {
    let unreadable = |error: std::io::Error| Fault::Unreadable(error.kind());
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    if length > MAX_BYTES {
        return Err(Fault::TooLarge(length));
    }
    let mut text = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut text).map_err(unreadable)?;
    Ok(text)
}
