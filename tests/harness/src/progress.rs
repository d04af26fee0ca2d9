//! What a run tells while it goes on.

use std::sync::Arc;

use crate::history::History;

/// Takes what a run has to tell before its report. Nothing of it belongs to the result.
pub trait Progress: Send + Sync {
    /// A new phase begins.
    fn phase(&self, what: &str);

    /// A run begins whose figures can be looked at from now on.
    fn watch(&self, history: &Arc<History>);

    /// So many of the records have been processed.
    fn records(&self, done: u64, total: u64);

    /// Something the user should know.
    fn warn(&self, line: &str);

    /// A line of the function's log.
    fn log(&self, line: &str);

    /// Steps aside for a program that writes to the terminal itself.
    fn pause(&self);
}

/// Tells nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn phase(&self, _: &str) {}
    fn watch(&self, _: &Arc<History>) {}
    fn records(&self, _: u64, _: u64) {}
    fn warn(&self, _: &str) {}
    fn log(&self, _: &str) {}
    fn pause(&self) {}
}

/// Passes on what the user should know, and nothing else: one of several runs at once.
pub struct OneOfSeveral(pub Arc<dyn Progress>);

impl Progress for OneOfSeveral {
    fn phase(&self, _: &str) {}
    fn watch(&self, _: &Arc<History>) {}
    fn records(&self, _: u64, _: u64) {}
    fn warn(&self, line: &str) {
        self.0.warn(line);
    }
    fn log(&self, line: &str) {
        self.0.log(line);
    }
    fn pause(&self) {}
}

/// Writes the records that are processed into a run's history, and passes everything on.
pub(crate) struct Recorded {
    pub(crate) history: Arc<History>,
    pub(crate) progress: Arc<dyn Progress>,
}

impl Progress for Recorded {
    fn phase(&self, what: &str) {
        self.progress.phase(what);
    }
    fn watch(&self, history: &Arc<History>) {
        self.progress.watch(history);
    }
    fn records(&self, done: u64, total: u64) {
        self.history.delivered(done, total);
        self.progress.records(done, total);
    }
    fn warn(&self, line: &str) {
        self.progress.warn(line);
    }
    fn log(&self, line: &str) {
        self.progress.log(line);
    }
    fn pause(&self) {
        self.progress.pause();
    }
}
