//! RNG Retrieve: random bytes, of which clients make secrets (KMIP 1.4 §4.35).

use strongroom_kmip::operation::rng_retrieve::{Request, Response};
use strongroom_secret::KeyMaterial;

use super::{Done, Fault};

/// Bytes that one request may ask for: twice the longest secret that a database keeps.
const BYTES_MAX: usize = 32 * 1024;

pub(super) fn rng_retrieve(request: &Request) -> Result<Done, Fault> {
    let bytes = usize::try_from(request.data_length).ok().filter(|bytes| (1..=BYTES_MAX).contains(bytes));
    let bytes = bytes.ok_or(Fault::RandomLength { asked: request.data_length, most: BYTES_MAX })?;
    let data = KeyMaterial::try_fill(bytes, |bytes| {
        aws_lc_rs::rand::fill(bytes).map_err(|_| Fault::GeneratorFailed)
    })?;
    Ok(Done::read(Response { data }, None))
}
