//! KMIP servers of other makers, imitated: a TLS front before a real vault that lacks what they lack.
//!
//! The front has certificates of its own and reaches the vault as one endpoint of it. Whatever it does not refuse or change goes to the
//! vault byte for byte, and so does the answer. It is the one place of this crate that uses a crate of the product, the values of
//! KMIP (which depend on nothing here).

mod front;
mod tls;
mod trouble;

use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};

use rustls::{ClientConfig, ServerConfig};
use strongroom_kmip::ProtocolVersion;

use crate::certificates::{Authority, Issued, Validity, write_endpoint_directory};
use crate::vault::Vault;
use trouble::Counter;

pub use trouble::{Fault, Trouble};

/// What a server of another maker does. The default is what the vault does.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    /// The newest version that it speaks.
    pub newest: ProtocolVersion,
    /// Whether a request may have several items.
    pub batches: bool,
    /// What becomes of Offset Items.
    pub offset_items: OffsetItems,
    /// Whether objects may have attributes with names of the client's own.
    pub custom_attributes: bool,
    /// Whether the name of a destroyed object may be given to a new one.
    pub names_are_free_again: bool,
    /// Whether a Locate looks at names. A server that does not gives every object that has the other attributes.
    pub names_are_compared: bool,
    /// Whether a Locate may ask for objects in a state. A server that knows of none refuses it.
    pub states_are_compared: bool,
    /// Whether objects have groups. A server that knows none passes over them.
    pub object_groups: bool,
    /// Whether this client may destroy objects.
    pub destroys: bool,
    /// Whether the server's certificate names its address (otherwise it has a common name and no more).
    pub certificate_names_address: bool,
}

/// What becomes of Offset Items in a Locate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetItems {
    /// They are honoured.
    Honoured,
    /// A request with them is answered as if they were not there.
    Ignored,
    /// A request with them is refused.
    Refused,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            newest: ProtocolVersion::V1_4,
            batches: true,
            offset_items: OffsetItems::Honoured,
            custom_attributes: true,
            names_are_free_again: true,
            object_groups: true,
            destroys: true,
            names_are_compared: true,
            states_are_compared: true,
            certificate_names_address: true,
        }
    }
}

impl Habits {
    /// Everything that is known of old appliances at once.
    #[must_use]
    pub fn frugal() -> Self {
        Self {
            newest: ProtocolVersion::V1_1,
            batches: false,
            offset_items: OffsetItems::Refused,
            custom_attributes: false,
            names_are_free_again: false,
            destroys: true,
            certificate_names_address: false,
            ..Self::default()
        }
    }
}

/// A server of another maker. It serves until the test's process ends.
pub struct Server {
    address: SocketAddr,
    authority: Authority,
    client: Issued,
    counter: Arc<Counter>,
}

impl Server {
    /// Serves the wallet of a new endpoint `name` of `vault` with these habits.
    ///
    /// # Panics
    /// When the endpoint cannot be enrolled, or nobody can listen.
    #[must_use]
    pub fn start(vault: &Vault, name: &str, habits: Habits) -> Self {
        let authority = Authority::new("Another maker's CA");
        let names: &[&str] = if habits.certificate_names_address { &["localhost", "127.0.0.1"] } else { &[] };
        let shown = authority.server(names, Validity::Now);
        let client = authority.client(name, Validity::Now);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
        let address = listener.local_addr().expect("the listener has an address");
        let counter = Arc::new(Counter::default());
        let front = Arc::new(Front {
            habits,
            server: tls::server(&shown, &authority),
            vault: tls::client(&vault.enrol(name)),
            vault_address: vault.kmip(),
            reserved: Mutex::default(),
            counter: Arc::clone(&counter),
        });
        std::thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                let front = Arc::clone(&front);
                std::thread::spawn(move || front.serve(tcp));
            }
        });
        Self { address, authority, client, counter }
    }

    /// Counts requests from 0 again, and lets this happen to them, or nothing. What hung until now goes on.
    pub fn trouble(&self, trouble: Option<Trouble>) {
        self.counter.set(trouble);
    }

    /// How many requests came since [`Server::trouble`] was called, or since the start.
    #[must_use]
    pub fn requests(&self) -> u32 {
        self.counter.requests()
    }

    /// Whether a request hangs at this moment.
    #[must_use]
    pub fn hangs(&self) -> bool {
        self.counter.hangs()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The authority of its own certificate and of its clients'.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Writes the endpoint directory of a client that it knows.
    ///
    /// # Panics
    /// When the files cannot be written.
    pub fn write_endpoint_directory(&self, directory: &Path) {
        write_endpoint_directory(directory, &[self.address], &self.authority.certificate(), &self.client);
    }
}

struct Front {
    habits: Habits,
    server: Arc<ServerConfig>,
    vault: Arc<ClientConfig>,
    vault_address: SocketAddr,
    /// Names that objects had when they were destroyed.
    reserved: Mutex<HashSet<String>>,
    counter: Arc<Counter>,
}
