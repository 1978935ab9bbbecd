//! The plugin in a real mysqld 9.7, with its keys in a real vault. MySQL deprecates keyring plugins and still loads them.

mod conf_dir;
mod encryption;
mod migration;
mod outage;
mod rig;
