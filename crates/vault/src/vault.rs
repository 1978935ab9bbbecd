//! The vault: made once, opened sealed, and unsealed by one of its slots.
//!
//! The states are types: what needs keys is a method of [`Vault`], and only [`SealedVault::unseal`] makes one.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use crate::Error;
use crate::audit::{self, Actor, Event, FloodGate, Journal, Position, Verified};
use crate::barrier::{
    Barrier, Change, CommitError, Keyring, Opened, RecordAddress, Records, SEALS_PER_KEY_AIM, Sealed,
    VaultId, WrappedKeyring, Write,
};
use crate::ca::{Authority, CaError, ServerCertificate, ServerIdentity};
use crate::clock::Clock;
use crate::endpoint::{Fingerprint, IdentityMap};
use crate::layout::{Layout, Metadata, NewDirectory, VaultLock, replace_file, write_file};
use crate::root_key::{self, SlotKind, SlotSecret};
use crate::store::{
    CommitFailure, Expected, RecordId, RecordKind, RecordVersion, SqliteStore, Store, StoreOptions, WalletId,
};

/// Names of the store's settings.
const VAULT_SETTING: &str = "vault";
const KEYRING_SETTING: &str = "keyring";
const ANCHOR_SETTING: &str = "anchor";

/// The store learns at most this often, in seconds, where the journal stands.
const ANCHOR_INTERVAL_S: i64 = 60;

/// The one record of the certificate authority.
const AUTHORITY_ID: RecordId = WalletId::SYSTEM.0;

/// What a new vault is made with.
#[derive(Debug, Default)]
pub struct CreateOptions {
    /// DNS names and IP addresses for the server's certificate; none means this machine's own.
    pub names: Vec<String>,
    /// The slots, at least one.
    pub slots: Vec<NewSlot>,
    /// The time of day.
    pub clock: Clock,
}

/// A slot of a new vault.
#[derive(Debug)]
pub enum NewSlot {
    /// Opened by what this holds.
    Existing(SlotSecret),
    /// A file that is made here, with a new key.
    CreateFile(PathBuf),
}

/// A vault that was just made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Created {
    /// Its id.
    pub id: VaultId,
    /// SHA-256 of its certificate authority's certificate.
    pub authority: Fingerprint,
}

/// A vault whose keys are not in memory.
pub struct SealedVault {
    id: VaultId,
    layout: Layout,
    metadata: Metadata,
    store: Arc<dyn Store>,
    server: Arc<ServerIdentity>,
    certificate: ServerCertificate,
    clock: Clock,
    lock: VaultLock,
}

/// A vault that was not unsealed.
pub struct UnsealFailure {
    /// The vault, as sealed as before.
    pub sealed: SealedVault,
    /// Why.
    pub error: Error,
}

/// An unsealed vault.
pub struct Vault {
    id: VaultId,
    layout: Layout,
    records: Records,
    barrier: Arc<Barrier>,
    journal: Arc<Journal>,
    identities: Arc<IdentityMap>,
    authority: Authority,
    server: Arc<ServerIdentity>,
    clock: Clock,
    store: Arc<dyn Store>,
    strangers: Strangers,
    _lock: VaultLock,
}

/// What peers that are nobody here have caused.
pub(crate) struct Strangers {
    /// Connections to the KMIP port that were turned away.
    pub(crate) connections: FloodGate,
    /// Enrolments that were refused.
    pub(crate) enrolments: FloodGate,
}

