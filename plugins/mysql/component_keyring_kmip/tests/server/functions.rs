//! The SQL functions: every type and length, every wrong argument, and whose keys are whose.

use ::mysql::Conn;
use ::mysql::prelude::Queryable;
use strongroom_testkit::folder::Scratch;
use strongroom_testkit::mysql::{Options, Server};
use strongroom_testkit::need;

use crate::rig::{RELOAD, Rig, create_functions, keys};

/// "Can't initialize function".
const WRONG_ARGUMENTS: u16 = 1123;

/// What a function returns; `None` is NULL, which is how it reports a failure.
fn call(server: &mut Server, call: &str) -> Option<String> {
    server.value_or_null(&format!("SELECT keyring_key_{call}"))
}

fn done(server: &mut Server, what: &str) {
    assert_eq!(call(server, what).as_deref(), Some("1"), "{what}\n{}", server.log());
}

fn refused(server: &mut Server, what: &str) {
    assert_eq!(call(server, what), None, "{what}");
}

#[test]
fn keys_of_every_kind_are_made_kept_read_and_removed() {
    let rig = Rig::new();
    let mut server = need!(Server::start(rig.server_for("db1")));
    let server = &mut server;
    create_functions(server);

    for bytes in [16, 24, 32] {
        done(server, &format!("generate('aes{bytes}', 'AES', {bytes})"));
        assert_eq!(call(server, &format!("length_fetch('aes{bytes}')")), Some(bytes.to_string()));
        assert_eq!(call(server, &format!("type_fetch('aes{bytes}')")).as_deref(), Some("AES"));
    }
    for bytes in [1, 100, 16384] {
        done(server, &format!("generate('secret{bytes}', 'secret', {bytes})"));
        assert_eq!(call(server, &format!("length_fetch('secret{bytes}')")), Some(bytes.to_string()));
        assert_eq!(call(server, &format!("type_fetch('secret{bytes}')")).as_deref(), Some("SECRET"));
    }
    assert_ne!(call(server, "fetch('aes16')"), call(server, "fetch('aes32')"));

    done(server, "store('stored', 'AES', '0123456789abcdef')");
    assert_eq!(call(server, "fetch('stored')").as_deref(), Some("0123456789abcdef"));
    done(server, "store('words', 'SECRET', 'correct horse battery staple')");
    assert_eq!(call(server, "fetch('words')").as_deref(), Some("correct horse battery staple"));
    done(server, "store('long', 'SECRET', REPEAT('x', 16384))");
    assert_eq!(call(server, "length_fetch('long')").as_deref(), Some("16384"));

    // What exists stays as it is.
    refused(server, "store('words', 'SECRET', 'other')");
    refused(server, "generate('words', 'SECRET', 5)");
    refused(server, "generate('stored', 'AES', 32)");
    assert_eq!(call(server, "fetch('words')").as_deref(), Some("correct horse battery staple"));
    assert_eq!(call(server, "length_fetch('stored')").as_deref(), Some("16"));

    // What is gone is gone, and its name is free again.
    for round in ["first", "second", "third"] {
        done(server, &format!("store('again', 'SECRET', '{round}')"));
        assert_eq!(call(server, "fetch('again')").as_deref(), Some(round));
        done(server, "remove('again')");
        refused(server, "fetch('again')");
        refused(server, "remove('again')");
    }
    for missing in ["fetch('nothing')", "length_fetch('nothing')", "type_fetch('nothing')"] {
        refused(server, missing);
    }

    // Names are bytes: case and script make a difference, and nothing in them has a meaning.
    for (name, value) in [
        ("Words", "upper"),
        ("sr1:a:b", "colons"),
        ("with space", "space"),
        ("50%", "percent"),
        ("ключ", "script"),
        ("a/b\\\\c", "slashes"),
    ] {
        done(server, &format!("store('{name}', 'SECRET', '{value}')"));
        assert_eq!(call(server, &format!("fetch('{name}')")).as_deref(), Some(value), "{name}");
    }

    // Kinds of key that the vault is not asked for.
    for refusal in ["generate('rsa', 'RSA', 128)", "generate('dsa', 'DSA', 128)", "store('rsa', 'RSA', 'x')"]
    {
        refused(server, refusal);
    }
    for refusal in ["generate('aes20', 'AES', 20)", "store('aes5', 'AES', 'seven77')"] {
        refused(server, refusal);
    }
    let log = server.log();
    for word in ["RSA", "DSA", "aes20", "aes5"] {
        let said = log.lines().filter(|line| line.contains("[ERROR]")).any(|line| line.contains(word));
        assert!(said, "nothing about {word} in\n{log}");
    }
    let before = keys(server);

    // Another process finds all of it.
    server.restart().expect("it starts again");
    assert_eq!(keys(server), before);
    assert_eq!(call(server, "fetch('words')").as_deref(), Some("correct horse battery staple"));
    assert_eq!(call(server, "fetch('ключ')").as_deref(), Some("script"));
    server.sql(RELOAD);
    assert_eq!(call(server, "fetch('Words')").as_deref(), Some("upper"));
}

