//! Query: what a server can do (KMIP 1.4 §4.25).

use crate::ttlv::{RawStructure, structure};
use crate::types::{AttestationType, ClientRegistrationMethod, ObjectType, Operation, QueryFunction};

structure! {
    /// What is asked.
    #[derive(Clone, Default)]
    pub struct Request {
        /// The questions; at least one.
        pub functions: Vec<QueryFunction> = QueryFunction,
    }
}

structure! {
    /// The answers. A question without an answer has no field here. Operations and object types that the version lacks cannot be
    /// encoded: leave them out with [`Operation::exists_in`] and [`ObjectType::exists_in`].
    #[derive(Clone, Default)]
    pub struct Response {
        /// Operations.
        pub operations: Vec<Operation> = Operation,
        /// Types of objects.
        pub object_types: Vec<ObjectType> = ObjectType,
        /// The server's vendor.
        pub vendor_identification: Option<String> = VendorIdentification,
        /// What the vendor says about the server.
        pub server_information: Option<RawStructure> = ServerInformation,
        /// Application namespaces for which the server makes data.
        pub application_namespaces: Vec<String> = ApplicationNamespace,
        /// Extensions (since 1.1).
        pub extensions: Vec<ExtensionInformation> = ExtensionInformation,
        /// Kinds of attestation (since 1.2).
        pub attestation_types: Vec<AttestationType> = AttestationType,
        /// Random number generators: RNG Parameters (since 1.3).
        pub rng_parameters: Vec<RawStructure> = RNGParameters,
        /// Profiles (since 1.3).
        pub profiles: Vec<RawStructure> = ProfileInformation,
        /// Validations (since 1.3).
        pub validations: Vec<RawStructure> = ValidationInformation,
        /// Capabilities (since 1.3).
        pub capabilities: Vec<RawStructure> = CapabilityInformation,
        /// How clients are registered: Client Registration Method (since 1.3).
        pub client_registration_methods: Vec<ClientRegistrationMethod> = ClientRegistrationMethod,
    }
}

structure! {
    /// An extension of the server's vendor (KMIP 1.4 §2.1.9).
    #[derive(Clone, Eq)]
    pub struct ExtensionInformation {
        /// Its name.
        pub name: String = ExtensionName,
        /// Its tag, 0x540000 and above.
        pub tag: Option<i32> = ExtensionTag,
        /// The type of its value.
        pub item_type: Option<i32> = ExtensionType,
    }
}
