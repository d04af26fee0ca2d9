//! Setting up a run's account, with all records on the source stream.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::emulators::{DynamoDb, Emulators, Kinesis, ShardContent};
use crate::error::Error;
use crate::kept::Kept;
use crate::resharding::Resharding;
use crate::template::Function;

use super::prepare::Prepared;

/// The shards of each function's source, in the order of the functions.
pub(super) type Shards = Vec<Vec<ShardContent>>;

/// An account with records.
pub(super) struct Fed {
    pub(super) emulators: Arc<Emulators>,
    pub(super) shards: Shards,
    /// What became of the source's shards between the records; `None` if they were left alone.
    pub(super) resharded: Option<Resharding>,
}

/// What the shards of a stream hold already; nothing if it is not `asked`.
async fn held(emulators: &Emulators, stream: &str, asked: bool) -> Result<Vec<ShardContent>, Error> {
    let mut content = emulators.kinesis.put(stream, &[]).await?;
    for ShardContent { shard, records } in content.iter_mut().filter(|_| asked) {
        *records = emulators.kinesis.all_of_shard(stream, shard).await?.len() as u64;
    }
    Ok(content)
}

/// What was there and what was put behind it.
fn together(kept: Vec<ShardContent>, put: Vec<ShardContent>) -> Vec<ShardContent> {
    let before = |shard: &str| kept.iter().find(|content| content.shard == shard).map_or(0, |content| content.records);
    let both = |ShardContent { shard, records }| ShardContent { records: records + before(&shard), shard };
    put.into_iter().map(both).collect()
}

impl Prepared {
    /// Creates the account and puts the records on the source stream, whose shards are split and merged
    /// between them: what a shard holds is the same in every run, whatever the functions' pace.
    pub(super) async fn feed(&self) -> Result<Fed, Error> {
        let fed = self.chain.fed();
        let mut emulators = match self.options.resume {
            true => self.resumed().await?,
            false => Emulators::start(&self.template, fed, self.shards).await?,
        };
        emulators.result_tables = Arc::new(self.chain.result_tables());
        if let Some(plan) = &self.disturbance {
            emulators.faults = Arc::new(plan.faults());
        }
        if self.options.limits {
            emulators.limit(&self.template).await?;
        }
        let mut resharding = self.resharding(fed);
        let kept = held(&emulators, fed, self.options.resume).await?;
        let put = together(kept, self.put(&emulators, &mut resharding).await?);
        let mut shards = Vec::new();
        for Function { source, .. } in &self.chain.functions {
            shards.push(match source.stream.as_str() {
                stream if stream == fed => put.clone(),
                stream => held(&emulators, stream, true).await?,
            });
        }
        let resharded = (self.options.reshards > 0).then_some(resharding);
        Ok(Fed { emulators: Arc::new(emulators), shards, resharded })
    }

    /// The account that the scenario's kept run left. What is kept stays as it is.
    async fn resumed(&self) -> Result<Emulators, Error> {
        let run = Kept::beside(self.template.folder()).run(&self.scenario.name);
        if run.since().is_none() {
            return Err(Error::NotFound(format!(
                "no run of `{0}` is kept to go on from: `cargo tidemill replay {0} --keep --no-drain` keeps one",
                self.scenario.name
            )));
        }
        let kinesis = Kinesis::new();
        kinesis.restore(&run.streams()).await?;
        let dynamodb = DynamoDb::copy_of(&run.tables()).await?;
        Ok(Emulators::of(kinesis, dynamodb, &self.template))
    }

    async fn put(&self, emulators: &Emulators, resharding: &mut Resharding) -> Result<Vec<ShardContent>, Error> {
        let (kinesis, stream) = (&emulators.kinesis, self.chain.fed());
        let mut content: BTreeMap<String, u64> = BTreeMap::new();
        let mut from = 0;
        loop {
            let moment = resharding.next();
            let to = moment.and_then(|moment| usize::try_from(moment).ok()).unwrap_or(self.records.len());
            for ShardContent { shard, records } in kinesis.put(stream, &self.records[from..to]).await? {
                *content.entry(shard).or_default() += records;
            }
            if moment.is_none() {
                break;
            }
            resharding.step(emulators).await?;
            from = to;
        }
        Ok(content.into_iter().map(|(shard, records)| ShardContent { shard, records }).collect())
    }

    /// What is to become of the streams that the functions write to and read.
    pub(super) fn reshardings(&self) -> Vec<Resharding> {
        if self.options.reshards == 0 {
            return Vec::new();
        }
        let fed = self.chain.fed();
        let between: BTreeSet<&str> = self.chain.read_streams().into_iter().filter(|stream| *stream != fed).collect();
        between.into_iter().map(|stream| self.resharding(stream)).collect()
    }

    fn resharding(&self, stream: &str) -> Resharding {
        let (count, seed) = (self.options.reshards, self.options.seed);
        Resharding::deal(stream, count, seed, self.records.len() as u64)
    }
}
