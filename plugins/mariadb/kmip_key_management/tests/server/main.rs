//! The plugin in a real mariadbd, with its keys on a real KMIP server that is not ours (PyKMIP) and on our vault.

mod backup;
mod cache;
mod failover;
mod faults;
mod functions;
mod lifecycle;
mod losses;
mod outage;
mod rig;
