//! The token: everything a database server needs to enrol, as one word of text. See `docs/formats/token.md`.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use crate::SecretText;
use crate::barrier::random;
use crate::endpoint::Fingerprint;
use crate::store::RecordId;

/// What every token begins with; the number is the format.
const PREFIX: &str = "srt1_";
/// Bytes at the end that tell a token with a typing error from one that was used.
const CHECKSUM_LEN: usize = 4;
const SECRET_LEN: usize = 32;
/// Addresses of each kind: as many as a client tries (SERVER and 64 standbys).
const ADDRESSES_MAX: usize = 65;
/// Bytes of one address: a DNS name of 253 and a port.
const ADDRESS_LEN_MAX: usize = 255;

/// What proves that a certificate request comes from the holder of the token.
pub struct TokenSecret(Zeroizing<[u8; SECRET_LEN]>);

impl TokenSecret {
    /// 256 random bits.
    pub fn random() -> Self {
        let mut bytes = Zeroizing::new([0; SECRET_LEN]);
        random(&mut bytes[..]);
        Self(bytes)
    }

    /// What the vault keeps of it. The secret is random and long, so that a plain SHA-256 cannot be searched.
    pub fn hash(&self) -> Fingerprint {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"strongroom token secret\0");
        context.update(&self.0[..]);
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Fingerprint(hash)
    }

    /// Whether this is the secret with that hash, in constant time.
    pub fn matches(&self, hash: &Fingerprint) -> bool {
        self.hash().0.ct_eq(&hash.0).into()
    }

    /// The secret as text, for the enrolment request.
    pub fn to_text(&self) -> SecretText {
        SecretText::new(Zeroizing::new(URL_SAFE_NO_PAD.encode(&self.0[..])))
    }

    /// The reverse of [`TokenSecret::to_text`].
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        let mut secret = Zeroizing::new([0; SECRET_LEN]);
        (bytes.len() == SECRET_LEN).then(|| secret.copy_from_slice(&bytes))?;
        Some(Self(secret))
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret")
    }
}

/// Where a vault is reached, as `host:port` (IPv6 addresses in brackets), in the order to try.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Ports for enrolment: the vault's, then its standbys'.
    pub admin: Vec<String>,
    /// Ports for KMIP: the vault's, then its standbys'.
    pub kmip: Vec<String>,
}

/// A one-time token.
#[derive(Debug)]
pub struct Token {
    endpoint: RecordId,
    secret: TokenSecret,
    authority: Fingerprint,
    addresses: Addresses,
}

/// Why a text is not a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// It does not begin like one.
    NotAToken,
    /// It was made by a newer release.
    NewerFormat,
    /// Characters are missing, added or changed.
    Mistyped,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAToken => "this is not an enrolment token; paste what `strongroom endpoint add` printed",
            Self::NewerFormat => "the token was made by a newer release; use that release to enrol",
            Self::Mistyped => "the token is incomplete or mistyped; paste it again as a whole",
        })
    }
}

impl std::error::Error for TokenError {}

impl Token {
    /// A token for an endpoint of the vault with this certificate authority.
    pub(crate) fn new(
        endpoint: RecordId,
        secret: TokenSecret,
        authority: Fingerprint,
        addresses: Addresses,
    ) -> Self {
        Self { endpoint, secret, authority, addresses }
    }

    /// The endpoint that it is for.
    pub fn endpoint(&self) -> RecordId {
        self.endpoint
    }

    /// Its secret.
    pub fn secret(&self) -> &TokenSecret {
        &self.secret
    }

    /// SHA-256 of the certificate authority's certificate (DER): pin it before anything is sent.
    pub fn authority(&self) -> Fingerprint {
        self.authority
    }

