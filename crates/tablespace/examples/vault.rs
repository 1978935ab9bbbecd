//! An application's own file of pages, encrypted under a master key that is in a vault and rotated there.
//!
//! ```text
//! strongroom quickstart              # or any KMIP server
//! cargo run -p strongroom-tablespace --example vault -- ENDPOINT_DIR FILE
//! ```
//!
//! The first run makes the file and its master key; each further run opens it with the key that it names, writes and reads
//! pages, and rotates. Without the vault nobody reads it: what the file has is its own key, wrapped.

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use strongroom_client::{Endpoint, Options, Session};
use strongroom_keyring::backend::Kmip;
use strongroom_keyring::{KeyKind, KeyName, Keyring};
use strongroom_secret::KeyMaterial;
use strongroom_tablespace::mysql::{MasterKeyId, ServerUuid};
use strongroom_tablespace::{KeySourceError, MasterKeySource, PagedFile};

const PAGE_BYTES: u32 = 16384;
const PAGES: u32 = 1000;
const MASTER_KEY_BYTES: usize = 32;
/// What the application calls itself where its keys are named: a uuid that it once drew.
const OWNER: &[u8] = b"5d1f3f0a-7c3e-4d0e-9a52-2b6f0c7a9e11";

/// The application's master keys, in a vault.
struct VaultKeys(Keyring);

impl VaultKeys {
    fn open(endpoint_dir: &Path) -> Result<Self, Box<dyn Error>> {
        let session = Session::new(&Endpoint::open(endpoint_dir)?, Options::default())?;
        Ok(Self(Kmip::new(session, None).into()))
    }

    /// Makes a master key in the vault, of the vault's randomness.
    fn make(&self, id: &MasterKeyId) -> Result<(), Box<dyn Error>> {
        let name = KeyName::new(&id.to_string(), None)?;
        Ok(self.0.generate(&name, KeyKind::Aes, MASTER_KEY_BYTES)?)
    }
}

impl MasterKeySource for VaultKeys {
    fn mysql_key(&self, key_id: &str) -> Result<Option<KeyMaterial>, KeySourceError> {
        let name = KeyName::new(key_id, None).map_err(KeySourceError::new)?;
        Ok(self.0.fetch(&name).map_err(KeySourceError::new)?.map(|key| key.material))
    }
}

/// What a run did.
#[derive(Debug)]
pub(crate) struct Story {
    /// The master key that the file is under now.
    pub(crate) master_key: String,
    /// How long it took to put it under that key, durably.
    pub(crate) rotated_in: Duration,
}

/// Opens the application's file, or makes it, writes its pages, reads them, and rotates the master key.
///
/// # Errors
/// Whatever the vault, the disk or the file says.
pub(crate) fn run(endpoint_dir: &Path, path: &Path) -> Result<Story, Box<dyn Error>> {
    let keys = VaultKeys::open(endpoint_dir)?;
    let owner = ServerUuid::new(OWNER).ok_or("the owner is no uuid")?;
    let id = |number| MasterKeyId::Uuid { uuid: owner, number };
    let mut file = if path.exists() {
        PagedFile::open(File::options().read(true).write(true).open(path)?, &keys)?
    } else {
        keys.make(&id(1))?;
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        let random = |bytes: &mut [u8]| {
            rustix::rand::getrandom(bytes, rustix::rand::GetRandomFlags::empty()).map(|_| ())
        };
        PagedFile::create(file, PAGE_BYTES, 1, id(1), &keys, random)?
    };

    // From here on it is a file of pages like any other.
    let mut page = vec![0; file.content_bytes()];
    for number in 1..=PAGES {
        page[..8].copy_from_slice(&u64::from(number * 100).to_be_bytes());
        page[8..16].copy_from_slice(b"balance!");
        file.write(number, &page)?;
    }
    file.get_ref().sync_all()?;
    for number in 1..=PAGES {
        file.read(number, &mut page)?;
        if page[..8] != u64::from(number * 100).to_be_bytes() {
            return Err("a page is not what was written".into());
        }
    }

    // Another master key: one page is written, however many there are. The old one stays for backups.
    let next = id(file.master_key().number() + 1);
    keys.make(&next)?;
    let begin = Instant::now();
    file.rotate(next.clone(), &keys)?;
    file.get_ref().sync_all()?;
    Ok(Story { master_key: next.to_string(), rotated_in: begin.elapsed() })
}

#[cfg(not(test))]
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(endpoint_dir), Some(path)) = (arguments.next(), arguments.next()) else {
        return Err("usage: vault ENDPOINT_DIR FILE".into());
    };
    let story = run(Path::new(&endpoint_dir), Path::new(&path))?;
    println!(
        "{PAGES} pages of {PAGE_BYTES} bytes written and read; under {} in {:.1} ms",
        story.master_key,
        1e3 * story.rotated_in.as_secs_f64()
    );
    Ok(())
}
