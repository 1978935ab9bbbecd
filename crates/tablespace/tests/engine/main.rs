//! What rewrites tablespaces, on disks that fail.

mod drafts;
mod made;
mod rotation;
mod simulated;
