//! System variables. The server puts `file_key_management_` in front of each name.
//!
//! The first three are those of the server's own plugin, `digest` and `use_pbkdf2` those it has since 12.0; the last two
//! are ours. mariadb-backup copies every variable it sees into its own configuration, so each of them is accepted with the
//! value it shows, and none of them does anything when it is set to that value.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering};

use strongroom_key_versions::key_file::{Derivation, Digest, FileKey, Location};
use strongroom_mariadb_core::crypt::Algorithm;
use strongroom_mariadb_core::layout::{
    EnumVariable, ServerOwned, StringVariable, SwitchVariable, TypeLib, UintVariable, VariableHeader,
};
use strongroom_mariadb_core::served;
use strongroom_mariadb_core::server::{ServerVersion, server_version};
use strongroom_plugin_abi::text;

use crate::source::Configuration;

static FILENAME: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());
static FILEKEY: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());
static ALGORITHM: AtomicU64 = AtomicU64::new(0);
static DIGEST: AtomicU64 = AtomicU64::new(0);
static USE_PBKDF2: AtomicU32 = AtomicU32::new(0);
static RELOAD: AtomicU8 = AtomicU8::new(0);
static ALLOW_KEY_WRITES: AtomicU8 = AtomicU8::new(0);

/// Positions are the numbers of [`Algorithm`].
static ALGORITHM_WORDS: ServerOwned<[*const c_char; 3]> =
    ServerOwned::new([c"aes_cbc".as_ptr(), c"aes_ctr".as_ptr(), ptr::null()]);
static ALGORITHMS: ServerOwned<TypeLib> = ServerOwned::new(TypeLib::new(2, ALGORITHM_WORDS.as_ptr().cast()));

/// Positions are those of [`DIGEST_VALUES`].
static DIGEST_WORDS: ServerOwned<[*const c_char; 6]> = ServerOwned::new([
    c"sha1".as_ptr(),
    c"sha224".as_ptr(),
    c"sha256".as_ptr(),
    c"sha384".as_ptr(),
    c"sha512".as_ptr(),
    ptr::null(),
]);
static DIGESTS: ServerOwned<TypeLib> = ServerOwned::new(TypeLib::new(5, DIGEST_WORDS.as_ptr().cast()));
const DIGEST_VALUES: [Digest; 5] =
    [Digest::Sha1, Digest::Sha224, Digest::Sha256, Digest::Sha384, Digest::Sha512];

static FILENAME_VARIABLE: ServerOwned<StringVariable> =
    ServerOwned::new(StringVariable::new(c"filename", c"Path and name of the key file", &FILENAME, c""));
static FILEKEY_VARIABLE: ServerOwned<StringVariable> =
    ServerOwned::new(StringVariable::new(c"filekey", c"Key to encrypt / decrypt the keyfile", &FILEKEY, c""));
static ALGORITHM_VARIABLE: ServerOwned<EnumVariable> = ServerOwned::new(EnumVariable::new(
    c"encryption_algorithm",
    c"Encryption algorithm to use, aes_ctr is the recommended one",
    &ALGORITHM,
    Algorithm::AesCbc as u64,
    ALGORITHMS.as_ptr(),
));
static DIGEST_VARIABLE: ServerOwned<EnumVariable> = ServerOwned::new(EnumVariable::new(
    c"digest",
    c"Digest algorithm used for decrypting the key file. The value of the openssl enc -md option",
    &DIGEST,
    0,
    DIGESTS.as_ptr(),
));
static USE_PBKDF2_VARIABLE: ServerOwned<UintVariable> = ServerOwned::new(UintVariable::new(
    c"use_pbkdf2",
    c"Number of PBKDF2 iteration used for decrypting the key file. Use 0 to disable PBKDF2, otherwise it's a value of the \
      openssl enc -iter option",
    &USE_PBKDF2,
    (0, 0, u32::MAX),
    None,
));
static RELOAD_VARIABLE: ServerOwned<SwitchVariable> = ServerOwned::new(SwitchVariable::new(
    c"reload",
    c"Setting it to ON reads the key file again, as FLUSH FILE_KEY_MANAGEMENT_KEYS does; it is OFF again afterwards",
    &RELOAD,
    Some(served::check_reload),
));
static ALLOW_KEY_WRITES_VARIABLE: ServerOwned<SwitchVariable> = ServerOwned::new(SwitchVariable::new(
    c"allow_key_writes",
    c"The function file_key_management_save_key_version may add keys to the key file",
    &ALLOW_KEY_WRITES,
    None,
));

