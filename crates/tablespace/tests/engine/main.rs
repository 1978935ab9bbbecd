//! What rewrites tablespaces, on disks that fail.

mod application;
mod conversion;
mod drafts;
mod made;
mod mariadb;
mod rotation;
mod shutdown;
mod simulated;
