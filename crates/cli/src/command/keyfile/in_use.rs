//! Which of a file's keys a running server still uses, and which it does not have yet.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::args::{KeyfileServerArgs, MariadbStatusArgs};
use crate::command::mariadb_status::{self, Holders, Tablespace};
use crate::command::mariadb_versions::Served;
use crate::error::Error;
use crate::output::Table;

/// The plugin that reads key files.
const PLUGIN: &str = "file_key_management";

/// How many tablespaces are named before the rest is counted.
const NAMES_SHOWN: usize = 3;

/// What a running server needs of a file.
#[derive(Debug, Serialize)]
pub(super) struct InUse {
    /// One row for each version in the file.
    versions: Vec<Use>,
    /// Versions that the server has or tablespaces may have, and the file has not.
    #[serde(skip)]
    missing: Vec<Use>,
    /// What else may need old versions, for a person.
    #[serde(skip)]
    others: String,
}

#[derive(Debug, Serialize)]
struct Use {
    key_id: u32,
    version: u32,
    /// Whether the server knows the version, as far as its plugin or its tablespaces show.
    loaded: bool,
    /// The tablespaces whose pages may have it.
    tablespaces: Vec<String>,
}

/// Asks the server that the arguments name; none where they name none.
pub(super) fn ask(args: &KeyfileServerArgs, versions: &[(u32, u32)]) -> Result<Option<InUse>, Error> {
    let Some(socket) = args.socket.clone() else { return Ok(None) };
    let args = MariadbStatusArgs { socket, user: args.user.clone(), password_fd: args.user_password_fd };
    let mut connection = mariadb_status::connect(&args)?;
    let (tablespaces, holders) = mariadb_status::ask(&mut connection)?;
    // The server's own plugin has no such list, and no versions.
    let served = Served::ask(&mut connection, PLUGIN)?;
    Ok(Some(InUse::new(versions, &tablespaces, served.as_ref(), &holders)))
}

impl InUse {
    fn new(
        versions: &[(u32, u32)],
        tablespaces: &[Tablespace],
        served: Option<&Served>,
        holders: &Holders,
    ) -> Self {
        let all_served = served.is_some_and(Served::is_whole);
        let served: BTreeSet<(u32, u32)> = served.into_iter().flat_map(Served::versions).collect();
        let encrypted = || tablespaces.iter().filter(|space| space.encrypted && space.oldest_version > 0);
        let users = |key_id: u32, version: u32| -> Vec<String> {
            encrypted()
                .filter(|space| space.key_id == key_id && space.oldest_version <= version)
                .filter(|space| space.latest_version.is_none_or(|latest| version <= latest))
                .map(|space| space.name.clone())
                .collect()
        };
        let loaded = |key_id: u32, version: u32| {
            if all_served || served.contains(&(key_id, version)) {
                return served.contains(&(key_id, version));
            }
            // A key that no tablespace has cannot be told from here.
            let latest =
                tablespaces.iter().filter(|space| space.key_id == key_id).map(|space| space.latest_version);
            latest.max().is_none_or(|latest| latest.is_some_and(|latest| version <= latest))
        };
        let row = |(key_id, version): (u32, u32)| Use {
            key_id,
            version,
            loaded: loaded(key_id, version),
            tablespaces: users(key_id, version),
        };
        let mut missing: BTreeMap<(u32, u32), Vec<String>> = BTreeMap::new();
        for space in encrypted() {
            for version in [Some(space.oldest_version), space.latest_version].into_iter().flatten() {
                let names = missing.entry((space.key_id, version)).or_default();
                if !names.contains(&space.name) {
                    names.push(space.name.clone());
                }
            }
        }
        for &(key_id, version) in &served {
            missing.entry((key_id, version)).or_insert_with(|| users(key_id, version));
        }
        missing.retain(|key, _| !versions.contains(key));
        Self {
            versions: versions.iter().copied().map(row).collect(),
            missing: missing
                .into_iter()
                .map(|((key_id, version), tablespaces)| Use { key_id, version, loaded: true, tablespaces })
                .collect(),
            others: holders.others(),
        }
    }

