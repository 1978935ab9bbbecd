//! The server's error log.

use std::ffi::{CStr, c_char, c_void};
use std::mem::transmute;
use std::ptr::NonNull;

use strongroom_plugin_abi::{symbols, text};

/// The server's functions for its error log, C++ by name and variadic by nature.
type Print = unsafe extern "C" fn(format: *const c_char, ...);

/// Writes lines to the error log, each with the plugin's name in front. Without a server (in mariadb-backup, in tests)
/// they go to standard error.
#[derive(Debug, Clone, Copy)]
pub struct Log {
    /// The plugin's name.
    pub plugin: &'static str,
}

impl Log {
    /// Something does not work, and somebody should act.
    pub fn error(self, message: &str) {
        self.write(c"_Z15sql_print_errorPKcz", "ERROR", message);
    }

    /// Something is not as it should be, and works nevertheless.
    pub fn warning(self, message: &str) {
        self.write(c"_Z17sql_print_warningPKcz", "Warning", message);
    }

    /// Something worth knowing.
    pub fn note(self, message: &str) {
        self.write(c"_Z21sql_print_informationPKcz", "Note", message);
    }

    fn write(self, function: &CStr, level: &str, message: &str) {
        // One message is one line, whatever a peer put into its text.
        let line: String =
            message.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
        let Some(function) = symbols::find(function) else {
            eprintln!("[{level}] {}: {line}", self.plugin);
            return;
        };
        // SAFETY: the symbol is a function of this type in every server that has it.
        let print = unsafe { transmute::<NonNull<c_void>, Print>(function) };
        let (plugin, line) = (text::to_c(self.plugin), text::to_c(&line));
        // SAFETY: the format takes two strings, and both live until the call returns.
        unsafe { print(c"%s: %s".as_ptr(), plugin.as_ptr(), line.as_ptr()) };
    }
}
