//! `strongroom mysql status`: the keyring, the master keys, what is encrypted, and what a rotation would touch.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::json;

use super::account::Account;
use super::configuration::Vault;
use super::headers::Headers;
use super::keys::{self, VaultKeys};
use super::site::Site;
use crate::args::MysqlStatusArgs;
use crate::error::Error;
use crate::output::{Output, STRONG, Table, WIDTH, printable, wrap};

/// An encrypted tablespace.
#[derive(Debug, Serialize)]
pub(super) struct Tablespace {
    pub(super) name: String,
    /// `Single`, `General`, `Undo`, `System`, as the server says.
    pub(super) kind: String,
    #[serde(skip)]
    pub(super) file: PathBuf,
    /// The master key that its header names; none where the file cannot be read.
    pub(super) master_key: Option<String>,
}

/// What a server tells of itself.
#[derive(Debug, Serialize)]
pub(super) struct Facts {
    pub(super) version: String,
    pub(super) uuid: String,
    datadir: PathBuf,
    /// Rows of `keyring_component_status`, or the plugin.
    keyring: BTreeMap<String, String>,
    /// Numbers of the master keys in the keyring, ascending.
    pub(super) master_keys: Vec<u32>,
    pub(super) settings: BTreeMap<&'static str, String>,
    pub(super) tablespaces: Vec<Tablespace>,
}

/// What the server encrypts beside tables.
const SETTINGS: [&str; 6] = [
    "default_table_encryption",
    "innodb_redo_log_encrypt",
    "innodb_undo_log_encrypt",
    "log_bin",
    "binlog_encryption",
    "keyring_operations",
];

/// Every file of every encrypted tablespace that has a header to rotate.
const TABLESPACES: &str = "SELECT t.NAME, t.SPACE_TYPE, f.FILE_NAME FROM information_schema.INNODB_TABLESPACES t \
     JOIN information_schema.FILES f ON f.FILE_ID = t.SPACE WHERE t.ENCRYPTION = 'Y' ORDER BY t.NAME";

impl Facts {
    /// Asks the server.
    ///
    /// # Errors
    /// [`super::Fault::Sql`].
    pub(super) fn ask(account: &mut Account, site: &Site) -> Result<Self, Error> {
        let uuid: String = account.value("SELECT @@server_uuid")?;
        let mut keyring: BTreeMap<String, String> = account
            .rows::<(String, String)>(
                "SELECT STATUS_KEY, STATUS_VALUE FROM performance_schema.keyring_component_status",
            )
            .unwrap_or_default()
            .into_iter()
            .collect();
        if keyring.is_empty() {
            let plugins: Vec<(String, String)> = account.rows(
                "SELECT PLUGIN_NAME, PLUGIN_STATUS FROM information_schema.PLUGINS WHERE PLUGIN_TYPE = 'KEYRING' \
                 AND PLUGIN_NAME <> 'daemon_keyring_proxy_plugin'",
            )?;
            keyring.extend(plugins);
        }
        let mut settings = BTreeMap::new();
        for name in SETTINGS {
            if let Some(value) = account.variable(name)? {
                settings.insert(name, value);
            }
        }
        let tablespaces: Vec<(String, String, String)> = account.rows(TABLESPACES)?;
        Ok(Self {
            version: account.value("SELECT VERSION()")?,
            master_keys: keys::in_keyring(account, &uuid)?,
            uuid,
            datadir: site.datadir.clone(),
            keyring,
            settings,
            tablespaces: tablespaces
                .into_iter()
                .map(|(name, kind, file)| Tablespace {
                    name,
                    kind,
                    file: located(site, &file),
                    master_key: None,
                })
                .collect(),
        })
    }

    /// Whether the server says that this is on.
    pub(super) fn is_on(&self, setting: &str) -> bool {
        self.settings.get(setting).is_some_and(|value| value == "ON")
    }

    /// The newest master key's number.
    pub(super) fn newest(&self) -> Option<u32> {
        self.master_keys.last().copied()
    }

    /// Files of tablespaces, some of which may lie elsewhere.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.tablespaces.iter().map(|tablespace| tablespace.file.clone()).collect()
    }

    /// Puts in which master key each tablespace's header names.
    fn take(&mut self, headers: &Headers) {
        let mut named: BTreeMap<PathBuf, &String> = BTreeMap::new();
        for (key, files) in &headers.files {
            for file in files {
                named.insert(fs::canonicalize(file).unwrap_or_else(|_| file.clone()), key);
            }
        }
        for tablespace in &mut self.tablespaces {
            let file = fs::canonicalize(&tablespace.file).unwrap_or_else(|_| tablespace.file.clone());
            tablespace.master_key = named.get(&file).map(|key| (*key).clone());
        }
    }
}

/// A file name as the server has it: from its data directory, where it is not absolute.
fn located(site: &Site, file: &str) -> PathBuf {
    site.datadir.join(file.strip_prefix("./").unwrap_or(file))
}

