//! The bytes of a sealed cache. `docs/formats/key-cache.md` has this table too.
//!
//! | offset | bytes | content |
//! |---|---|---|
//! | 0 | 8 | `SRKCACHE` |
//! | 8 | 2 | format: 1 |
//! | 10 | 2 | zero |
//! | 12 | 8 | when it was written, in seconds since 1970-01-01 UTC |
//! | 20 | 32 | salt |
//! | 52 | 16 | check value of the seal key |
//! | 68 | 32 | whose keys they are: an [`Identity`] |
//! | 100 | 4 | length *n* of the rest |
//! | 104 | *n* | the keys, sealed with AES-256-GCM (SP 800-38D), then the tag of 16 bytes |
//!
//! All of the header is associated data. The sealed text is a count (4 bytes) and for each version: key id (4), version (4),
//! length (1), key; in ascending order, and nothing behind. Numbers are big-endian.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, digest, hkdf, rand};
use strongroom_secret::KeyMaterial;
use zeroize::Zeroizing;

use super::seal_key::SealKey;
use super::{CacheError, Wiped};
use crate::versions::{KeyId, KeySet, KeyVersion, VersionedKey, is_usable_length};

/// A cache has at most this many bytes; that is room for about 100 000 versions.
pub const CACHE_BYTES_MAX: usize = 4 * 1024 * 1024;

const MAGIC: &[u8; 8] = b"SRKCACHE";
const FORMAT: u16 = 1;
const SALT_BYTES: usize = 32;
const CHECK_BYTES: usize = 16;
const IDENTITY_BYTES: usize = 32;
const HEADER_BYTES: usize = 104;
const KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
/// Key id, version and length of one version.
const ENTRY_HEAD_BYTES: usize = 9;

/// Whose keys they are: a digest of the authority that the key server's certificate comes from, of the endpoint's name and of the
/// keys' prefix. A cache of one is not read as that of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity([u8; IDENTITY_BYTES]);

impl Identity {
    /// `authorities` are the certificates in DER, `subject` the Subject of the endpoint's own certificate in DER.
    #[must_use]
    pub fn new<'a>(authorities: impl IntoIterator<Item = &'a [u8]>, subject: &[u8], prefix: &str) -> Self {
        let mut hash = digest::Context::new(&digest::SHA256);
        let mut part = |bytes: &[u8]| {
            hash.update(&(bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        // In one order, whatever the file's.
        let mut authorities: Vec<&[u8]> = authorities.into_iter().collect();
        authorities.sort_unstable();
        part(&(authorities.len() as u64).to_be_bytes());
        authorities.into_iter().for_each(&mut part);
        part(subject);
        part(prefix.as_bytes());
        let mut identity = [0; IDENTITY_BYTES];
        identity.copy_from_slice(hash.finish().as_ref());
        Self(identity)
    }
}

/// What a cache says.
#[derive(Debug)]
pub struct Opened {
    /// The keys.
    pub keys: KeySet,
    /// When it was written, in seconds since 1970-01-01 UTC.
    pub written: u64,
}

/// The front of a cache, which is not secret.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    written: u64,
    salt: [u8; SALT_BYTES],
    check: [u8; CHECK_BYTES],
    identity: Identity,
}

/// What is derived from the seal key for one cache: HKDF-SHA256 (RFC 5869) with the cache's salt.
struct Derived(Zeroizing<[u8; KEY_BYTES + CHECK_BYTES]>);

pub(super) fn seal(
    keys: &KeySet,
    identity: &Identity,
    written: u64,
    seal_key: &SealKey,
) -> Result<Vec<u8>, CacheError> {
    let mut text = write_keys(keys)?;
    let mut salt = [0; SALT_BYTES];
    rand::fill(&mut salt).map_err(|_| CacheError::Random)?;
    let derived = Derived::new(seal_key, &salt)?;
    let header = Header { written, salt, check: derived.check(), identity: *identity };
    let header = header.bytes(text.len() + TAG_BYTES)?;
    // Every cache has a salt and so a key of its own, which seals once: the nonce may be the same.
    derived
        .cipher()?
        .seal_in_place_append_tag(nonce(), Aad::from(&header), &mut *text)
        .map_err(|_| CacheError::Damaged)?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + text.len());
    bytes.extend_from_slice(&header);
    bytes.extend_from_slice(&text);
    if bytes.len() > CACHE_BYTES_MAX {
        return Err(CacheError::TooMany { versions: keys.versions() });
    }
    Ok(bytes)
}

pub(super) fn open(bytes: &[u8], identity: &Identity, seal_key: &SealKey) -> Result<Opened, CacheError> {
    let (header, sealed) = split(bytes)?;
    if header.identity != *identity {
        return Err(CacheError::OtherIdentity);
    }
    let derived = Derived::new(seal_key, &header.salt)?;
    constant_time::verify_slices_are_equal(&derived.check(), &header.check)
        .map_err(|_| CacheError::WrongSealKey)?;
    let mut text: Wiped = Zeroizing::new(sealed.to_vec());
    let text = derived
        .cipher()?
        .open_in_place(nonce(), Aad::from(&bytes[..HEADER_BYTES]), &mut text)
        .map_err(|_| CacheError::Damaged)?;
    Ok(Opened { keys: read_keys(text)?, written: header.written })
}

