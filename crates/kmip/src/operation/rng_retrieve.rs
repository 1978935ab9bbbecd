//! RNG Retrieve: random bytes from the server's generator (KMIP 1.4 §4.35, since 1.2).

use strongroom_secret::KeyMaterial;

use crate::ttlv::structure;

structure! {
    /// How many.
    #[derive(Clone)]
    pub struct Request {
        /// Bytes.
        pub data_length: i32 = DataLength,
    }
}

structure! {
    /// The bytes. Keys are made of them, so they are handled like one.
    pub struct Response {
        /// As many as were asked for.
        pub data: KeyMaterial = Data,
    }
}
