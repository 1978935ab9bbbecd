//! Bad input and bad neighbours: one clear message naming the thing and the remedy, and the right exit code.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use strongroom_testkit::vault::Vault;

use crate::{Ran, args, run, strongroom};

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn an_endpoint_directory_that_cannot_be_used_is_named() {
    let vault = Vault::start();
    let conf = vault.enrol("db1");
    let list = || run(args!["list", "--conf", &conf]);

    chmod(&conf.join("ssl/key.pem"), 0o644);
    let message = list().failed(1);
    assert!(message.contains("ssl/key.pem") && message.contains("chmod"), "{message}");
    chmod(&conf.join("ssl/key.pem"), 0o600);

    let servers = fs::read(conf.join("okvclient.ora")).unwrap();
    fs::write(conf.join("okvclient.ora"), "SERVER=one two\n").unwrap();
    let message = list().failed(1);
    assert!(message.contains("okvclient.ora"), "{message}");
    fs::write(conf.join("okvclient.ora"), &servers).unwrap();

    let key = fs::read(conf.join("ssl/key.pem")).unwrap();
    fs::write(conf.join("ssl/key.pem"), &key[..key.len() / 2]).unwrap();
    let message = list().failed(1);
    assert!(message.contains("key.pem"), "{message}");
    fs::write(conf.join("ssl/key.pem"), &key).unwrap();

    fs::remove_file(conf.join("ssl/CA.pem")).unwrap();
    let message = list().failed(1);
    assert!(message.contains("CA.pem"), "{message}");
}

#[test]
fn servers_that_refuse_or_are_silent_or_foreign_give_exit_code_4() {
    let mut vault = Vault::start();
    let conf = vault.enrol("db1");
    let other = Vault::start();
    let ora = conf.join("okvclient.ora");

    fs::write(&ora, format!("SERVER={}\n", other.kmip())).unwrap();
    let message = run(args!["list", "--conf", &conf]).failed(4);
    assert!(message.contains("CA.pem"), "another vault's authority is not ours: {message}");

    let talker = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = talker.local_addr().unwrap();
    fs::write(&ora, format!("SERVER={address}\n")).unwrap();
    std::thread::spawn(move || {
        use std::io::Write;
        while let Ok((mut peer, _)) = talker.accept() {
            let _ = peer.write_all(b"220 mail.example ESMTP\r\n");
        }
    });
    let message = run(args!["list", "--conf", &conf]).failed(4);
    assert!(message.contains(&address.to_string()) && message.contains("TLS"), "{message}");

    fs::write(&ora, format!("SERVER={}\n", vault.kmip())).unwrap();
    vault.stop();
    let message = run(args!["list", "--conf", &conf]).failed(4);
    assert!(message.contains(&vault.kmip().to_string()) && message.contains("refused"), "{message}");
    let ping = run(args!["ping", "--conf", &conf]);
    assert_eq!(ping.code, 4, "{ping:?}");
}

#[test]
fn ping_judges_every_server_of_the_list() {
    let vault = Vault::start();
    let conf = vault.enrol("db1");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fs::write(conf.join("okvclient.ora"), format!("SERVER={closed}\nSTANDBY_SERVER={}\n", vault.kmip()))
        .unwrap();
    assert_eq!(run(args!["ping", "--conf", &conf]).code, 4);
    let any = run(args!["ping", "--conf", &conf, "--any", "--json"]).ok();
    let report: serde_json::Value = serde_json::from_str(&any).unwrap();
    let passed: Vec<bool> =
        report.as_array().unwrap().iter().map(|server| server["ok"].as_bool().unwrap()).collect();
    assert_eq!(passed, [false, true]);
    assert_eq!(run(args!["list", "--conf", &conf]).ok(), "no objects found\n");
}

#[test]
fn a_vault_is_never_made_over_another() {
    let vault = Vault::init(Default::default());
    let slot = vault.dir().with_file_name("second-slot");
    let message = run(args!["vault", "init", "--dir", vault.dir(), "--file-slot", slot]).failed(1);
    assert!(message.contains(&vault.dir().display().to_string()), "{message}");
}

#[test]
fn a_sealed_vault_says_so_and_opens_with_its_passphrase_only() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("passphrase");
    fs::write(&secret, "open sesame\n").unwrap();
    let with_passphrase = |args: &[std::ffi::OsString], path: &Path| {
        Ran::of(strongroom(args).args(["--passphrase-fd", "0"]).stdin(fs::File::open(path).unwrap()))
    };
    let dir = folder.path().join("vault");
    with_passphrase(&args!["vault", "init", "--dir", &dir, "--name", "127.0.0.1"], &secret).ok();

    let log = fs::File::create(folder.path().join("log")).unwrap();
    let mut serve =
        strongroom(args!["vault", "serve", "--dir", &dir, "--kmip", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
    let status = || run(args!["vault", "status", "--dir", &dir, "--json"]);
    let sealed = strongroom_testkit::process::wait_until(std::time::Duration::from_secs(20), || {
        let status = status();
        (status.code == 0).then_some(status.stdout)
    });
    let outcome = std::panic::catch_unwind(|| {
        assert!(sealed.expect("the vault answers").contains("\"sealed\": true"));
        let message = run(args!["endpoint", "add", "db1", "--dir", &dir]).failed(4);
        assert!(message.contains("sealed") && message.contains("unseal"), "{message}");

        let wrong = folder.path().join("wrong");
        fs::write(&wrong, "open barley\n").unwrap();
        let message = with_passphrase(&args!["vault", "unseal", "--dir", &dir], &wrong).failed(5);
        assert!(message.contains("passphrase") && !message.contains("barley"), "{message}");
        with_passphrase(&args!["vault", "unseal", "--dir", &dir], &secret).ok();
        assert!(status().ok().contains("\"sealed\": false"));
        run(args!["endpoint", "add", "db1", "--dir", &dir]).ok();
    });
    let _ = serve.kill();
    let _ = serve.wait();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn errors_are_json_when_asked() {
    let ran = run(["list", "--conf", "/nowhere/at/all", "--json"]);
    let error: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!(error["error"]["exit"], 1);
    assert_eq!(ran.code, 1);
}

#[test]
fn a_reader_that_goes_away_is_no_complaint() {
    let mut child = strongroom(["man"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.stderr, "");
}
