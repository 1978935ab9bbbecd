//! A private `mariadbd`: its own data directory, one Unix socket, no network.

mod installation;
mod server;
mod unpacked;

pub use installation::{Installation, Series, installation};
pub use server::{Options, Server};

pub use crate::sql::{Row, StartError};

/// What is missing where there is no server.
const WHAT: &str = "MariaDB";

/// Makes a test of each function that takes a [`Series`], for every series: `every_series!(a_kill_is_survived);` makes
/// `on_10_11::a_kill_is_survived` and `on_11_8::a_kill_is_survived`.
#[macro_export]
macro_rules! every_series {
    ($($test:ident),+ $(,)?) => {
        mod on_10_11 {
            $(#[test]
            fn $test() {
                super::$test($crate::mariadb::Series::V10_11);
            })+
        }
        mod on_11_8 {
            $(#[test]
            fn $test() {
                super::$test($crate::mariadb::Series::V11_8);
            })+
        }
    };
}