/// Header and sealed text of a cache. `fuzz/` feeds this any bytes.
fn split(bytes: &[u8]) -> Result<(Header, &[u8]), CacheError> {
    if bytes.len() > CACHE_BYTES_MAX {
        return Err(CacheError::Damaged);
    }
    let mut rest = Reader(bytes);
    if rest.take::<8>()? != *MAGIC {
        return Err(CacheError::NoCache);
    }
    match u16::from_be_bytes(rest.take()?) {
        FORMAT => {}
        other => return Err(CacheError::Format(other)),
    }
    if rest.take::<2>()? != [0; 2] {
        return Err(CacheError::Damaged);
    }
    let header = Header {
        written: u64::from_be_bytes(rest.take()?),
        salt: rest.take()?,
        check: rest.take()?,
        identity: Identity(rest.take()?),
    };
    let length = u32::from_be_bytes(rest.take()?);
    if usize::try_from(length).ok() != Some(rest.0.len()) || rest.0.len() < TAG_BYTES {
        return Err(CacheError::Damaged);
    }
    Ok((header, rest.0))
}

impl Header {
    fn bytes(&self, sealed: usize) -> Result<[u8; HEADER_BYTES], CacheError> {
        let length = u32::try_from(sealed).map_err(|_| CacheError::Damaged)?;
        let mut bytes = [0; HEADER_BYTES];
        let mut at = 0;
        let mut put = |part: &[u8]| {
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        };
        put(MAGIC);
        put(&FORMAT.to_be_bytes());
        put(&[0; 2]);
        put(&self.written.to_be_bytes());
        put(&self.salt);
        put(&self.check);
        put(&self.identity.0);
        put(&length.to_be_bytes());
        Ok(bytes)
    }
}

impl Derived {
    fn new(seal_key: &SealKey, salt: &[u8; SALT_BYTES]) -> Result<Self, CacheError> {
        struct Length;
        impl hkdf::KeyType for Length {
            fn len(&self) -> usize {
                KEY_BYTES + CHECK_BYTES
            }
        }
        let mut bytes = Zeroizing::new([0; KEY_BYTES + CHECK_BYTES]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
            .extract(seal_key.as_bytes())
            .expand(&[b"strongroom key cache 1"], Length)
            .and_then(|derived| derived.fill(&mut *bytes))
            .map_err(|_| CacheError::Damaged)?;
        Ok(Self(bytes))
    }

    fn cipher(&self) -> Result<LessSafeKey, CacheError> {
        let key = UnboundKey::new(&AES_256_GCM, &self.0[..KEY_BYTES]).map_err(|_| CacheError::Damaged)?;
        Ok(LessSafeKey::new(key))
    }

    fn check(&self) -> [u8; CHECK_BYTES] {
        let mut check = [0; CHECK_BYTES];
        check.copy_from_slice(&self.0[KEY_BYTES..]);
        check
    }
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

/// The text that is sealed.
fn write_keys(keys: &KeySet) -> Result<Wiped, CacheError> {
    let too_many = || CacheError::TooMany { versions: keys.versions() };
    let room: usize = keys.iter().map(|(_, _, key)| ENTRY_HEAD_BYTES + key.len()).sum();
    // All the room at once, because growing would leave copies of keys behind.
    let mut text = Zeroizing::new(Vec::with_capacity(4 + room + TAG_BYTES));
    text.extend_from_slice(&u32::try_from(keys.versions()).map_err(|_| too_many())?.to_be_bytes());
    for (id, version, key) in keys.iter() {
        text.extend_from_slice(&id.0.to_be_bytes());
        text.extend_from_slice(&version.number().to_be_bytes());
        text.push(u8::try_from(key.len()).map_err(|_| CacheError::Damaged)?);
        text.extend_from_slice(key.as_bytes());
    }
    Ok(text)
}

/// The keys of a text that was sealed. `fuzz/` feeds this any bytes, as if they had been sealed.
///
/// # Errors
/// [`CacheError::Damaged`] for anything but what is written here.
pub fn read_keys(text: &[u8]) -> Result<KeySet, CacheError> {
    let mut rest = Reader(text);
    let count = u32::from_be_bytes(rest.take()?);
    let mut keys = Vec::new();
    let mut before = None;
    for _ in 0..count {
        let id = KeyId(u32::from_be_bytes(rest.take()?));
        let version = KeyVersion::new(u32::from_be_bytes(rest.take()?)).ok_or(CacheError::Damaged)?;
        let [length] = rest.take()?;
        let length = usize::from(length);
        if !is_usable_length(length) || before >= Some((id, version)) {
            return Err(CacheError::Damaged);
        }
        before = Some((id, version));
        let (key, behind) = rest.0.split_at_checked(length).ok_or(CacheError::Damaged)?;
        rest = Reader(behind);
        keys.push(VersionedKey { id, version, material: KeyMaterial::new(key) });
    }
    if !rest.0.is_empty() {
        return Err(CacheError::Damaged);
    }
    KeySet::from_keys(keys).map_err(|_| CacheError::Damaged)
}

/// Any bytes as the front of a cache, for `fuzz/`: whether they are one.
#[must_use]
pub fn is_cache(bytes: &[u8]) -> bool {
    split(bytes).is_ok_and(|(header, sealed)| {
        header.bytes(sealed.len()).is_ok_and(|written| written == bytes[..HEADER_BYTES])
    })
}

/// Bytes that have not been read yet.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], CacheError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(CacheError::Damaged)?;
        self.0 = rest;
        Ok(*taken)
    }
}
