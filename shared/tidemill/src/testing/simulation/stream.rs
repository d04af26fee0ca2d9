//! A source stream that is split and merged.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tidemill_core::{EventTime, HashRange, Position, Record, SequenceNumber, partition_hash};

use super::subject::{Batch, Message};
use crate::handler::{ShardInfo, Source};

/// The ARN of every such stream.
pub const STREAM: &str = "arn:aws:kinesis:us-east-1:123456789012:stream/flights";

/// A stream whose shards are split and merged while records are put.
#[derive(Debug)]
pub struct Stream(Mutex<State>);

#[derive(Debug)]
struct State {
    shards: Vec<Shard>,
    /// Numbers grow over all shards, as those of Kinesis grow with time.
    next: u64,
}

#[derive(Debug)]
struct Shard {
    info: ShardInfo,
    records: Batch,
}

impl Default for Stream {
    fn default() -> Self {
        let stream = Self(Mutex::new(State { shards: Vec::new(), next: 1 }));
        stream.lock().add(Vec::new(), HashRange::ALL);
        stream
    }
}

impl Stream {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a record, which arrives at `arrival`, into the open shard that owns its partition key.
    ///
    /// # Panics
    /// Never: open shards tile the hashes.
    pub fn put(&self, message: &Message, arrival: EventTime) {
        let hash = partition_hash(&message.partition_key);
        let mut state = self.lock();
        let number = state.number();
        let owner = state.shards.iter_mut().find(|shard| !shard.info.is_closed && shard.info.hash_range.contains(hash));
        owner.expect("open shards tile the hashes").records.push((number, arrival, message.clone()));
    }

    /// The ids of the open shards.
    pub fn open_shards(&self) -> Vec<String> {
        self.lock().shards.iter().filter(|shard| !shard.info.is_closed).map(|shard| shard.info.shard.clone()).collect()
    }

    /// Splits the `choice`-th open shard in the middle.
    pub fn split(&self, choice: usize) {
        let mut state = self.lock();
        let open: Vec<usize> = (0..state.shards.len()).filter(|at| !state.shards[*at].info.is_closed).collect();
        let at = open[choice % open.len()];
        let HashRange { first, last } = state.shards[at].info.hash_range;
        let middle = first + (last - first) / 2;
        if middle == last {
            return;
        }
        state.shards[at].info.is_closed = true;
        let parent = vec![state.shards[at].info.shard.clone()];
        state.add(parent.clone(), HashRange { first, last: middle });
        state.add(parent, HashRange { first: middle + 1, last });
    }

    /// Merges the `choice`-th open shard with the one behind it, if there is one.
    pub fn merge(&self, choice: usize) {
        let mut state = self.lock();
        let mut open: Vec<usize> = (0..state.shards.len()).filter(|at| !state.shards[*at].info.is_closed).collect();
        open.sort_by_key(|at| state.shards[*at].info.hash_range);
        if open.len() < 2 {
            return;
        }
        let at = choice % (open.len() - 1);
        let (one, other) = (open[at], open[at + 1]);
        for at in [one, other] {
            state.shards[at].info.is_closed = true;
        }
        let parents = [one, other].map(|at| state.shards[at].info.shard.clone());
        let range = HashRange {
            first: state.shards[one].info.hash_range.first,
            last: state.shards[other].info.hash_range.last,
        };
        state.add(parents.to_vec(), range);
    }

    /// All shards, parents before children.
    pub fn all(&self) -> Vec<ShardInfo> {
        self.lock().shards.iter().map(|shard| shard.info.clone()).collect()
    }

    /// How many records a shard holds, and whether more may come.
    ///
    /// # Panics
    /// If there is no such shard.
    pub fn length(&self, shard: &str) -> (usize, bool) {
        let state = self.lock();
        let shard = state.shards.iter().find(|known| known.info.shard == shard).expect("a shard");
        (shard.records.len(), !shard.info.is_closed)
    }

    /// Gives some of a shard's records to a closure: from `first`, at most so many.
    ///
    /// # Panics
    /// If there is no such shard.
    pub fn batch(&self, shard: &str, first: usize, most: usize) -> Batch {
        let state = self.lock();
        let shard = state.shards.iter().find(|known| known.info.shard == shard).expect("a shard");
        shard.records.iter().skip(first).take(most).cloned().collect()
    }
}

impl State {
    fn number(&mut self) -> SequenceNumber {
        self.next += 1;
        SequenceNumber::parse(&self.next.to_string()).expect("a decimal number")
    }

    fn add(&mut self, parents: Vec<String>, hash_range: HashRange) {
        let shard = format!("shardId-{:012}", self.shards.len());
        let starting_sequence = self.number();
        let info = ShardInfo { shard, parents, hash_range, starting_sequence, is_closed: false };
        self.shards.push(Shard { info, records: Vec::new() });
    }
}

/// Records of a shard's batch, borrowed from it.
pub fn of_batch<'b>(shard: &'b str, batch: &'b [(SequenceNumber, EventTime, Message)]) -> Vec<Record<'b>> {
    let record = |(sequence, arrival, message): &'b (SequenceNumber, EventTime, Message)| Record {
        shard,
        position: Position { sequence: sequence.clone(), sub_sequence: 0 },
        partition_key: &message.partition_key,
        arrival: *arrival,
        payload: &message.payload,
        enriched: None,
    };
    batch.iter().map(record).collect()
}

impl Source for &Stream {
    async fn next_after(
        &self,
        _: &str,
        shard: &str,
        position: Option<&SequenceNumber>,
    ) -> Result<Option<SequenceNumber>, String> {
        let state = self.lock();
        let Some(shard) = state.shards.iter().find(|known| known.info.shard == shard) else { return Ok(None) };
        let numbers = shard.records.iter().map(|(number, ..)| number);
        Ok(numbers.into_iter().find(|number| position.is_none_or(|position| *number > position)).cloned())
    }

    async fn shards(&self, _: &str) -> Result<Vec<ShardInfo>, String> {
        Ok(self.all())
    }

    async fn shard(&self, _: &str, shard: &str) -> Result<Option<ShardInfo>, String> {
        Ok(self.all().into_iter().find(|info| info.shard == shard))
    }
}
