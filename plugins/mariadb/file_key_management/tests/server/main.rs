//! The plugin in a real mariadbd, beside the server's own plugin of the same name.

mod backup;
mod functions;
mod messages;
mod options;
mod reload;
mod rig;
mod rotation;
mod sources;
mod stock;
