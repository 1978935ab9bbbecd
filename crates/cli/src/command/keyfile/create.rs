//! `strongroom keyfile create`

use serde_json::json;
use strongroom_keyring::key_file::{append, text};
use strongroom_keyring::versions::{KeyId, KeyVersion};
use zeroize::Zeroizing;

use super::{Fault, change, secret};
use crate::args::{KeyfileCreateArgs, KeyfileSecretArgs};
use crate::error::Error;
use crate::output::Output;

/// The longest line of a key that is made here: id 2, a semicolon, 64 digits, a line end.
const LINE_BYTES_MAX: usize = 67;

pub(super) fn run(args: &KeyfileCreateArgs, output: Output) -> Result<(), Error> {
    let path = &args.file.file;
    change::must_be_absent(path)?;
    let ids: &[u32] = if args.temporary { &[1, 2] } else { &[1] };
    let secret_args = &args.file.secret;
    // Whoever says how a secret is to be used wants one.
    let sealed = args.password
        || secret_args.filekey.is_some()
        || secret_args.password_fd.is_some()
        || !secret::is_stocks(secret_args);
    let secret = sealed.then(|| secret::to_seal(&args.file, output)).transpose()?;

    let mut lines = Zeroizing::new(Vec::with_capacity(ids.len() * LINE_BYTES_MAX));
    for &id in ids {
        let key = append::generate(args.bits).map_err(Fault::Change)?;
        lines.extend_from_slice(&text::line(KeyId(id), KeyVersion::FIRST, &key));
    }
    match &secret {
        Some(secret) => {
            change::write_new(path, &change::seal(&lines, secret, secret::derivation(secret_args))?)?;
        }
        None => change::write_new(path, &lines)?,
    }
    if output.is_json() {
        return output.json(&json!({ "file": path, "key_ids": ids, "bits": args.bits, "encrypted": sealed }));
    }
    output.note(format!(
        "Made {} with {}. For the server's configuration:\n  plugin_load_add = strongroom_file_key_management\n  \
         file_key_management_filename = {}\nThe server's account must be able to read it:  chown mysql: {0}",
        path.display(),
        if args.temporary { "keys 1 and 2" } else { "key 1" },
        std::path::absolute(path).as_deref().unwrap_or(path).display()
    ));
    if sealed {
        say_how_to_open(secret_args, output);
    }
    Ok(())
}

/// What a server needs to open an encrypted file, and how well the secret is guarded.
pub(super) fn say_how_to_open(args: &KeyfileSecretArgs, output: Output) {
    let file = args.filekey.as_deref().map_or_else(
        || "PATH".to_owned(),
        |path| std::path::absolute(path).as_deref().unwrap_or(path).display().to_string(),
    );
    output.note(format!("To open it, the server needs:\n  file_key_management_filekey = FILE:{file}"));
    if secret::is_stocks(args) {
        output.note(
            "A short password is guessed quickly here: use a long random secret, or\n--use-pbkdf2 (Strongroom's plugin, \
             and MariaDB's own from 12.0 on).",
        );
    } else {
        let digest = args.digest.name();
        output.note(format!(
            "  file_key_management_digest = {digest}\n  file_key_management_use_pbkdf2 = {}\nMariaDB's own \
             plugin knows these from 12.0 on, Strongroom's always.",
            args.use_pbkdf2
        ));
    }
}
