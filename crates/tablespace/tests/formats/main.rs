//! The formats, on files that real servers made.

mod samples;
