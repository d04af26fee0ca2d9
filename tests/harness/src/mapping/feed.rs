//! Reading a shard, and dealing out what is read to the lanes that deliver it.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use ferrokinesis::sequence::partition_key_to_hash_key;
use tokio::time::Instant;

use crate::emulators::{Kinesis, Record, ShardContent};
use crate::error::Error;
use crate::template::Filter;

use super::aggregate::{Parts, parts};
use super::batch::Batch;
use super::event::{Rendered, Renderer};
use super::{Pace, Tally};

/// Reads a shard, in batches for each of its lanes.
pub(super) struct Feed {
    kinesis: Kinesis,
    renderer: Renderer,
    filters: Vec<Filter>,
    /// The hash keys of the shard, if it is read by enhanced fan-out.
    fanned_out: Option<RangeInclusive<u128>>,
    pace: Pace,
    iterator: Option<String>,
    last_read: Option<Instant>,
    lanes: Vec<VecDeque<Rendered>>,
    /// Records that are known to lie in the shard and were not polled yet.
    ahead: u64,
    read: Read,
}

/// What was read of a shard and may still be looked for there, since a function has not taken it.
struct Read {
    stream: String,
    shard: String,
    sequence_numbers: VecDeque<String>,
}

impl Feed {
    /// A shard of a stream, from an iterator on, behind which `content` says how many records are known to lie.
    pub(super) fn new(
        kinesis: Kinesis,
        stream: &str,
        content: &ShardContent,
        iterator: String,
        renderer: Renderer,
        lanes: usize,
    ) -> Self {
        let lanes = vec![VecDeque::new(); lanes.max(1)];
        let (stream, shard) = (stream.to_owned(), content.shard.clone());
        Self {
            kinesis,
            renderer,
            filters: Vec::new(),
            fanned_out: None,
            pace: Pace::REPLAY,
            iterator: Some(iterator),
            last_read: None,
            lanes,
            ahead: content.records,
            read: Read { stream, shard, sequence_numbers: VecDeque::new() },
        }
    }

    pub(super) fn filtered(self, filters: &[Filter], pace: Pace) -> Self {
        Self { filters: filters.to_vec(), pace, ..self }
    }

    /// Read by enhanced fan-out, which takes aggregates apart.
    pub(super) fn fanned_out(self, shard: RangeInclusive<u128>) -> Self {
        Self { fanned_out: Some(shard), ..self }
    }

    /// The next batch of a lane: one that is full, or what there is if that is `enough`. `None` if there
    /// is nothing.
    pub(super) async fn batch(
        &mut self,
        lane: usize,
        size: usize,
        enough: bool,
        tally: &Tally,
    ) -> Result<Option<Batch>, Error> {
        while !Batch::is_full(&self.lanes[lane], size) && self.poll(tally).await? {
            if enough && self.pace.timely && !self.lanes[lane].is_empty() {
                break;
            }
        }
        let enough = enough || self.iterator.is_none() || Batch::is_full(&self.lanes[lane], size);
        if !enough || self.lanes[lane].is_empty() {
            return Ok(None);
        }
        Ok(Some(Batch::cut(&mut self.lanes[lane], size)))
    }

    /// Whether anything waits for a lane's next batch.
    pub(super) fn is_empty(&self, lane: usize) -> bool {
        self.lanes[lane].is_empty()
    }

    /// Whether the shard is closed and nothing of it is left for a lane.
    pub(super) fn has_ended(&self, lane: usize) -> bool {
        self.iterator.is_none() && self.lanes[lane].is_empty()
    }

    /// Reads on, and says whether there was anything.
    async fn poll(&mut self, tally: &Tally) -> Result<bool, Error> {
        let Some(iterator) = &self.iterator else { return Ok(false) };
        if let Some(last) = self.last_read {
            tokio::time::sleep_until(last + self.pace.busy).await;
        }
        let (records, next) = self.kinesis.records(iterator).await?;
        self.last_read = Some(Instant::now());
        if records.is_empty() && self.ahead > 0 {
            return Err(Error::Emulator {
                service: "Kinesis",
                what: String::from("read on"),
                why: format!("{} records that were put do not come out", self.ahead),
            });
        }
        self.forget().await;
        self.read.sequence_numbers.extend(records.iter().map(|record| record.sequence_number.clone()));
        self.iterator = next;
        self.ahead = self.ahead.saturating_sub(records.len() as u64);
        let any = !records.is_empty();
        records.into_iter().for_each(|record| self.take(record, tally));
        Ok(any)
    }

    /// Of a single lane, all that was read is behind the checkpoint up to what waits for its batch.
    async fn forget(&mut self) {
        let Read { stream, shard, sequence_numbers } = &mut self.read;
        let [lane] = &self.lanes[..] else { return };
        let waits =
            lane.front().and_then(|first| sequence_numbers.iter().position(|one| *one == first.sequence_number));
        let done = waits.unwrap_or(sequence_numbers.len());
        self.kinesis.delivered(stream, shard, sequence_numbers.drain(..done)).await;
    }

    /// Lays a record into its lane, or those inside.
    fn take(&mut self, record: Record, tally: &Tally) {
        tally.arrived(record.approximate_arrival_timestamp);
        let Some(shard) = &self.fanned_out else { return self.deal(record, tally) };
        let Parts { records, lost } = parts(record, shard, self.pace.whole_aggregates);
        tally.lost(lost);
        records.into_iter().for_each(|record| self.deal(record, tally));
    }

    /// Lays a record into its lane, if it passes.
    fn deal(&mut self, record: Record, tally: &Tally) {
        if !Filter::any_passes(&self.filters, &self.renderer.metadata(&record), &record.data) {
            tally.filtered();
            return;
        }
        let lane = lane(&record.partition_key, self.lanes.len());
        self.lanes[lane].push_back(self.renderer.render(record));
    }
}

/// The lane of a key: what has one key stays in order. How Lambda does it is not documented.
fn lane(key: &str, lanes: usize) -> usize {
    let lanes = lanes.max(1) as u128;
    usize::try_from(partition_key_to_hash_key(key) % lanes).unwrap_or(0)
}
