//! Page 0 of a MariaDB tablespace: what it says about encryption, and changing that. The crypt data stands behind the extent
//! descriptors, at [`offset`].

use super::crypt_data::{CRYPT_DATA_BYTES, CryptData, CryptDataFault};
use super::flags::Format;
use super::full_crc32;
use crate::page::header::HEADER_BYTES;
use crate::page::{Algorithm, Fault, Policy, checksum};

/// Where crypt data begins on page 0, in bytes. It is a page header further than where MySQL has its encryption information,
/// because MariaDB counts that twice.
#[must_use]
pub fn offset(format: Format) -> usize {
    format.geometry.encryption_offset() + HEADER_BYTES
}

/// The crypt data on page 0, if there is any.
///
/// # Errors
/// [`CryptDataFault`].
pub fn crypt_data(format: Format, head: &[u8]) -> Result<Option<CryptData>, CryptDataFault> {
    let page = head.get(..format.geometry.physical()).unwrap_or(head);
    CryptData::parse(page.get(offset(format)..).unwrap_or_default())
}

/// Checks page 0; says by which algorithm its checksum is.
///
/// # Errors
/// What is wrong with it.
pub fn verify(format: Format, head: &[u8]) -> Result<Algorithm, Fault> {
    match format.is_full_crc32() {
        true => full_crc32::verify(head).map(|()| Algorithm::FullCrc32),
        false => checksum::verify(format.geometry, head, Policy::Any),
    }
}

/// Writes crypt data, and the checksum anew. `algorithm` is the one that page 0 has.
///
/// # Panics
/// When `head` is not a page of this format.
pub fn set_crypt_data(format: Format, head: &mut [u8], data: &CryptData, algorithm: Algorithm) {
    let at = offset(format);
    head[at..at + CRYPT_DATA_BYTES].copy_from_slice(&data.to_bytes());
    write_checksum(format, head, algorithm);
}

/// Erases the crypt data, and writes the checksum anew.
///
/// # Panics
/// When `head` is not a page of this format.
pub fn set_plain(format: Format, head: &mut [u8], algorithm: Algorithm) {
    let at = offset(format);
    head[at..at + CRYPT_DATA_BYTES].fill(0);
    write_checksum(format, head, algorithm);
}

fn write_checksum(format: Format, head: &mut [u8], algorithm: Algorithm) {
    match format.is_full_crc32() {
        true => full_crc32::write_checksum(head),
        false => checksum::write(format.geometry, head, algorithm),
    }
}
