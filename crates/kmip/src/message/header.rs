//! Message headers (KMIP 1.4 §7.2).

use super::Credential;
use crate::ttlv::{DateTime, DecodeError, EncodeError, ItemType, RawStructure, Reader, Tag, Wire, Writer};
use crate::types::{AsynchronousIndicator, AttestationType, BatchErrorContinuationOption};
use crate::version::ProtocolVersion;

/// The header of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestHeader {
    /// The version in which the request is written, and the answer must be.
    pub version: ProtocolVersion,
    /// The longest answer the client takes, in bytes.
    pub maximum_response_size: Option<u32>,
    /// The client's name for this exchange (since 1.4).
    pub client_correlation_value: Option<String>,
    /// The server's name for an earlier exchange (since 1.4).
    pub server_correlation_value: Option<String>,
    /// Whether an answer may come later. 1.x knows only yes (Optional) and no (Prohibited).
    pub asynchronous: Option<AsynchronousIndicator>,
    /// Whether the client can attest (since 1.2).
    pub attestation_capable: Option<bool>,
    /// The kinds of attestation it can give (since 1.2).
    pub attestation_types: Vec<AttestationType>,
    /// Credentials. Several since 1.2.
    pub authentication: Vec<Credential>,
    /// What to do with the rest of the batch once an item failed. Absent means Stop.
    pub batch_error_continuation: Option<BatchErrorContinuationOption>,
    /// Whether the batch must be done in order. Absent means no in 1.x, yes in 2.x.
    pub batch_order: Option<bool>,
    /// When the request was made.
    pub time_stamp: Option<DateTime>,
}

impl RequestHeader {
    /// A header that says nothing but its version.
    pub const fn new(version: ProtocolVersion) -> Self {
        Self {
            version,
            maximum_response_size: None,
            client_correlation_value: None,
            server_correlation_value: None,
            asynchronous: None,
            attestation_capable: None,
            attestation_types: Vec::new(),
            authentication: Vec::new(),
            batch_error_continuation: None,
            batch_order: None,
            time_stamp: None,
        }
    }

    const TAGS: &[Tag] = &[
        Tag::ProtocolVersion,
        Tag::MaximumResponseSize,
        Tag::ClientCorrelationValue,
        Tag::ServerCorrelationValue,
        Tag::AsynchronousIndicator,
        Tag::AttestationCapableIndicator,
        Tag::AttestationType,
        Tag::Authentication,
        Tag::BatchErrorContinuationOption,
        Tag::BatchOrderOption,
        Tag::TimeStamp,
        Tag::BatchCount,
    ];

    /// The header and the Batch Count in it. `version` is filled in as soon as it is read, so that an error further on can carry it.
    pub(super) fn decode(
        reader: &mut Reader<'_>,
        version: &mut Option<ProtocolVersion>,
    ) -> Result<(Self, u32), DecodeError> {
        reader.structure(Tag::RequestHeader, Self::TAGS, |reader| {
            let header = Self::new(*version.insert(ProtocolVersion::decode(Tag::ProtocolVersion, reader)?));
            let header = Self {
                maximum_response_size: Wire::decode(Tag::MaximumResponseSize, reader)?,
                client_correlation_value: Wire::decode(Tag::ClientCorrelationValue, reader)?,
                server_correlation_value: Wire::decode(Tag::ServerCorrelationValue, reader)?,
                asynchronous: decode_asynchronous(reader)?,
                attestation_capable: Wire::decode(Tag::AttestationCapableIndicator, reader)?,
                attestation_types: Wire::decode(Tag::AttestationType, reader)?,
                authentication: decode_authentication(reader)?,
                batch_error_continuation: Wire::decode(Tag::BatchErrorContinuationOption, reader)?,
                batch_order: Wire::decode(Tag::BatchOrderOption, reader)?,
                time_stamp: Wire::decode(Tag::TimeStamp, reader)?,
                ..header
            };
            Ok((header, reader.count(Tag::BatchCount)?))
        })
    }

    pub(super) fn encode(&self, batch_count: usize, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.structure(Tag::RequestHeader, |writer| {
            self.version.encode(Tag::ProtocolVersion, writer)?;
            self.maximum_response_size.encode(Tag::MaximumResponseSize, writer)?;
            self.client_correlation_value.encode(Tag::ClientCorrelationValue, writer)?;
            self.server_correlation_value.encode(Tag::ServerCorrelationValue, writer)?;
            encode_asynchronous(self.asynchronous, writer)?;
            self.attestation_capable.encode(Tag::AttestationCapableIndicator, writer)?;
            self.attestation_types.encode(Tag::AttestationType, writer)?;
            if !self.authentication.is_empty() {
                writer.structure(Tag::Authentication, |writer| {
                    self.authentication.encode(Tag::Credential, writer)
                })?;
            }
            self.batch_error_continuation.encode(Tag::BatchErrorContinuationOption, writer)?;
            self.batch_order.encode(Tag::BatchOrderOption, writer)?;
            self.time_stamp.encode(Tag::TimeStamp, writer)?;
            encode_batch_count(batch_count, writer)
        })
    }
}