    /// Where the vault is.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The token as text: letters, digits, `_` and `-`. It is a secret until it is used.
    pub fn encode(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(256));
        bytes.extend_from_slice(&self.endpoint.0);
        bytes.extend_from_slice(&self.secret.0[..]);
        bytes.extend_from_slice(&self.authority.0);
        for list in [&self.addresses.admin, &self.addresses.kmip] {
            let list = &list[..list.len().min(ADDRESSES_MAX)];
            bytes.push(list.len() as u8);
            for address in list {
                let address = &address.as_bytes()[..address.len().min(ADDRESS_LEN_MAX)];
                bytes.push(address.len() as u8);
                bytes.extend_from_slice(address);
            }
        }
        let checksum = checksum(&bytes);
        bytes.extend_from_slice(&checksum);
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + bytes.len() * 4 / 3 + 4));
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(&*bytes, &mut text);
        text
    }

    /// The reverse of [`Token::encode`]. White space around the token is ignored.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        let Some(body) = text.strip_prefix(PREFIX) else {
            let newer =
                text.strip_prefix("srt").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
            return Err(if newer { TokenError::NewerFormat } else { TokenError::NotAToken });
        };
        let mut bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(body).map_err(|_| TokenError::Mistyped)?);
        let len = bytes.len().checked_sub(CHECKSUM_LEN).ok_or(TokenError::Mistyped)?;
        if checksum(&bytes[..len]) != bytes[len..] {
            return Err(TokenError::Mistyped);
        }
        bytes.truncate(len);
        Self::from_bytes(&bytes).ok_or(TokenError::Mistyped)
    }

    /// Endpoint (16), secret (32), authority (32), then two lists: count (1), each address with its length (1).
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (endpoint, rest) = bytes.split_first_chunk::<16>()?;
        let (secret, rest) = rest.split_first_chunk::<SECRET_LEN>()?;
        let (authority, mut rest) = rest.split_first_chunk::<32>()?;
        let mut list = || {
            let (&count, mut after) = rest.split_first()?;
            let mut addresses = Vec::with_capacity(usize::from(count));
            for _ in 0..count {
                let (&len, body) = after.split_first()?;
                let (address, body) = body.split_at_checked(usize::from(len))?;
                addresses.push(String::from_utf8(address.to_vec()).ok()?);
                after = body;
            }
            rest = after;
            Some(addresses)
        };
        let addresses = Addresses { admin: list()?, kmip: list()? };
        rest.is_empty().then(|| Self {
            endpoint: RecordId(*endpoint),
            secret: TokenSecret(Zeroizing::new(*secret)),
            authority: Fingerprint(*authority),
            addresses,
        })
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        Self::parse(text)
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_LEN] {
    let mut whole = [0; 32];
    whole.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    let checksum = [whole[0], whole[1], whole[2], whole[3]];
    whole.zeroize();
    checksum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        let addresses = Addresses {
            admin: vec!["vault.example:5697".to_owned()],
            kmip: vec!["vault.example:5696".to_owned(), "[::1]:5696".to_owned()],
        };
        Token::new(RecordId([1; 16]), TokenSecret::random(), Fingerprint([2; 32]), addresses)
    }

    #[test]
    fn a_token_survives_its_text() {
        let token = token();
        let again = Token::parse(&format!("  {}\n", *token.encode())).unwrap();
        assert_eq!(again.endpoint(), token.endpoint());
        assert_eq!(again.authority(), token.authority());
        assert_eq!(again.addresses(), token.addresses());
        assert!(again.secret().matches(&token.secret().hash()));
    }

    #[test]
    fn a_token_with_any_character_changed_is_mistyped() {
        let text = token().encode();
        for at in PREFIX.len()..text.len() {
            let mut changed = text.as_bytes().to_vec();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(Token::parse(&changed).unwrap_err(), TokenError::Mistyped, "character {at}");
        }
        assert_eq!(Token::parse(&text[..text.len() - 1]).unwrap_err(), TokenError::Mistyped);
    }

    #[test]
    fn other_texts_are_not_tokens() {
        assert_eq!(Token::parse("hello").unwrap_err(), TokenError::NotAToken);
        assert_eq!(Token::parse("srt2_AAAA").unwrap_err(), TokenError::NewerFormat);
    }

    #[test]
    fn a_token_does_not_show_its_secret_in_debug() {
        let token = token();
        assert!(!format!("{token:?}").contains(&token.secret().to_text()[..]));
    }
}