    /// Versions that the server uses and the file has not.
    pub(super) fn faults(&self) -> Vec<String> {
        let fault = |missing: &Use| {
            let Use { key_id, version, tablespaces, .. } = missing;
            let consequence = if tablespaces.is_empty() {
                "the server has it: a reload is refused".to_owned()
            } else {
                format!("{} needs it: a reload is refused, and a start cannot read it", names(tablespaces))
            };
            format!("version {version} of key {key_id} is not in the file, and {consequence}")
        };
        self.missing.iter().map(fault).collect()
    }

    pub(super) fn table(&self) -> Table {
        let mut table = Table::new(&["Key ID", "Version", "Tablespaces that may use it"]);
        for row in &self.versions {
            let users = match (row.loaded, row.tablespaces.is_empty()) {
                (false, _) => "not loaded yet: FLUSH LOCAL FILE_KEY_MANAGEMENT_KEYS".to_owned(),
                (true, true) => "-".to_owned(),
                (true, false) => names(&row.tablespaces),
            };
            table.row([row.key_id.to_string(), row.version.to_string(), users]);
        }
        table
    }

    pub(super) fn remark(&self) -> &str {
        &self.others
    }
}

/// The first few names, and how many more there are.
fn names(all: &[String]) -> String {
    let shown = all.iter().take(NAMES_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(NAMES_SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(name: &str, key_id: u32, oldest: u32, latest: Option<u32>) -> Tablespace {
        Tablespace::for_tests(name, key_id, oldest, latest)
    }

    #[test]
    fn a_version_is_used_from_the_oldest_to_the_latest_of_a_tablespace() {
        let spaces = [
            space("t/a", 1, 1, Some(3)),
            space("t/b", 1, 3, Some(3)),
            space("t/c", 7, 1, Some(1)),
            space("t/plain", 1, 0, Some(3)),
        ];
        let versions = [(1, 1), (1, 2), (1, 3), (1, 5), (2, 1), (7, 1)];
        let in_use = InUse::new(&versions, &spaces, None, &Holders::default());
        let users: Vec<_> =
            in_use.versions.iter().map(|row| (row.loaded, row.tablespaces.join(" "))).collect();
        assert_eq!(
            users,
            [
                (true, "t/a".into()),
                (true, "t/a".into()),
                (true, "t/a t/b".into()),
                (false, String::new()),
                (true, String::new()),
                (true, "t/c".into()),
            ]
        );
        assert!(in_use.faults().is_empty());
    }

    #[test]
    fn a_version_that_is_used_and_not_in_the_file_is_a_fault() {
        let spaces = [space("t/a", 1, 1, Some(3)), space("t/k", 7, 2, None)];
        let in_use = InUse::new(&[(1, 3)], &spaces, None, &Holders::default());
        let faults = in_use.faults();
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].contains("version 1 of key 1") && faults[0].contains("t/a"), "{faults:?}");
        assert!(faults[1].contains("version 2 of key 7") && faults[1].contains("t/k"), "{faults:?}");
    }

    /// The oldest and the latest version of a tablespace say nothing of those between.
    #[test]
    fn a_version_that_the_server_has_and_the_file_lost_is_a_fault() {
        let spaces = [space("t/a", 1, 1, Some(5)), space("t/b", 7, 3, Some(3))];
        let served = Served::for_tests("1:5(1,3,5) 7:3(1,3) 9:1(1)");
        let versions = [(1, 1), (1, 5), (7, 3), (9, 1), (9, 2)];
        let in_use = InUse::new(&versions, &spaces, Some(&served), &Holders::default());
        let faults = in_use.faults();
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].contains("version 3 of key 1") && faults[0].contains("t/a needs it"), "{faults:?}");
        assert!(faults[1].ends_with("and the server has it: a reload is refused"), "{faults:?}");
        let loaded: Vec<_> = in_use.versions.iter().map(|row| row.loaded).collect();
        assert_eq!(loaded, [true, true, true, true, false], "and that of a key without tablespaces is known");
    }

    #[test]
    fn many_names_are_counted() {
        let all: Vec<String> = (1..=5).map(|number| format!("t/{number}")).collect();
        assert_eq!(names(&all), "t/1, t/2, t/3 and 2 more");
        assert_eq!(names(&all[..3]), "t/1, t/2, t/3");
    }
}