impl Vault {
    /// Makes a vault in `dir`, which must not exist or be empty. It appears whole or not at all.
    ///
    /// # Errors
    /// [`Error`]; nothing is left behind, except that a slot file outside `dir` stays.
    pub fn create(dir: &Path, options: CreateOptions) -> Result<Created, Error> {
        let failed = |source| Error::File { doing: "creating", path: dir.to_owned(), source };
        let dir = &std::path::absolute(dir).map_err(failed)?;
        let new = NewDirectory::begin(dir)?;
        let now = options.clock.now();
        let id = VaultId(RecordId::random());

        let root = root_key::generate();
        let mut slots = Vec::with_capacity(options.slots.len());
        for slot in options.slots {
            let slot = match slot {
                NewSlot::Existing(secret) => root_key::make_slot(id, &root, &secret)?,
                NewSlot::CreateFile(path) => {
                    let path = std::path::absolute(&path).map_err(failed)?;
                    let for_now = new.for_now(&path);
                    root_key::create_file(&for_now)?;
                    let mut slot = root_key::make_slot(id, &root, &SlotSecret::File(for_now))?;
                    slot.kind = SlotKind::File { path };
                    slot
                }
            };
            slots.push(slot);
        }

        let keyring = Keyring::generate();
        let wrapped = keyring.wrap(id, &root).map_err(Error::Keyring)?;
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&new.layout.store(), StoreOptions::Create)?);
        put_setting(&store, VAULT_SETTING, id.0.0.to_vec())?;
        put_setting(&store, KEYRING_SETTING, wrapped.0)?;
        let barrier = Arc::new(Barrier::new(id, &keyring).map_err(Error::Head)?);
        let journal = Arc::new(Journal::open(&new.layout.journal(), None, now)?);
        let records = Records::new(Arc::clone(&store), Arc::clone(&barrier), Arc::clone(&journal));

        let authority = Authority::generate(now)?;
        let names = if options.names.is_empty() { crate::ca::default_names() } else { options.names };
        let server = ServerCertificate::issue(&authority, &names, now)?;
        let write = Write {
            kind: RecordKind::AUTHORITY,
            id: AUTHORITY_ID,
            wallet: WalletId::SYSTEM,
            expected: Expected::Absent,
            opened: authority.encode(),
            terms: Vec::new(),
            unique: Vec::new(),
        };
        let event = Event::new(now, Actor::Vault, "vault init").detail("names", names.join(" "));
        let change = Change { writes: vec![write], events: vec![event], after: None };
        records.commit(change).wait().map_err(failure)?;

        server.write(&new.layout)?;
        write_file(&new.layout.authority_certificate(), 0o600, authority_pem(&authority).as_bytes())?;
        let position = journal.sync()?;
        put_setting(&store, ANCHOR_SETTING, seal_anchor(&barrier, &position)?.as_bytes().to_vec())?;
        // The store folds its log into its file when the last owner goes.
        drop((records, journal, store));
        new.publish(&Metadata::new(id, now, slots))?;
        Ok(Created { id, authority: authority.fingerprint() })
    }

    /// Opens a vault, sealed, and takes it for this process.
    ///
    /// # Errors
    /// [`Error`].
    pub fn open(dir: &Path, clock: Clock) -> Result<SealedVault, Error> {
        let layout = Layout::new(dir);
        let (metadata, id) = Metadata::read(&layout)?;
        let lock = layout.take()?;
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&layout.store(), StoreOptions::Open)?);
        if store.setting(VAULT_SETTING)?.as_deref() != Some(&id.0.0[..]) {
            return Err(Error::Mismatch { dir: dir.to_owned() });
        }
        let certificate = ServerCertificate::read(&layout)?;
        let server = Arc::new(ServerIdentity::new(&certificate)?);
        Ok(SealedVault { id, layout, metadata, store, server, certificate, clock, lock })
    }

    /// Its id.
    pub fn id(&self) -> VaultId {
        self.id
    }

    /// Where its files are.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Its records.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Its audit journal.
    pub fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// Who may connect.
    pub fn identities(&self) -> &Arc<IdentityMap> {
        &self.identities
    }

    /// Its certificate authority.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The certificate that its ports show.
    pub fn server(&self) -> &Arc<ServerIdentity> {
        &self.server
    }

    /// The time of day.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What bounds the entries that strangers cause.
    pub(crate) fn strangers(&self) -> &Strangers {
        &self.strangers
    }

    /// Journals how many refusals of strangers got no entry of their own, when their minute is over.
    ///
    /// # Errors
    /// [`Error::Audit`]; they still count.
    pub fn settle_refusals(&self) -> Result<(), Error> {
        let (now, time) = (Instant::now(), self.clock.now());
        for gate in [&self.strangers.connections, &self.strangers.enrolments] {
            gate.settle(&self.journal, now, time)?;
        }
        Ok(())
    }

    /// Replaces the server's certificate when it is due.
    ///
    /// # Errors
    /// [`Error`]; the old one stays.
    pub fn renew_server_certificate(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let current = ServerCertificate::read(&self.layout)?;
        let Some(names) = current.names_to_renew(now)? else { return Ok(()) };
        let next = ServerCertificate::issue(&self.authority, &names, now)?;
        next.write(&self.layout)?;
        self.server.replace(&next)?;
        let event =
            Event::new(now, Actor::Vault, "server certificate renewal").detail("names", names.join(" "));
        Ok(self.journal.record(&event)?)
    }

    /// Checks the whole audit journal against what this process has written.
    ///
    /// # Errors
    /// [`Error::Audit`] names the first entry that is wrong.
    pub fn verify_journal(&self) -> Result<Verified, Error> {
        let position = self.journal.sync()?;
        Ok(audit::verify(self.journal.path(), Some(&position))?)
    }

    /// Makes the journal durable and lets the store remember where it stands. The last thing a server does.
    ///
    /// # Errors
    /// [`Error::Audit`], [`Error::Store`].
    pub fn close(&self) -> Result<(), Error> {
        for gate in [&self.strangers.connections, &self.strangers.enrolments] {
            gate.close(&self.journal, self.clock.now())?;
        }
        let position = self.journal.sync()?;
        let sealed = seal_anchor(&self.barrier, &position)?;
        put_setting(&self.store, ANCHOR_SETTING, sealed.as_bytes().to_vec())
    }
}

