//! Times as SQL writes them.

use std::mem::MaybeUninit;
use std::time::{SystemTime, UNIX_EPOCH};

/// `2026-11-22 03:15:00`, in UTC; empty for a time that the system's calendar does not reach.
#[must_use]
pub fn utc(time: SystemTime) -> String {
    let seconds =
        time.duration_since(UNIX_EPOCH).ok().and_then(|time| libc::time_t::try_from(time.as_secs()).ok());
    let Some(seconds) = seconds else { return String::new() };
    let mut parts = MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both places are ours, and the second is initialised when the answer is not null.
    let parts = unsafe {
        if libc::gmtime_r(&raw const seconds, parts.as_mut_ptr()).is_null() {
            return String::new();
        }
        parts.assume_init()
    };
    let libc::tm { tm_year, tm_mon, tm_mday, tm_hour, tm_min, tm_sec, .. } = parts;
    let (year, month) = (i64::from(tm_year) + 1900, tm_mon + 1);
    format!("{year:04}-{month:02}-{tm_mday:02} {tm_hour:02}:{tm_min:02}:{tm_sec:02}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_those_of_the_calendar_in_utc() {
        let at = |seconds| utc(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01 00:00:00");
        assert_eq!(at(951_868_799), "2000-02-29 23:59:59");
        assert_eq!(utc(UNIX_EPOCH - Duration::from_secs(1)), "");
    }
}
