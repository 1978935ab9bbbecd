//! InnoDB's files as MySQL and MariaDB write them.

pub mod disk;
pub mod journal;
