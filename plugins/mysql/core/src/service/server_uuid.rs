//! Which server this is: its uuid, and the uuids in the names of keys.
//!
//! MySQL puts a server's uuid into the ids of the keys that it makes for itself. Two servers that share an account on a key server
//! are told apart by that, but for `DefaultMasterKey` and `persisted_variables_key`, which are the same for all.

use std::path::Path;

use strongroom_keyring::KeyName;

/// Length of a uuid as text.
const UUID_BYTES: usize = 36;

/// What the ids of a server's own keys begin with, up to the uuid: InnoDB's master keys, and those of binary logs.
const PREFIXES: [&str; 2] = ["INNODBKey-", "MySQLReplicationKey_"];

/// The uuid in a data directory's `auto.cnf`; `None` before the server has made one.
pub(super) fn of_data_directory(dir: &Path) -> Option<String> {
    let text = std::fs::read_to_string(dir.join("auto.cnf")).ok()?;
    text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        let value = value.trim();
        (matches!(key.trim(), "server-uuid" | "server_uuid") && is_uuid(value)).then(|| value.to_owned())
    })
}

/// The uuid of the server that made the key of this name for itself.
pub(super) fn in_name(name: &KeyName) -> Option<&str> {
    if name.owner().is_some() {
        return None;
    }
    let rest = PREFIXES.iter().find_map(|prefix| name.id().strip_prefix(prefix))?;
    rest.get(..UUID_BYTES).filter(|uuid| is_uuid(uuid))
}

/// How many bytes a key has that servers make for themselves under this name; `None` for other names.
///
/// InnoDB's master keys, and that of persisted variables, are AES-256; so are the numbered keys of binary logs, beside which a server
/// keeps sequence numbers as AES keys of 16 bytes.
pub(super) fn length_of_own_key(name: &KeyName) -> Option<usize> {
    const AES_256: usize = 32;
    const SEQUENCE_NUMBER: usize = 16;
    if name.owner().is_some() {
        return None;
    }
    if name.id().starts_with(PREFIXES[0])
        || matches!(name.id(), "DefaultMasterKey" | "persisted_variables_key")
    {
        return Some(AES_256);
    }
    let of_uuid = name.id().strip_prefix(PREFIXES[1])?;
    let rest = of_uuid.get(UUID_BYTES..).filter(|_| in_name(name).is_some())?;
    match rest.strip_prefix('_') {
        Some(number) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => Some(AES_256),
        _ => Some(SEQUENCE_NUMBER),
    }
}

/// Hexadecimal digits in groups of 8, 4, 4, 4 and 12.
fn is_uuid(text: &str) -> bool {
    text.len() == UUID_BYTES
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "2f1c3e50-9d51-11f0-8de9-0242ac120002";

    #[test]
    fn a_servers_own_keys_tell_its_uuid() {
        let uuid = |id: &str, owner| in_name(&KeyName::new(id, owner).unwrap()).map(str::to_owned);
        assert_eq!(uuid(&format!("INNODBKey-{UUID}-7"), None).as_deref(), Some(UUID));
        assert_eq!(uuid(&format!("MySQLReplicationKey_{UUID}_3"), None).as_deref(), Some(UUID));
        assert_eq!(uuid(&format!("MySQLReplicationKey_{UUID}"), None).as_deref(), Some(UUID));
        for other in ["INNODBKey-1-1", "DefaultMasterKey", "persisted_variables_key", "INNODBKey-", UUID] {
            assert_eq!(uuid(other, None), None, "{other}");
        }
        assert_eq!(uuid(&format!("INNODBKey-{UUID}-7"), Some("root@localhost")), None);
        assert_eq!(uuid(&format!("INNODBKey-{}-1", "\u{20AC}".repeat(12)), None), None);
    }

    #[test]
    fn the_servers_own_keys_have_their_lengths() {
        let length = |id: &str| length_of_own_key(&KeyName::new(id, None).unwrap());
        for id in
            [&format!("INNODBKey-{UUID}-7"), "INNODBKey-1-1", "DefaultMasterKey", "persisted_variables_key"]
        {
            assert_eq!(length(id), Some(32), "{id}");
        }
        assert_eq!(length(&format!("MySQLReplicationKey_{UUID}_12")), Some(32));
        for end in ["", "_old", "_new", "_last_purged"] {
            assert_eq!(length(&format!("MySQLReplicationKey_{UUID}{end}")), Some(16), "{end}");
        }
        for id in ["key", "MySQLReplicationKey_1", "audit_log-1-1"] {
            assert_eq!(length(id), None, "{id}");
        }
        assert_eq!(length_of_own_key(&KeyName::new("DefaultMasterKey", Some("me")).unwrap()), None);
    }

    #[test]
    fn the_data_directory_tells_its_uuid_once_the_server_has_made_one() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(of_data_directory(dir.path()), None);
        let write = |text: &str| std::fs::write(dir.path().join("auto.cnf"), text).unwrap();
        write("[auto]\n");
        assert_eq!(of_data_directory(dir.path()), None);
        write(&format!("[auto]\nserver-uuid={UUID}\n"));
        assert_eq!(of_data_directory(dir.path()).as_deref(), Some(UUID));
        write("[auto]\nserver-uuid=nonsense\n");
        assert_eq!(of_data_directory(dir.path()), None);
    }
}
