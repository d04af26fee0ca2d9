//! The clock of the emulated account.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Tells the time by tokio's clock from a moment of the system's on: both are the same unless a test has paused
/// the former, and then time passes for the account as it does for the test.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    began: SystemTime,
    at: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { began: SystemTime::now(), at: Instant::now() }
    }

    /// Milliseconds since the epoch.
    pub(super) fn millis(&self) -> u64 {
        let since = (self.began + self.at.elapsed()).duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}
