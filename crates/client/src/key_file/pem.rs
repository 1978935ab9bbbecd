//! PEM blocks with the headers of RFC 1421, which parsers of RFC 7468 refuse.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::error::KeyFileError;

/// What kind of private key a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    Pkcs8,
    EncryptedPkcs8,
    Pkcs1,
    Sec1,
}

/// A private key as it stands in the file.
pub(super) struct Block {
    pub(super) label: Label,
    /// The value of the `DEK-Info` header: a cipher's name and an initialisation vector.
    pub(super) dek_info: Option<String>,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// The first private key of `text`. Blocks of other kinds, such as certificates and EC parameters, are passed over.
pub(super) fn first_private_key(text: &[u8]) -> Result<Block, KeyFileError> {
    let mut lines = text.split(|&b| b == b'\n').map(<[u8]>::trim_ascii);
    let mut passed_over = Vec::new();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix(b"-----BEGIN ").and_then(|l| l.strip_suffix(b"-----")) else {
            continue;
        };
        let label = match name {
            b"PRIVATE KEY" => Label::Pkcs8,
            b"ENCRYPTED PRIVATE KEY" => Label::EncryptedPkcs8,
            b"RSA PRIVATE KEY" => Label::Pkcs1,
            b"EC PRIVATE KEY" => Label::Sec1,
            other => {
                passed_over.push(String::from_utf8_lossy(other).into_owned());
                continue;
            }
        };
        let mut dek_info = None;
        let mut base64 = Zeroizing::new(Vec::with_capacity(text.len()));
        for line in lines.by_ref() {
            if line.starts_with(b"-----END ") {
                return Ok(Block { label, dek_info, body: decode(&base64)? });
            }
            match line.iter().position(|&b| b == b':') {
                Some(colon) if line[..colon].eq_ignore_ascii_case(b"DEK-Info") => {
                    dek_info = Some(String::from_utf8_lossy(line[colon + 1..].trim_ascii()).into_owned());
                }
                Some(_) => {}
                None => base64.extend_from_slice(line),
            }
        }
        return Err(KeyFileError::Malformed);
    }
    Err(KeyFileError::NoPrivateKey(passed_over))
}

fn decode(base64: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let mut der = Zeroizing::new(vec![0; base64.len() / 4 * 3 + 3]);
    let length = STANDARD.decode_slice(base64, &mut der).map_err(|_| KeyFileError::Malformed)?;
    der.truncate(length);
    Ok(der)
}
