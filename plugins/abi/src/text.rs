//! C strings in and out.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char};

/// The text behind a server's `char *`; `None` when the pointer is null. Bytes that are not UTF-8 are replaced.
///
/// # Safety
/// Unless it is null, `start` points to a string that ends with a zero byte and is not written while the result lives.
#[must_use]
pub unsafe fn from_c<'a>(start: *const c_char) -> Option<Cow<'a, str>> {
    if start.is_null() {
        return None;
    }
    // SAFETY: not null; the rest is the caller's promise.
    Some(unsafe { CStr::from_ptr(start) }.to_string_lossy())
}

/// The bytes behind a server's `char *`, without the zero that ends them; `None` when the pointer is null.
///
/// # Safety
/// As for [`from_c`].
#[must_use]
pub unsafe fn bytes_from_c<'a>(start: *const c_char) -> Option<&'a [u8]> {
    if start.is_null() {
        return None;
    }
    // SAFETY: not null; the rest is the caller's promise.
    Some(unsafe { CStr::from_ptr(start) }.to_bytes())
}

/// `text` as a C string. A zero byte would end it early and hide the rest, so each becomes a visible mark.
#[must_use]
pub fn to_c(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{FFFD}")).unwrap_or_default()
}

/// Writes `text` and a final zero byte into a fixed buffer, cut at a character boundary where it is too long.
///
/// Nothing is written into a buffer of no bytes.
pub fn write_c(buffer: &mut [u8], text: &str) {
    let Some(room) = buffer.len().checked_sub(1) else {
        return;
    };
    let text = text.split('\0').next().unwrap_or_default();
    let end = text.floor_char_boundary(room);
    buffer[..end].copy_from_slice(&text.as_bytes()[..end]);
    buffer[end] = 0;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_a_character_and_always_ends() {
        let mut buffer = [0xFF_u8; 6];
        write_c(&mut buffer, "ab\u{20AC}\u{20AC}");
        assert_eq!(&buffer, b"ab\xE2\x82\xAC\0");
        write_c(&mut buffer, "ab\u{20AC}");
        assert_eq!(&buffer, b"ab\xE2\x82\xAC\0");
        let mut buffer = [0xFF_u8; 5];
        write_c(&mut buffer, "ab\u{20AC}");
        assert_eq!(&buffer[..3], b"ab\0");
        write_c(&mut [], "nothing");
        let mut buffer = [0xFF_u8; 8];
        write_c(&mut buffer, "ab\0cd");
        assert_eq!(&buffer[..3], b"ab\0");
    }

    #[test]
    fn strings_cross_both_ways() {
        let text = to_c("key\0ring");
        assert_eq!(text.as_bytes(), "key\u{FFFD}ring".as_bytes());
        // SAFETY: `text` lives, and null is allowed.
        unsafe {
            assert_eq!(from_c(text.as_ptr()).as_deref(), Some("key\u{FFFD}ring"));
            assert_eq!(from_c(std::ptr::null()), None);
            assert_eq!(bytes_from_c(c"a\xFF".as_ptr()), Some(&b"a\xFF"[..]));
            assert_eq!(bytes_from_c(std::ptr::null()), None);
        }
    }
}
