//! Which server this is.

use std::ffi::c_char;
use std::fmt;

use strongroom_plugin_abi::{symbols, text};

/// A server's version, as in `10.11.19-MariaDB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerVersion {
    /// 10 in 10.11.19.
    pub major: u32,
    /// 11 in 10.11.19.
    pub minor: u32,
    /// 19 in 10.11.19.
    pub patch: u32,
}

impl ServerVersion {
    /// Reads the front of a version string; what follows the third number does not matter.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.splitn(3, '.');
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?.parse().ok()?;
        let rest = numbers.next()?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let patch = rest[..digits].parse().ok()?;
        (major < 1000 && minor < 100 && patch < 100).then_some(Self { major, minor, patch })
    }

    /// The series: 10.11 in 10.11.19.
    #[must_use]
    pub const fn series(self) -> (u32, u32) {
        (self.major, self.minor)
    }

    /// The version as one number, 101119 for 10.11.19.
    #[must_use]
    pub const fn id(self) -> u32 {
        self.major * 10_000 + self.minor * 100 + self.patch
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The version of the server we were loaded into; `None` where there is no server, or none that says.
#[must_use]
pub fn server_version() -> Option<ServerVersion> {
    let variable = symbols::find(c"server_version")?;
    // SAFETY: the server's `server_version` is an array of characters that a zero byte ends, and is not written after
    // start.
    let text = unsafe { text::from_c(variable.as_ptr().cast::<c_char>()) }?;
    ServerVersion::parse(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_strings_are_read_to_the_third_number() {
        let version = ServerVersion::parse("10.11.19-MariaDB-0+deb12u1").expect("a version");
        assert_eq!((version.series(), version.id()), ((10, 11), 101_119));
        assert_eq!(ServerVersion::parse("11.8.6").map(ServerVersion::id), Some(110_806));
    }

    #[test]
    fn other_strings_are_no_versions() {
        for text in ["", "10", "10.11", "10.11.", "10.11.x", "ten.11.1", "10.11.100", "10.100.1", "99999.1.1"]
        {
            assert_eq!(ServerVersion::parse(text), None, "{text}");
        }
    }
}
