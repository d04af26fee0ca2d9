//! What a handler did, for those who watch it run.

use std::time::Duration;

use tidemill_core::Watermark;
use tokio::time::Instant;
use tracing::Instrument;
use tracing::Span;

use super::Done;
use super::shard::OpenShard;

/// Where the time went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Reading journals, and catching up before the work.
    pub load: Duration,
    /// Asking other services, where the pipeline does.
    pub enrich: Duration,
    /// Reading records and firing.
    pub step: Duration,
    /// Writing commits.
    pub commit: Duration,
    /// Sending outputs.
    pub flush: Duration,
}

/// What a handler did since it was last asked, in batches and ticks that failed too.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// In sum, of what did not fail.
    pub done: Done,
    /// In sum.
    pub phases: Phases,
    /// How often it was read what others had committed.
    pub catch_ups: usize,
    /// Of the shards at work the lowest watermark, if there is one.
    pub watermark: Option<Watermark>,
    /// The last commit of the shard that was at work last.
    pub commit: Option<u64>,
    /// About how many bytes the state of all shards in memory takes as stored.
    pub state_bytes: usize,
}

impl Tally {
    /// Adds what a shard met. What it counted begins anew.
    pub(super) fn add_shard(&mut self, open: &mut OpenShard) {
        self.add_phases(std::mem::take(&mut open.phases));
        self.catch_ups += std::mem::take(&mut open.catch_ups);
        let watermark = open.view.progress().watermark;
        let is_within = watermark != Watermark::START && watermark != Watermark::END;
        self.watermark = self.watermark.into_iter().chain(is_within.then_some(watermark)).min();
        self.commit = Some(open.view.number());
    }

    pub(super) fn add_done(&mut self, done: &Done) {
        self.done.absorb(done.clone());
        self.done.repeats += done.repeats;
    }

    pub(super) fn add_phases(&mut self, phases: Phases) {
        self.phases.load += phases.load;
        self.phases.enrich += phases.enrich;
        self.phases.step += phases.step;
        self.phases.commit += phases.commit;
        self.phases.flush += phases.flush;
    }
}

/// Awaits a phase within its span, and adds its time.
pub(super) async fn timed<F: Future>(phase: &mut Duration, span: Span, work: F) -> F::Output {
    let begun = Instant::now();
    let output = work.instrument(span).await;
    *phase += begun.elapsed();
    output
}

/// The same for work that waits for nothing.
pub(super) fn clocked<T>(phase: &mut Duration, span: Span, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let output = span.in_scope(work);
    *phase += begun.elapsed();
    output
}
