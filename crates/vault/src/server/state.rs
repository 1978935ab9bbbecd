//! What the parts of a running server share.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Mutex, watch};

use super::address::{Bound, advertised, unacceptable};
use super::{BACKLOG, Listening, ServeError, ServeOptions, process, unseal};
use crate::config::Config;
use crate::control::{self, SealState, Status};
use crate::endpoint::Fingerprint;
use crate::enrolment::Addresses;
use crate::root_key::SlotSecret;
use crate::vault::{SealedVault, UnsealFailure};
use crate::{Error, Vault, ca};

/// A server whose ports are taken.
pub(super) struct Server {
    pub(super) shared: Arc<Shared>,
    pub(super) admin: TcpListener,
    pub(super) admin_tls: Arc<ServerConfig>,
    pub(super) control: UnixListener,
}

/// What the parts of a running server share.
pub(super) struct Shared {
    config: Config,
    addresses: Addresses,
    status: RwLock<Status>,
    sealed_because: Option<String>,
    takes_passphrase: bool,
    kmip: std::net::SocketAddr,
    admin: std::net::SocketAddr,
    kmip_port: std::sync::Mutex<KmipPort>,
    /// The vault while it is sealed.
    sealed: Mutex<Option<SealedVault>>,
    vault: watch::Sender<Option<Arc<Vault>>>,
    stop: Arc<watch::Sender<bool>>,
}

/// The KMIP port on its way from taken to served.
enum KmipPort {
    /// Ours but closed, while the vault is sealed.
    Bound(Bound),
    /// Clients may connect; nobody serves them yet.
    Open(TcpListener),
    /// It could not be opened: why.
    Failed(ServeError),
    /// Who serves it has it.
    Served,
}