/// The header of a response.
#[derive(Debug, Clone, PartialEq)]
pub struct ResponseHeader {
    /// The version of the request that is answered.
    pub version: ProtocolVersion,
    /// When the answer was made.
    pub time_stamp: DateTime,
    /// A nonce for the client's attestation (since 1.2).
    pub nonce: Option<RawStructure>,
    /// What the server wants the client to hash with its password (since 2.0).
    pub server_hashed_password: Option<Vec<u8>>,
    /// The kinds of attestation the server takes (since 1.2).
    pub attestation_types: Vec<AttestationType>,
    /// The client's name for this exchange (since 1.4).
    pub client_correlation_value: Option<String>,
    /// The server's name for this exchange (since 1.4). Older clients fail on it: leave it out unless asked.
    pub server_correlation_value: Option<String>,
}

impl ResponseHeader {
    /// A header with the fields that every response has.
    pub const fn new(version: ProtocolVersion, time_stamp: DateTime) -> Self {
        Self {
            version,
            time_stamp,
            nonce: None,
            server_hashed_password: None,
            attestation_types: Vec::new(),
            client_correlation_value: None,
            server_correlation_value: None,
        }
    }

    const TAGS: &[Tag] = &[
        Tag::ProtocolVersion,
        Tag::TimeStamp,
        Tag::Nonce,
        Tag::ServerHashedPassword,
        Tag::AttestationType,
        Tag::ClientCorrelationValue,
        Tag::ServerCorrelationValue,
        Tag::BatchCount,
    ];

    pub(super) fn decode(
        reader: &mut Reader<'_>,
        version: &mut Option<ProtocolVersion>,
    ) -> Result<(Self, u32), DecodeError> {
        reader.structure(Tag::ResponseHeader, Self::TAGS, |reader| {
            let header = Self {
                version: *version.insert(ProtocolVersion::decode(Tag::ProtocolVersion, reader)?),
                time_stamp: Wire::decode(Tag::TimeStamp, reader)?,
                nonce: Wire::decode(Tag::Nonce, reader)?,
                server_hashed_password: Wire::decode(Tag::ServerHashedPassword, reader)?,
                attestation_types: Wire::decode(Tag::AttestationType, reader)?,
                client_correlation_value: Wire::decode(Tag::ClientCorrelationValue, reader)?,
                server_correlation_value: Wire::decode(Tag::ServerCorrelationValue, reader)?,
            };
            Ok((header, reader.count(Tag::BatchCount)?))
        })
    }

    pub(super) fn encode(&self, batch_count: usize, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.structure(Tag::ResponseHeader, |writer| {
            self.version.encode(Tag::ProtocolVersion, writer)?;
            self.time_stamp.encode(Tag::TimeStamp, writer)?;
            self.nonce.encode(Tag::Nonce, writer)?;
            self.server_hashed_password.encode(Tag::ServerHashedPassword, writer)?;
            self.attestation_types.encode(Tag::AttestationType, writer)?;
            self.client_correlation_value.encode(Tag::ClientCorrelationValue, writer)?;
            self.server_correlation_value.encode(Tag::ServerCorrelationValue, writer)?;
            encode_batch_count(batch_count, writer)
        })
    }
}

fn encode_batch_count(count: usize, writer: &mut Writer) -> Result<(), EncodeError> {
    let tag = Tag::BatchCount;
    writer.count(tag, u32::try_from(count).map_err(|_| EncodeError::OutOfRange { tag })?)
}

fn decode_authentication(reader: &mut Reader<'_>) -> Result<Vec<Credential>, DecodeError> {
    if !reader.at(Tag::Authentication) {
        return Ok(Vec::new());
    }
    reader.structure(Tag::Authentication, &[Tag::Credential], |reader| Wire::decode(Tag::Credential, reader))
}

/// A Boolean in 1.x (KMIP 1.4 §6.7), an Enumeration in 2.x (KMIP 2.1 §11.3). Both are read in any version.
fn decode_asynchronous(reader: &mut Reader<'_>) -> Result<Option<AsynchronousIndicator>, DecodeError> {
    let tag = Tag::AsynchronousIndicator;
    if !reader.at(tag) {
        return Ok(None);
    }
    if !reader.is_type(ItemType::Boolean) {
        return AsynchronousIndicator::decode(tag, reader).map(Some);
    }
    Ok(Some(match reader.boolean(tag)? {
        true => AsynchronousIndicator::Optional,
        false => AsynchronousIndicator::Prohibited,
    }))
}

fn encode_asynchronous(value: Option<AsynchronousIndicator>, writer: &mut Writer) -> Result<(), EncodeError> {
    let tag = Tag::AsynchronousIndicator;
    let version = writer.version();
    if !version.has_named_attributes() {
        return value.encode(tag, writer);
    }
    match value {
        None => Ok(()),
        Some(AsynchronousIndicator::Optional) => writer.boolean(tag, true),
        Some(AsynchronousIndicator::Prohibited) => writer.boolean(tag, false),
        Some(value) => Err(EncodeError::ValueNotInVersion { tag, value: value.to_string(), version }),
    }
}

impl Wire for ProtocolVersion {
    fn decode(tag: Tag, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.structure(tag, &[Tag::ProtocolVersionMajor, Tag::ProtocolVersionMinor], |reader| {
            let major = reader.small_count(Tag::ProtocolVersionMajor)?;
            let minor = reader.small_count(Tag::ProtocolVersionMinor)?;
            Ok(Self::new(major, minor))
        })
    }

    fn encode(&self, tag: Tag, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.structure(tag, |writer| {
            writer.integer(Tag::ProtocolVersionMajor, self.major.into())?;
            writer.integer(Tag::ProtocolVersionMinor, self.minor.into())
        })
    }
}
