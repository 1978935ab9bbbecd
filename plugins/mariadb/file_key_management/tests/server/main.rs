//! The plugin in a real mariadbd, beside the server's own plugin of the same name.

mod backup;
mod crash;
mod files;
mod functions;
mod messages;
mod options;
mod pages;
mod reload;
mod replica;
mod rig;
mod rotation;
mod sources;
mod stock;
mod transport;
