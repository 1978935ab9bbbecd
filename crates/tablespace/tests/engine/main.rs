//! What rewrites tablespaces, on disks that fail.

mod conversion;
mod drafts;
mod made;
mod mariadb;
mod rotation;
mod shutdown;
mod simulated;