/// What both keyrings are asked. `v` is an empty text that the server does not know to be one beforehand.
const ASKED: [&str; 46] = [
    "generate('k', 'BLOWFISH', 16)",
    "generate('k', 'AES', 0)",
    "generate('k', 'AES', -16)",
    "generate('k', 'AES', 16385)",
    "generate('k', 'SECRET', 0)",
    "generate('k', 'SECRET', 16385)",
    "generate('k', NULL, 16)",
    "generate('k', '', 16)",
    "generate('k', v, 16)",
    "generate('k', 'AES', NULL)",
    "generate('k', 'AES', 'sixteen')",
    "generate('', 'AES', 16)",
    "generate(v, 'AES', 16)",
    "generate(NULL, 'AES', 16)",
    "generate('k', 'AES')",
    "generate('k', 'AES', 16, 16)",
    "generate(1, 'AES', 16)",
    "store('k', 'SECRET', '')",
    "store('k', 'SECRET', NULL)",
    "store('k', 'SECRET', REPEAT('x', 16385))",
    "store('k', '', 'x')",
    "store('k', v, 'x')",
    "store('k', NULL, 'x')",
    "store('', 'SECRET', 'x')",
    "store(v, 'SECRET', 'x')",
    "store(NULL, 'SECRET', 'x')",
    "store('k', 'SECRET')",
    "fetch('k')",
    "fetch('')",
    "fetch(v)",
    "fetch(NULL)",
    "fetch()",
    "remove('k')",
    "remove('')",
    "remove(v)",
    "remove(NULL)",
    "length_fetch('')",
    "length_fetch(NULL)",
    "type_fetch(v)",
    "type_fetch(NULL)",
    // A secret of no bytes is one. The functions that read it say NULL, but it is listed, in the way of another, and removed.
    "store('empty', 'SECRET', v)",
    "fetch('empty')",
    "length_fetch('empty')",
    "type_fetch('empty')",
    "store('empty', 'SECRET', 'x')",
    "generate('empty', 'SECRET', 16)",
];

/// The server's answer to each question: a value, NULL, or its error.
fn answers(server: &mut Server, asked: &[&str]) -> Vec<String> {
    let answer = |what: &&str| match server.try_sql(&format!("SELECT keyring_key_{what} FROM t.texts")) {
        Ok(rows) => format!("{what}: {rows:?}"),
        Err(::mysql::Error::MySqlError(error)) => format!("{what}: {} {}", error.code, error.message),
        Err(error) => panic!("{what}: {error}\n{}", server.log()),
    };
    asked.iter().map(answer).collect()
}

