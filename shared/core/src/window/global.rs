//! The global window: all of a key's records, with results by count.

use super::Window;

/// One window a key without an end. Event time does not close it: each n-th record of the key fires it. (Flink's
/// global windows with a count trigger.)
///
/// ```
/// use tidemill_core::window::Global;
///
/// let batches = Global::every(100);
/// assert_eq!((batches.count(), batches.is_running()), (100, false));
/// let totals = Global::running(100);
/// assert_eq!((totals.count(), totals.is_running()), (100, true));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Global {
    count: u64,
    running: bool,
}

impl Global {
    /// Fires with every `count` records of a key, at least 1, and begins anew: each result is of `count` records.
    pub const fn every(count: u64) -> Self {
        Self { count, running: false }
    }

    /// Fires with every `count` records of a key, at least 1, and keeps all: each result is of the key's records so far.
    pub const fn running(count: u64) -> Self {
        Self { count, running: true }
    }

    /// How many records of a key lie between two results.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Whether records stay in the window once it has fired.
    pub const fn is_running(&self) -> bool {
        self.running
    }
}

impl Window for Global {
    fn problems(&self) -> Vec<String> {
        let problem = "a global window every 0 records: it would never fire; the number must be at least one";
        if self.count == 0 { vec![problem.to_owned()] } else { Vec::new() }
    }

    fn describe(&self) -> String {
        format!("global, {} {} records", if self.running { "running every" } else { "every" }, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_never_fires_is_refused() {
        for windows in [Global::every, Global::running] {
            assert!(windows(0).problems().join("\n").contains("at least one"));
            assert!(windows(1).problems().is_empty() && windows(u64::MAX).problems().is_empty());
        }
    }

    #[test]
    fn what_is_kept_is_in_the_fingerprint() {
        assert_eq!(Global::every(2).describe(), "global, every 2 records");
        assert_eq!(Global::running(2).describe(), "global, running every 2 records");
    }
}
