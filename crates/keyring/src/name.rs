//! The names of a keyring's keys in the back end: readable, and reversible without a table beside them.
//!
//! | key | name |
//! |---|---|
//! | without an owner | the key id, as it is |
//! | with an owner | `sr1:` owner, percent-encoded `:` key id |
//! | without an owner, the key id begins with `sr1:` | `sr1::` key id |
//! | in a group, where that name is taken outside it | `sr1:/` group, percent-encoded `/` one of the above |
//!
//! Keys without an owner are therefore named as other components name theirs, and each side reads the other's.

use std::fmt;

/// What the names of keys with an owner begin with. The number is that of this scheme.
const SCHEME: &str = "sr1:";

/// A key of the keyring service: an id, and the user to whom it belongs, if any.
///
/// Both are compared byte by byte, as MySQL does. An empty owner is none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName {
    id: String,
    owner: Option<String>,
}

/// Why a key cannot have this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// The id is empty.
    Empty,
    /// The name is longer than [`MAX_NAME_BYTES`] in the back end. Holds its length.
    TooLong(usize),
}

/// The longest name that is given to a back end, in bytes. Servers differ; this is what those that are known take.
pub const MAX_NAME_BYTES: usize = 1024;

impl KeyName {
    /// The key `id` of `owner`.
    ///
    /// # Errors
    /// [`NameError`].
    pub fn new(id: &str, owner: Option<&str>) -> Result<Self, NameError> {
        if id.is_empty() {
            return Err(NameError::Empty);
        }
        let name = Self { id: id.into(), owner: owner.filter(|owner| !owner.is_empty()).map(Into::into) };
        match name.in_back_end().len() {
            length if length > MAX_NAME_BYTES => Err(NameError::TooLong(length)),
            _ => Ok(name),
        }
    }

    /// The key's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The user to whom the key belongs.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// The key's name in the back end.
    #[must_use]
    pub fn in_back_end(&self) -> String {
        match &self.owner {
            Some(owner) => format!("{SCHEME}{}:{}", percent_encode(owner), self.id),
            None if self.id.starts_with(SCHEME) => format!("{SCHEME}:{}", self.id),
            None => self.id.clone(),
        }
    }

    /// The key's name in the back end where its usual one is taken by an object outside this group. No owner's name looks like it,
    /// because a slash is encoded there.
    #[must_use]
    pub fn in_group(&self, group: &str) -> String {
        format!("{}{}", group_prefix(group), self.in_back_end())
    }

    /// The key with this name in the back end, as [`in_group`](Self::in_group) or [`in_back_end`](Self::in_back_end) writes it.
    #[must_use]
    pub fn from_group(name: &str, group: &str) -> Self {
        Self::from_back_end(name.strip_prefix(&group_prefix(group)).unwrap_or(name))
    }

    /// The key with this name in the back end. A name that this scheme would not have written is an id without an owner, so that
    /// what others have stored can be read.
    #[must_use]
    pub fn from_back_end(name: &str) -> Self {
        let ownerless = || Self { id: name.into(), owner: None };
        let Some((owner, id)) = name.strip_prefix(SCHEME).and_then(|rest| rest.split_once(':')) else {
            return ownerless();
        };
        let key = match percent_decode(owner) {
            Some(owner) if owner.is_empty() => Self { id: id.into(), owner: None },
            Some(owner) => Self { id: id.into(), owner: Some(owner) },
            None => return ownerless(),
        };
        if !id.is_empty() && key.in_back_end() == name { key } else { ownerless() }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.owner {
            Some(owner) => write!(f, "{:?} of {owner:?}", self.id),
            None => write!(f, "{:?}", self.id),
        }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the key id is empty"),
            Self::TooLong(bytes) => write!(
                f,
                "key id and owner make a name of {bytes} bytes, and {MAX_NAME_BYTES} are the most a back end is given"
            ),
        }
    }
}

impl std::error::Error for NameError {}

fn group_prefix(group: &str) -> String {
    format!("{SCHEME}/{}/", percent_encode(group))
}

/// Everything but letters, digits and `-._~@` becomes `%` and two hexadecimal digits in upper case (RFC 3986 §2.1).
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn percent_decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let value = digit()? * 16 + digit()?;
        decoded.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(id: &str, owner: Option<&str>) -> String {
        KeyName::new(id, owner).unwrap().in_back_end()
    }

    #[test]
    fn names_are_those_of_the_table() {
        assert_eq!(name("INNODBKey-1", None), "INNODBKey-1");
        assert_eq!(name("app", Some("")), "app");
        assert_eq!(name("app", Some("root@localhost")), "sr1:root@localhost:app");
        assert_eq!(name("a:b", Some("x:y %é")), "sr1:x%3Ay%20%25%C3%A9:a:b");
        assert_eq!(name("sr1:root:app", None), "sr1::sr1:root:app");
        assert_eq!(name("sr1", None), "sr1");
        let grouped = |id, owner| KeyName::new(id, owner).unwrap().in_group("db 1/2");
        assert_eq!(grouped("app", Some("root@localhost")), "sr1:/db%201%2F2/sr1:root@localhost:app");
        assert_eq!(grouped("DefaultMasterKey", None), "sr1:/db%201%2F2/DefaultMasterKey");
    }

    #[test]
    fn names_of_another_making_are_ids_without_an_owner() {
        for foreign in [
            "sr1:",
            "sr1:x",
            "sr1:%zz:id",
            "sr1:%FF:id",
            "sr1:a b:id",
            "sr1:%3a:id",
            "sr1:owner:",
            "sr1::plain",
        ] {
            let key = KeyName::from_back_end(foreign);
            assert_eq!((key.id(), key.owner()), (foreign, None));
        }
    }

    #[test]
    fn impossible_names_are_refused() {
        assert_eq!(KeyName::new("", Some("root")), Err(NameError::Empty));
        assert_eq!(KeyName::new(&"x".repeat(1025), None), Err(NameError::TooLong(1025)));
        assert!(KeyName::new(&"x".repeat(1024), None).is_ok());
    }

    proptest! {
        #[test]
        fn every_key_is_found_again_by_its_name(id in ".{1,40}", owner in proptest::option::of(".{0,20}")) {
            let key = KeyName::new(&id, owner.as_deref()).unwrap();
            prop_assert_eq!(KeyName::from_back_end(&key.in_back_end()), key);
        }

        #[test]
        fn every_key_is_found_again_by_its_name_in_a_group(
            id in ".{1,40}", owner in proptest::option::of(".{0,20}"), group in ".{1,20}"
        ) {
            let key = KeyName::new(&id, owner.as_deref()).unwrap();
            prop_assert_eq!(KeyName::from_group(&key.in_group(&group), &group), key.clone());
            prop_assert_eq!(KeyName::from_group(&key.in_back_end(), &group), key);
        }

        #[test]
        fn two_keys_never_share_a_name(a in "(sr1|:|%|x){1,6}", b in "(sr1|:|%|x){1,6}", owner in "(sr1|:|%|x){0,4}") {
            let ownerless = KeyName::new(&a, None).unwrap();
            let owned = KeyName::new(&b, Some(&owner)).unwrap();
            prop_assert_eq!(ownerless == owned, ownerless.in_back_end() == owned.in_back_end());
        }
    }
}
