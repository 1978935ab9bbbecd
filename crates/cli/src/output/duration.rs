//! Durations as people read them.

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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::short;

    #[test]
    fn the_unit_follows_the_size() {
        assert_eq!(short(Duration::from_micros(340)), "340 µs");
        assert_eq!(short(Duration::from_micros(12_900)), "12 ms");
        assert_eq!(short(Duration::from_millis(1_300)), "1.3 s");
    }
}
