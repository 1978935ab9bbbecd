//! One file per verb: take what was typed, call a library, print.

pub(crate) mod endpoint;
pub(crate) mod endpoint_session;
pub(crate) mod enroll;
pub(crate) mod key;
pub(crate) mod keyfile;
pub(crate) mod keyring;
pub(crate) mod list;
pub(crate) mod mariadb;
pub(crate) mod mariadb_rotate;
pub(crate) mod mariadb_status;
mod mariadb_versions;
pub(crate) mod mysql;
pub(crate) mod ping;
pub(crate) mod serve;
pub(crate) mod shell;
pub(crate) mod tablespace;
pub(crate) mod tethered;
pub(crate) mod vault;
