//! What rewrites tablespaces, on disks that fail.

mod drafts;
mod simulated;
