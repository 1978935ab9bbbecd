//! `strongroom endpoint …`

use clap::{Args, Subcommand};

use super::VaultDirArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum EndpointCommand {
    /// Register an endpoint and print its one-time enrolment token
    Add(EndpointAddArgs),
    /// List the endpoints
    List(VaultDirArgs),
    /// Show one endpoint
    Show(EndpointNameArgs),
    /// Take an endpoint's access away at once, on open connections too
    Revoke(EndpointNameArgs),
}

#[derive(Debug, Args)]
pub(crate) struct EndpointAddArgs {
    /// Name of the endpoint, one per database server
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) dir: VaultDirArgs,

    /// How long the token is good for, such as 30m, 12h or 2d [default: the vault's]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) ttl: Option<std::time::Duration>,

    /// Issue a new token for an endpoint that exists, to enrol it again
    #[arg(long)]
    pub(crate) reissue: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EndpointNameArgs {
    /// Name of the endpoint
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) dir: VaultDirArgs,
}

/// `30s`, `15m`, `12h`, `2d`; a bare number is seconds.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    let wrong = || "expected a number with s, m, h or d, such as 12h".to_owned();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds_each = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    match count.checked_mul(seconds_each) {
        None | Some(0) => Err("must be at least a second and fit a century".to_owned()),
        Some(seconds) if seconds > 100 * 365 * 86_400 => {
            Err("must be at least a second and fit a century".to_owned())
        }
        Some(seconds) => Ok(std::time::Duration::from_secs(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::duration;

    #[test]
    fn durations_are_read_with_their_unit() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(duration("12h"), Ok(Duration::from_secs(43_200)));
        assert_eq!(duration("2d"), Ok(Duration::from_secs(172_800)));
    }

    #[test]
    fn nonsense_and_extremes_are_refused() {
        for text in ["", "h", "1w", "-1h", "0", "1.5h", "99999999999999999999d", "18446744073709551615d"] {
            assert!(duration(text).is_err(), "{text:?} was accepted");
        }
    }
}
