//! Where outputs go.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use crate::Output;

/// Until when work may go on: the invocation's deadline less a margin, or no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// No limit: for tests, tools, and where the platform tells no deadline.
    pub const NONE: Self = Self(None);

    /// Until this instant.
    pub const fn at(instant: Instant) -> Self {
        Self(Some(instant))
    }

    /// Whether it is over.
    pub fn has_passed(self) -> bool {
        self.remaining().is_some_and(|remaining| remaining.is_zero())
    }

    /// What is left until then; `None` without a limit.
    pub fn remaining(self) -> Option<Duration> {
        self.0.map(|instant| instant.saturating_duration_since(Instant::now()))
    }

    /// Whether waiting `pause` would still leave time for work.
    pub fn allows(self, pause: Duration) -> bool {
        self.remaining().is_none_or(|remaining| pause < remaining)
    }
}

/// Why outputs were not all acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Not now: throttled, no answer, out of time. Some outputs may have arrived; sending all again is right.
    #[error("{0}")]
    Unavailable(String),
    /// Never: no such stream, no permission.
    #[error("{0}")]
    Refused(String),
}

/// Sends outputs downstream.
pub trait Sink: Send + Sync {
    /// Why the sink would never take this output (size, partition key, unknown name); `None` if it may. Asked before the
    /// commit: an output that cannot be sent would block its shard for ever.
    fn objection(&self, output: &Output) -> Option<String>;

    /// Sends all outputs. *Law:* `Ok` only when every single one is acknowledged; on an error any of them may have
    /// arrived, and may still. Retries what failed until `deadline`, then gives up with [`SinkError::Unavailable`].
    fn send(&self, outputs: &[Output], deadline: Deadline) -> impl Future<Output = Result<(), SinkError>> + Send;
}