#[test]
fn every_argument_is_answered_as_mysqls_own_component_answers_it() {
    let rig = Rig::new();
    let file = Scratch::new("keys");
    let path = file.path().join("keys.json");
    let stock = format!("{{\"path\": \"{}\", \"read_only\": false}}", path.display());
    let mut both = Vec::new();
    for options in [rig.server_for("db1"), Options::default().component("component_keyring_file", stock)] {
        let mut server = need!(Server::start(options));
        create_functions(&mut server);
        server.sql("CREATE DATABASE t");
        server.sql("CREATE TABLE t.texts (v VARCHAR(10))");
        server.sql("INSERT INTO t.texts VALUES ('')");
        // MySQL 8 gives a key of that length to a type that it has never heard of.
        let asked = if server.version() < (9, 0) { &ASKED[1..] } else { &ASKED };
        let mut said = answers(&mut server, asked);
        server.restart().expect("it starts again");
        said.extend(answers(
            &mut server,
            &["fetch('empty')", "length_fetch('empty')", "type_fetch('empty')"],
        ));
        said.extend(keys(&mut server));
        said.extend(answers(&mut server, &["remove('empty')", "fetch('empty')", "remove('empty')"]));
        said.extend(keys(&mut server));
        both.push(said);
    }
    let stock = both.pop().expect("two were asked");
    assert_eq!(both.first(), Some(&stock));
    // And it was no empty list of refusals that they agree upon.
    let count = |answer: &str| stock.iter().filter(|said| *said == answer).count();
    assert_eq!(count("store('empty', 'SECRET', v): [[Some(\"1\")]]"), 1, "{stock:#?}");
    assert_eq!(count("empty root@localhost"), 1, "{stock:#?}");
    assert_eq!(count("remove('empty'): [[Some(\"1\")]]"), 1, "{stock:#?}");
    // MySQL 8 says so in words, too, where the keyring is asked and refuses.
    let is_refusal =
        |said: &&String| [WRONG_ARGUMENTS, 3188].iter().any(|code| said.contains(&format!(": {code} ")));
    assert!(stock.iter().filter(is_refusal).count() > 10, "{stock:#?}");
}

#[test]
fn every_user_has_keys_of_their_own() {
    let rig = Rig::new();
    let mut server = need!(Server::start(rig.server_for("db1")));
    create_functions(&mut server);
    for user in ["ann", "bob"] {
        server.sql(&format!("CREATE USER {user}@localhost"));
        server.sql(&format!("GRANT EXECUTE ON *.* TO {user}@localhost"));
    }
    server.sql("CREATE USER eve@localhost");
    let ask = |connection: &mut Conn, call: &str| -> Option<String> {
        let row: Option<Option<String>> =
            connection.query_first(format!("SELECT keyring_key_{call}")).expect(call);
        row.flatten()
    };
    let connect = |server: &Server, user: &str| server.connection(user).expect("a connection");
    let (mut ann, mut bob) = (connect(&server, "ann"), connect(&server, "bob"));
    assert_eq!(ask(&mut ann, "store('k', 'SECRET', 'of ann')").as_deref(), Some("1"));
    assert_eq!(ask(&mut bob, "fetch('k')"), None);
    assert_eq!(ask(&mut bob, "store('k', 'SECRET', 'of bob')").as_deref(), Some("1"));
    assert_eq!(call(&mut server, "fetch('k')"), None);
    let refusal = connect(&server, "eve").query_first::<String, _>("SELECT keyring_key_fetch('k')");
    assert!(refusal.is_err(), "EXECUTE was not granted");

    server.restart().expect("it starts again");
    let (mut ann, mut bob) = (connect(&server, "ann"), connect(&server, "bob"));
    assert_eq!(ask(&mut ann, "fetch('k')").as_deref(), Some("of ann"));
    assert_eq!(ask(&mut bob, "fetch('k')").as_deref(), Some("of bob"));
    assert_eq!(keys(&mut server), ["k ann@localhost", "k bob@localhost"]);
    assert_eq!(ask(&mut bob, "remove('k')").as_deref(), Some("1"));
    assert_eq!(ask(&mut ann, "fetch('k')").as_deref(), Some("of ann"));
}
