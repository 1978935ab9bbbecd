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

/// What tokens carry: what the configuration says, else an address under which the certificate's `names` let clients
/// accept this server.
pub(super) fn advertised(
    config: &Config,
    names: &[String],
    kmip: SocketAddr,
    admin: SocketAddr,
) -> Addresses {
    let given = config.advertise.as_deref().unwrap_or_default();
    let with_port = |list: &[String], port: u16| -> Vec<String> {
        list.iter()
            .map(|address| if has_port(address) { address.clone() } else { format!("{address}:{port}") })
            .collect()
    };
    let kmip_addresses =
        if given.is_empty() { vec![reachable(kmip, names)] } else { with_port(given, kmip.port()) };
    let admin_addresses = match &config.advertise_admin {
        Some(given) => with_port(given, admin.port()),
        None if given.is_empty() => vec![reachable(admin, names)],
        None => given.iter().map(|address| format!("{}:{}", host_of(address), admin.port())).collect(),
    };
    Addresses { admin: admin_addresses, kmip: kmip_addresses }
}

/// The advertised addresses whose host is not among the certificate's `names`: clients will refuse this server there.
/// The hosts of standbys are another server's business, so only the first address of each list counts.
pub(super) fn unacceptable<'a>(addresses: &'a Addresses, names: &[String]) -> Vec<&'a str> {
    [addresses.kmip.first(), addresses.admin.first()]
        .into_iter()
        .flatten()
        .map(|address| host_of(address).trim_matches(['[', ']']))
        .filter(|host| !names.iter().any(|name| name.eq_ignore_ascii_case(host)))
        .collect()
}

/// An address that a peer can use and that the certificate vouches for: where the server listens if the certificate names
/// it, else the certificate's first name, preferring one that means this machine to others too.
fn reachable(address: SocketAddr, names: &[String]) -> String {
    let ip = address.ip();
    if names.contains(&ip.to_string()) {
        return address.to_string();
    }
    let is_local = |name: &str| {
        name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    let elsewhere = names.iter().find(|name| !is_local(name));
    match elsewhere.or_else(|| names.first()) {
        Some(name) if name.contains(':') => format!("[{name}]:{}", address.port()),
        Some(name) => format!("{name}:{}", address.port()),
        None => address.to_string(),
    }
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
        let addresses =
            advertised(&config, &[], "0.0.0.0:5696".parse().unwrap(), "0.0.0.0:5697".parse().unwrap());
        assert_eq!(addresses.kmip, ["vault1:5696", "vault2:7000", "[::1]:5696"]);
        assert_eq!(addresses.admin, ["vault1:5697", "vault2:5697", "[::1]:5697"]);
    }

    #[test]
    fn without_advice_a_token_carries_an_address_that_the_certificate_names() {
        let named = |names: &[&str], listens: &str| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            let listens = listens.parse().unwrap();
            advertised(&Config::default(), &names, listens, listens).kmip.remove(0)
        };
        assert_eq!(named(&["localhost", "127.0.0.1"], "127.0.0.1:1"), "127.0.0.1:1");
        assert_eq!(named(&["localhost", "::1"], "[::1]:1"), "[::1]:1");
        assert_eq!(named(&["localhost"], "127.0.0.1:1"), "localhost:1");
        assert_eq!(named(&["vault.example.com"], "0.0.0.0:1"), "vault.example.com:1");
        assert_eq!(
            named(&["localhost", "vault.example.com", "127.0.0.1"], "0.0.0.0:1"),
            "vault.example.com:1"
        );
        assert_eq!(named(&["2001:db8::1"], "[::]:1"), "[2001:db8::1]:1");
    }

    #[test]
    fn an_address_that_the_certificate_lacks_is_told() {
        let addresses = |kmip: &str| Addresses { kmip: vec![kmip.to_owned()], admin: Vec::new() };
        let names = ["vault.example.com".to_owned(), "::1".to_owned()];
        assert_eq!(unacceptable(&addresses("other.example.com:5696"), &names), ["other.example.com"]);
        assert!(unacceptable(&addresses("[::1]:5696"), &names).is_empty());
        assert!(unacceptable(&addresses("Vault.example.com:5696"), &names).is_empty());
    }
}
