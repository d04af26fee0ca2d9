//! Delivering all shards of a stream, each when its turn has come.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::emulators::{self, ShardContent};
use crate::error::Error;
use crate::progress::Progress;

use super::attempt::Invoke;
use super::chain::in_order;
use super::lane::{Delivered, Heard};
use super::shard::Shard;
use super::{Mapping, Upstream};

/// Where the records of a mapping are shown, and of how many.
pub(super) type Shown = (Arc<dyn Progress>, u64);

/// The shards of a mapping's stream. A child begins when all of its parents have ended; what comes
/// under one key stays in order that way.
pub(super) struct Shards<F> {
    mapping: Arc<Mapping<F>>,
    content: Vec<ShardContent>,
    /// Where the shards begin that were there when the mapping began.
    positions: Option<BTreeMap<String, String>>,
    begun: BTreeSet<String>,
    ended: BTreeSet<String>,
    caught_up: Vec<Shard<F>>,
}

impl<F: Invoke> Shards<F> {
    /// Those of a stream that nothing was read of yet; `content` lies there already.
    pub(super) fn of(mapping: &Arc<Mapping<F>>, content: &[ShardContent]) -> Self {
        Self {
            mapping: Arc::clone(mapping),
            content: content.to_vec(),
            positions: None,
            begun: BTreeSet::new(),
            ended: BTreeSet::new(),
            caught_up: Vec::new(),
        }
    }

    /// Delivers all that lies in the shards, and what comes while anything is `upstream`, shards that
    /// come to be meanwhile included.
    pub(super) async fn deliver(&mut self, upstream: &Upstream, shown: Option<&Shown>) -> Result<(), Error> {
        let heard = heard(shown.cloned());
        let mut tasks = JoinSet::new();
        let mut ready = std::mem::take(&mut self.caught_up);
        ready.extend(self.begin().await?);
        let mut handover = Duration::ZERO;
        loop {
            for mut shard in ready.drain(..) {
                let (upstream, heard) = (upstream.clone(), Arc::clone(&heard));
                tasks.spawn(async move {
                    tokio::time::sleep(handover).await;
                    let delivered = shard.deliver_all(&upstream, &heard).await?;
                    Ok::<_, Error>((shard, delivered))
                });
            }
            let Some(ended) = tasks.join_next().await else { break };
            match ended.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))? {
                (shard, Delivered::CaughtUp) => self.caught_up.push(shard),
                (shard, Delivered::Ended) => {
                    self.ended.insert(shard.name().to_owned());
                    handover = self.mapping.pace.handover;
                    ready = self.begin().await?;
                }
            }
        }
        self.caught_up.sort_by(|one, other| one.name().cmp(other.name()));
        Ok(())
    }

    /// Declares the input of the open shards ended.
    pub(super) async fn drain(self) -> Result<(), Error> {
        let mut tasks = JoinSet::new();
        for (number, mut shard) in self.caught_up.into_iter().enumerate() {
            tasks.spawn(async move { shard.drain().await.map(|()| (number, ())) });
        }
        in_order(tasks).await.map(drop)
    }

    /// Those that have not begun and whose parents have all ended.
    async fn begin(&mut self) -> Result<Vec<Shard<F>>, Error> {
        let (kinesis, stream) = (&self.mapping.kinesis, &self.mapping.source.stream);
        let lineage = kinesis.lineage(stream).await?;
        if self.positions.is_none() {
            self.positions = Some(positions(&self.mapping, &lineage).await?);
        }
        let mut begun = Vec::new();
        for (number, emulators::Shard { id, parents, first, last, .. }) in lineage.iter().enumerate() {
            if self.begun.contains(id) || !parents.iter().all(|parent| self.ended.contains(parent)) {
                continue;
            }
            let known = self.content.iter().find(|content| content.shard == *id).cloned();
            let content = known.unwrap_or_else(|| ShardContent { shard: id.clone(), records: 0 });
            // What came to be later is read from its first record on, wherever the mapping began: anything
            // else would lose records.
            let iterator = match self.positions.as_ref().and_then(|positions| positions.get(id)) {
                Some(iterator) => iterator.clone(),
                None => kinesis.first(stream, id).await?,
            };
            begun.push(Shard::new(&self.mapping, (number, *first..=*last), &content, iterator));
            self.begun.insert(id.clone());
        }
        Ok(begun)
    }
}

/// Where shards begin that are there when a mapping begins.
async fn positions<F>(mapping: &Mapping<F>, lineage: &[emulators::Shard]) -> Result<BTreeMap<String, String>, Error> {
    let mut positions = BTreeMap::new();
    for shard in lineage {
        let at = mapping.kinesis.iterator(&mapping.source.stream, &shard.id, mapping.source.position).await?;
        positions.insert(shard.id.clone(), at);
    }
    Ok(positions)
}

fn heard(shown: Option<Shown>) -> Heard {
    Arc::new(move |records| {
        if let Some((progress, total)) = &shown {
            progress.records(records, *total);
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::emulators::{Kinesis, Queues};
    use crate::environment::{Outcome, Turn};
    use crate::mapping::{Destinations, FunctionName, Pace, Tally};
    use crate::runtime_api::Request;
    use crate::template::EventSource;

    use super::*;

    /// Is never invoked.
    struct Nothing;

    impl Invoke for Nothing {
        async fn invoke(&self, _: Turn, _: &Request) -> Result<Outcome, Error> {
            Ok(Outcome::Throttled)
        }
    }

    /// A mapping of the stream `s`.
    fn mapping(kinesis: Kinesis) -> Mapping<Nothing> {
        let name = || String::from("F");
        Mapping {
            pool: Nothing,
            function: FunctionName { id: name(), name: name() },
            kinesis,
            source: EventSource::of("s"),
            pace: Pace::REPLAY,
            destinations: Destinations::new("m", Queues::default(), ""),
            drains: false,
            ticks: None,
            tally: Tally::default(),
        }
    }

    #[tokio::test]
    async fn a_closed_shard_ends_though_the_emulators_clock_is_coarse() {
        let kinesis = Kinesis::new();
        kinesis.create_stream("s", 1).await.unwrap();
        let id = |n: u32| format!("shardId-{n:012}");
        kinesis.split("s", &id(0), 1 << 127).await.unwrap();
        let mut shards = Shards::of(&Arc::new(mapping(kinesis)), &[]);
        shards.deliver(&Upstream::default(), None).await.unwrap();
        assert_eq!(shards.caught_up.iter().map(Shard::name).collect::<Vec<_>>(), [id(1), id(2)]);
        assert_eq!(shards.ended, [id(0)].into());
    }
}
