//! Questions to the person at the terminal.
//!
//! They go to `/dev/tty`, so that a pipe on standard input or output changes nothing. A passphrase is read with the echo
//! switched off and collected in a buffer that is wiped.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::PathBuf;

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::error::Error;

/// Longest passphrase that is accepted, in bytes.
pub(crate) const PASSPHRASE_MAX: usize = 1024;

const INTERRUPT: u8 = 0x03;
const END: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7f;
const ERASE_LINE: u8 = 0x15;

/// Asks for a passphrase without showing it.
///
/// # Errors
/// [`Error::NoTerminal`] where there is none, [`Error::Interrupted`] on Ctrl-C.
pub(crate) fn ask_secret(prompt: &str) -> Result<Zeroizing<String>, Error> {
    let mut terminal = open()?;
    read_secret(&mut terminal, prompt)
}

/// Asks for a new passphrase, twice.
///
/// # Errors
/// As [`ask_secret`], and [`Error::PassphrasesDiffer`].
pub(crate) fn ask_new_secret(prompt: &str) -> Result<Zeroizing<String>, Error> {
    let mut terminal = open()?;
    let first = read_secret(&mut terminal, prompt)?;
    if first.is_empty() {
        return Err(Error::PassphraseEmpty);
    }
    let second = read_secret(&mut terminal, "The same again: ")?;
    if *first != *second {
        return Err(Error::PassphrasesDiffer);
    }
    Ok(first)
}

/// Asks a question that only the word `expected` answers with yes.
///
/// # Errors
/// [`Error::NoTerminal`] where there is none.
pub(crate) fn confirm(question: &str, expected: &str) -> Result<bool, Error> {
    let mut terminal = open()?;
    write!(terminal, "{question} ").map_err(|_| Error::NoTerminal)?;
    let mut answer = Vec::new();
    let mut byte = [0];
    while answer.len() < 1024 && terminal.read(&mut byte).map_err(|_| Error::NoTerminal)? == 1 {
        if byte[0] == b'\n' {
            break;
        }
        answer.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&answer).trim() == expected)
}

/// Reads a passphrase from an open file descriptor, up to the first line end.
///
/// # Errors
/// [`Error::Read`] when the descriptor cannot be read, [`Error::PassphraseEmpty`], [`Error::PassphraseTooLong`].
pub(crate) fn secret_from_fd(fd: u32) -> Result<Zeroizing<String>, Error> {
    let path = PathBuf::from(format!("/dev/fd/{fd}"));
    let failed = |source| Error::Read { path: path.clone(), source };
    let mut file = File::open(&path).map_err(failed)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(PASSPHRASE_MAX + 1));
    let mut byte = [0];
    loop {
        match file.read(&mut byte) {
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) if bytes.len() == PASSPHRASE_MAX => return Err(Error::PassphraseTooLong),
            Ok(_) => bytes.push(byte[0]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    text(bytes)
}

/// Reads a passphrase from a systemd credential (`LoadCredential=`, systemd.exec(5)). One line end is not part of it.
///
/// # Errors
/// [`Error::NoCredentials`] when systemd has passed none; [`Error::Read`]; [`Error::PassphraseEmpty`],
/// [`Error::PassphraseTooLong`].
pub(crate) fn secret_from_credential(name: &str) -> Result<Zeroizing<String>, Error> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or(Error::NoCredentials)?;
    let path = PathBuf::from(folder).join(name);
    let failed = |source| Error::Read { path: path.clone(), source };
    let file = File::open(&path).map_err(failed)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(PASSPHRASE_MAX + 3));
    file.take(PASSPHRASE_MAX as u64 + 3).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    if bytes.len() > PASSPHRASE_MAX {
        return Err(Error::PassphraseTooLong);
    }
    text(bytes)
}

