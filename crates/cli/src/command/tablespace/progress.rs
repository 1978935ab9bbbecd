//! The bar that says how far work is: rate and time left. Only on a terminal.

use std::io::IsTerminal;
use std::num::NonZeroUsize;

use indicatif::{ProgressBar, ProgressStyle};
use strongroom_tablespace::run::{Progress, Run};

use crate::output::Output;

/// A bar, or nothing where nobody looks.
pub(super) struct Bar(Option<ProgressBar>);

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Bytes,
    Files,
}

impl Bar {
    /// A bar for `total` of what is counted.
    pub(super) fn new(unit: Unit, total: u64, output: Output) -> Self {
        if !output.speaks() || !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let template = match unit {
            Unit::Bytes => "  {bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left",
            Unit::Files => "  {bar:30} {pos}/{len} files  {per_sec}  {eta} left",
        };
        let bar = ProgressBar::new(total);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(Some(bar))
    }

    /// How work is done that tells this bar.
    pub(super) fn run(&self, jobs: Option<NonZeroUsize>) -> Run<'_> {
        let run = Run { progress: self, ..Run::default() };
        Run { jobs: jobs.unwrap_or(run.jobs), ..run }
    }
}

impl Progress for Bar {
    fn expect(&self, more: u64) {
        if let Some(bar) = &self.0 {
            bar.inc_length(more);
        }
    }

    fn advance(&self, more: u64) {
        if let Some(bar) = &self.0 {
            bar.inc(more);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
