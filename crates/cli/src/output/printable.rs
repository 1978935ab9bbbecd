//! Text from elsewhere.

/// `text` without control characters: a name or a message from a server must neither move the cursor nor look like a line or a
/// column of ours.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect()
}

/// The same for text of several lines.
pub(crate) fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_orders_from_elsewhere() {
        assert_eq!(printable("a\tb\nc\u{1b}[2J\u{9b}1m"), "a\u{fffd}b\u{fffd}c\u{fffd}[2J\u{fffd}1m");
        assert_eq!(printable_lines("one\n\u{1b}two"), "one\n\u{fffd}two");
    }
}