impl Server {
    /// Opens the vault, unseals it where it can, and takes the ports.
    pub(super) async fn open(
        dir: &Path,
        options: ServeOptions,
        stop: Arc<watch::Sender<bool>>,
    ) -> Result<Self, ServeError> {
        let ServeOptions { config, secret, clock } = options;
        let dir = dir.to_owned();
        let sealed = blocking(move || Vault::open(&dir, clock)).await??;
        let kmip = Bound::take("kmip", config.kmip())?;
        let admin = Bound::take("admin", config.admin())?;
        let (kmip_address, admin_address) = (kmip.address(), admin.address());
        let socket = sealed.layout().control_socket();
        let control = control::bind(&socket).and_then(UnixListener::from_std).map_err(|source| {
            let address = socket.display().to_string();
            ServeError::Listen { name: "control".to_owned(), address, source }
        })?;
        let admin = admin.listen(BACKLOG).map_err(|source| ServeError::Listen {
            name: "admin".to_owned(),
            address: admin_address.to_string(),
            source,
        })?;
        let admin_tls = ca::admin_config(sealed.server()).map_err(|error| ServeError::Vault(error.into()))?;
        let status = Status {
            vault: sealed.id().0.to_string(),
            state: SealState::Sealed,
            kmip: kmip_address.to_string(),
            admin: admin_address.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            authority: sealed.authority_certificate().map(|certificate| Fingerprint::of(certificate)),
            pid: std::process::id(),
        };
        let secret = match secret {
            Some(secret) => Some(secret),
            None => unseal::secret(&config.unseal, &sealed)?,
        };
        let sealed_because = match &secret {
            Some(_) => None,
            None => sealed.missing_slot_files().next().map(|path| {
                format!("its key file {} is not there; put it back, or say where it is now", path.display())
            }),
        };
        let names = sealed.server().names().map_err(|error| ServeError::Vault(error.into()))?;
        let addresses = advertised(&config, &names, kmip_address, admin_address);
        for host in unacceptable(&addresses, &names) {
            tracing::warn!(
                host,
                "clients will refuse this server: its certificate does not name the host it advertises"
            );
        }
        let mut shared = Shared {
            config,
            addresses,
            status: RwLock::new(status),
            sealed_because,
            takes_passphrase: sealed.takes_passphrase(),
            kmip: kmip_address,
            admin: admin_address,
            kmip_port: std::sync::Mutex::new(KmipPort::Bound(kmip)),
            sealed: Mutex::new(Some(sealed)),
            vault: watch::Sender::new(None),
            stop,
        };
        if let Some(secret) = secret {
            match shared.unseal(secret).await {
                Ok(()) => {}
                // A vault that was tampered with does not start: somebody must look.
                Err(ServeError::Vault(error)) if !error.is_integrity() => {
                    tracing::error!(%error, "the vault stays sealed");
                    shared.sealed_because = Some(error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Self { shared: Arc::new(shared), admin, admin_tls, control })
    }

    pub(super) fn listening(&self) -> Listening {
        Listening {
            kmip: self.shared.kmip,
            admin: self.shared.admin,
            state: self.shared.status().state,
            sealed_because: self.shared.sealed_because.clone(),
            takes_passphrase: self.shared.takes_passphrase,
        }
    }
}

impl Shared {
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// What tokens carry.
    pub(super) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The vault, once it is unsealed.
    pub(super) fn vault(&self) -> watch::Receiver<Option<Arc<Vault>>> {
        self.vault.subscribe()
    }

    /// The vault, if it is unsealed.
    pub(super) fn unsealed(&self) -> Option<Arc<Vault>> {
        self.vault.borrow().clone()
    }

    pub(super) fn status(&self) -> Status {
        self.status.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the server.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Unseals the vault and opens the KMIP port; nothing happens when it is unsealed already.
    ///
    /// # Errors
    /// [`ServeError::Vault`], and the vault stays sealed. [`ServeError::Listen`], and the server ends: it could serve nobody.
    pub(super) async fn unseal(&self, secret: SlotSecret) -> Result<(), ServeError> {
        let mut place = self.sealed.lock().await;
        let Some(sealed) = place.take() else { return Ok(()) };
        match blocking(move || sealed.unseal(&secret).map_err(Box::new)).await {
            Ok(Ok(vault)) => {
                // The port is open by the time anybody is told that the vault is unsealed.
                let opened = self.open_kmip();
                if opened.is_err() {
                    self.stop();
                } else {
                    self.status.write().unwrap_or_else(PoisonError::into_inner).state = SealState::Unsealed;
                    process::notify_unsealed(self.kmip);
                }
                self.vault.send_replace(Some(Arc::new(vault)));
                opened
            }
            Ok(Err(failure)) => {
                let UnsealFailure { sealed, error } = *failure;
                *place = Some(sealed);
                Err(error.into())
            }
            // The thread panicked, and the vault went with it.
            Err(_) => Err(Error::Closed.into()),
        }
    }

    fn open_kmip(&self) -> Result<(), ServeError> {
        let mut port = self.kmip_port.lock().unwrap_or_else(PoisonError::into_inner);
        let KmipPort::Bound(bound) = std::mem::replace(&mut *port, KmipPort::Served) else { return Ok(()) };
        let (name, address) = (bound.name(), bound.address());
        let failed =
            |source| ServeError::Listen { name: name.to_owned(), address: address.to_string(), source };
        match bound.listen(BACKLOG) {
            Ok(listener) => {
                *port = KmipPort::Open(listener);
                Ok(())
            }
            Err(source) => {
                // The server ends with it, and who asked for the unsealing is told too.
                *port = KmipPort::Failed(failed(std::io::Error::new(source.kind(), source.to_string())));
                Err(failed(source))
            }
        }
    }

    /// The open KMIP port, once, for who serves it; none while the vault is sealed.
    ///
    /// # Errors
    /// [`ServeError::Listen`] when it could not be opened.
    pub(super) fn take_kmip(&self) -> Result<Option<TcpListener>, ServeError> {
        let mut port = self.kmip_port.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *port, KmipPort::Served) {
            KmipPort::Open(listener) => Ok(Some(listener)),
            KmipPort::Failed(error) => Err(error),
            KmipPort::Bound(_) | KmipPort::Served => Ok(None),
        }
    }

    /// Lets the vault remember where its journal stands.
    pub(super) async fn close(&self) -> Result<(), Error> {
        match self.unsealed() {
            Some(vault) => blocking(move || vault.close()).await.unwrap_or(Err(Error::Closed)),
            None => Ok(()),
        }
    }
}

/// Runs what blocks away from the threads that serve connections.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ServeError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| ServeError::Runtime { source: std::io::Error::other(error) })
}
