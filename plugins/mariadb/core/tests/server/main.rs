//! The crate inside a real mariadbd, loaded through the plugin of `examples/bench_keys.rs`, whose keys are in a file.

mod bench;
mod encryption;
mod flush;
mod rotation;
mod stock;