pub(super) fn run(args: &MysqlStatusArgs, output: Output) -> Result<(), Error> {
    let (site, mut account) = Site::running(&args.site)?;
    let mut facts = Facts::ask(&mut account, &site)?;
    let headers = Headers::read(std::slice::from_ref(&site.datadir), &facts.files());
    facts.take(&headers);
    // Without a vault there is still much to show.
    let vault = Vault::find(&args.vault, &site, &mut account, &facts.uuid)
        .and_then(VaultKeys::new)
        .and_then(|vault| Ok((vault.place().to_owned(), vault.of(&facts.uuid)?)));
    if output.is_json() {
        let keys = vault.as_ref().ok().map(|(place, keys)| {
            let keys = keys.iter().map(|key| {
                json!({
                    "id": key.name.id(),
                    "number": key.number,
                    "unique_id": key.identifier,
                    "state": key.state.map(|state| state.to_string()),
                    "files": headers.count(key.name.id()),
                })
            });
            json!({ "endpoint": place, "master_keys": keys.collect::<Vec<_>>() })
        });
        return output.json(&json!({
            "server": facts,
            "files": headers.files.iter().map(|(key, files)| (key, files.len())).collect::<BTreeMap<_, _>>(),
            "unreadable": headers.unreadable,
            "vault": keys,
            "vault_error": vault.as_ref().err().map(ToString::to_string),
        }));
    }
    output.result(server(&facts))?;
    if !facts.tablespaces.is_empty() {
        output.result(format!("\n{}", tablespaces(&facts)))?;
    }
    output.result(format!("\n{}", wrap(&rotation(&facts), WIDTH, "  ")))?;
    match vault {
        Ok((place, keys)) => {
            output.result(format!("\n{STRONG}Master keys in the vault{STRONG:#} ({place})"))?;
            let mut table = Table::new(&["Key", "State", "Files that need it"]);
            for key in &keys {
                table.row([
                    key.name.id().to_owned(),
                    key.state.map_or_else(|| "-".to_owned(), |state| state.to_string()),
                    headers.count(key.name.id()).to_string(),
                ]);
            }
            output.result(table)?;
        }
        Err(error) => output.warn(format!("the vault's master keys are not shown: {error}")),
    }
    if !headers.unreadable.is_empty() {
        output.warn(format!(
            "{} files could not be read, so that more may need a key: {}",
            headers.unreadable.len(),
            headers.unreadable[0]
        ));
    }
    Ok(())
}

fn server(facts: &Facts) -> String {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    let keyring = facts
        .keyring
        .iter()
        .map(|(key, value)| format!("{} {}", key.replace('_', " ").to_lowercase(), value))
        .map(|row| printable(&row))
        .collect::<Vec<_>>()
        .join("\n           ");
    let on = |setting: &str| if facts.is_on(setting) { "encrypted" } else { "plain" };
    let binlog = match facts.is_on("log_bin") {
        true => on("binlog_encryption"),
        false => "off",
    };
    let newest = facts.newest().map(|number| keys::key_id(&facts.uuid, number));
    [
        ("Server", format!("MySQL {}, {}", facts.version, facts.uuid)),
        ("Data", facts.datadir.display().to_string()),
        ("Keyring", if keyring.is_empty() { "none".to_owned() } else { keyring }),
        ("Master key", or_none(newest)),
        ("Redo log", on("innodb_redo_log_encrypt").to_owned()),
        ("Undo logs", on("innodb_undo_log_encrypt").to_owned()),
        ("Binary log", binlog.to_owned()),
        ("New tables", format!("{} unless they say otherwise", on("default_table_encryption"))),
    ]
    .into_iter()
    .map(|(label, value)| format!("{STRONG}{label:<10}{STRONG:#} {value}"))
    .collect::<Vec<_>>()
    .join("\n")
}

fn tablespaces(facts: &Facts) -> String {
    let mut table = Table::new(&["Encrypted tablespace", "Kind", "Master key"]);
    let prefix = keys::key_id(&facts.uuid, 0);
    let prefix = prefix.trim_end_matches('0');
    for tablespace in &facts.tablespaces {
        let key = tablespace.master_key.as_deref().unwrap_or("-");
        table.row([
            printable(&tablespace.name),
            tablespace.kind.clone(),
            // The server's own keys are told by their numbers.
            key.strip_prefix(prefix).unwrap_or(key).to_owned(),
        ]);
    }
    table.to_string()
}

/// What a rotation would touch.
fn rotation(facts: &Facts) -> String {
    let mut touched = vec![match facts.tablespaces.len() {
        1 => "the header of 1 tablespace".to_owned(),
        count => format!("the headers of {count} tablespaces"),
    }];
    if facts.is_on("innodb_redo_log_encrypt") {
        touched.push("that of the redo log".to_owned());
    }
    if facts.is_on("binlog_encryption") {
        touched.push("with --binlog those of the binary logs".to_owned());
    }
    format!("A rotation would rewrite {}; no page of data.", touched.join(" and "))
}
