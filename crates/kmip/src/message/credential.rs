//! What a caller shows to say who it is, beyond its certificate (KMIP 1.4 §2.1.2).

use std::fmt;

use zeroize::Zeroizing;

use crate::ttlv::{DecodeError, EncodeError, RawStructure, Reader, Tag, Wire, Writer, structure};
use crate::types::CredentialType;

/// A password: wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes it over.
    pub fn new(password: Zeroizing<String>) -> Self {
        Self(password)
    }

    /// The password. Compare it in constant time.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<password>")
    }
}

impl Wire for Password {
    fn decode(tag: Tag, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Zeroizing::decode(tag, reader).map(Self)
    }

    fn encode(&self, tag: Tag, writer: &mut Writer) -> Result<(), EncodeError> {
        self.0.encode(tag, writer)
    }
}

/// A credential.
#[derive(Clone, PartialEq)]
pub enum Credential {
    /// User name and password.
    UsernameAndPassword {
        /// The name.
        username: String,
        /// The password, if any.
        password: Option<Password>,
    },
    /// A device (since 1.1).
    Device(Box<DeviceCredential>),
    /// Another type, carried and not understood.
    Other {
        /// The type.
        kind: CredentialType,
        /// Its value.
        value: RawStructure,
    },
}

structure! {
    /// What a device says of itself (KMIP 1.4 §2.1.2, since 1.1).
    #[derive(Clone, Eq, Default)]
    pub struct DeviceCredential {
        /// Serial number.
        pub device_serial_number: Option<String> = DeviceSerialNumber,
        /// Password.
        pub password: Option<Password> = Password,
        /// Identifier of the device.
        pub device_identifier: Option<String> = DeviceIdentifier,
        /// Identifier of its network.
        pub network_identifier: Option<String> = NetworkIdentifier,
        /// Identifier of the machine.
        pub machine_identifier: Option<String> = MachineIdentifier,
        /// Identifier of its medium.
        pub media_identifier: Option<String> = MediaIdentifier,
    }
}

impl Credential {
    /// Its type.
    pub const fn kind(&self) -> CredentialType {
        match self {
            Self::UsernameAndPassword { .. } => CredentialType::UsernameAndPassword,
            Self::Device(_) => CredentialType::Device,
            Self::Other { kind, .. } => *kind,
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UsernameAndPassword { username, .. } => write!(f, "UsernameAndPassword({username:?})"),
            Self::Device(device) => device.fmt(f),
            // An unknown credential may hold a secret in a text.
            Self::Other { kind, .. } => write!(f, "Other({kind})"),
        }
    }
}

impl Wire for Credential {
    fn decode(tag: Tag, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.structure(tag, &[Tag::CredentialType, Tag::CredentialValue], |reader| {
            let kind = CredentialType::decode(Tag::CredentialType, reader)?;
            let value = Tag::CredentialValue;
            Ok(match kind {
                CredentialType::UsernameAndPassword => {
                    reader.structure(value, &[Tag::Username, Tag::Password], |reader| {
                        let username = Wire::decode(Tag::Username, reader)?;
                        let password = Wire::decode(Tag::Password, reader)?;
                        Ok(Self::UsernameAndPassword { username, password })
                    })?
                }
                CredentialType::Device => Self::Device(Wire::decode(value, reader)?),
                _ => Self::Other { kind, value: Wire::decode(value, reader)? },
            })
        })
    }

    fn encode(&self, tag: Tag, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.structure(tag, |writer| {
            self.kind().encode(Tag::CredentialType, writer)?;
            let tag = Tag::CredentialValue;
            match self {
                Self::UsernameAndPassword { username, password } => writer.structure(tag, |writer| {
                    username.encode(Tag::Username, writer)?;
                    password.encode(Tag::Password, writer)
                }),
                Self::Device(device) => device.encode(tag, writer),
                Self::Other { value, .. } => value.encode(tag, writer),
            }
        })
    }
}
