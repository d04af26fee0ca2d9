//! Setting up a run's account, with all records on the source stream.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::emulators::{Emulators, ShardContent};
use crate::error::Error;
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

impl Prepared {
    /// Creates the account and puts the records on the source stream, whose shards are split and merged
    /// between them: what a shard holds is the same in every run, whatever the functions' pace.
    pub(super) async fn feed(&self) -> Result<Fed, Error> {
        let fed = self.chain.fed();
        let mut emulators = Emulators::start(&self.template, fed, self.shards).await?;
        emulators.result_tables = Arc::new(self.chain.result_tables());
        if let Some(plan) = &self.disturbance {
            emulators.faults = Arc::new(plan.faults());
        }
        if self.options.limits {
            emulators.limit(&self.template).await?;
        }
        let mut resharding = self.resharding(fed);
        let put = self.put(&emulators, &mut resharding).await?;
        let mut shards = Vec::new();
        for Function { source, .. } in &self.chain.functions {
            shards.push(match source.stream.as_str() {
                stream if stream == fed => put.clone(),
                stream => emulators.kinesis.put(stream, &[]).await?,
            });
        }
        let resharded = (self.options.reshards > 0).then_some(resharding);
        Ok(Fed { emulators: Arc::new(emulators), shards, resharded })
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
