//! Addresses of a host name, in bounded time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use super::deadline::Deadline;
use crate::address::{Host, ServerAddress};
use crate::error::Cause;

/// How host names are resolved. Literal addresses, and names in `/etc/hosts`, need no resolver and are found the same way
/// under each of these.
///
/// The system's resolver (`getaddrinfo`) cannot be interrupted: with a dead name server it takes as long as `resolv.conf` says,
/// 5 s for each attempt at each name server unless configured. So it is either not asked, or asked where waiting is bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resolution {
    /// No resolver is asked: for a process that must neither start a thread nor wait without bound, such as a mysqld.
    HostsFile,
    /// The resolver is asked on the calling thread, and may take longer than the deadline.
    ThisThread,
    /// The resolver is asked on a thread of its own, and left behind with it when the deadline passes. The thread ends when the
    /// resolver gives up. It inherits the caller's signal mask.
    #[default]
    HelperThread,
}

const HOSTS_FILE: &str = "/etc/hosts";

/// The addresses of a server, in the order in which they are to be tried; never empty.
pub(crate) fn resolve(
    server: &ServerAddress,
    resolution: Resolution,
    deadline: Deadline,
) -> Result<Vec<SocketAddr>, Cause> {
    let port = server.port();
    let name = match server.host() {
        Host::Address(address) => return Ok(vec![SocketAddr::new(*address, port)]),
        Host::Name(name) => name,
    };
    let listed = std::fs::read(HOSTS_FILE).map_or_else(|_| vec![], |text| in_hosts_file(&text, name));
    if !listed.is_empty() {
        return Ok(listed.into_iter().map(|address| SocketAddr::new(address, port)).collect());
    }
    match resolution {
        _ if is_localhost(name) => {
            Ok(vec![(Ipv6Addr::LOCALHOST, port).into(), (Ipv4Addr::LOCALHOST, port).into()])
        }
        Resolution::HostsFile => Err(Cause::NameNeedsResolver),
        Resolution::ThisThread => ask(name, port),
        Resolution::HelperThread => ask_on_a_thread(name.clone(), port, deadline),
    }
}

fn ask(name: &str, port: u16) -> Result<Vec<SocketAddr>, Cause> {
    match (name, port).to_socket_addrs() {
        Ok(addresses) => {
            let addresses: Vec<_> = addresses.collect();
            if addresses.is_empty() { Err(Cause::NameNotFound) } else { Ok(addresses) }
        }
        Err(error) => Err(Cause::NameFailed(error.to_string())),
    }
}

fn ask_on_a_thread(name: String, port: u16, deadline: Deadline) -> Result<Vec<SocketAddr>, Cause> {
    let (answer, answers) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("resolver".into())
        .spawn(move || {
            // Nobody listens any more when the deadline has passed.
            let _ = answer.send(ask(&name, port));
        })
        .map_err(|error| Cause::NameFailed(error.to_string()))?;
    match answers.recv_timeout(deadline.left()) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => Err(Cause::TimedOut(deadline.allowed())),
        Err(RecvTimeoutError::Disconnected) => {
            Err(Cause::NameFailed("the resolver ended without an answer".into()))
        }
    }
}

/// The addresses beside `name` in a hosts file (hosts(5)), each once.
fn in_hosts_file(text: &[u8], name: &str) -> Vec<IpAddr> {
    let wanted = name.strip_suffix('.').unwrap_or(name);
    let mut addresses = Vec::new();
    for line in String::from_utf8_lossy(text).lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse().ok()) else { continue };
        if words.any(|word| word.eq_ignore_ascii_case(wanted)) && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

/// RFC 6761 §6.3: these names never leave the host.
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn look(text: &str, resolution: Resolution) -> Result<Vec<SocketAddr>, Cause> {
        resolve(&text.parse().unwrap(), resolution, Deadline::after(Duration::from_secs(10)))
    }

    #[test]
    fn literals_and_localhost_need_no_resolver() {
        assert_eq!(look("192.0.2.1:7", Resolution::HostsFile).unwrap(), ["192.0.2.1:7".parse().unwrap()]);
        assert_eq!(look("[::1]:7", Resolution::HostsFile).unwrap(), ["[::1]:7".parse().unwrap()]);
        let local = look("localhost:7", Resolution::HostsFile).unwrap();
        assert!(local.iter().all(|address| address.ip().is_loopback()) && !local.is_empty());
        assert_eq!(look("vault.invalid", Resolution::HostsFile), Err(Cause::NameNeedsResolver));
    }

    #[test]
    fn a_name_without_an_address_fails_under_both_ways_of_asking() {
        for resolution in [Resolution::ThisThread, Resolution::HelperThread] {
            let cause = look("vault.invalid", resolution).unwrap_err();
            assert!(matches!(cause, Cause::NameNotFound | Cause::NameFailed(_)), "{cause:?}");
        }
    }

    #[test]
    fn the_hosts_file_is_read_as_the_system_reads_it() {
        let text = b"# vault 9.9.9.9\n10.0.0.1\tvault.example VAULT # old\nfd00::1 vault\n10.0.0.1 vault\nnonsense vault\n10.0.0.2\n";
        let expected: [IpAddr; 2] = ["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()];
        assert_eq!(in_hosts_file(text, "vault"), expected);
        assert_eq!(in_hosts_file(text, "vault.example."), expected[..1]);
        assert!(in_hosts_file(text, "old").is_empty());
    }
}
