//! A private `mysqld`: its own data directory, plugin folder, manifest and Unix socket, and no network unless asked for.

mod install;
pub mod keys;
mod options;
mod running;
mod server;
pub mod tables;
mod template;

pub use crate::sql::{Row, StartError};
pub use install::{Installation, installation};
pub use options::{Options, other_user};
pub use server::{Server, is_refused_function};
