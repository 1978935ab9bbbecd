//! Steps that are ticked off as they are proved.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::{BAD, FAINT, GOOD, WIDTH, short, wrap};
use crate::error::Error;

/// Width of the time column at the right edge.
const TIME_WIDTH: usize = 8;

/// Prints one line per step: a tick only for a step that returned `Ok`, a cross for one that did not.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    silent: bool,
    taken: Vec<Step>,
}

/// A step that was taken, or left out.
#[derive(Debug, Serialize)]
pub(crate) struct Step {
    title: String,
    outcome: Outcome,
    /// What was proved, or why it was left out; nothing for a step that failed, whose error follows.
    proof: Option<String>,
    took_ms: u128,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Held,
    Failed,
    Skipped,
}

impl Steps {
    /// Steps that print nothing but are kept (`--quiet`, `--json`).
    pub(crate) fn silent(silent: bool) -> Self {
        Self { silent, taken: Vec::new() }
    }

    /// What was done so far.
    pub(crate) fn taken(&self) -> &[Step] {
        &self.taken
    }

    /// Runs one step. It returns its value and, in a few words, what it has proved.
    ///
    /// # Errors
    /// The step's own, after the cross has been printed, or [`Error::Output`].
    pub(crate) fn run<T>(
        &mut self,
        title: &str,
        step: impl FnOnce() -> Result<(T, String), Error>,
    ) -> Result<T, Error> {
        let spinner = self.spinner(title);
        self.take(title, spinner, step)
    }

    /// Runs one step that tells how many of `total` things it has done, each time some are.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub(crate) fn run_counted<T>(
        &mut self,
        title: &str,
        total: usize,
        step: impl FnOnce(&mut dyn FnMut(usize)) -> Result<(T, String), Error>,
    ) -> Result<T, Error> {
        let spinner = self.spinner(title);
        if let Some(spinner) = &spinner
            && let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {pos}/{len} {elapsed}")
        {
            spinner.set_style(style);
            spinner.set_length(total as u64);
        }
        let counter = spinner.clone();
        let mut done = move |more: usize| {
            if let Some(counter) = &counter {
                counter.inc(more as u64);
            }
        };
        self.take(title, spinner, || step(&mut done))
    }

    fn take<T>(
        &mut self,
        title: &str,
        spinner: Option<ProgressBar>,
        step: impl FnOnce() -> Result<(T, String), Error>,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let outcome = step();
        let took = started.elapsed();
        if let Some(spinner) = spinner {
            spinner.finish_and_clear();
        }
        match outcome {
            Ok((value, proof)) => {
                self.print(&format!("{GOOD}✓{GOOD:#} {}", line(title, took)))?;
                self.print(&format!("{FAINT}{}{FAINT:#}", wrap(&format!("    {proof}"), WIDTH, "    ")))?;
                self.keep(title, Outcome::Held, Some(proof), took);
                Ok(value)
            }
            Err(error) => {
                self.keep(title, Outcome::Failed, None, took);
                self.print(&format!("{BAD}✗{BAD:#} {}", line(title, took)))?;
                Err(error)
            }
        }
    }

    /// Says that something was left out, and why.
    ///
    /// # Errors
    /// [`Error::Output`]
    pub(crate) fn skip(&mut self, title: &str, why: &str) -> Result<(), Error> {
        self.keep(title, Outcome::Skipped, Some(why.to_owned()), Duration::ZERO);
        self.print(&format!("{FAINT}-{FAINT:#} {}", wrap(&format!("{title}: {why}"), WIDTH - 2, "    ")))
    }

    fn keep(&mut self, title: &str, outcome: Outcome, proof: Option<String>, took: Duration) {
        self.taken.push(Step { title: title.to_owned(), outcome, proof, took_ms: took.as_millis() });
    }

    fn print(&self, text: &str) -> Result<(), Error> {
        if self.silent {
            return Ok(());
        }
        let mut out = anstream::stdout().lock();
        writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Error::Output)
    }

    fn spinner(&self, title: &str) -> Option<ProgressBar> {
        if self.silent || !std::io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some() {
            return None;
        }
        let spinner = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            spinner.set_style(style);
        }
        spinner.set_message(title.to_owned());
        spinner.enable_steady_tick(Duration::from_millis(100));
        Some(spinner)
    }
}

/// The title, and the time at the right edge (the tick and a space stand before it).
fn line(title: &str, took: Duration) -> String {
    let room = WIDTH - 2 - TIME_WIDTH;
    format!("{title:<room$}{:>TIME_WIDTH$}", short(took))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn only_a_step_that_held_is_kept_as_held() {
        let mut steps = Steps::silent(true);
        assert_eq!(steps.run("good", || Ok((7, "seven".to_owned()))).ok(), Some(7));
        assert!(steps.run("bad", || Err::<((), String), _>(Error::Interrupted)).is_err());
        let outcomes: Vec<Outcome> = steps.taken().iter().map(|step| step.outcome).collect();
        assert_eq!(outcomes, [Outcome::Held, Outcome::Failed]);
    }

    #[test]
    fn a_step_line_fits_the_page() {
        assert_eq!(line("Made a vault", Duration::from_millis(12)).chars().count() + 2, WIDTH);
    }
}
