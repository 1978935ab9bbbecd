//! What rewrites tablespaces, on disks that fail.

mod conversion;
mod drafts;
mod made;
mod rotation;
mod shutdown;
mod simulated;
