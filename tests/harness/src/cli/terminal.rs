//! Progress on the standard error: a bar on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::progress::Progress;

use super::style::Style;

/// How often a line is written where there is no terminal.
const EVERY: Duration = Duration::from_secs(10);

/// A bar is "finished" whenever it must not draw.
pub(super) struct Terminal {
    style: Style,
    bar: Option<ProgressBar>,
    last_line: Mutex<Instant>,
}

impl Terminal {
    pub(super) fn new() -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            bar.finish_and_clear();
            bar
        });
        Self { style: Style::of_stderr(), bar, last_line: Mutex::new(Instant::now()) }
    }

    /// Writes a line without disturbing the bar.
    pub(super) fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) if !bar.is_finished() => bar.suspend(|| eprintln!("{line}")),
            _ => eprintln!("{line}"),
        }
    }
}

impl Progress for Terminal {
    fn phase(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.reset();
            bar.set_style(spinner());
            bar.set_message(what.to_owned());
            bar.enable_steady_tick(Duration::from_millis(100));
        }
    }

    fn records(&self, done: u64, total: u64) {
        if let Some(bar) = &self.bar {
            if bar.length() != Some(total) {
                bar.set_length(total);
                bar.set_style(counter());
            }
            bar.set_position(done);
            return;
        }
        let mut last = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= EVERY {
            *last = Instant::now();
            eprintln!("{done} of {total} records");
        }
    }

    fn warn(&self, line: &str) {
        self.line(&format!("{} {line}", self.style.yellow("note:")));
    }

    fn log(&self, line: &str) {
        self.line(&self.style.dim(&format!("| {line}")));
    }

    fn pause(&self) {
        if let Some(bar) = &self.bar {
            bar.disable_steady_tick();
            bar.finish_and_clear();
        }
    }
}

fn spinner() -> ProgressStyle {
    ProgressStyle::default_spinner()
}

fn counter() -> ProgressStyle {
    let template = "{spinner} {msg} {bar:30} {human_pos} of {human_len} records";
    ProgressStyle::with_template(template).unwrap_or_else(|_| spinner())
}