impl SealedVault {
    /// Its id.
    pub fn id(&self) -> VaultId {
        self.id
    }

    /// Where its files are.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The certificate that its ports show.
    pub fn server(&self) -> &Arc<ServerIdentity> {
        &self.server
    }

    /// The certificate authority's certificate, as the server's chain has it.
    pub fn authority_certificate(&self) -> Option<&CertificateDer<'static>> {
        self.certificate.chain.last()
    }

    /// The time of day.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Slot files that the vault knows of and that exist.
    pub fn slot_files(&self) -> impl Iterator<Item = &Path> {
        self.metadata.slots.iter().filter_map(|slot| match &slot.kind {
            SlotKind::File { path } if path.exists() => Some(path.as_path()),
            _ => None,
        })
    }

    /// Key files of file slots that are not where the vault knows them.
    pub fn missing_slot_files(&self) -> impl Iterator<Item = &Path> {
        self.metadata.slots.iter().filter_map(|slot| match &slot.kind {
            SlotKind::File { path } if !path.exists() => Some(path.as_path()),
            _ => None,
        })
    }

    /// Whether a passphrase can unseal it.
    pub fn takes_passphrase(&self) -> bool {
        self.metadata.slots.iter().any(|slot| matches!(slot.kind, SlotKind::Passphrase { .. }))
    }

    /// Recovers the root key, checks the records and the journal, and gives the vault its keys.
    ///
    /// # Errors
    /// Why not, with the vault as sealed as before.
    #[expect(clippy::result_large_err, reason = "the error is the vault itself, to try again")]
    pub fn unseal(self, secret: &SlotSecret) -> Result<Vault, UnsealFailure> {
        match self.recover(secret) {
            Ok(recovered) => {
                let Recovered { records, barrier, journal, identities, authority } = recovered;
                let Self { id, layout, store, server, clock, lock, .. } = self;
                Ok(Vault {
                    id,
                    layout,
                    records,
                    barrier,
                    journal,
                    identities,
                    authority,
                    server,
                    clock,
                    store,
                    strangers: Strangers {
                        connections: FloodGate::new("connect"),
                        enrolments: FloodGate::new("enrol"),
                    },
                    _lock: lock,
                })
            }
            Err(error) => Err(UnsealFailure { sealed: self, error }),
        }
    }

    fn recover(&self, secret: &SlotSecret) -> Result<Recovered, Error> {
        let now = self.clock.now();
        let root = root_key::recover(self.id, &self.metadata.slots, secret)?;
        let wrapped = self.store.setting(KEYRING_SETTING)?.ok_or(Error::Missing { what: "keyring" })?;
        let keyring = Keyring::unwrap(&WrappedKeyring(wrapped), self.id, &root).map_err(Error::Keyring)?;
        let mut barrier = Arc::new(Barrier::new(self.id, &keyring).map_err(Error::Head)?);

        let anchor = self.anchor(&barrier)?;
        let journal = Arc::new(Journal::open(&self.layout.journal(), anchor.as_ref(), now)?);
        let mut records = Records::new(Arc::clone(&self.store), Arc::clone(&barrier), Arc::clone(&journal));
        let report = records.verify()?;
        records.replay_outbox()?;
        barrier.resume(report.seals);
        if report.seals >= SEALS_PER_KEY_AIM {
            let keyring = keyring.with_new_data_key();
            let wrapped = keyring.wrap(self.id, &root).map_err(Error::Keyring)?;
            // Durable before the first record is sealed with the new key.
            put_setting(&self.store, KEYRING_SETTING, wrapped.0)?;
            barrier = Arc::new(Barrier::new(self.id, &keyring).map_err(Error::Head)?);
            records = Records::new(Arc::clone(&self.store), Arc::clone(&barrier), Arc::clone(&journal));
        }

        let record = records.read(RecordKind::AUTHORITY, AUTHORITY_ID)?;
        let record = record.ok_or(Error::Missing { what: "certificate authority" })?;
        let authority = Authority::decode(&record.opened)?;
        if self.authority_certificate() != Some(authority.certificate()) {
            return Err(CaError::Damaged { what: "server certificate (tls/server.pem)" }.into());
        }
        let pem = authority_pem(&authority);
        if std::fs::read(self.layout.authority_certificate()).is_ok_and(|present| present != pem.as_bytes()) {
            replace_file(&self.layout.authority_certificate(), 0o600, pem.as_bytes())?;
        }
        if let Some(names) = self.certificate.names_to_renew(now)? {
            let next = ServerCertificate::issue(&authority, &names, now)?;
            next.write(&self.layout)?;
            self.server.replace(&next)?;
        }

        let identities = Arc::new(IdentityMap::load(&records)?);
        journal.start(remember_position(&self.store, &barrier, self.clock.clone()))?;
        journal.record(&Event::new(now, Actor::Vault, "vault unseal"))?;
        Ok(Recovered { records, barrier, journal, identities, authority })
    }

    /// Where the store remembers that the journal stood.
    fn anchor(&self, barrier: &Barrier) -> Result<Option<Position>, Error> {
        let Some(sealed) = self.store.setting(ANCHOR_SETTING)? else {
            return Err(Error::Missing { what: "anchor of the audit journal" });
        };
        let damaged = |fault| Error::Record { kind: ANCHOR_ADDRESS.kind, id: ANCHOR_ADDRESS.id, fault };
        let opened = barrier.open(&ANCHOR_ADDRESS, &Sealed::from_store(sealed)).map_err(damaged)?;
        let position = Position::decode(opened.as_bytes());
        position.map(Some).ok_or(Error::Missing { what: "anchor of the audit journal" })
    }
}

