//! The way of a batch through a pipeline without key: make, send, answer. Nothing is stored.

use tidemill_aws::Producer;
use tidemill_core::{Output, Record};
use tidemill_journal::{Deadline, Incarnation, Sink};
use tracing::debug_span;

use super::breaker::Breaker;
use super::tally::{Phases, Tally, clocked, timed};
use super::{Done, with_enriched};
use crate::outbox::Outbox;
use crate::{Error, Pipeline};

/// How many records' outputs are sent together.
const STRETCH: usize = 500;

/// Takes batches of any number of shards through a pipeline without key.
///
/// Sending is at least once: after an error, and after an answer that names where to go on, records come again. Their
/// outputs are the same then, down to the id.
pub struct RelayHandler<K> {
    pipeline: Pipeline,
    outbox: Outbox,
    sink: K,
    breaker: Breaker,
    tally: Tally,
}

impl<K: Sink> RelayHandler<K> {
    /// A handler of `pipeline`, which has no key.
    pub fn new(pipeline: Pipeline, sink: K) -> Self {
        Self { outbox: Outbox::of(&pipeline), pipeline, sink, breaker: Breaker::default(), tally: Tally::default() }
    }

    /// What was done since this was last asked.
    pub fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// Sends what comes of the records. If it is done ([`Done::is_complete`]), all outputs are acknowledged.
    ///
    /// # Errors
    /// If the sink refuses or does not answer in time; [`Error::BadRecords`] if too many records cannot be processed.
    pub async fn handle(
        &mut self,
        stream: &str,
        shard: &str,
        records: &[Record<'_>],
        deadline: Deadline,
    ) -> Result<Done, Error> {
        let done = self.relay(stream, shard, records, deadline).await?;
        self.tally.add_done(&done);
        Ok(done)
    }

    async fn relay(
        &mut self,
        stream: &str,
        shard: &str,
        records: &[Record<'_>],
        deadline: Deadline,
    ) -> Result<Done, Error> {
        let producer = Producer::new(&self.pipeline.journal(stream, shard), Incarnation(0));
        let mut done = Done::default();
        // Every record before the batch is acknowledged, or Lambda would not have gone on to it.
        let Some(floor) = records.first().map(|record| record.position.clone()) else { return Ok(done) };
        for stretch in records.chunks(STRETCH) {
            if done.taken > 0 && deadline.has_passed() {
                let again_from = stretch.first().map(|record| record.position.sequence.clone());
                return Ok(Done { again_from, is_unfinished: true, ..done });
            }
            let mut phases = Phases::default();
            let made = self.make(stretch, &mut phases).await;
            self.breaker.check_and_count(&self.pipeline, stretch.len(), made.iter().flatten())?;
            let mut outputs = Vec::new();
            for (record, made) in stretch.iter().zip(&made) {
                outputs.extend(self.outbox.pack_record(&producer, (&record.position, &floor), made, &self.sink));
                done.quarantined += made.iter().filter(|output| matches!(output, Output::Quarantined(_))).count();
                done.results += made.iter().filter(|output| matches!(output, Output::Result(_))).count();
            }
            let sent = timed(&mut phases.flush, debug_span!("flush"), self.sink.send(&outputs, deadline)).await;
            self.tally.add_phases(phases);
            sent.map_err(|error| Error::Sink(error.to_string()))?;
            done.taken += stretch.len();
            done.outputs += outputs.len();
        }
        Ok(done)
    }

    /// What comes of each record.
    async fn make(&self, records: &[Record<'_>], phases: &mut Phases) -> Vec<Vec<Output>> {
        let enriched = match self.pipeline.enricher() {
            Some(enricher) => timed(&mut phases.enrich, debug_span!("enrich"), enricher.enrich(records)).await,
            None => Vec::new(),
        };
        let Some(stateless) = self.pipeline.stateless() else { return Vec::new() };
        clocked(&mut phases.step, debug_span!("step"), || {
            with_enriched(records, &enriched).iter().map(|record| stateless.apply(record)).collect()
        })
    }
}
