//! Prose in lines.

/// Breaks `text` between words so that lines fit `width` columns where they can; further lines start with `indent`.
/// A word longer than a line (a path, a token) stays whole, because a broken path cannot be copied.
pub(crate) fn wrap(text: &str, width: usize, indent: &str) -> String {
    let mut wrapped = String::with_capacity(text.len() + 16);
    for (number, paragraph) in text.split('\n').enumerate() {
        if number > 0 {
            wrapped.push('\n');
        }
        let start = paragraph.len() - paragraph.trim_start().len();
        wrapped.push_str(&paragraph[..start]);
        let mut column = start;
        for (position, word) in paragraph.split_whitespace().enumerate() {
            let length = word.chars().count();
            if position > 0 {
                if column + 1 + length > width {
                    wrapped.push('\n');
                    wrapped.push_str(indent);
                    column = indent.len();
                } else {
                    wrapped.push(' ');
                    column += 1;
                }
            }
            wrapped.push_str(word);
            column += length;
        }
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three four", 9, "  "), "one two\n  three\n  four");
    }

    #[test]
    fn a_long_word_stays_whole() {
        assert_eq!(wrap("see /a/very/long/path now", 10, ""), "see\n/a/very/long/path\nnow");
    }

    #[test]
    fn leading_space_and_paragraphs_stay() {
        assert_eq!(wrap("  a b\nc", 80, "  "), "  a b\nc");
    }
}