/// What unsealing gives.
struct Recovered {
    records: Records,
    barrier: Arc<Barrier>,
    journal: Arc<Journal>,
    identities: Arc<IdentityMap>,
    authority: Authority,
}

const ANCHOR_ADDRESS: RecordAddress = RecordAddress {
    kind: RecordKind::ANCHOR,
    id: WalletId::SYSTEM.0,
    wallet: WalletId::SYSTEM,
    version: RecordVersion::FIRST,
};

fn seal_anchor(barrier: &Barrier, position: &Position) -> Result<Sealed, Error> {
    let opened = Opened::new(Zeroizing::new(position.encode().to_vec()));
    barrier.seal(&ANCHOR_ADDRESS, &opened).map_err(|fault| Error::Record {
        kind: ANCHOR_ADDRESS.kind,
        id: ANCHOR_ADDRESS.id,
        fault,
    })
}

/// Tells the store which changes the journal holds for good, and now and then where the journal stands.
fn remember_position(store: &Arc<dyn Store>, barrier: &Arc<Barrier>, clock: Clock) -> audit::OnDurable {
    // The journal must not keep the store open: whoever drops the vault closes it.
    let store: Weak<dyn Store> = Arc::downgrade(store);
    let barrier = Arc::clone(barrier);
    let last = AtomicI64::new(clock.now().as_second());
    Box::new(move |position| {
        let Some(store) = store.upgrade() else { return };
        store.journaled(crate::store::ChangeNumber(position.through));
        let now = clock.now().as_second();
        if (now - last.load(Ordering::Relaxed)).abs() < ANCHOR_INTERVAL_S {
            return;
        }
        last.store(now, Ordering::Relaxed);
        match seal_anchor(&barrier, position) {
            // Nobody waits: when it fails, the next one comes in a minute.
            Ok(sealed) => drop(store.put_setting(ANCHOR_SETTING, sealed.as_bytes().to_vec())),
            Err(error) => tracing::error!(%error, "the audit journal's position could not be sealed"),
        }
    })
}

fn put_setting(store: &Arc<dyn Store>, name: &'static str, value: Vec<u8>) -> Result<(), Error> {
    match store.put_setting(name, value).wait() {
        Ok(_) => Ok(()),
        Err(CommitFailure::Store(error)) => Err(error.into()),
        Err(CommitFailure::Head(fault)) => Err(Error::Head(fault)),
        Err(CommitFailure::Conflict(_)) => Err(Error::Closed),
    }
}

/// For changes that meet no others.
fn failure(error: CommitError) -> Error {
    match error {
        CommitError::Failed(error) => error,
        CommitError::Conflict { id, .. } | CommitError::NotUnique { id, .. } => {
            Error::Content { id, detail: "it exists already".to_owned() }
        }
    }
}

fn authority_pem(authority: &Authority) -> String {
    crate::ca::pem("CERTIFICATE", authority.certificate())
}

#[cfg(test)]
mod tests;
