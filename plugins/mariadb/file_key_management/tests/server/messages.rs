//! Every file that the server's own plugin accepts or refuses, held against it: the same outcome, and the same lines in the
//! error log.

use std::fs;
use std::process::Stdio;

use strongroom_key_versions::key_file::{Derivation, sealed};
use strongroom_testkit::mariadb::Series;
use strongroom_testkit::{every_series, need};

use crate::rig::{Rig, Whose};

every_series!(
    lines_are_accepted_as_by_stock,
    lines_are_refused_as_by_stock,
    secrets_and_encrypted_files_are_taken_and_refused_as_by_stock,
    a_missing_file_and_a_missing_name_are_said_as_by_stock,
    stock_refuses_a_file_with_versions_that_is_good_here,
);

const K: &str = "00112233445566778899aabbccddeeff";

/// What a server that does nothing else says of its encryption plugin; nothing when it took the file.
fn said(rig: &Rig, whose: Whose, args: &[String]) -> Vec<String> {
    let data = tempfile::tempdir().expect("a folder");
    let installation = &rig.installation;
    let mut command = installation.command();
    command
        .args(["--no-defaults", "--bootstrap", "--innodb=OFF", "--default-storage-engine=MyISAM"])
        .arg(format!("--basedir={}", installation.base.display()))
        .arg(format!("--lc-messages-dir={}", installation.share.display()))
        .arg(format!("--datadir={}", data.path().display()))
        .arg(format!("--plugin-dir={}", rig.plugin_dir(whose).display()))
        .arg(format!("--plugin-load-add={}", Rig::library(whose)))
        .args(args)
        .stdin(Stdio::null());
    if fs::metadata("/proc/self").is_ok_and(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == 0) {
        command.arg("--user=root");
    }
    let output = command.output().expect("mariadbd runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<String> = text
        .lines()
        .filter_map(|line| line.split_once("[ERROR] ").or_else(|| line.split_once("[Warning] ")))
        .map(|(_, message)| message.to_owned())
        // The limits of the machine are no business of the plugin's.
        .filter(|message| !message.contains("max_open_files"))
        .collect();
    assert!(lines.is_empty() || lines.iter().any(|line| line.contains("file_key_management")), "{text}");
    lines
}

/// Both plugins say the same; returns it.
fn same(rig: &Rig, what: &str, args: &[String]) -> Vec<String> {
    let stock = said(rig, Whose::Stock, args);
    assert_eq!(said(rig, Whose::Ours, args), stock, "{what}");
    stock
}

fn with_file(rig: &Rig, content: &[u8], file_key: &str) -> Vec<String> {
    rig.set_keys(content);
    let mut args = vec![format!("--file-key-management-filename={}", rig.key_file().display())];
    if !file_key.is_empty() {
        args.push(format!("--file-key-management-filekey={file_key}"));
    }
    same(rig, &String::from_utf8_lossy(&content[..content.len().min(200)]), &args)
}

fn lines_are_accepted_as_by_stock(series: Series) {
    let rig = need!(Rig::new(series, ""));
    let full = format!("1;{K}\n{}", "#".repeat(1024 * 1024 - 35));
    for content in [
        format!("1;{K}"),
        format!("1;{K}\r\n\r\n# c\r\n"),
        format!("\n  # a comment\n#1;zz\n \t\r\x0b\x0c1;{K}{K}\n\n"),
        format!("1;{K} --> ignored\n0002;{K}zz\n4294967295;{K}{}\n1;{K}{K}", &K[..16]),
        format!("1;{K};2;{K}\n  # no end"),
        format!("1;{K}\n\0 nonsense"),
        full,
    ] {
        assert_eq!(with_file(&rig, content.as_bytes(), ""), [""; 0], "{content:.80}");
    }
}

fn lines_are_refused_as_by_stock(series: Series) {
    let rig = need!(Rig::new(series, ""));
    for content in [
        format!("1;{K}\n  "),
        format!("  1 ;{K}"),
        "1".into(),
        format!("  -1;{K}"),
        format!("\u{FEFF}1;{K}"),
        format!("   0;{K}"),
        format!("1;{K}\n99999999999999999999999999;{K}"),
        format!("4294967296;{K}"),
        "1;".into(),
        format!("1; {K}"),
        format!("  1;{K}0"),
        format!("1;{}", &K[..16]),
        format!("1;{K}{K}0011223344556677"),
        format!("1;{K}{K}0"),
        format!("2;{K}\n3;{K}"),
        format!("2;{K}\n\0001;{K}"),
        String::new(),
        "\n\n".into(),
        "#".repeat(1024 * 1024 + 1),
    ] {
        assert_eq!(with_file(&rig, content.as_bytes(), "").len(), 3, "{content:.80}");
    }
}

fn secrets_and_encrypted_files_are_taken_and_refused_as_by_stock(series: Series) {
    let rig = need!(Rig::new(series, ""));
    let text = format!("1;{K}\n");
    let sealed = sealed::seal(text.as_bytes(), b"open sesame", Derivation::default()).expect("sealed");
    let secret = |name: &str, content: &[u8]| {
        fs::write(rig.path(name), content).expect("written");
        format!("FILE:{}", rig.path(name).display())
    };
    let good = secret("good", b"open sesame\r\n\r\n");
    for (content, file_key) in [
        (&sealed[..], "open sesame"),
        (&sealed, &good),
        (text.as_bytes(), &secret("newline", b"\n")),
        (text.as_bytes(), &secret("zero", b"\0x")),
    ] {
        assert_eq!(with_file(&rig, content, file_key), [""; 0], "{file_key}");
    }
    let long_line = [&[b'x'; 256][..], b"\n\n"].concat();
    for (content, file_key) in [
        (&sealed[..], ""),
        (&sealed, "open sesamE"),
        (&sealed, &secret("blank", b"open sesame \n")),
        (&sealed[..17], "open sesame"),
        (b"Salted__x", "open sesame"),
        (b"Salted__", "open sesame"),
        (b"", "open sesame"),
        (text.as_bytes(), "open sesame"),
        (text.as_bytes(), &"x".repeat(300)),
        (text.as_bytes(), &secret("long", &[b'x'; 257])),
        (text.as_bytes(), &secret("just", &long_line)),
        (text.as_bytes(), "FILE:/nonexistent/secret"),
        (text.as_bytes(), "FILE:/"),
        (text.as_bytes(), "FILE:"),
    ] {
        assert_eq!(with_file(&rig, content, file_key).len(), 3, "{file_key}");
    }
}

fn a_missing_file_and_a_missing_name_are_said_as_by_stock(series: Series) {
    let rig = need!(Rig::new(series, ""));
    let name = |value: &str| format!("--file-key-management-filename={value}");
    assert_eq!(same(&rig, "no name", &[]).len(), 3);
    assert_eq!(same(&rig, "empty name", &[name("")]).len(), 3);
    assert_eq!(same(&rig, "no file", &[name("/nonexistent/keys")]).len(), 3);
    let no_secret = "--file-key-management-filekey=FILE:/nonexistent/secret".to_owned();
    assert_eq!(same(&rig, "neither", &[name(""), no_secret]).len(), 3);
}

/// What the guide tells about going back to the server's own plugin.
fn stock_refuses_a_file_with_versions_that_is_good_here(series: Series) {
    let rig = need!(Rig::new(series, &format!("1;{K}\n1;3;{K}\n")));
    let args = [format!("--file-key-management-filename={}", rig.key_file().display())];
    assert_eq!(said(&rig, Whose::Ours, &args), [""; 0]);
    let stock = said(&rig, Whose::Stock, &args);
    assert!(stock[0].contains("Invalid key at") && stock[0].ends_with("line 2, column 3"), "{stock:?}");
}
