//! Keys that come from elsewhere than a file: a named pipe, a Unix socket, a systemd credential.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::thread;

use strongroom_testkit::mariadb::{Series, Server};
use strongroom_testkit::{every_series, need};

use crate::rig::{FLUSH, KEY_1_LATER, KEYS, Rig, TABLE, Whose, refusal, rows};

every_series!(
    a_named_pipe_is_read_at_start_and_again_when_somebody_writes_to_it,
    a_unix_socket_is_asked_at_start_and_at_every_reload,
    a_credential_is_found_where_systemd_puts_it,
);

fn a_named_pipe_is_read_at_start_and_again_when_somebody_writes_to_it(series: Series) {
    let rig = need!(Rig::new(series, ""));
    fs::remove_file(rig.key_file()).expect("removed");
    assert!(Command::new("mkfifo").arg(rig.key_file()).status().expect("mkfifo").success());
    let write = |text: String| {
        let path = rig.key_file();
        thread::spawn(move || {
            let mut pipe = OpenOptions::new().write(true).open(path).expect("a reader");
            // A reader that gave up is no matter here.
            let _ = pipe.write_all(text.as_bytes());
        })
    };
    let first = write(KEYS.into());
    let mut server = need!(Server::start(rig.options(Whose::Ours)));
    first.join().expect("written");
    assert_eq!(rows(&mut server, TABLE).len(), 3);
    let said = refusal(&mut server, FLUSH);
    assert!(said.contains("is a named pipe and nobody writes to it"), "{said}");
    // Held open for both, so that the bytes are there before the statement is.
    let mut pipe = OpenOptions::new().read(true).write(true).open(rig.key_file()).expect("the pipe");
    pipe.write_all(format!("{KEYS}{KEY_1_LATER}").as_bytes()).expect("written");
    let mut another = server.connection().expect("connects");
    let flush = thread::spawn(move || mysql::prelude::Queryable::query_drop(&mut another, FLUSH));
    while !flush.is_finished() && is_pending(&rig) {
        thread::yield_now();
    }
    drop(pipe);
    flush.join().expect("a thread").expect("flushed");
    assert_eq!(rows(&mut server, TABLE).len(), 4);
}

/// Whether the pipe still holds what was written: nobody else has read it so far.
fn is_pending(rig: &Rig) -> bool {
    let pipe = OpenOptions::new().read(true).write(true).open(rig.key_file()).expect("the pipe");
    rustix::io::ioctl_fionread(&pipe).expect("a count") > 0
}

fn a_unix_socket_is_asked_at_start_and_at_every_reload(series: Series) {
    let rig = need!(Rig::new(series, ""));
    fs::remove_file(rig.key_file()).expect("removed");
    let listener = UnixListener::bind(rig.key_file()).expect("a socket");
    let answers = thread::spawn(move || {
        for text in [KEYS.to_owned(), format!("{KEYS}{KEY_1_LATER}")] {
            listener.accept().expect("a client").0.write_all(text.as_bytes()).expect("written");
        }
    });
    let mut server = need!(Server::start(rig.options(Whose::Ours)));
    assert_eq!(rows(&mut server, TABLE).len(), 3);
    server.sql(FLUSH);
    answers.join().expect("both were asked for");
    assert_eq!(rows(&mut server, TABLE).len(), 4);
    // Nobody listens any more, and the keys stay.
    let said = refusal(&mut server, FLUSH);
    assert!(said.contains("Connection refused"), "{said}");
    assert_eq!(rows(&mut server, TABLE).len(), 4);
}

fn a_credential_is_found_where_systemd_puts_it(series: Series) {
    let rig = need!(Rig::new(series, KEYS));
    let mut options = rig.options(Whose::Ours);
    options.args.retain(|arg| !arg.contains("filename"));
    let options = options.arg("--file-key-management-filename=CREDENTIAL:keys");
    let mut server = need!(Server::start(options.clone()));
    assert!(server.log().contains("LoadCredential=keys:PATH"), "{}", server.log());
    server.options_mut().env.push(("CREDENTIALS_DIRECTORY".into(), rig.path("").display().to_string()));
    server.restart().expect("starts");
    assert_eq!(rows(&mut server, TABLE).len(), 3);
}
