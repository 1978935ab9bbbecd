//! quickstart
pub(crate) mod interrupt;
pub(crate) mod mariadb;
pub(crate) mod keys {
    use crate::error::Error;
    pub(crate) struct MariadbKeys;
    impl MariadbKeys {
        pub(crate) fn rotate(&self) -> Result<u32, Error> {
            Ok(3)
        }
    }
}