fn text(bytes: Zeroizing<Vec<u8>>) -> Result<Zeroizing<String>, Error> {
    if bytes.is_empty() {
        return Err(Error::PassphraseEmpty);
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| Error::PassphraseNotText)?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn open() -> Result<File, Error> {
    OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(|_| Error::NoTerminal)
}

fn read_secret(terminal: &mut File, prompt: &str) -> Result<Zeroizing<String>, Error> {
    // Quiet before the question: what is typed in answer to it must be neither shown nor thrown away.
    let quiet = QuietTerminal::new(terminal)?;
    quiet.write(prompt)?;
    let line = collect(|| {
        let mut byte = [0];
        match quiet.read(&mut byte) {
            Ok(0) => None,
            Ok(_) => Some(byte[0]),
            Err(_) => None,
        }
    });
    drop(quiet);
    let _ = writeln!(terminal);
    let line = line?;
    let text = std::str::from_utf8(&line).map_err(|_| Error::PassphraseNotText)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Collects the keys typed until Enter, honouring the editing keys that a raw terminal leaves to us.
fn collect(mut next: impl FnMut() -> Option<u8>) -> Result<Zeroizing<Vec<u8>>, Error> {
    // Never grows, so that no smaller copy of it stays behind in freed memory.
    let mut line = Zeroizing::new(Vec::with_capacity(PASSPHRASE_MAX));
    loop {
        // A terminal that went away in the middle has not said Enter: half a passphrase is none.
        let byte = next().ok_or(Error::Interrupted)?;
        match byte {
            b'\n' | b'\r' | END => break,
            INTERRUPT => return Err(Error::Interrupted),
            ERASE_LINE => line.clear(),
            BACKSPACE | DELETE => {
                // A character may be several bytes: continuation bytes go with the byte that leads them.
                while let Some(last) = line.pop() {
                    if last & 0xc0 != 0x80 {
                        break;
                    }
                }
            }
            _ if line.len() == PASSPHRASE_MAX => return Err(Error::PassphraseTooLong),
            byte => line.push(byte),
        }
    }
    Ok(line)
}

/// The terminal without echo and without signals; as it was before once this is dropped.
///
/// Signals are off because Ctrl-C would otherwise end the process and leave the terminal without its echo.
struct QuietTerminal<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> QuietTerminal<'a> {
    fn new(terminal: &'a File) -> Result<Self, Error> {
        let before = tcgetattr(terminal).map_err(|_| Error::NoTerminal)?;
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(terminal, OptionalActions::Flush, &quiet).map_err(|_| Error::NoTerminal)?;
        Ok(Self { terminal, before })
    }

    fn write(&self, text: &str) -> Result<(), Error> {
        let mut terminal = self.terminal;
        terminal.write_all(text.as_bytes()).map_err(|_| Error::NoTerminal)
    }

    fn read(&self, byte: &mut [u8; 1]) -> std::io::Result<usize> {
        let mut terminal = self.terminal;
        terminal.read(byte)
    }
}

impl Drop for QuietTerminal<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[u8]) -> Result<Vec<u8>, Error> {
        let mut keys = keys.iter().copied();
        collect(|| keys.next()).map(|line| line.to_vec())
    }

    #[test]
    fn enter_ends_the_line() {
        assert_eq!(typed(b"open sesame\rrest").ok().as_deref(), Some(&b"open sesame"[..]));
    }

    #[test]
    fn backspace_takes_a_whole_character() {
        assert_eq!(typed("nä\u{7f}o\r".as_bytes()).ok().as_deref(), Some(&b"no"[..]));
        assert_eq!(typed(b"\x7f\x7fa\r").ok().as_deref(), Some(&b"a"[..]));
    }

    #[test]
    fn control_c_interrupts_and_control_u_starts_over() {
        assert!(matches!(typed(b"abc\x03"), Err(Error::Interrupted)));
        assert_eq!(typed(b"wrong\x15right\r").ok().as_deref(), Some(&b"right"[..]));
    }

    #[test]
    fn a_line_that_breaks_off_is_no_answer() {
        assert!(matches!(typed(b"half a passph"), Err(Error::Interrupted)));
        assert!(matches!(typed(b""), Err(Error::Interrupted)));
    }

    #[test]
    fn an_endless_line_is_refused() {
        assert!(matches!(typed(&[b'a'; PASSPHRASE_MAX + 1]), Err(Error::PassphraseTooLong)));
    }
}
