//! Every form as the `openssl` command writes it, opened and compared with the plain form of the same key.

use std::io::Write;
use std::process::{Command, Stdio};

use super::*;

/// Runs `openssl` with `input` on its standard input.
fn openssl(args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn has_openssl() -> bool {
    Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success())
}

fn rsa() -> Vec<u8> {
    openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], b"")
}

fn ec() -> Vec<u8> {
    openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], b"")
}

fn der(pem: &[u8], password: Option<&[u8]>) -> Vec<u8> {
    PrivateKey::from_pem(pem, password).unwrap().der().secret_der().to_vec()
}

#[test]
fn plain_keys_are_read_in_all_three_forms() {
    if !has_openssl() {
        strongroom_testkit::skip!("the openssl command is not installed");
    }
    let (rsa, ec) = (rsa(), ec());
    let kind = |pem: &[u8]| match PrivateKey::from_pem(pem, None).unwrap().der() {
        PrivateKeyDer::Pkcs8(_) => "pkcs8",
        PrivateKeyDer::Pkcs1(_) => "pkcs1",
        PrivateKeyDer::Sec1(_) => "sec1",
        _ => "other",
    };
    assert_eq!(kind(&rsa), "pkcs8");
    assert_eq!(kind(&ec), "pkcs8");
    assert_eq!(kind(&openssl(&["rsa", "-traditional"], &rsa)), "pkcs1");
    assert_eq!(kind(&openssl(&["ec"], &ec)), "sec1");
    // As `openssl ecparam -genkey` writes it, with its parameters before the key.
    let with_parameters = openssl(&["ecparam", "-name", "prime256v1", "-genkey"], b"");
    assert!(with_parameters.starts_with(b"-----BEGIN EC PARAMETERS-----"));
    assert_eq!(kind(&with_parameters), "sec1");
}

#[test]
fn keys_with_a_password_open_to_the_same_key_as_without_one() {
    if !has_openssl() {
        strongroom_testkit::skip!("the openssl command is not installed");
    }
    let (rsa, ec) = (rsa(), ec());
    let pass = ["-passout", "pass:opensesame"];
    let with = |args: &[&str], key: &[u8]| openssl(&[args, &pass].concat(), key);
    let pkcs8: &[&[&str]] = &[
        &["rsa", "-des3"],
        &["rsa", "-aes256"],
        &["pkcs8", "-topk8", "-v2", "aes-128-cbc"],
        &["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA1"],
        &["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512"],
        &["pkcs8", "-topk8", "-scrypt"],
    ];
    for args in pkcs8 {
        let pem = with(args, &rsa);
        assert!(pem.starts_with(b"-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{args:?}");
        assert_eq!(der(&pem, Some(b"opensesame")), der(&rsa, None), "{args:?}");
    }
    let plain_pkcs1 = der(&openssl(&["rsa", "-traditional"], &rsa), None);
    let plain_sec1 = der(&openssl(&["ec"], &ec), None);
    for cipher in ["-des3", "-aes128", "-aes192", "-aes256"] {
        let pem = with(&["rsa", cipher, "-traditional"], &rsa);
        assert!(String::from_utf8_lossy(&pem).contains("DEK-Info:"), "{cipher}");
        assert_eq!(der(&pem, Some(b"opensesame")), plain_pkcs1, "{cipher}");
        assert_eq!(der(&with(&["ec", cipher], &ec), Some(b"opensesame")), plain_sec1, "{cipher}");
    }
}

#[test]
fn a_wrong_password_is_told_from_damage_and_from_none() {
    if !has_openssl() {
        strongroom_testkit::skip!("the openssl command is not installed");
    }
    let rsa = rsa();
    for args in [&["rsa", "-des3"][..], &["rsa", "-des3", "-traditional"], &["rsa", "-aes256"]] {
        let pem = openssl(&[args, &["-passout", "pass:opensesame"]].concat(), &rsa);
        assert_eq!(PrivateKey::from_pem(&pem, None).unwrap_err(), KeyFileError::PasswordNeeded);
        // Often enough that noise with valid padding is among the results.
        let tries = if args.len() == 3 { 600 } else { 3 };
        for i in 0..tries {
            let wrong = format!("wrong{i}");
            assert_eq!(
                PrivateKey::from_pem(&pem, Some(wrong.as_bytes())).unwrap_err(),
                KeyFileError::WrongPassword
            );
        }
    }
}

#[test]
fn what_is_encrypted_in_another_way_is_named() {
    if !has_openssl() {
        strongroom_testkit::skip!("the openssl command is not installed");
    }
    let pem = openssl(&["pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", "-passout", "pass:x"], &rsa());
    let fault = PrivateKey::from_pem(&pem, Some(b"x")).unwrap_err();
    assert!(matches!(fault, KeyFileError::UnsupportedEncryption(_)), "{fault:?}");
}

#[test]
fn what_enrolment_encrypts_is_read_here_and_by_openssl() {
    if !has_openssl() {
        strongroom_testkit::skip!("the openssl command is not installed");
    }
    let key = rcgen::KeyPair::generate().unwrap();
    let pem = encrypt(&key.serialize_der(), b"opensesame").unwrap();
    assert_eq!(der(pem.as_bytes(), Some(b"opensesame")), key.serialize_der());
    let public =
        openssl(&["pkey", "-passin", "pass:opensesame", "-pubout", "-outform", "DER"], pem.as_bytes());
    assert_eq!(public, rcgen::PublicKeyData::subject_public_key_info(&key));
    assert_eq!(
        PrivateKey::from_pem(pem.as_bytes(), Some(b"other")).unwrap_err(),
        KeyFileError::WrongPassword
    );
    assert_eq!(encrypt(b"no key", b"x").unwrap_err(), KeyFileError::Malformed);
}

#[test]
fn text_without_a_key_and_damaged_text_are_refused() {
    let fault = |text: &str| PrivateKey::from_pem(text.as_bytes(), None).unwrap_err();
    assert_eq!(fault(""), KeyFileError::NoPrivateKey(vec![]));
    assert_eq!(
        fault("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        KeyFileError::NoPrivateKey(vec!["CERTIFICATE".into()])
    );
    assert_eq!(fault("-----BEGIN PRIVATE KEY-----\nAAAA\n"), KeyFileError::Malformed);
    assert_eq!(
        fault("-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----"),
        KeyFileError::Malformed
    );
    let encrypted =
        "-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: DES-EDE3-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----";
    assert_eq!(PrivateKey::from_pem(encrypted.as_bytes(), Some(b"x")).unwrap_err(), KeyFileError::Malformed);
}
