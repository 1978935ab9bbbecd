//! The rigs themselves, proven on what Debian and PyKMIP ship before the product is trusted to them.

mod mariadb;
mod mysql;
mod processes;
mod pykmip;
mod skips;
