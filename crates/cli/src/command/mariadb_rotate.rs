//! `strongroom mariadb rotate`: a new version of a key on the KMIP server, and a running server that uses it.
//!
//! Everything that can be found wrong is found before the version is made. Once it is made it is good, whatever comes after: the server
//! takes it up with its next refresh.

use mysql::Conn;
use mysql::prelude::Queryable;
use serde_json::json;
use strongroom_keyring::versions::{KeyId, KeyVersion, KmipVersions};

use super::endpoint_session;
use super::mariadb_status::{connect, refused};
use super::mariadb_versions::Served;
use crate::args::MariadbRotateArgs;
use crate::error::Error;
use crate::output::{Output, Steps};

const PLUGIN: &str = "kmip_key_management";
const IS_ACTIVE: &str = "SELECT COUNT(*) FROM information_schema.PLUGINS \
     WHERE PLUGIN_NAME = 'kmip_key_management' AND PLUGIN_STATUS = 'ACTIVE'";
/// Not `FLUSH` alone, which goes to the replicas and stops those that lack the plugin.
const FLUSH: &str = "FLUSH LOCAL KMIP_KEY_MANAGEMENT_KEYS";
/// For servers on which the plugin has no `FLUSH`.
const RELOAD: &str = "SET GLOBAL kmip_key_management_reload = ON";
/// `ER_PARSE_ERROR`.
const PARSE_ERROR: u16 = 1064;
/// Setting it to what it is makes InnoDB's threads look for work.
const WAKE: &str = "SET GLOBAL innodb_encryption_rotate_key_age = @@GLOBAL.innodb_encryption_rotate_key_age";

/// What the server says before anything is done.
struct Server {
    prefix: String,
    /// The latest version of the key that it uses; none where it does not say.
    latest: Option<KeyVersion>,
    age: u32,
    threads: u32,
    encrypts: bool,
}

pub(crate) fn run(args: &MariadbRotateArgs, output: Output) -> Result<(), Error> {
    let id = KeyId(args.key_id);
    let session = endpoint_session::session(&args.conf.conf, output)?;
    let mut connection = connect(&args.server)?;
    let mut steps = Steps::silent(!output.speaks());
    let (server, step) = steps.run("Ask the server", || {
        let server = ask(&mut connection, id)?;
        let step = args.step.unwrap_or_else(|| server.age.saturating_add(1).max(2));
        let proof = match server.age {
            0 => format!(
                "the version rises by {step}; innodb_encryption_rotate_key_age is 0, so nothing old is re-encrypted"
            ),
            age => format!(
                "the version rises by {step}; InnoDB re-encrypts what is more than {age} behind \
                 (innodb_encryption_rotate_key_age)"
            ),
        };
        Ok(((server, step), proof))
    })?;
    let version = steps.run("Make a new version", || {
        let keys = KmipVersions::with_prefix(session, args.prefix.as_ref().unwrap_or(&server.prefix));
        let version = match server.latest {
            Some(latest) if args.prefix.as_ref().is_none_or(|prefix| *prefix == server.prefix) => {
                keys.rotate_in_use(id, step, latest)
            }
            _ => keys.rotate(id, step),
        };
        let version = version.map_err(Error::Versions)?;
        Ok((version, format!("the KMIP server has version {version} of key {id}")))
    })?;
    steps.run("Have the server load it", || load(&mut connection, id, version))?;
    let idle = if server.age == 0 {
        Some("innodb_encryption_rotate_key_age is 0")
    } else if step <= server.age {
        Some("the new version is too close to the one before; see --step")
    } else if server.threads == 0 {
        Some("innodb_encryption_threads is 0")
    } else if !server.encrypts {
        Some("innodb_encrypt_tables is OFF")
    } else {
        None
    };
    match idle {
        Some(reason) => steps.skip("Re-encrypt old pages", reason)?,
        None => steps.run("Re-encrypt old pages", || {
            connection.query_drop(WAKE).map_err(refused(WAKE))?;
            Ok((
                (),
                "InnoDB's threads are at it; strongroom mariadb status shows how far they are".to_owned(),
            ))
        })?,
    }
    if output.is_json() {
        return output.json(&json!({
            "key_id": id.0,
            "version": version.number(),
            "step": step,
            "re_encrypts": idle.is_none(),
            "steps": steps.taken(),
        }));
    }
    output.result(version)
}

fn ask(connection: &mut Conn, id: KeyId) -> Result<Server, Error> {
    let active: Option<u32> = connection.query_first(IS_ACTIVE).map_err(refused(IS_ACTIVE))?;
    if active != Some(1) {
        return Err(Error::NotHeld {
            what:
                "the server does not have its keys from kmip_key_management; keys in a file are rotated with \
                   strongroom keyfile rotate"
                    .to_owned(),
        });
    }
    let latest = Served::ask(connection, PLUGIN)?.and_then(|served| served.latest(id));
    let mut variable = |name: &str| -> Result<String, Error> {
        let statement = format!("SELECT @@GLOBAL.{name}");
        let value: Option<String> = connection.query_first(&statement).map_err(refused(&statement))?;
        Ok(value.unwrap_or_default())
    };
    Ok(Server {
        prefix: variable("kmip_key_management_key_prefix")?,
        latest,
        age: variable("innodb_encryption_rotate_key_age")?.parse().unwrap_or_default(),
        threads: variable("innodb_encryption_threads")?.parse().unwrap_or_default(),
        encrypts: !matches!(variable("innodb_encrypt_tables")?.as_str(), "OFF" | "0"),
    })
}

fn load(connection: &mut Conn, id: KeyId, version: KeyVersion) -> Result<((), String), Error> {
    match connection.query_drop(FLUSH) {
        Err(mysql::Error::MySqlError(error)) if error.code == PARSE_ERROR => {
            connection.query_drop(RELOAD).map_err(refused(RELOAD))?;
        }
        answer => answer.map_err(refused(FLUSH))?,
    }
    if Served::ask(connection, PLUGIN)?.is_some_and(|served| served.is_latest(id, version)) {
        Ok(((), format!("it writes with version {version} of key {id} from now on")))
    } else {
        Err(Error::NotHeld {
            what: format!(
                "the server does not see version {version} of key {id}, which was made: it has its keys from another KMIP \
                 server, or under another prefix"
            ),
        })
    }
}
