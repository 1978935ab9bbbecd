//! What our plugin in a running server says of its keys: the status variable `…_version_list`, as in `1:3(1,3) 2:1(1)`.

use mysql::Conn;
use mysql::prelude::Queryable;
use strongroom_keyring::versions::{KeyId, KeyVersion};

use super::mariadb_status::refused;
use crate::error::Error;

/// Keys with their latest version and all of them. The server cuts a long list.
#[derive(Debug)]
pub(super) struct Served(String);

impl Served {
    /// Asks the server for the keys of one of our plugins; `None` where it has no such plugin.
    pub(super) fn ask(connection: &mut Conn, plugin: &str) -> Result<Option<Self>, Error> {
        let statement = format!(
            "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = '{plugin}_version_list'"
        );
        let list: Option<String> = connection.query_first(&statement).map_err(refused(&statement))?;
        Ok(list.map(Self))
    }

    /// The latest version of a key; none where the list does not reach it.
    pub(super) fn latest(&self, id: KeyId) -> Option<KeyVersion> {
        let (_, latest) = self.keys().find(|(key, _)| *key == id)?;
        KeyVersion::new(latest.split_once('(')?.0.parse().ok()?)
    }

    /// Whether this version is the latest of its key, as far as the list reaches.
    pub(super) fn is_latest(&self, id: KeyId, version: KeyVersion) -> bool {
        self.latest(id).map_or(!self.is_whole(), |latest| latest == version)
    }

    /// Every version, as far as the list reaches.
    pub(super) fn versions(&self) -> impl Iterator<Item = (u32, u32)> {
        self.keys().flat_map(|(id, versions)| {
            let all = versions.split_once('(').map_or("", |(_, all)| all);
            // What ends without a mark may be half a number.
            all.split_inclusive([',', ')'])
                .filter_map(move |version| Some((id.0, version.strip_suffix([',', ')'])?.parse().ok()?)))
        })
    }

    /// Whether nothing was cut off.
    pub(super) fn is_whole(&self) -> bool {
        self.0.is_empty() || self.0.ends_with(')')
    }

    fn keys(&self) -> impl Iterator<Item = (KeyId, &str)> {
        self.0.split(' ').filter_map(|key| {
            let (id, versions) = key.split_once(':')?;
            Some((KeyId(id.parse().ok()?), versions))
        })
    }

    #[cfg(test)]
    pub(super) fn for_tests(list: &str) -> Self {
        Self(list.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_version_is_found_in_the_servers_list() {
        let is = |list, id, version| {
            Served::for_tests(list).is_latest(KeyId(id), KeyVersion::new(version).unwrap())
        };
        assert!(is("1:3(1,3) 2:1(1)", 1, 3) && is("1:3(1,3) 2:1(1)", 2, 1));
        assert!(!is("1:3(1,3) 2:1(1)", 1, 1), "it is there and not the latest");
        assert!(!is("11:3(3) 2:33(33)", 1, 3) && !is("11:3(3) 2:33(33)", 2, 3) && !is("", 1, 3));
        assert!(is("1:3(1,3) 2:1(1", 7, 3), "nobody knows");
        let latest = |list, id| Served::for_tests(list).latest(KeyId(id)).map(KeyVersion::number);
        assert_eq!((latest("1:3(1,3) 21:7(7)", 1), latest("1:3(1,3) 21:7(7)", 21)), (Some(3), Some(7)));
        assert_eq!((latest("21:7(7)", 1), latest("", 1), latest("1:3(1,3) 2:1", 2)), (None, None, None));
    }

    #[test]
    fn half_a_number_is_no_version() {
        let versions = |list| Served::for_tests(list).versions().collect::<Vec<_>>();
        assert_eq!(versions("1:3(1,3) 21:7(7)"), [(1, 1), (1, 3), (21, 7)]);
        assert_eq!(versions("1:3(1,3) 21:77(7,7"), [(1, 1), (1, 3), (21, 7)]);
        assert!(versions("").is_empty() && versions("1:3").is_empty());
    }
}
