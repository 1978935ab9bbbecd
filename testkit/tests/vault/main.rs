//! The vault as others see it: driven by its command line, judged by PyKMIP's client.

mod disk;
mod files;
mod interop;
mod kill;
mod mariadb;
