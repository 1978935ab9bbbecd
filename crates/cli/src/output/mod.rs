//! Everything that is printed: results to standard output, explanations and errors to standard error.
//!
//! Colours and progress appear only on a terminal and never when `NO_COLOR` is set (`anstream` decides, per stream).
//! Prose fits 80 columns.

mod duration;
mod printable;
mod steps;
mod table;
mod wrap;

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

pub(crate) use duration::{short, utc};
pub(crate) use printable::{printable, printable_lines};
pub(crate) use steps::Steps;
pub(crate) use table::Table;
pub(crate) use wrap::wrap;

use crate::error::Error;
use crate::exit::Exit;

/// Width that prose is wrapped to, in columns.
pub(crate) const WIDTH: usize = 80;

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const STRONG: Style = Style::new().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();

/// How the user wants to be spoken to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
}

impl Output {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    /// Results and errors are wanted as JSON.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Explanations and progress are wanted.
    pub(crate) fn speaks(self) -> bool {
        !self.json && !self.quiet
    }

    /// A person reads standard output right now.
    pub(crate) fn is_terminal(self) -> bool {
        io::stdout().is_terminal()
    }

    /// Prints a result, with a line end.
    ///
    /// # Errors
    /// [`Error::Output`] when standard output does not take it, for example because its reader is gone.
    pub(crate) fn result(self, text: impl std::fmt::Display) -> Result<(), Error> {
        let mut out = anstream::stdout().lock();
        writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Error::Output)
    }

    /// Prints a result as one JSON document.
    ///
    /// # Errors
    /// As [`Output::result`].
    pub(crate) fn json(self, value: &impl Serialize) -> Result<(), Error> {
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, value).map_err(|error| Error::Output(error.into()))?;
        writeln!(out).and_then(|()| out.flush()).map_err(Error::Output)
    }

    /// Prints a result's exact bytes.
    ///
    /// # Errors
    /// As [`Output::result`].
    pub(crate) fn bytes(self, bytes: &[u8]) -> Result<(), Error> {
        // `StdoutLock` keeps what follows the last line end in a buffer that is never wiped. Writing through the
        // descriptor leaves no second copy of a key in this process.
        let mut stdout = io::stdout();
        stdout.flush().map_err(Error::Output)?;
        let mut rest = bytes;
        while !rest.is_empty() {
            match rustix::io::write(&stdout, rest) {
                Ok(0) => return Err(Error::Output(io::ErrorKind::WriteZero.into())),
                Ok(written) => rest = &rest[written..],
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Error::Output(error.into())),
            }
        }
        Ok(())
    }

    /// Explains something to a person. Nobody depends on it, so a closed standard error is no failure.
    pub(crate) fn note(self, text: impl std::fmt::Display) {
        if self.speaks() {
            let _ = writeln!(anstream::stderr().lock(), "{text}");
        }
    }

    /// Says what may hurt later; not silenced by `--quiet`.
    pub(crate) fn warn(self, text: impl std::fmt::Display) {
        let message = wrap(&printable_lines(&format!("warning: {text}")), WIDTH, "  ");
        let _ = writeln!(anstream::stderr().lock(), "{message}");
    }

    /// Prints why the command line was not understood, as JSON.
    pub(crate) fn usage(self, usage: &clap::Error) {
        let rendered = usage.render().to_string();
        // The first paragraph says what is wrong; what follows are tips and the synopsis.
        let (message, tips) = rendered.split_once("\n\n").unwrap_or((&rendered, ""));
        let message = message.strip_prefix("error: ").unwrap_or(message).trim();
        let document = serde_json::json!({ "error": {
            "message": message,
            "remedy": tips.trim(),
            "exit": Exit::Usage.code(),
        }});
        let _ = writeln!(anstream::stderr(), "{document}");
    }

    /// Prints an error: what happened, then what to do.
    pub(crate) fn error(self, error: &Error) {
        if error.is_silent() {
            return;
        }
        let mut err = anstream::stderr().lock();
        let _ = if self.json {
            let document = serde_json::json!({ "error": {
                "message": error.to_string(),
                "remedy": error.remedy(),
                "exit": error.exit().code(),
            }});
            writeln!(err, "{document}")
        } else {
            let what = wrap(&printable_lines(&format!("error: {error}")), WIDTH, "  ");
            let what = what.strip_prefix("error:").map_or(what.as_str(), str::trim_start);
            let _ = writeln!(err, "{BAD}error:{BAD:#} {what}");
            match error.remedy() {
                Some(remedy) => {
                    writeln!(err, "{}", wrap(&printable_lines(&format!("  {remedy}")), WIDTH, "  "))
                }
                None => Ok(()),
            }
        };
    }
}
