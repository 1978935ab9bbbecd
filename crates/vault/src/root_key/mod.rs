//! The root key, and the slots that each recover it on their own.
//!
//! The root key wraps the barrier's keyring and is never stored in the clear. A slot wraps it under a key of the slot's own:
//! derived from a passphrase, or read from a file. Any one slot suffices; losing one loses nothing as long as
//! another is left. A wrong passphrase, a damaged slot and a slot of a newer release are told apart.

mod file;
mod passphrase;
mod slot;

use std::fmt;
use std::path::PathBuf;

use strongroom_secret::KeyMaterial;
use zeroize::Zeroizing;

pub use self::file::{create_file, read_file};
pub use self::passphrase::PASSPHRASE_LEN_MIN;
pub(crate) use self::slot::base64_bytes;
pub use self::slot::{Slot, SlotKind};

use crate::barrier::{VaultId, random};

/// Bytes of a root key, and of the key that a slot wraps it with.
const KEY_LEN: usize = 32;

/// What opens a slot.
pub enum SlotSecret {
    /// A passphrase; any passphrase slot may match.
    Passphrase(Zeroizing<Vec<u8>>),
    /// A slot file.
    File(PathBuf),
}

impl SlotSecret {
    /// A passphrase as it was typed. One line feed at its end is not part of it.
    pub fn passphrase(mut text: Zeroizing<Vec<u8>>) -> Self {
        if text.last() == Some(&b'\n') {
            text.pop();
            if text.last() == Some(&b'\r') {
                text.pop();
            }
        }
        Self::Passphrase(text)
    }
}

impl fmt::Debug for SlotSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passphrase(_) => f.write_str("Passphrase"),
            Self::File(path) => write!(f, "File({})", path.display()),
        }
    }
}

/// Why the root key was not recovered.
#[derive(Debug)]
pub enum SlotError {
    /// No passphrase slot opens with this passphrase.
    WrongPassphrase,
    /// The file holds another key than the slot was made with.
    WrongFile {
        /// The slot file.
        path: PathBuf,
    },
    /// The vault has no slot of this kind.
    NoSuchSlot {
        /// The kind asked for.
        kind: &'static str,
    },
    /// The slot's description in `vault.json` was damaged.
    Damaged,
    /// A new passphrase is too short.
    PassphraseTooShort,
    /// The slot file can be used by others than its owner.
    FileTooOpen {
        /// The slot file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The slot file does not hold a key.
    NotAKey {
        /// The slot file.
        path: PathBuf,
    },
    /// The slot file could not be read or written.
    File {
        /// What was being done.
        doing: &'static str,
        /// The slot file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The key derivation could not run, for want of memory.
    Derivation,
}

impl fmt::Display for SlotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongPassphrase => write!(f, "wrong passphrase"),
            Self::WrongFile { path } => {
                write!(f, "{} is not the key file that this vault was made with", path.display())
            }
            Self::NoSuchSlot { kind } => {
                write!(f, "this vault has no {kind} slot; open it with another kind of slot")
            }
            Self::Damaged => write!(f, "the slot in vault.json is damaged; restore vault.json from a backup"),
            Self::PassphraseTooShort => {
                write!(f, "the passphrase is too short; use at least {PASSPHRASE_LEN_MIN} characters")
            }
            Self::FileTooOpen { path, mode } => write!(
                f,
                "others may read the key file {} (mode {mode:04o}); run: chmod 0600 {}",
                path.display(),
                path.display()
            ),
            Self::NotAKey { path } => {
                write!(f, "{} is not a key file: it does not hold {KEY_LEN} bytes", path.display())
            }
            Self::File { doing, path, source } => {
                write!(f, "{doing} the key file {}: {source}", path.display())
            }
            Self::Derivation => write!(f, "not enough memory to derive a key from the passphrase; free some"),
        }
    }
}

impl std::error::Error for SlotError {}

/// A new root key.
pub fn generate() -> KeyMaterial {
    let mut bytes = Zeroizing::new(vec![0; KEY_LEN]);
    random(&mut bytes);
    KeyMaterial::from_zeroizing(bytes)
}

