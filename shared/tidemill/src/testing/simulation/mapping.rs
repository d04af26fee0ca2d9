//! The event source mapping: which batch a shard's next invocation gets.

use std::collections::BTreeMap;

use super::stream::Stream;
use super::subject::Batch;

/// Where the mapping stands in a shard.
#[derive(Clone, Debug, Default)]
struct Place {
    /// How many records it never looked at.
    skipped: usize,
    /// How many records are through.
    through: usize,
    /// The invocation that has its batch.
    in_flight: Option<u64>,
    /// How many records the next batch has at most: half of one that failed.
    at_most: Option<usize>,
}

/// One mapping of the function to the stream: parents before children, one batch of a shard at a time, retried without end.
#[derive(Default)]
pub(crate) struct Mapping {
    places: BTreeMap<String, Place>,
}

impl Mapping {
    /// Of a stream whose records up to now are not looked at.
    pub(crate) fn at_latest(stream: &Stream) -> Self {
        let place = |shard: String| {
            let (through, _) = stream.length(&shard);
            (shard, Place { skipped: through, through, ..Place::default() })
        };
        Self { places: stream.all().into_iter().map(|info| place(info.shard)).collect() }
    }

    /// Shards that may be polled now.
    pub(crate) fn pollable(&self, stream: &Stream, children_first: bool) -> Vec<String> {
        let mut through: BTreeMap<String, bool> = BTreeMap::new();
        let mut pollable = Vec::new();
        for info in stream.all() {
            let is_ready = children_first || info.parents.iter().all(|parent| through[parent]);
            let place = self.places.get(&info.shard).cloned().unwrap_or_default();
            let (length, is_open) = stream.length(&info.shard);
            let is_idle = place.in_flight.is_none();
            through.insert(info.shard.clone(), is_ready && !is_open && place.through == length && is_idle);
            pollable.extend((is_ready && is_idle).then_some(info.shard));
        }
        pollable
    }

    /// How many records of a shard are through.
    pub(crate) fn through(&self, shard: &str) -> usize {
        self.places.get(shard).map_or(0, |place| place.through)
    }

    /// Some records of a shard that it delivered before.
    pub(crate) fn delivered(&self, stream: &Stream, shard: &str, from: usize, most: usize) -> Batch {
        let place = self.places.get(shard).cloned().unwrap_or_default();
        let all = place.through - place.skipped;
        let from = from % all.max(1);
        stream.batch(shard, place.skipped + from, most.min(all - from))
    }

    /// The next batch of a shard, if it has records waiting, for this invocation.
    pub(crate) fn take(&mut self, stream: &Stream, shard: &str, most: usize, invocation: u64) -> Option<Batch> {
        let place = self.places.entry(shard.to_owned()).or_default();
        let batch = stream.batch(shard, place.through, place.at_most.map_or(most, |least| most.min(least)));
        (!batch.is_empty()).then(|| {
            place.in_flight = Some(invocation);
            batch
        })
    }

    /// An invocation ended: so many records are through. Of a batch that failed half comes again. Invocations of an
    /// earlier mapping, and those that were given up, do not count.
    pub(crate) fn end(&mut self, shard: &str, invocation: u64, through: Option<usize>, batch: usize) {
        let Some(place) = self.places.get_mut(shard).filter(|place| place.in_flight == Some(invocation)) else {
            return;
        };
        place.in_flight = None;
        match through {
            Some(records) => {
                place.through += records;
                place.at_most = None;
            }
            None => place.at_most = Some((batch / 2).max(1)),
        }
    }
}
