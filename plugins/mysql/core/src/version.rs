//! Which server this is.

use std::ffi::c_char;
use std::fmt;

use strongroom_plugin_abi::{symbols, text};

/// A server's version, as in `9.7.4-2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerVersion {
    /// 9 in 9.7.4.
    pub major: u32,
    /// 7 in 9.7.4.
    pub minor: u32,
    /// 4 in 9.7.4.
    pub patch: u32,
}

impl ServerVersion {
    /// A version.
    #[must_use]
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Reads the front of a version string; what follows the third number does not matter.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.splitn(3, '.');
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?.parse().ok()?;
        let rest = numbers.next()?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let patch = rest[..digits].parse().ok()?;
        Some(Self { major, minor, patch })
    }

    /// The version of the server we were loaded into; `None` where there is no server, or none that says. Components are loaded
    /// before the server has written it down, plugins afterwards.
    #[must_use]
    pub fn of_this_process() -> Option<Self> {
        let variable = symbols::find(c"server_version")?;
        // SAFETY: the server's `server_version` is an array of characters that a zero byte ends, and is not written while plugins are
        // there.
        let text = unsafe { text::from_c(variable.as_ptr().cast::<c_char>()) }?;
        Self::parse(&text)
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_strings_are_read_to_the_third_number() {
        assert_eq!(ServerVersion::parse("9.7.4-2"), Some(ServerVersion::new(9, 7, 4)));
        assert_eq!(ServerVersion::parse("8.0.40"), Some(ServerVersion::new(8, 0, 40)));
        assert_eq!(ServerVersion::parse("8.4.3-commercial"), Some(ServerVersion::new(8, 4, 3)));
        for text in ["", "9", "9.7", "9.7.", "9.7.x", "nine.7.4"] {
            assert_eq!(ServerVersion::parse(text), None, "{text}");
        }
        assert!(ServerVersion::new(8, 0, 24) < ServerVersion::new(8, 4, 0));
        assert!(ServerVersion::new(8, 4, 9) < ServerVersion::new(9, 0, 0));
    }
}