/// Makes a slot for `root`, opened by `secret` (a file is read, not made).
///
/// # Errors
/// [`SlotError`].
pub fn make_slot(vault: VaultId, root: &KeyMaterial, secret: &SlotSecret) -> Result<Slot, SlotError> {
    match secret {
        SlotSecret::Passphrase(passphrase) => {
            if passphrase.len() < PASSPHRASE_LEN_MIN {
                return Err(SlotError::PassphraseTooShort);
            }
            let derivation = passphrase::Derivation::new();
            let key = derivation.derive(passphrase)?;
            Slot::wrap(vault, SlotKind::Passphrase(derivation), &key, root)
        }
        SlotSecret::File(path) => {
            let key = read_file(path)?;
            Slot::wrap(vault, SlotKind::File { path: path.clone() }, &key, root)
        }
    }
}

/// Recovers the root key from whichever slot `secret` opens.
///
/// # Errors
/// [`SlotError`].
pub fn recover(vault: VaultId, slots: &[Slot], secret: &SlotSecret) -> Result<KeyMaterial, SlotError> {
    match secret {
        SlotSecret::Passphrase(passphrase) => {
            let mut refusal = SlotError::NoSuchSlot { kind: "passphrase" };
            for slot in slots {
                let SlotKind::Passphrase(derivation) = &slot.kind else { continue };
                slot.check()?;
                match slot.unwrap(vault, &derivation.derive(passphrase)?) {
                    Some(root) => return Ok(root),
                    None => refusal = SlotError::WrongPassphrase,
                }
            }
            Err(refusal)
        }
        SlotSecret::File(path) => {
            let key = read_file(path)?;
            let mut refusal = SlotError::NoSuchSlot { kind: "file" };
            for slot in slots {
                let SlotKind::File { .. } = &slot.kind else { continue };
                slot.check()?;
                match slot.unwrap(vault, &key) {
                    Some(root) => return Ok(root),
                    None => refusal = SlotError::WrongFile { path: path.clone() },
                }
            }
            Err(refusal)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::RecordId;

    const VAULT: VaultId = VaultId(RecordId([3; 16]));

    fn passphrase(text: &str) -> SlotSecret {
        SlotSecret::passphrase(Zeroizing::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn each_slot_recovers_the_root_key_on_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root.key");
        create_file(&path).unwrap();
        let root = generate();
        let slots = [
            make_slot(VAULT, &root, &passphrase("correct horse")).unwrap(),
            make_slot(VAULT, &root, &SlotSecret::File(path.clone())).unwrap(),
        ];
        assert_eq!(recover(VAULT, &slots, &passphrase("correct horse\n")).unwrap(), root);
        assert_eq!(recover(VAULT, &slots, &SlotSecret::File(path)).unwrap(), root);
        assert!(matches!(
            recover(VAULT, &slots, &passphrase("wrong horse")),
            Err(SlotError::WrongPassphrase)
        ));
        assert!(matches!(
            recover(VAULT, &slots[1..], &passphrase("correct horse")),
            Err(SlotError::NoSuchSlot { kind: "passphrase" })
        ));
    }

    #[test]
    fn a_damaged_slot_is_not_called_a_wrong_passphrase() {
        let root = generate();
        let mut slot = make_slot(VAULT, &root, &passphrase("correct horse")).unwrap();
        slot.damage();
        assert!(matches!(recover(VAULT, &[slot], &passphrase("correct horse")), Err(SlotError::Damaged)));
    }

    #[test]
    fn a_slot_of_another_vault_does_not_open() {
        let root = generate();
        let slot = make_slot(VAULT, &root, &passphrase("correct horse")).unwrap();
        let other = VaultId(RecordId([4; 16]));
        assert!(recover(other, &[slot], &passphrase("correct horse")).is_err());
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root.key");
        create_file(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read_file(&path), Err(SlotError::FileTooOpen { mode: 0o640, .. })));
    }

    #[test]
    fn a_key_file_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root.key");
        create_file(&path).unwrap();
        assert!(matches!(create_file(&path), Err(SlotError::File { .. })));
    }

    #[test]
    fn a_short_passphrase_is_refused() {
        let refused = make_slot(VAULT, &generate(), &passphrase("1234567"));
        assert!(matches!(refused, Err(SlotError::PassphraseTooShort)));
    }
}
