//! One file per verb: take what was typed, call a library, print.

pub(crate) mod shell;
pub(crate) mod tethered;
