//! The server's error log.
//!
//! A component's official way there is the service `log_builtins`, whose table has had three shapes: the slot of its variadic
//! `message` is not the same in every release of 8.0, 8.4 and 9.x, and a wrong slot is a crash. `message` is nothing but the
//! server's function `log_message`, which mysqld exports by its C++ name, so that one is called. A plugin has a service of its own
//! for it, which puts the documented "Plugin … reported" around each line. Where there is neither (`mysql_migrate_keyring`, tests),
//! lines go to standard error, which is where those programs write theirs.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::io::Write;
use std::mem::transmute;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

use strongroom_plugin_abi::{symbols, text};

/// How much a line matters: the server's numbers (`enum loglevel`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something does not work, and somebody should act.
    Error = 1,
    /// Something is not as it should be, and works nevertheless.
    Warning = 2,
    /// Something worth knowing. Servers hide these lines unless `log_error_verbosity` is 3.
    Note = 3,
}

/// The server's variadic function: pairs of a tag and a value, ended by a zero tag.
type LogMessage = unsafe extern "C" fn(log_type: c_int, ...) -> c_int;
/// The error log, as opposed to the others.
const LOG_TYPE_ERROR: c_int = 1;
/// What stands in the third pair of brackets, of which the server shows 12 bytes.
const SUBSYSTEM: &CStr = c"Keyring";
/// The tags (`enum_log_item_type`), which 8.0.22 to 9.7 share.
const ITEM_SUBSYSTEM: c_int = 1 << 9;
const ITEM_PRIORITY: c_int = 1 << 16;
const ITEM_VERBATIM: c_int = 1 << 18;
const ITEM_END: c_int = 0;

/// `my_plugin_log_service`: a plugin's way to the log. Its levels are those of [`Level`] less one.
#[repr(C)]
pub struct PluginLog {
    message:
        unsafe extern "C" fn(plugin: *mut *mut c_void, level: c_int, format: *const c_char, ...) -> c_int,
}

static PLUGIN_LOG: AtomicPtr<PluginLog> = AtomicPtr::new(ptr::null_mut());
static PLUGIN: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// Longest line in bytes. The server's plugin log has room for 1024 with what it puts around.
const LINE_MAX: usize = 900;

/// Writes lines to the error log in the name of a component or plugin.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    /// The component's or plugin's name.
    pub name: &'static str,
}

impl Log {
    /// Writes an [`Error`](Level::Error).
    pub fn error(self, message: &str) {
        self.write(Level::Error, message);
    }

    /// Writes a [`Warning`](Level::Warning).
    pub fn warning(self, message: &str) {
        self.write(Level::Warning, message);
    }

    /// Writes a [`Note`](Level::Note).
    pub fn note(self, message: &str) {
        self.write(Level::Note, message);
    }

    fn write(self, level: Level, message: &str) {
        // One message is one line, whatever a peer put into its text.
        let line: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if !(to_plugin_log(level, &line) || self.to_server_log(level, &line)) {
            self.to_standard_error(level, &line, std::io::stderr());
        }
    }

    /// Where nobody reads any more, the line is lost, and what it is about goes on.
    fn to_standard_error(self, level: Level, line: &str, mut output: impl Write) {
        let level = match level {
            Level::Error => "ERROR",
            Level::Warning => "Warning",
            Level::Note => "Note",
        };
        let _ = output.write_all(format!("[{level}] {}: {line}\n", self.name).as_bytes());
    }

    fn to_server_log(self, level: Level, line: &str) -> bool {
        // The tags are those of servers that have the table `error_log`. The version cannot be asked: while components are loaded,
        // the server has not written it down yet.
        if symbols::find(c"_Z19log_sink_perfschemaPvP9_log_line").is_none() {
            return false;
        }
        let Some(function) = symbols::find(c"_Z11log_messageiz") else {
            return false;
        };
        // SAFETY: the symbol is a function of this type in every server that has it.
        let message = unsafe { transmute::<NonNull<c_void>, LogMessage>(function) };
        let line = text::to_c(&format!("{}: {line}", self.name));
        // SAFETY: each tag is followed by a value of the type that belongs to it, the list ends with a zero tag, and both texts
        // live until the call returns.
        unsafe {
            message(
                LOG_TYPE_ERROR,
                ITEM_PRIORITY,
                level as i64,
                ITEM_SUBSYSTEM,
                SUBSYSTEM.as_ptr(),
                ITEM_VERBATIM,
                line.as_ptr(),
                ITEM_END,
            );
        }
        true
    }
}

fn to_plugin_log(level: Level, line: &str) -> bool {
    let service = PLUGIN_LOG.load(Ordering::Acquire);
    if service.is_null() {
        return false;
    }
    for part in parts(line) {
        let part = text::to_c(part);
        let mut plugin = PLUGIN.load(Ordering::Acquire);
        // SAFETY: `use_plugin_log` was given a service of the server and the plugin's own handle, both of which live as long as the
        // plugin is loaded; the format takes one string, which lives until the call returns.
        unsafe {
            ((*service).message)(&raw mut plugin, level as c_int - 1, c"%s".as_ptr(), part.as_ptr());
        }
    }
    true
}

/// A line in pieces that the server's buffer holds.
fn parts(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest.take()?;
        if line.len() <= LINE_MAX {
            return Some(line);
        }
        let (part, after) = line.split_at(line.floor_char_boundary(LINE_MAX));
        rest = Some(after);
        Some(part)
    })
}

/// Writes through the plugin log from now on; with a null pointer no longer.
///
/// # Safety
/// `service` is null, or the server's `my_plugin_log_service`; `plugin` is what the server passed to the plugin's `init`. Both stay
/// until this is called again.
pub unsafe fn use_plugin_log(service: *mut PluginLog, plugin: *mut c_void) {
    PLUGIN.store(plugin, Ordering::Release);
    PLUGIN_LOG.store(service, Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_at_characters_and_nothing_is_lost() {
        let line = "a\u{20AC}".repeat(700);
        let parts: Vec<&str> = parts(&line).collect();
        assert_eq!(parts.concat(), line);
        assert!(parts.len() == 4 && parts.iter().all(|part| part.len() <= LINE_MAX));
        assert_eq!(super::parts("").collect::<Vec<_>>(), [""]);
    }

    /// A reader who has gone away made a panic of the line, and of a key that had been stored one that had not.
    #[test]
    fn standard_error_that_nobody_reads_fails_nothing() {
        let (reader, writer) = std::io::pipe().unwrap();
        let log = Log { name: "test" };
        log.to_standard_error(Level::Note, "said", &writer);
        drop(reader);
        log.to_standard_error(Level::Note, "lost", &writer);
    }
}
