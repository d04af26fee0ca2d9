//! What a run tells while it goes on.

/// Takes what a run has to tell before its report. Nothing of it belongs to the result.
pub trait Progress: Send + Sync {
    /// A new phase begins.
    fn phase(&self, what: &str);

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
    fn records(&self, _: u64, _: u64) {}
    fn warn(&self, _: &str) {}
    fn log(&self, _: &str) {}
    fn pause(&self) {}
}
