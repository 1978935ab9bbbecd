//! Why an operation failed, and the one table that turns each reason into KMIP's words.

use std::fmt;

use strongroom_kmip::ProtocolVersion;
use strongroom_kmip::attribute::AttributeName;
use strongroom_kmip::types::{
    CryptographicAlgorithm, KeyFormatType, ObjectType, Operation, ResultReason, RevocationReasonCode,
};

use crate::objects::TransitionRefused;
use crate::store::{RecordId, StoreCause, StoreError};

/// Why an operation failed. The message of each is written for the person who operates the client.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Caller: no such object, or one that this endpoint must not know of. Deliberately one fault.
    NotFound,
    /// Caller: no Unique Identifier was given and no earlier operation of the batch left one.
    NoPlaceholder,
    /// Caller: the object's material was destroyed, only its attributes remain.
    MaterialDestroyed,
    /// Caller: the object's state does not permit it.
    State(TransitionRefused),
    /// Caller: a protocol version that is not spoken here.
    VersionUnsupported(ProtocolVersion),
    /// Caller: an operation that the vault does not offer.
    OperationUnsupported(Operation),
    /// Caller: an object type that this operation does not make.
    ObjectTypeUnsupported(ObjectType),
    /// Caller: a required attribute is absent.
    AttributeMissing(&'static str),
    /// Caller: an attribute has a value that cannot be.
    AttributeInvalid {
        /// The attribute.
        attribute: AttributeName,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Caller: only the server sets this attribute.
    AttributeReadOnly(AttributeName),
    /// Caller: the attribute must not be removed.
    AttributeRequired(AttributeName),
    /// Caller: the vault does not keep this attribute.
    AttributeUnsupported(AttributeName),
    /// Caller: a single-instance attribute is there already.
    AttributeExists(AttributeName),
    /// Caller: Modify of an attribute that was never added.
    AttributeToModifyAbsent(AttributeName),
    /// Caller: no instance with this index.
    InstanceAbsent {
        /// The attribute.
        attribute: AttributeName,
        /// The index asked for.
        index: u32,
    },
    /// Caller: too many instances, or attributes.
    TooManyInstances(AttributeName),
    /// Caller: Application Data is left to the server, which makes none.
    ApplicationDataMissing,
    /// Caller: an Attribute Index where the server assigns it.
    IndexGiven(AttributeName),
    /// Caller: an attribute name twice in Get Attributes.
    NamedTwice(AttributeName),
    /// Caller: another object of the wallet has the name; at creation.
    NameTakenAtCreation,
    /// Caller: another object of the wallet has the name; by an attribute operation.
    NameTaken,
    /// Caller: a key of this algorithm cannot have this length.
    LengthUnsupported {
        /// The algorithm.
        algorithm: CryptographicAlgorithm,
        /// Bits asked for.
        bits: u32,
    },
    /// Caller: so many random bytes are not given at once.
    RandomLength {
        /// Bytes asked for.
        asked: i32,
        /// The most that are given.
        most: usize,
    },
    /// Caller: keys of this algorithm are not made here.
    AlgorithmUnsupported(CryptographicAlgorithm),
    /// Caller: the object given and what is said of it do not fit.
    ObjectInconsistent(&'static str),
    /// Caller: a value that only a version newer than 1.4 has, in the encoder's words.
    NotKeepable(String),
    /// Caller: the key cannot be given, or taken, in this format.
    FormatUnsupported(KeyFormatType),
    /// Caller: a point compression, for objects that are no points.
    CompressionUnsupported,
    /// Caller: something optional of the standard that the vault does not offer.
    FeatureUnsupported(&'static str),
    /// Caller: a request that cannot be.
    InvalidField(&'static str),
    /// Caller: a Template that does not exist; the vault keeps none.
    TemplateUnknown,
    /// Caller: a Revocation Reason that the standard does not have.
    RevocationReasonUnknown(RevocationReasonCode),
    /// Caller: the answer would be longer than the client said it accepts.
    ResponseTooLarge {
        /// Maximum Response Size of the request, in bytes.
        maximum: u32,
    },
    /// Caller: the message says something twice, or leaves something out.
    InvalidMessage(&'static str),
    /// Caller: a message that does not decode, in the decoder's words.
    Undecodable(String),
    /// Caller: somebody else changed the object again and again meanwhile.
    Contended,
    /// Peer: no identity, or one that is not enrolled.
    NotAuthenticated(&'static str),
    /// Key: the random generator failed.
    GeneratorFailed,
    /// Storage: a record that does not decode.
    RecordUnreadable {
        /// Which one.
        id: RecordId,
        /// What is wrong with it.
        problem: String,
    },
    /// Storage or audit: the vault could not do it. Only the log says more.
    Vault(crate::Error),
}

impl Fault {
    /// KMIP's Result Reason for this fault (KMIP 1.4 §11, table by table).
    ///
    /// Only reasons that every version has, so that a reply to any client can carry them.
    pub(crate) fn reason(&self) -> ResultReason {
        match self {
            Self::NotFound | Self::NoPlaceholder | Self::TemplateUnknown | Self::InstanceAbsent { .. } => {
                ResultReason::ItemNotFound
            }
            // §11.22: Destroy in a wrong state; §11.20: Activate of what is not Pre-Active.
            Self::State(_)
            | Self::AttributeReadOnly(_)
            | Self::AttributeRequired(_)
            | Self::AttributeUnsupported(_) => ResultReason::PermissionDenied,
            // §11.12: "the server only has attributes for this object".
            Self::MaterialDestroyed | Self::AttributeExists(_) | Self::NameTaken => {
                ResultReason::IllegalOperation
            }
            Self::OperationUnsupported(_) => ResultReason::OperationNotSupported,
            Self::ObjectTypeUnsupported(_)
            | Self::AttributeInvalid { .. }
            | Self::AttributeToModifyAbsent(_)
            | Self::IndexGiven(_)
            | Self::NameTakenAtCreation
            | Self::LengthUnsupported { .. }
            | Self::RandomLength { .. }
            | Self::AlgorithmUnsupported(_)
            | Self::ObjectInconsistent(_)
            | Self::NotKeepable(_)
            | Self::InvalidField(_)
            | Self::RevocationReasonUnknown(_) => ResultReason::InvalidField,
            Self::VersionUnsupported(_)
            | Self::AttributeMissing(_)
            | Self::NamedTwice(_)
            | Self::InvalidMessage(_)
            | Self::Undecodable(_) => ResultReason::InvalidMessage,
            Self::ApplicationDataMissing => ResultReason::ApplicationNamespaceNotSupported,
            Self::TooManyInstances(_) => ResultReason::IndexOutOfBounds,
            Self::GeneratorFailed => ResultReason::CryptographicFailure,
            Self::FormatUnsupported(_) => ResultReason::KeyFormatTypeNotSupported,
            Self::CompressionUnsupported => ResultReason::KeyCompressionTypeNotSupported,
            Self::FeatureUnsupported(_) => ResultReason::FeatureNotSupported,
            Self::ResponseTooLarge { .. } => ResultReason::ResponseTooLarge,
            Self::NotAuthenticated(_) => ResultReason::AuthenticationNotSuccessful,
            Self::Contended | Self::RecordUnreadable { .. } | Self::Vault(_) => ResultReason::GeneralFailure,
        }
    }

    /// What failed inside, when the vault and not the caller is at fault: for the log, never for the client.
    pub(crate) fn inside(&self) -> Option<String> {
        match self {
            Self::GeneratorFailed => Some("the random generator failed".to_owned()),
            Self::RecordUnreadable { id, problem } => Some(format!("object {id}: {problem}")),
            Self::Vault(error) => Some(error.to_string()),
            _ => None,
        }
    }
}

impl Fault {
    /// Whether the part of the vault that failed says so in the log itself, once for as long as it lasts, so that a line for
    /// every request would say nothing new.
    pub(crate) fn said_at_source(&self) -> bool {
        match self {
            Self::Vault(crate::Error::Audit(_)) => true,
            Self::Vault(crate::Error::Store(error)) => {
                matches!(error.cause, StoreCause::DiskFull | StoreCause::Stopped { .. })
            }
            _ => false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("no object with this Unique Identifier exists"),
            Self::NoPlaceholder => f.write_str(
                "no Unique Identifier was given, and no operation before it in the batch left exactly one",
            ),
            Self::MaterialDestroyed => f.write_str("the object was destroyed; only its attributes remain"),
            Self::State(refused) => refused.fmt(f),
            Self::VersionUnsupported(version) => {
                write!(f, "KMIP {version} is not spoken here; use 1.4, 1.3, 1.2, 1.1 or 1.0")
            }
            Self::OperationUnsupported(operation) => {
                write!(f, "operation {operation} is not offered; Query lists those that are")
            }
            Self::ObjectTypeUnsupported(kind) => {
                write!(f, "object type {kind} is not supported by this operation")
            }
            Self::AttributeMissing(name) => write!(f, "the request lacks {name}, which is required"),
            Self::AttributeInvalid { attribute, problem } => write!(f, "{attribute}: {problem}"),
            Self::AttributeReadOnly(name) => write!(f, "{name} is set by the server and cannot be changed"),
            Self::AttributeRequired(name) => {
                write!(f, "{name} must always have a value and cannot be deleted")
            }
            Self::AttributeUnsupported(name) => {
                write!(f, "{name} is not an attribute that this server keeps")
            }
            Self::AttributeExists(name) => write!(f, "the object has {name} already; use Modify Attribute"),
            Self::AttributeToModifyAbsent(name) => write!(f, "the object has no {name}; use Add Attribute"),
            Self::InstanceAbsent { attribute, index } => {
                write!(f, "the object has no {attribute} with index {index}")
            }
            Self::TooManyInstances(name) => {
                write!(f, "the object has as many attributes, or instances of {name}, as are allowed")
            }
            Self::ApplicationDataMissing => {
                f.write_str("Application Specific Information needs its Application Data")
            }
            Self::IndexGiven(name) => {
                write!(f, "{name}: the server assigns the Attribute Index; leave it out")
            }
            Self::NamedTwice(name) => write!(f, "{name} is asked for twice"),
            Self::NameTakenAtCreation | Self::NameTaken => {
                f.write_str("another object has this Name; choose another, or destroy that object first")
            }
            Self::LengthUnsupported { algorithm, bits } => {
                write!(f, "{algorithm} keys of {bits} bits are not supported")
            }
            Self::RandomLength { asked, most } => {
                write!(f, "{asked} random bytes were asked for; ask for 1 to {most}")
            }
            Self::AlgorithmUnsupported(algorithm) => {
                write!(f, "{algorithm} is not a symmetric algorithm supported here")
            }
            Self::ObjectInconsistent(problem) => f.write_str(problem),
            Self::NotKeepable(problem) => write!(f, "the object cannot be kept: {problem}"),
            Self::FormatUnsupported(format) => {
                write!(f, "the object cannot be handled in key format {format}")
            }
            Self::CompressionUnsupported => {
                f.write_str("the object has no compressed form; leave Key Compression Type out")
            }
            Self::FeatureUnsupported(what) => write!(f, "{what} is not supported"),
            Self::InvalidField(problem) | Self::InvalidMessage(problem) => f.write_str(problem),
            Self::TemplateUnknown => f.write_str("the Template named in the request does not exist"),
            Self::RevocationReasonUnknown(code) => write!(f, "{code} is not a Revocation Reason"),
            Self::ResponseTooLarge { maximum } => {
                write!(f, "the response would exceed the Maximum Response Size of {maximum} bytes")
            }
            Self::Undecodable(problem) => f.write_str(problem),
            Self::Contended => f.write_str("the object is being changed by others; try again"),
            Self::NotAuthenticated(problem) => f.write_str(problem),
            Self::GeneratorFailed => f.write_str("the vault's random generator failed; nothing was made"),
            Self::Vault(crate::Error::Store(StoreError { cause: StoreCause::DiskFull, .. })) => f.write_str(
                "the vault's disk is full: nothing was changed; its administrator must free some space, and keys can be \
                 fetched meanwhile",
            ),
            Self::Vault(crate::Error::Audit(_)) => f.write_str(
                "the vault cannot write its audit journal, so nothing was done; its administrator finds the reason in its log",
            ),
            // What failed inside is for the vault's own log.
            Self::RecordUnreadable { .. } | Self::Vault(_) => {
                f.write_str("the vault could not do this; its log says why")
            }
        }
    }
}

impl std::error::Error for Fault {}

impl From<TransitionRefused> for Fault {
    fn from(refused: TransitionRefused) -> Self {
        Self::State(refused)
    }
}

impl From<crate::Error> for Fault {
    fn from(error: crate::Error) -> Self {
        Self::Vault(error)
    }
}

#[cfg(test)]
mod tests {
    use strongroom_kmip::ProtocolVersion;
    use strongroom_kmip::attribute::AttributeKind;

    use super::*;
    use crate::objects::{Event, State};

    /// Row by row, with the table of KMIP 1.4 §11 that each comes from.
    fn table() -> Vec<(Fault, ResultReason)> {
        use ResultReason as R;
        let name = || AttributeName::from(AttributeKind::Name);
        let refused = TransitionRefused { state: State::Active, event: Event::Destroy };
        vec![
            // §11.12, §11.13 and the same row of every table: "No object with the specified Unique Identifier exists".
            (Fault::NotFound, R::ItemNotFound),
            (Fault::NoPlaceholder, R::ItemNotFound),
            // §11.12: "the server only has attributes for this object".
            (Fault::MaterialDestroyed, R::IllegalOperation),
            // §11.20, §11.22: "Object is not in … state".
            (Fault::State(refused), R::PermissionDenied),
            // §11.1.
            (Fault::VersionUnsupported(ProtocolVersion::V2_1), R::InvalidMessage),
            (Fault::OperationUnsupported(Operation::Check), R::OperationNotSupported),
            (Fault::ResponseTooLarge { maximum: 1 }, R::ResponseTooLarge),
            (Fault::InvalidMessage("x"), R::InvalidMessage),
            (Fault::Undecodable("x".to_owned()), R::InvalidMessage),
            (Fault::FeatureUnsupported("x"), R::FeatureNotSupported),
            (Fault::NotAuthenticated("x"), R::AuthenticationNotSuccessful),
            // §11.2, §11.4.
            (Fault::ObjectTypeUnsupported(ObjectType::Template), R::InvalidField),
            (Fault::TemplateUnknown, R::ItemNotFound),
            (Fault::AttributeMissing("x"), R::InvalidMessage),
            (Fault::AttributeInvalid { attribute: name(), problem: "x" }, R::InvalidField),
            (Fault::NameTakenAtCreation, R::InvalidField),
            (Fault::ObjectInconsistent("x"), R::InvalidField),
            (Fault::LengthUnsupported { algorithm: CryptographicAlgorithm::AES, bits: 1 }, R::InvalidField),
            (Fault::RandomLength { asked: 0, most: 1 }, R::InvalidField),
            (Fault::AlgorithmUnsupported(CryptographicAlgorithm::RSA), R::InvalidField),
            (Fault::NotKeepable("x".to_owned()), R::InvalidField),
            (Fault::ApplicationDataMissing, R::ApplicationNamespaceNotSupported),
            (Fault::GeneratorFailed, R::CryptographicFailure),
            (Fault::TooManyInstances(name()), R::IndexOutOfBounds),
            // §11.12.
            (Fault::FormatUnsupported(KeyFormatType::PKCS_8), R::KeyFormatTypeNotSupported),
            (Fault::CompressionUnsupported, R::KeyCompressionTypeNotSupported),
            // §11.13.
            (Fault::NamedTwice(name()), R::InvalidMessage),
            // §11.15.
            (Fault::AttributeReadOnly(name()), R::PermissionDenied),
            (Fault::AttributeUnsupported(name()), R::PermissionDenied),
            (Fault::AttributeExists(name()), R::IllegalOperation),
            (Fault::IndexGiven(name()), R::InvalidField),
            (Fault::NameTaken, R::IllegalOperation),
            // §11.16.
            (Fault::AttributeToModifyAbsent(name()), R::InvalidField),
            (Fault::InstanceAbsent { attribute: name(), index: 1 }, R::ItemNotFound),
            // §11.17.
            (Fault::AttributeRequired(name()), R::PermissionDenied),
            // §11.21.
            (Fault::RevocationReasonUnknown(RevocationReasonCode(9)), R::InvalidField),
            (Fault::InvalidField("x"), R::InvalidField),
            // What the client can do nothing about.
            (Fault::Contended, R::GeneralFailure),
            (
                Fault::RecordUnreadable { id: RecordId([0; 16]), problem: "secret".to_owned() },
                R::GeneralFailure,
            ),
            (Fault::Vault(crate::Error::Closed), R::GeneralFailure),
        ]
    }

    #[test]
    fn each_fault_has_its_result_reason() {
        for (fault, reason) in table() {
            assert_eq!(fault.reason(), reason, "{fault:?}");
            assert!(!fault.to_string().is_empty());
        }
    }

    #[test]
    fn every_version_can_carry_every_reason() {
        for (fault, reason) in table() {
            assert!(reason.exists_in(ProtocolVersion::V1_0), "{fault:?}");
        }
    }

    #[test]
    fn what_fails_inside_is_for_the_log_only() {
        let fault = Fault::RecordUnreadable { id: RecordId([0; 16]), problem: "secret".to_owned() };
        assert!(!fault.to_string().contains("secret"));
        assert!(fault.inside().is_some_and(|words| words.contains("secret")));
    }
}
