//! InnoDB's files as MySQL and MariaDB write them.

pub mod codec;
pub mod disk;
pub mod file;
pub mod journal;
pub mod keys;
pub mod mariadb;
pub mod mysql;
pub mod page;
pub mod rekey;
pub mod rotate;
pub mod run;
pub mod tablespace;

pub use codec::{CodecError, Options, PageClass, PageCodec, PageState};
pub use keys::{KeySourceError, KeysInMemory, MasterKeySource};
pub use tablespace::{DetectError, Encryption, Evidence, Family, HEAD_BYTES, OpenError, Tablespace};
