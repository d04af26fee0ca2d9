//! What became of the shards of a run's source streams.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::emulators::{Emulators, Shard};
use crate::error::Error;
use crate::resharding::Resharding;

use super::prepare::Prepared;

/// What became of a stream's shards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resharded {
    /// The stream.
    pub stream: String,
    /// How often a shard was split.
    pub splits: u64,
    /// How often two were merged.
    pub merges: u64,
    /// All shards, parents before children.
    pub shards: Vec<ShardOf>,
}

/// A shard, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShardOf {
    /// Its id.
    pub shard: String,
    /// The shards that it came of.
    pub parents: Vec<String>,
    /// Whether it still takes records.
    pub open: bool,
    /// How many records went there.
    pub records: u64,
}

impl Prepared {
    /// What the streams of these look like in the end. `fed` is how many records each shard of the source got.
    pub(super) async fn resharded(
        &self,
        emulators: &Emulators,
        fed: &BTreeMap<String, u64>,
        reshardings: impl Iterator<Item = &Resharding>,
    ) -> Result<Vec<Resharded>, Error> {
        let mut all = Vec::new();
        for Resharding { stream, splits, merges, .. } in reshardings {
            let mut shards = Vec::new();
            for Shard { id, parents, open, .. } in emulators.kinesis.lineage(stream).await? {
                // What was fed may be forgotten by now.
                let records = if stream == self.chain.fed() {
                    fed.get(&id).copied().unwrap_or_default()
                } else {
                    emulators.kinesis.all_of_shard(stream, &id).await?.len() as u64
                };
                shards.push(ShardOf { shard: id, parents, open, records });
            }
            all.push(Resharded { stream: stream.clone(), splits: *splits, merges: *merges, shards });
        }
        Ok(all)
    }
}

impl Resharded {
    /// How many of its shards take records.
    pub fn open(&self) -> usize {
        self.shards.iter().filter(|shard| shard.open).count()
    }
}
