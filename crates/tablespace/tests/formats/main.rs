//! The formats, on files that real servers made and on files of an independent writer.

mod built;
mod damage;
mod interrupted;
mod keyring_file;
mod live;
mod mariadb;
mod mariadb_exchange;
mod page_sizes;
mod samples;
mod wear;
mod writer;
