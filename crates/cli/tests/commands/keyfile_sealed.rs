//! MariaDB's key file encrypted: with `openssl enc` on the other side.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Ran, args, strongroom};

const SECRET: &str = "open sesame, please";

fn plain() -> (tempfile::TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.txt");
    Ran::of(&mut strongroom(args!["keyfile", "create", &path, "--temporary"])).ok();
    let text = fs::read_to_string(&path).unwrap();
    (folder, path, text)
}

/// Runs with the secret on descriptor 0.
fn with_secret(verb: &str, path: &Path, secret: &str, rest: &[&str]) -> Ran {
    let mut command = strongroom(args!["keyfile", verb, path, "--password-fd", "0"]);
    command.args(rest).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A run that refuses early does not read it.
    let _ = writeln!(child.stdin.take().unwrap(), "{secret}");
    let ran = Ran::from(child.wait_with_output().unwrap()).unwrapped();
    assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "the secret was shown: {ran:?}");
    ran
}

/// Runs without a terminal to ask on.
fn without_terminal(arguments: impl IntoIterator<Item = OsString>) -> Ran {
    let mut command = Command::new("setsid");
    command.arg("--wait").arg(env!("CARGO_BIN_EXE_strongroom")).args(arguments).stdin(Stdio::null());
    Ran::of(&mut command).unwrapped()
}

