//! The event source mapping: what Lambda does between a Kinesis stream and a function.
//!
//! Each shard is one task. It polls GetRecords, cuts batches, keeps one of them in flight, and
//! sends it, or what is left of it, until the function has taken all of it. A shard is done when
//! the last record put there is behind its checkpoint; then its input may be declared ended.

mod batch;
mod deliver;
mod event;
mod poll;
mod response;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::JoinSet;

use crate::emulators::ShardContent;
use crate::environment::Pool;
use crate::error::Error;
use crate::progress::Progress;
use deliver::Shard;

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
}

impl Mapping {
    /// Delivers all that lies in the shards.
    pub async fn run(self: &Arc<Self>, shards: &[ShardContent], progress: &Arc<dyn Progress>) -> Result<(), Error> {
        let total = shards.iter().map(|shard| shard.records).sum();
        let mut tasks = JoinSet::new();
        for (number, content) in shards.iter().enumerate() {
            let shard = Shard::new(Arc::clone(self), number, content.clone());
            let (mapping, progress) = (Arc::clone(self), Arc::clone(progress));
            tasks.spawn(shard.run(move |records| {
                let done = mapping.tally.records.fetch_add(records, Ordering::Relaxed) + records;
                progress.records(done, total);
            }));
        }
        while let Some(ended) = tasks.join_next().await {
            match ended {
                Ok(delivered) => delivered?,
                Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
            }
        }
        Ok(())
    }
}
