//! Decoding is the inverse of encoding, for messages of every operation and version.

use proptest::prelude::*;
use strongroom_kmip::{Limits, ProtocolVersion, RequestMessage, ResponseMessage};

use crate::strategies;

proptest! {
    #![proptest_config(crate::cases(1_500))]

    #[test]
    fn a_request_survives_the_wire(request in strategies::version().prop_flat_map(strategies::request)) {
        let bytes = request.encode().map_err(|error| TestCaseError::fail(error.to_string()))?;
        let decoded = RequestMessage::decode(&bytes, &Limits::REQUEST).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let again = decoded.encode();
        prop_assert_eq!(again.as_ref(), Ok(&bytes));
        prop_assert_eq!(decoded, request);
    }

    #[test]
    fn a_response_survives_the_wire(response in strategies::version().prop_flat_map(strategies::response)) {
        let bytes = response.encode().map_err(|error| TestCaseError::fail(error.to_string()))?;
        let decoded = ResponseMessage::decode(&bytes, &Limits::RESPONSE).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let again = decoded.encode();
        prop_assert_eq!(again.as_ref(), Ok(&bytes));
        prop_assert_eq!(decoded, response);
    }

    /// What one version can say, every later version of 1.x can say too, but for what the tables say it dropped.
    #[test]
    fn a_message_of_1_x_can_be_encoded_for_every_later_version_of_1_x(
        mut request in strategies::request(ProtocolVersion::V1_0),
        mut response in strategies::response(ProtocolVersion::V1_0),
    ) {
        for version in strategies::VERSIONS_1 {
            request.header.version = version;
            response.header.version = version;
            prop_assert!(request.encode().is_ok());
            prop_assert!(response.encode().is_ok());
        }
    }
}
