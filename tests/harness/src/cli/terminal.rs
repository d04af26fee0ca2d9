//! Progress on the standard error: a live screen on a terminal, a line now and then elsewhere.

use std::fmt::{self, Write};
use std::io::{IsTerminal, stderr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::history::History;
use crate::progress::Progress;

use super::live;
use super::style::Style;

/// How often a line is written where there is no terminal.
const EVERY: Duration = Duration::from_secs(10);
/// What takes longer than this says for how long.
const LONG: Duration = Duration::from_secs(2);
/// How often a screen is drawn anew.
const FRAME: Duration = Duration::from_millis(100);

/// A bar is "finished" whenever it must not draw.
pub(super) struct Terminal {
    style: Style,
    bar: Option<ProgressBar>,
    last_line: Mutex<Instant>,
    watched: Mutex<Option<Arc<History>>>,
}

impl Terminal {
    pub(super) fn new() -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            bar.finish_and_clear();
            bar
        });
        let last_line = Mutex::new(Instant::now());
        Self { style: Style::of_stderr(), bar, last_line, watched: Mutex::default() }
    }

    /// Writes a line without disturbing the bar.
    pub(super) fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) if !bar.is_finished() => bar.suspend(|| eprintln!("{line}")),
            _ => eprintln!("{line}"),
        }
    }

    fn watched(&self) -> Option<Arc<History>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Terminal {
    /// Leaves no half of a screen behind where work is broken off.
    fn drop(&mut self) {
        self.pause();
    }
}

impl Progress for Terminal {
    fn phase(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.reset();
            bar.set_style(spinner(self.style));
            bar.set_message(what.to_owned());
            bar.enable_steady_tick(FRAME);
        }
    }

    fn watch(&self, history: &Arc<History>) {
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(history));
        if let Some(bar) = &self.bar {
            bar.set_style(screen(history, self.style));
        }
    }

    fn records(&self, done: u64, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
            return;
        }
        let mut last = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= EVERY {
            *last = Instant::now();
            let (now, _) = self.watched().map(|history| history.now()).unwrap_or_default();
            eprintln!("{}", live::line(&now, done, total));
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

/// What goes on, and for how long if that is long.
fn spinner(style: Style) -> ProgressStyle {
    let since = move |state: &ProgressState, out: &mut dyn fmt::Write| {
        let elapsed = state.elapsed();
        if elapsed >= LONG {
            // A screen that cannot be written is not seen.
            let _ = out.write_str(&style.dim(&format!("{} s", elapsed.as_secs())));
        }
    };
    let spinner = ProgressStyle::with_template("{spinner} {msg} {since}");
    spinner.unwrap_or_else(|_| ProgressStyle::default_spinner()).with_key("since", since)
}

/// A bar with the run's figures under it, drawn anew with every tick.
fn screen(history: &Arc<History>, style: Style) -> ProgressStyle {
    const TEMPLATE: &str = "{spinner} {bar:24} {percent:>3}%  {human_pos} of {human_len} records  {rate}\n{figures}";
    let of_rate = Arc::clone(history);
    let rate = move |_: &ProgressState, out: &mut dyn fmt::Write| {
        // A screen that cannot be written is not seen.
        let _ = out.write_str(&live::rate(&of_rate.now().0));
    };
    let of_figures = Arc::clone(history);
    let figures = move |_: &ProgressState, out: &mut dyn fmt::Write| {
        let (now, _) = of_figures.now();
        let lines = live::figures(&now, of_figures.last_event());
        let mut text = String::new();
        for (index, (label, value)) in lines.iter().enumerate() {
            let end = if index + 1 < lines.len() { "\n" } else { "" };
            let _ = write!(text, "  {}{value}{end}", style.dim(&format!("{label:<11}")));
        }
        let _ = out.write_str(&text);
    };
    let screen = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_spinner());
    screen.progress_chars("━╸ ").with_key("rate", rate).with_key("figures", figures)
}
