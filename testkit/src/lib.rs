//! Real servers for tests: the `strongroom` vault, PyKMIP, MariaDB, MySQL.
//!
//! A test asks for a server and gets a running one, or an [`Unavailable`] that says why this machine cannot have
//! it. [`need!`] turns that into a loud skip, which `./test` lists at its end and which fails in CI. Whatever has to
//! be downloaded lives under the testkit's own folder ([`folder::root`]) and nothing on the machine is rearranged.
//!
//! This crate is for tests only and must not depend on a crate of the product, so that each of them may
//! dev-depend on it. It therefore talks to the product as its users do: through the command and the sockets.
//! The one exception is [`other_maker`], which reads KMIP messages with `strongroom-kmip`.

mod apt;
pub mod built;
pub mod certificates;
pub mod disk;
pub mod faults;
pub mod folder;
pub mod mariadb;
pub mod mysql;
pub mod other_maker;
pub mod port;
pub mod process;
pub mod pykmip;
pub mod skip;
pub mod sql;
pub mod vault;

pub use built::plugin;
pub use skip::Unavailable;
