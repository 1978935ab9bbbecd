//! The unsafe code that all database plugins share, in one place where it can be read at a sitting.
//!
//! | module | what it holds |
//! |---|---|
//! | [`boundary`] | no panic leaves a plugin |
//! | [`pointers`] | pointers and lengths from the server become slices, or nothing |
//! | [`place`] | a Rust value in memory that the server owns |
//! | [`text`] | C strings in and out |
//! | [`symbols`] | functions and variables of the process we were loaded into |
//! | [`layout`] | the compiler checks our structures against the offsets we measured |
//!
//! This crate knows no database, no key and no cipher. What it cannot check (that a pointer is alive, and that nobody
//! else writes behind it) is the server's side of the bargain and stands in each function's safety section.

pub mod boundary;
pub mod layout;
pub mod place;
pub mod pointers;
pub mod symbols;
pub mod text;
