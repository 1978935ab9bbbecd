//! TCP ports that belong to one test at a time, also while its server is down.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use crate::folder;

// Below the range from which Linux takes the local port of outgoing connections (32768 to 60999), so that a
// server which restarts finds its port as it left it.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// A loopback port, reserved against other tests for as long as this lives.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Reserves a port on which nothing listens.
    ///
    /// # Panics
    /// When none of ten thousand is free.
    #[must_use]
    pub fn reserve() -> Self {
        let folder = folder::root().join("ports");
        if let Err(error) = std::fs::create_dir_all(&folder) {
            panic!("ports cannot be reserved in {}: {error}", folder.display());
        }
        let start = std::process::id() as u16 % COUNT;
        for step in 0..COUNT {
            let number = FIRST + (start.wrapping_mul(37) % COUNT + step) % COUNT;
            let Ok(lock) = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(folder.join(number.to_string()))
            else {
                continue;
            };
            if lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Self { number, _lock: lock };
            }
        }
        panic!("no free port from {FIRST} to {}", FIRST + COUNT - 1);
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// Its loopback address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }
}
