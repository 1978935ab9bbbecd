//! A vault through its life, and what it notices when somebody works on its files behind its back.

mod enrolment;
mod life;
mod tampering;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicI64;

use jiff::Timestamp;

use super::*;
use crate::barrier::Term;
use crate::enrolment::Addresses;

/// A vault in a directory of its own, opened by a key file beside it.
struct Rig {
    _scratch: tempfile::TempDir,
    dir: PathBuf,
    key: PathBuf,
    seconds: Arc<AtomicI64>,
}

impl Rig {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let (dir, key) = (scratch.path().join("vault"), scratch.path().join("root.key"));
        let seconds = Arc::new(AtomicI64::new(Timestamp::now().as_second()));
        let rig = Self { _scratch: scratch, dir, key, seconds };
        Vault::create(&rig.dir, rig.options(vec![NewSlot::CreateFile(rig.key.clone())])).unwrap();
        rig
    }

    fn clock(&self) -> Clock {
        Clock::Manual(Arc::clone(&self.seconds))
    }

    fn options(&self, slots: Vec<NewSlot>) -> CreateOptions {
        CreateOptions { names: vec!["localhost".to_owned()], slots, clock: self.clock() }
    }

    fn layout(&self) -> Layout {
        Layout::new(&self.dir)
    }

    fn unseal(&self) -> Vault {
        self.try_unseal().unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_unseal(&self) -> Result<Vault, Error> {
        let sealed = Vault::open(&self.dir, self.clock())?;
        sealed.unseal(&SlotSecret::File(self.key.clone())).map_err(|failure| failure.error)
    }
}

/// Writes a record with this content, as the KMIP side does.
fn put(vault: &Vault, id: RecordId, expected: Expected, content: &[u8]) {
    let write = Write {
        kind: RecordKind::OBJECT,
        id,
        wallet: WalletId(RecordId([5; 16])),
        expected,
        opened: Opened::new(Zeroizing::new(content.to_vec())),
        terms: vec![Term::new("name", &id.0)],
        unique: Vec::new(),
    };
    let event = Event::new(vault.clock().now(), Actor::Unknown, "Register").on(id);
    vault.records().commit(Change { writes: vec![write], events: vec![event], after: None }).wait().unwrap();
}

fn get(vault: &Vault, id: RecordId) -> Option<Vec<u8>> {
    let record = vault.records().read(RecordKind::OBJECT, id).unwrap();
    record.map(|record| record.opened.as_bytes().to_vec())
}

fn journal_text(rig: &Rig) -> String {
    std::fs::read_to_string(rig.layout().journal()).unwrap()
}

fn addresses() -> Addresses {
    Addresses { admin: vec!["localhost:1".to_owned()], kmip: vec!["localhost:2".to_owned()] }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap()
}

fn files_under(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_under(&path)) } else { files.push(path) }
    }
    files
}
