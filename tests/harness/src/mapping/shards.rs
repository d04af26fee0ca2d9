//! Delivering all shards of a stream, each when its turn has come.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::emulators::{self, ShardContent};
use crate::error::Error;
use crate::progress::Progress;

use super::chain::in_order;
use super::deliver::{Delivered, Shard};
use super::{Mapping, Upstream};

/// Where the records of a mapping are shown, and of how many.
pub(super) type Shown = (Arc<dyn Progress>, u64);

/// The shards of a mapping's stream. A child begins when all of its parents have ended; what comes
/// under one key stays in order that way.
pub(super) struct Shards {
    mapping: Arc<Mapping>,
    content: Vec<ShardContent>,
    begun: BTreeSet<String>,
    ended: BTreeSet<String>,
    caught_up: Vec<Shard>,
}

impl Shards {
    /// Those of a stream that nothing was read of yet; `content` lies there already.
    pub(super) fn of(mapping: &Arc<Mapping>, content: &[ShardContent]) -> Self {
        Self {
            mapping: Arc::clone(mapping),
            content: content.to_vec(),
            begun: BTreeSet::new(),
            ended: BTreeSet::new(),
            caught_up: Vec::new(),
        }
    }

    /// Delivers all that lies in the shards, and what comes while anything is `upstream`, shards that
    /// come to be meanwhile included.
    pub(super) async fn deliver(&mut self, upstream: &Upstream, shown: Option<&Shown>) -> Result<(), Error> {
        let mut tasks = JoinSet::new();
        let mut ready = std::mem::take(&mut self.caught_up);
        ready.extend(self.begin().await?);
        loop {
            for shard in ready.drain(..) {
                tasks.spawn(deliver(shard, upstream.clone(), shown.cloned()));
            }
            let Some(ended) = tasks.join_next().await else { break };
            match ended.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))? {
                (shard, Delivered::CaughtUp) => self.caught_up.push(shard),
                (shard, Delivered::Ended) => {
                    self.ended.insert(shard.name().to_owned());
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
    async fn begin(&mut self) -> Result<Vec<Shard>, Error> {
        let kinesis = &self.mapping.pool.deployment().emulators.kinesis;
        let lineage = kinesis.lineage(&self.mapping.stream).await?;
        let mut begun = Vec::new();
        for (number, emulators::Shard { id, parents, .. }) in lineage.iter().enumerate() {
            if self.begun.contains(id) || !parents.iter().all(|parent| self.ended.contains(parent)) {
                continue;
            }
            let known = self.content.iter().find(|content| content.shard == *id).cloned();
            let content = known.unwrap_or_else(|| ShardContent { shard: id.clone(), records: 0 });
            begun.push(Shard::at_start(Arc::clone(&self.mapping), number, &content).await?);
            self.begun.insert(id.clone());
        }
        Ok(begun)
    }
}

async fn deliver(mut shard: Shard, upstream: Upstream, shown: Option<Shown>) -> Result<(Shard, Delivered), Error> {
    let done = |records| {
        if let Some((progress, total)) = &shown {
            progress.records(records, *total);
        }
    };
    let delivered = shard.deliver_all(&upstream, &done).await?;
    Ok((shard, delivered))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;
    use std::sync::Mutex;
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    use crate::emulators::{DynamoDb, Emulators, Kinesis, Meter};
    use crate::environment::{Deployment, KillPlan, Pool};
    use crate::mapping::Tally;
    use crate::progress::Silent;
    use crate::template::{EventSource, Function, Roles};

    use super::*;

    /// A mapping of the stream `s`, to a function that is never invoked.
    async fn mapping(kinesis: Kinesis) -> Mapping {
        let dynamodb = DynamoDb::start().await.unwrap();
        let source = EventSource { stream: String::from("s"), batch_size: 1, reports_failures: true };
        let function = Function {
            id: String::from("F"),
            name: String::from("F"),
            binary: String::from("f"),
            memory: 128,
            timeout: Duration::from_secs(3),
            variables: BTreeMap::new(),
            source,
            schedule: None,
            roles: Roles::default(),
        };
        let deployment = Deployment {
            function,
            executable: PathBuf::new(),
            folder: PathBuf::new(),
            emulators: Arc::new(Emulators {
                kinesis,
                dynamodb,
                limits: None,
                faults: Arc::default(),
                result_tables: Arc::default(),
            }),
            meter: Arc::new(Meter::default()),
            progress: Arc::new(Silent),
            started: AtomicU64::new(0),
            longest_ms: AtomicU64::new(0),
            cpu: Mutex::new(None),
        };
        Mapping {
            pool: Pool::new(deployment, 1, false, KillPlan::default()),
            stream: String::from("s"),
            batch_size: 1,
            reports_failures: true,
            drains: false,
            ticks: None,
            tally: Tally::default(),
        }
    }

    #[tokio::test]
    async fn a_closed_shard_ends_though_its_iterator_does_not_at_once() {
        let kinesis = Kinesis::new();
        kinesis.create_stream("s", 1).await.unwrap();
        let (first, id) =
            (kinesis.first("s", "shardId-000000000000").await.unwrap(), |n: u32| format!("shardId-{n:012}"));
        // The emulator compares whole seconds.
        tokio::time::sleep(Duration::from_millis(2_100)).await;
        kinesis.split("s", &id(0), 1 << 127).await.unwrap();
        let (records, behind) = kinesis.records(&first).await.unwrap();
        assert!(records.is_empty() && behind.is_some(), "the iterator ends at once: nothing is shown here");

        let mut shards = Shards::of(&Arc::new(mapping(kinesis).await), &[]);
        shards.deliver(&Upstream::default(), None).await.unwrap();
        assert_eq!(shards.caught_up.iter().map(Shard::name).collect::<Vec<_>>(), [id(1), id(2)]);
        assert_eq!(shards.ended, [id(0)].into());
    }
}
