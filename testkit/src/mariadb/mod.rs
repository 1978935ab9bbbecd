//! A private `mariadbd`: its own data directory, one Unix socket, no network.

mod install;
mod server;

pub use install::{Installation, installation};
pub use server::{Options, Row, Server, StartError};