/// Every variable, and the null pointer that ends them.
pub(crate) static ALL: ServerOwned<[*mut c_void; 8]> = ServerOwned::new([
    FILENAME_VARIABLE.as_ptr().cast(),
    FILEKEY_VARIABLE.as_ptr().cast(),
    ALGORITHM_VARIABLE.as_ptr().cast(),
    DIGEST_VARIABLE.as_ptr().cast(),
    USE_PBKDF2_VARIABLE.as_ptr().cast(),
    RELOAD_VARIABLE.as_ptr().cast(),
    ALLOW_KEY_WRITES_VARIABLE.as_ptr().cast(),
    ptr::null_mut(),
]);

/// The first series whose help texts end without a full stop; those of 11.4 have one.
const WITHOUT_FULL_STOPS: (u32, u32) = (11, 5);

/// Gives the three variables of old the help texts of this server's own plugin. To be called while the library is being
/// loaded.
pub(crate) fn prepare() {
    if !has_full_stops(server_version()) {
        return;
    }
    let texts: [(*mut c_void, &'static CStr); 3] = [
        (FILENAME_VARIABLE.as_ptr().cast(), c"Path and name of the key file."),
        (FILEKEY_VARIABLE.as_ptr().cast(), c"Key to encrypt / decrypt the keyfile."),
        (ALGORITHM_VARIABLE.as_ptr().cast(), c"Encryption algorithm to use, aes_ctr is the recommended one."),
    ];
    for (variable, text) in texts {
        // SAFETY: every variable begins with the header, and the loader runs this before anybody else can know the library.
        unsafe { VariableHeader::set_comment(variable.cast(), text) };
    }
}

fn has_full_stops(server: Option<ServerVersion>) -> bool {
    server.is_some_and(|version| version.series() < WITHOUT_FULL_STOPS)
}

/// The variables as they are now. To be called when the server has filled them in, which it does before it initialises
/// the plugin.
pub(crate) fn configuration() -> Configuration {
    // SAFETY: the server keeps both texts for as long as the plugin is loaded, and they are set at start only.
    let (filename, filekey) = unsafe {
        (
            text::bytes_from_c(FILENAME.load(Ordering::Relaxed)),
            text::bytes_from_c(FILEKEY.load(Ordering::Relaxed)),
        )
    };
    let digest = usize::try_from(DIGEST.load(Ordering::Relaxed)).unwrap_or(0);
    Configuration {
        location: filename.and_then(Location::parse),
        file_key: FileKey::parse(filekey.unwrap_or_default()),
        derivation: Derivation {
            digest: DIGEST_VALUES.get(digest).copied().unwrap_or_default(),
            pbkdf2_rounds: USE_PBKDF2.load(Ordering::Relaxed),
        },
        algorithm: Algorithm::from_number(ALGORITHM.load(Ordering::Relaxed)),
    }
}

/// Whether keys may be added to the file.
pub(crate) fn key_writes_are_allowed() -> bool {
    ALLOW_KEY_WRITES.load(Ordering::Relaxed) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_texts_are_those_of_the_series() {
        for (text, expected) in [
            ("10.6.23-MariaDB", true),
            ("10.11.19-MariaDB", true),
            ("11.4.5", true),
            ("11.8.6", false),
            ("12.0.1", false),
            ("12.3.0-MariaDB", false),
        ] {
            assert_eq!(has_full_stops(ServerVersion::parse(text)), expected, "{text}");
        }
        assert!(!has_full_stops(None));
    }
}
