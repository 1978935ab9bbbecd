//! Durations and times as people read them.

use std::time::Duration;

/// `340 µs`, `12 ms`, `1.3 s`.
pub(crate) fn short(duration: Duration) -> String {
    let micros = duration.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

/// `2026-11-21 23:47:15Z`, from seconds since the epoch.
pub(crate) fn utc(seconds: i64) -> String {
    match jiff::Timestamp::from_second(seconds) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        // Beyond the calendar: some servers write such dates for "never".
        Err(_) => format!("{seconds} s after 1970"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{short, utc};

    #[test]
    fn the_unit_follows_the_size() {
        assert_eq!(short(Duration::from_micros(340)), "340 µs");
        assert_eq!(short(Duration::from_micros(12_900)), "12 ms");
        assert_eq!(short(Duration::from_millis(1_300)), "1.3 s");
    }

    #[test]
    fn times_are_utc() {
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00Z");
        assert_eq!(utc(i64::MAX), "9223372036854775807 s after 1970");
    }
}
