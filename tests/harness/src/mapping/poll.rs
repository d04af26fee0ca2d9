//! Reading a shard.

use std::collections::VecDeque;

use crate::emulators::{Kinesis, ShardContent};
use crate::error::Error;

use super::Tally;
use super::batch::Batch;
use super::event::{Rendered, Renderer};

/// Reads a shard from its first record on, in batches.
pub(super) struct Poller {
    kinesis: Kinesis,
    renderer: Renderer,
    iterator: Option<String>,
    polled: VecDeque<Rendered>,
    stream: String,
    shard: String,
    /// The sequence numbers of the records read last.
    read: Vec<String>,
    /// Records that are known to lie in the shard and were not polled yet.
    ahead: u64,
}

impl Poller {
    pub(super) async fn at_start(
        kinesis: Kinesis,
        stream: &str,
        shard: &ShardContent,
        renderer: Renderer,
    ) -> Result<Self, Error> {
        let iterator = kinesis.first(stream, &shard.shard).await?;
        Ok(Self {
            kinesis,
            renderer,
            iterator: Some(iterator),
            polled: VecDeque::new(),
            stream: stream.to_owned(),
            shard: shard.shard.clone(),
            read: Vec::new(),
            ahead: shard.records,
        })
    }

    /// The next batch of up to `size` records, or `None` behind the last one. Never fewer than
    /// there are, so that batches of what lies there before are the same in every run.
    pub(super) async fn batch(&mut self, size: usize, tally: &Tally) -> Result<Option<Batch>, Error> {
        while self.polled.len() < size && self.poll(tally).await? {}
        if self.polled.is_empty() {
            return Ok(None);
        }
        Ok(Some(Batch::cut(&mut self.polled, size)))
    }

    /// Whether the shard is closed and nothing of it is left to be delivered.
    pub(super) fn has_ended(&self) -> bool {
        self.iterator.is_none() && self.polled.is_empty()
    }

    /// Reads on, and says whether there was anything.
    async fn poll(&mut self, tally: &Tally) -> Result<bool, Error> {
        let (records, next) = match &self.iterator {
            Some(iterator) => self.kinesis.records(iterator).await?,
            None => (Vec::new(), None),
        };
        let any = !records.is_empty();
        if any {
            // All that was read before is behind the checkpoint, but for what waits for its batch.
            let waiting = self.polled.len().min(self.read.len());
            let kept = self.read.split_off(self.read.len() - waiting);
            let delivered = std::mem::replace(&mut self.read, kept);
            self.kinesis.delivered(&self.stream, &self.shard, delivered.into_iter()).await;
            self.read.extend(records.iter().map(|record| record.sequence_number.clone()));
        }
        if !any && self.ahead > 0 {
            return Err(Error::Emulator {
                service: "Kinesis",
                what: String::from("read on"),
                why: format!("{} records that were put do not come out", self.ahead),
            });
        }
        self.iterator = next;
        self.ahead = self.ahead.saturating_sub(records.len() as u64);
        records.iter().for_each(|record| tally.arrived(record.approximate_arrival_timestamp));
        let renderer = &self.renderer;
        self.polled.extend(records.into_iter().map(|record| renderer.render(record)));
        Ok(any)
    }
}
