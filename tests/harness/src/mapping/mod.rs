//! The event source mapping: what Lambda does between a Kinesis stream and a function.
//!
//! ```text
//! shards    which shards begin when: parents before children, siblings at once
//! shard     the lanes of one of them, one unless a ParallelizationFactor makes more
//! feed      polls GetRecords, filters, deals records out to lanes
//! aggregate takes records apart that were packed together, for enhanced fan-out
//! batch     cuts batches by count and bytes        }
//! response  reads what an answer says              }  decide, and do nothing
//! pieces    retries, halves, suffixes, ages        }
//! lane      keeps one batch in flight, and sends what is left of it until nothing is
//! give_up   tells a destination of what is not delivered any more
//! pace      how long all that takes
//! ```
//!
//! A mapping is caught up when nothing comes any more and the last record of each shard is behind its
//! checkpoint; then the input of its open shards may be declared ended, behind scheduled events if those are
//! asked for. [`Chain`] does that for functions chained through streams, those upstream first.
//!
//! What holds of all this, row by row and with its source, stands in `docs/harness-conformance.md`.

mod aggregate;
mod attempt;
mod batch;
mod chain;
mod destination;
mod event;
mod feed;
mod give_up;
mod lane;
pub mod live;
mod pace;
mod pieces;
mod response;
mod shard;
mod shards;
mod tick;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::emulators::Kinesis;
use crate::environment::Pool;
use crate::error::Error;
use crate::template::EventSource;

pub use attempt::Invoke;
pub use chain::{Chain, Link};
pub use destination::Destinations;
pub use pace::Pace;
use shards::Shards;
pub use tick::Ticks;

/// A mapping of one stream to one function.
pub struct Mapping<F = Pool> {
    /// Where the function runs.
    pub pool: F,
    /// What the function is called.
    pub function: FunctionName,
    /// The account's streams.
    pub kinesis: Kinesis,
    /// Which stream, and how its records are delivered.
    pub source: EventSource,
    /// How long pauses are.
    pub pace: Pace,
    /// Where records go that are given up.
    pub destinations: Destinations,
    /// Whether each shard's input is declared ended behind its last record.
    pub drains: bool,
    /// Scheduled events that the function gets when all is delivered, before its input ends.
    pub ticks: Option<Ticks>,
    /// What was done so far.
    pub tally: Tally,
}

/// What a function is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionName {
    /// Its logical id, for messages.
    pub id: String,
    /// Its name, for ARNs.
    pub name: String,
}

impl<F: Invoke> Mapping<F> {
    /// Delivers all that lies in the stream, and what comes until `ended` is set, from the source's
    /// [starting position](EventSource::position) on.
    pub async fn deliver(self: &Arc<Self>, ended: Arc<AtomicBool>) -> Result<(), Error> {
        Shards::of(self, &[]).deliver(&Upstream(vec![ended]), None).await
    }
}

/// Counts what a mapping does.
#[derive(Debug, Default)]
pub struct Tally {
    /// Records behind the checkpoint: delivered, given up or filtered out.
    pub records: AtomicU64,
    /// Batches cut and delivered.
    pub batches: AtomicU64,
    /// Invocations, of whatever outcome.
    pub invocations: AtomicU64,
    /// Invocations that sent again what an earlier one did not get done.
    pub retries: AtomicU64,
    /// Records that were not delivered: their retries were used up, they were too old, or enhanced fan-out left them out
    /// of an aggregate.
    pub given_up: AtomicU64,
    /// Those of them that no destination was told of.
    pub dropped: AtomicU64,
    /// Records that no filter let pass.
    pub filtered: AtomicU64,
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

    /// Counts a record that no filter let pass: the shard goes on behind it.
    fn filtered(&self) {
        self.done(1);
        self.filtered.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts records of which nobody hears that they were not delivered.
    fn lost(&self, records: usize) {
        self.done(records);
        self.given_up.fetch_add(records as u64, Ordering::Relaxed);
        self.dropped.fetch_add(records as u64, Ordering::Relaxed);
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
