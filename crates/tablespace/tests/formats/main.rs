//! The formats, on files that real servers made.

mod keyring_file;
mod live;
mod samples;