fn openssl(arguments: &[&str], input: &Path) -> Option<Vec<u8>> {
    let output = Command::new("openssl")
        .args(["enc", "-aes-256-cbc", "-pass", &format!("pass:{SECRET}")])
        .args(arguments)
        .arg("-in")
        .arg(input)
        .output()
        .ok()?;
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

#[test]
fn openssl_opens_what_is_encrypted_and_its_files_are_opened() {
    for (ours, theirs) in [
        (&[][..], &["-md", "sha1"][..]),
        (&["--digest", "sha512"], &["-md", "sha512"]),
        (&["--digest", "sha224", "--use-pbkdf2", "1000"], &["-md", "sha224", "-pbkdf2", "-iter", "1000"]),
    ] {
        let (_folder, path, text) = plain();
        let Some(sealed_by_them) = openssl(theirs, &path) else {
            strongroom_testkit::skip!("the openssl command is not installed");
        };
        with_secret("encrypt", &path, SECRET, ours).ok();
        assert!(fs::read(&path).unwrap().starts_with(b"Salted__"));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(openssl(&[theirs, &["-d"]].concat(), &path).unwrap(), text.as_bytes());

        fs::write(&path, sealed_by_them).unwrap();
        assert!(with_secret("check", &path, SECRET, ours).ok().contains("2 keys, 2 versions, encrypted"));
        // A version more, and still encrypted, for openssl as well.
        assert_eq!(with_secret("rotate", &path, SECRET, &[ours, &["--key-id", "1"]].concat()).ok(), "3\n");
        let grown = openssl(&[theirs, &["-d"]].concat(), &path).unwrap();
        let new = grown.strip_prefix(text.as_bytes()).unwrap();
        assert!(new.starts_with(b"1;3;") && new.len() == 4 + 64 + 1);
        with_secret("decrypt", &path, SECRET, ours).ok();
        assert_eq!(fs::read(&path).unwrap(), grown);
    }
}

#[test]
fn a_wrong_secret_changes_nothing_and_is_told_apart() {
    let (_folder, path, _) = plain();
    with_secret("encrypt", &path, SECRET, &[]).ok();
    let before = fs::read(&path).unwrap();
    for (verb, rest) in [
        ("check", &[][..]),
        ("list", &[]),
        ("decrypt", &[]),
        ("add", &["--key-id", "7"]),
        ("rotate", &["--key-id", "1"]),
    ] {
        let refused = with_secret(verb, &path, "another", rest).failed(5);
        // One in about 256 wrong secrets passes the padding; what comes out are no lines then.
        assert!(refused.contains("Wrong key?") || refused.contains(" line "), "{refused}");
        let refused = with_secret(verb, &path, SECRET, &[rest, &["--digest", "sha256"]].concat()).failed(5);
        assert!(refused.contains("--digest") || refused.contains(" line "), "{refused}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn nobody_is_asked_where_there_is_no_terminal() {
    let (_folder, path, text) = plain();
    let refused = without_terminal(args!["keyfile", "encrypt", &path]).failed(1);
    assert!(refused.contains("--filekey or --password-fd"), "{refused}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    // A file in the clear needs no secret.
    without_terminal(args!["keyfile", "check", &path]).ok();
    with_secret("encrypt", &path, SECRET, &[]).ok();
    for verb in ["check", "list", "decrypt"] {
        let refused = without_terminal(args!["keyfile", verb, &path]).failed(1);
        assert!(refused.contains("is encrypted and there is no terminal"), "{refused}");
    }
}

#[test]
fn a_file_holds_the_secret_as_for_the_server() {
    let (folder, path, text) = plain();
    let secret = folder.path().join("secret");
    fs::write(&secret, format!("{SECRET}\r\n\n")).unwrap();
    let keyfile = |verb: &str, path: &Path| {
        Ran::of(&mut strongroom(args!["keyfile", verb, path, "--filekey", &secret])).unwrapped()
    };
    let refused = keyfile("check", &path).failed(1);
    assert!(refused.contains("Not encrypted"), "{refused}");

    let told = keyfile("encrypt", &path);
    assert!(told.stderr.contains(&format!("FILE:{}", secret.display())), "{told:?}");
    told.ok();
    // The same secret, come by another way.
    with_secret("list", &path, SECRET, &[]).ok();
    let again = keyfile("encrypt", &path).failed(1);
    assert!(again.contains("is encrypted already"), "{again}");
    keyfile("decrypt", &path).ok();
    assert_eq!(fs::read_to_string(&path).unwrap(), text);

    for (content, expected) in [("", "it is empty"), ("\n", "the secret is empty")] {
        fs::write(&secret, content).unwrap();
        let refused = keyfile("encrypt", &path).failed(1);
        assert!(refused.contains(expected), "{refused}");
    }
    fs::write(&secret, "x".repeat(257)).unwrap();
    assert!(keyfile("encrypt", &path).failed(1).contains("max secret size is 256 bytes"));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    let nothing = Ran::of(&mut strongroom(args!["keyfile", "decrypt", &path])).unwrapped().failed(1);
    assert!(nothing.contains("is not encrypted"), "{nothing}");
}

#[test]
fn a_result_beside_leaves_the_file_as_it_is() {
    let (folder, path, text) = plain();
    let sealed = folder.path().join("keys.enc");
    let out = sealed.to_str().unwrap();
    with_secret("encrypt", &path, SECRET, &["--out", out]).ok();
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(fs::metadata(&sealed).unwrap().mode() & 0o7777, 0o600);
    let kept = with_secret("encrypt", &path, SECRET, &["--out", out]).failed(1);
    assert!(kept.contains("exists and is not overwritten"), "{kept}");
    let opened = folder.path().join("again.txt");
    with_secret("decrypt", &sealed, SECRET, &["--out", opened.to_str().unwrap()]).ok();
    assert_eq!(fs::read_to_string(&opened).unwrap(), text);
    assert!(fs::read(&sealed).unwrap().starts_with(b"Salted__"));
}

#[test]
fn a_file_can_be_encrypted_from_its_first_byte_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.enc");
    with_secret("create", &path, SECRET, &["--digest", "sha256", "--use-pbkdf2", "100"]).ok();
    assert!(fs::read(&path).unwrap().starts_with(b"Salted__"));
    let checked = with_secret("check", &path, SECRET, &["--digest", "sha256", "--use-pbkdf2", "100"]).ok();
    assert!(checked.contains("1 key, 1 version, encrypted"), "{checked}");
    // Who asks for a digest does not get a file in the clear.
    let other = folder.path().join("other.enc");
    let refused = without_terminal(args!["keyfile", "create", &other, "--digest", "sha256"]).failed(1);
    assert!(refused.contains("ask for a secret"), "{refused}");
    assert!(!other.exists());
}

#[test]
fn lines_that_no_server_takes_are_not_encrypted() {
    let (_folder, path, _) = plain();
    fs::write(&path, "nonsense\n").unwrap();
    let refused = with_secret("encrypt", &path, SECRET, &[]).failed(5);
    assert!(refused.contains("Syntax error"), "{refused}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "nonsense\n");
}
