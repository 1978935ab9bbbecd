//! Addresses: to listen on, and to tell others.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};

use tokio::net::{TcpListener, TcpSocket};

use super::ServeError;
use crate::config::Config;
use crate::enrolment::Addresses;

/// A port that is ours but closed: a peer that tries it is refused at once.
pub(super) struct Bound {
    name: &'static str,
    socket: TcpSocket,
    address: SocketAddr,
}

impl Bound {
    /// Takes the address, so that one in use is noticed at start.
    pub(super) fn take(name: &'static str, address: &str) -> Result<Self, ServeError> {
        let no_address = |detail: String| ServeError::Address {
            name: name.to_owned(),
            address: address.to_owned(),
            detail,
        };
        let resolved = address
            .to_socket_addrs()
            .map_err(|error| no_address(error.to_string()))?
            .next()
            .ok_or_else(|| no_address("it has no address".to_owned()))?;
        let open = || {
            let socket = if resolved.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            // A restart must not wait for the old connections to fade.
            socket.set_reuseaddr(true)?;
            socket.bind(resolved)?;
            let address = socket.local_addr()?;
            Ok((socket, address))
        };
        let failed =
            |source| ServeError::Listen { name: name.to_owned(), address: address.to_owned(), source };
        let (socket, address) = open().map_err(failed)?;
        Ok(Self { name, socket, address })
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens the port.
    pub(super) fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        self.socket.listen(backlog)
    }
}

/// What tokens carry: what the configuration says, else where the server listens.
pub(super) fn advertised(config: &Config, kmip: SocketAddr, admin: SocketAddr) -> Addresses {
    let given = config.advertise.as_deref().unwrap_or_default();
    let with_port = |list: &[String], port: u16| -> Vec<String> {
        list.iter()
            .map(|address| if has_port(address) { address.clone() } else { format!("{address}:{port}") })
            .collect()
    };
    let kmip_addresses = if given.is_empty() { vec![reachable(kmip)] } else { with_port(given, kmip.port()) };
    let admin_addresses = match &config.advertise_admin {
        Some(given) => with_port(given, admin.port()),
        None if given.is_empty() => vec![reachable(admin)],
        None => given.iter().map(|address| format!("{}:{}", host_of(address), admin.port())).collect(),
    };
    Addresses { admin: admin_addresses, kmip: kmip_addresses }
}

/// An address that a peer can use; a server that listens on every address is known by its host's name.
fn reachable(address: SocketAddr) -> String {
    if !address.ip().is_unspecified() {
        return address.to_string();
    }
    let names = crate::ca::default_names();
    let host = names.iter().find(|name| *name != "localhost" && name.parse::<std::net::IpAddr>().is_err());
    format!("{}:{}", host.map_or("localhost", String::as_str), address.port())
}

/// Whether `host`, `host:port`, `[v6]` or `[v6]:port` has a port.
fn has_port(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(host, port)| {
        port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']'))
    })
}

fn host_of(address: &str) -> &str {
    if has_port(address) { address.rsplit_once(':').map_or(address, |(host, _)| host) } else { address }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advertised_hosts_get_the_ports_of_the_server() {
        let config = Config {
            advertise: Some(vec!["vault1".to_owned(), "vault2:7000".to_owned(), "[::1]".to_owned()]),
            ..Config::default()
        };
        let addresses = advertised(&config, "0.0.0.0:5696".parse().unwrap(), "0.0.0.0:5697".parse().unwrap());
        assert_eq!(addresses.kmip, ["vault1:5696", "vault2:7000", "[::1]:5696"]);
        assert_eq!(addresses.admin, ["vault1:5697", "vault2:5697", "[::1]:5697"]);
    }

    #[test]
    fn without_advice_a_token_carries_where_the_server_listens() {
        let addresses =
            advertised(&Config::default(), "127.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap());
        assert_eq!(addresses.kmip, ["127.0.0.1:1"]);
        assert_eq!(addresses.admin, ["[::1]:2"]);
    }
}
