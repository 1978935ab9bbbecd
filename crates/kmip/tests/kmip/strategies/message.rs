//! Headers, batches, messages.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use strongroom_kmip::message::*;
use strongroom_kmip::types::*;
use strongroom_kmip::{Operation, ProtocolVersion};
use zeroize::Zeroizing;

use super::payload::{request_payload, response_payload};
use super::{bytes, count, date, raw, since, text, value_of};

fn extensions() -> impl Strategy<Value = Vec<MessageExtension>> {
    let extension = (text(), any::<bool>(), raw())
        .prop_map(|(vendor, critical, extension)| MessageExtension { vendor, critical, extension });
    prop_oneof![4 => Just(Vec::new()), 1 => vec(extension, 0..3)]
}

fn credential(v: ProtocolVersion) -> BoxedStrategy<Credential> {
    let password = || option::of(text().prop_map(|text| Password::new(Zeroizing::new(text))));
    let user = (text(), password())
        .prop_map(|(username, password)| Credential::UsernameAndPassword { username, password });
    let other = ((0x8000_0000_u32..).prop_map(CredentialType), raw())
        .prop_map(|(kind, value)| Credential::Other { kind, value });
    if v < ProtocolVersion::V1_1 {
        return prop_oneof![user, other].boxed();
    }
    let device =
        (option::of(text()), password(), option::of(text())).prop_map(|(serial, password, machine)| {
            Credential::Device(Box::new(DeviceCredential {
                device_serial_number: serial,
                password,
                machine_identifier: machine,
                ..DeviceCredential::default()
            }))
        });
    prop_oneof![user, other, device].boxed()
}

fn request_header(v: ProtocolVersion) -> impl Strategy<Value = RequestHeader> {
    let asynchronous = if v.has_named_attributes() {
        proptest::sample::select(vec![AsynchronousIndicator::Optional, AsynchronousIndicator::Prohibited])
            .boxed()
    } else {
        value_of!(AsynchronousIndicator, v)
    };
    (
        option::of(count()),
        since(ProtocolVersion::V1_4, v, text()),
        since(ProtocolVersion::V1_4, v, text()),
        option::of(asynchronous),
        since(ProtocolVersion::V1_2, v, any::<bool>()),
        since(ProtocolVersion::V1_2, v, vec(value_of!(AttestationType, v), 0..2)),
        vec(credential(v), 0..3),
        option::of(value_of!(BatchErrorContinuationOption, v)),
        option::of(any::<bool>()),
        option::of(date()),
    )
        .prop_map(move |header| RequestHeader {
            version: v,
            maximum_response_size: header.0,
            client_correlation_value: header.1,
            server_correlation_value: header.2,
            asynchronous: header.3,
            attestation_capable: header.4,
            attestation_types: header.5.unwrap_or_default(),
            authentication: header.6,
            batch_error_continuation: header.7,
            batch_order: header.8,
            time_stamp: header.9,
        })
}

pub(crate) fn request(v: ProtocolVersion) -> impl Strategy<Value = RequestMessage> {
    let item = (option::of(bytes()), request_payload(v), extensions())
        .prop_map(|(batch_id, payload, extensions)| RequestItem { batch_id, payload, extensions });
    (request_header(v), vec(item, 0..4)).prop_map(|(header, items)| RequestMessage { header, items })
}

fn response_header(v: ProtocolVersion) -> impl Strategy<Value = ResponseHeader> {
    (
        date(),
        since(ProtocolVersion::V1_2, v, raw()),
        since(ProtocolVersion::V2_0, v, bytes()),
        since(ProtocolVersion::V1_2, v, vec(value_of!(AttestationType, v), 0..2)),
        since(ProtocolVersion::V1_4, v, text()),
        since(ProtocolVersion::V1_4, v, text()),
    )
        .prop_map(move |header| ResponseHeader {
            version: v,
            time_stamp: header.0,
            nonce: header.1,
            server_hashed_password: header.2,
            attestation_types: header.3.unwrap_or_default(),
            client_correlation_value: header.4,
            server_correlation_value: header.5,
        })
}

pub(crate) fn response(v: ProtocolVersion) -> impl Strategy<Value = ResponseMessage> {
    let failure = (
        proptest::sample::select(vec![
            ResultStatus::OperationFailed,
            ResultStatus::OperationPending,
            ResultStatus::OperationUndone,
        ]),
        value_of!(ResultReason, v),
        option::of(text()),
    )
        .prop_map(|(status, reason, message)| Failure { status, reason, message });
    // A failure may name an operation that the version does not have.
    let failed = (
        option::of(any::<u32>().prop_map(Operation)),
        option::of(bytes()),
        failure,
        option::of(bytes()),
        extensions(),
    )
        .prop_map(|(operation, batch_id, failure, asynchronous_correlation_value, extensions)| {
            ResponseItem {
                operation,
                batch_id,
                result: Err(failure),
                asynchronous_correlation_value,
                extensions,
            }
        });
    let succeeded = (option::of(bytes()), response_payload(v), extensions()).prop_map(
        |(batch_id, payload, extensions)| ResponseItem {
            extensions,
            ..ResponseItem::success(batch_id, payload)
        },
    );
    (response_header(v), vec(prop_oneof![3 => succeeded, 1 => failed], 0..4))
        .prop_map(|(header, items)| ResponseMessage { header, items })
}
