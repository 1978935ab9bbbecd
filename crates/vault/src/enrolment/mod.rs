//! Enrolment: how a database server becomes an endpoint that can prove itself.
//!
//! An administrator adds the endpoint and gets a [`Token`]: printable text with the vault's addresses, the fingerprint of
//! its certificate authority and a secret. The database server makes a key, sends a certificate request with the
//! secret, and gets its certificate. A token works once; a retry with the same request gets the same certificate, so that
//! a lost answer costs nothing. The vault keeps a hash of the secret only.

mod exchange;
mod token;

pub use exchange::{EnrolError, EnrolRefusal, EnrolReply, EnrolRequest, REQUEST_BYTES_MAX};
pub use token::{Addresses, Token, TokenError, TokenSecret};
