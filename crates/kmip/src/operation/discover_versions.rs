//! Discover Versions: which versions both sides know (KMIP 1.4 §4.26, since 1.1).

use crate::ttlv::structure;
use crate::version::ProtocolVersion;

structure! {
    /// The versions that the client knows.
    #[derive(Clone, Default)]
    pub struct Request {
        /// The versions, the preferred first; none asks for all the server's.
        pub versions: Vec<ProtocolVersion> = ProtocolVersion,
    }
}

structure! {
    /// The versions that the server knows too.
    #[derive(Clone, Default)]
    pub struct Response {
        /// The versions, the preferred first.
        pub versions: Vec<ProtocolVersion> = ProtocolVersion,
    }
}
