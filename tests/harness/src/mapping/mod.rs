//! The event source mapping: what Lambda does between a Kinesis stream and a function.
//!
//! Each shard is one task. It polls GetRecords, cuts batches, keeps one of them in flight, and
//! sends it, or what is left of it, until the function has taken all of it. A shard that came of
//! others begins when all of those have ended, side by side with its siblings. A mapping is caught
//! up when nothing comes any more and the last record of each shard is behind its checkpoint; then
//! the input of its open shards may be declared ended, behind scheduled events if those are asked for. [`Chain`] does that for functions chained
//! through streams, those upstream first.

mod attempt;
mod batch;
mod chain;
mod deliver;
mod event;
pub mod live;
mod poll;
mod response;
mod shards;
mod tick;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::environment::Pool;

pub use chain::{Chain, Link};
pub use tick::Ticks;

/// A mapping of one stream to one function.
pub struct Mapping {
    /// Where the function runs.
    pub pool: Pool,
    /// The name of the source stream.
    pub stream: String,
    /// The most records a batch holds.
    pub batch_size: usize,
    /// Whether the function's answers name the records that failed.
    pub reports_failures: bool,
    /// Whether each shard's input is declared ended behind its last record.
    pub drains: bool,
    /// Scheduled events that the function gets when all is delivered, before its input ends.
    pub ticks: Option<Ticks>,
    /// What was done so far.
    pub tally: Tally,
}

/// Counts what a mapping does.
#[derive(Debug, Default)]
pub struct Tally {
    /// Records behind the checkpoint.
    pub records: AtomicU64,
    /// Batches cut and delivered.
    pub batches: AtomicU64,
    /// Invocations, of whatever outcome.
    pub invocations: AtomicU64,
    /// Invocations that sent again what an earlier one did not get done.
    pub retries: AtomicU64,
    /// Scheduled events that the function took.
    pub ticks: AtomicU64,
    /// When the last record arrived on the stream, in seconds since the epoch; 0 if none was read.
    pub last_arrival: AtomicU64,
}

impl Tally {
    /// Counts records, and says how many there are with them.
    fn done(&self, records: usize) -> u64 {
        let records = records as u64;
        self.records.fetch_add(records, Ordering::Relaxed) + records
    }

    /// Notes when a record arrived, in seconds since the epoch.
    fn arrived(&self, timestamp: f64) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the clock is behind the epoch")]
        self.last_arrival.fetch_max(timestamp as u64, Ordering::Relaxed);
    }
}

/// The mappings whose functions write to a stream: whether anything may still come from them.
#[derive(Debug, Clone, Default)]
struct Upstream(Vec<Arc<AtomicBool>>);

impl Upstream {
    /// Whether what they will ever write without being told more is in the stream.
    fn is_done(&self) -> bool {
        self.0.iter().all(|done| done.load(Ordering::Acquire))
    }
}
