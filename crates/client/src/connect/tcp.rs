//! A TCP connection to the first address that takes one.

use std::io;
use std::net::{SocketAddr, TcpStream};

use super::deadline::Deadline;
use crate::error::{Cause, IoFault};

/// Connects to one of `addresses`, trying each with a fair share of the time that is left, so that an address that swallows
/// packets does not hide one that works.
pub(crate) fn open(addresses: &[SocketAddr], deadline: Deadline) -> Result<TcpStream, Cause> {
    let mut failure = Cause::NameNotFound;
    for (i, address) in addresses.iter().enumerate() {
        let remaining = u32::try_from(addresses.len() - i).unwrap_or(u32::MAX);
        let share = match deadline.for_system_call() {
            Ok(left) => (left / remaining).max(std::time::Duration::from_millis(1)),
            Err(_) => return Err(Cause::TimedOut(deadline.allowed())),
        };
        match TcpStream::connect_timeout(address, share) {
            Ok(stream) => {
                // A request is one write, and its answer is waited for: nothing to gain from holding it back.
                return stream.set_nodelay(true).map(|()| stream).map_err(|e| cause(&e, deadline));
            }
            Err(error) => failure = cause(&error, deadline),
        }
    }
    Err(failure)
}

fn cause(error: &io::Error, deadline: Deadline) -> Cause {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Cause::Refused,
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Cause::TimedOut(deadline.allowed()),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Cause::Unreachable,
        _ => Cause::Io(IoFault::from(error)),
    }
}
