//! The component in a real mysqld 9.7, with its keys in a real vault.

mod certificates;
mod encryption;
mod functions;
mod other_makers;
mod outage;
mod rig;
mod rotation;
mod servers;
mod start;
