//! Which shards a stream has, and how they came of one another.

use ferrokinesis::actions::Operation;
use serde_json::{Value, json};

use crate::error::Error;

use super::Kinesis;

/// A shard of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Its id.
    pub id: String,
    /// The shards that it came of: none, the one that was split, or the two that were merged.
    pub parents: Vec<String>,
    /// The lowest hash key that goes there.
    pub first: u128,
    /// The highest one.
    pub last: u128,
    /// Whether it takes records.
    pub open: bool,
}

/// Those that take records, by ascending hash keys.
pub(crate) fn open(mut shards: Vec<Shard>) -> Vec<Shard> {
    shards.retain(|shard| shard.open);
    shards.sort_by_key(|shard| shard.first);
    shards
}

impl Kinesis {
    /// All shards of a stream, closed ones too, in the order in which they came to be: parents before
    /// children.
    pub async fn lineage(&self, stream: &str) -> Result<Vec<Shard>, Error> {
        let answer = self.call(Operation::ListShards, json!({"StreamName": stream})).await?;
        let shards = answer["Shards"].as_array().into_iter().flatten();
        shards.map(|shard| read(shard).ok_or_else(|| not_understood(shard))).collect()
    }

    /// Splits a shard: hash keys from `at` on go to the second of the two that come of it.
    pub async fn split(&self, stream: &str, shard: &str, at: u128) -> Result<(), Error> {
        let request = json!({"StreamName": stream, "ShardToSplit": shard, "NewStartingHashKey": at.to_string()});
        self.call(Operation::SplitShard, request).await?;
        self.until_active(stream).await
    }

    /// Merges two neighbours, that with the lower hash keys first.
    pub async fn merge(&self, stream: &str, lower: &str, upper: &str) -> Result<(), Error> {
        let request = json!({"StreamName": stream, "ShardToMerge": lower, "AdjacentShardToMerge": upper});
        self.call(Operation::MergeShards, request).await?;
        self.until_active(stream).await
    }
}

fn read(shard: &Value) -> Option<Shard> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let hash = |name: &str| shard["HashKeyRange"][name].as_str()?.parse().ok();
    Some(Shard {
        id: text(&shard["ShardId"])?,
        parents: ["ParentShardId", "AdjacentParentShardId"].iter().filter_map(|name| text(&shard[*name])).collect(),
        first: hash("StartingHashKey")?,
        last: hash("EndingHashKey")?,
        open: shard["SequenceNumberRange"]["EndingSequenceNumber"].is_null(),
    })
}

fn not_understood(shard: &Value) -> Error {
    Error::Emulator { service: "Kinesis", what: String::from("ListShards"), why: shard.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input;

    #[tokio::test]
    async fn shards_are_split_and_merged_and_records_go_to_the_open_ones() {
        let kinesis = Kinesis::new();
        kinesis.create_stream("s", 1).await.unwrap();
        let all: Vec<_> = (0..100)
            .map(|n: u32| input::Record { payload: n.to_string().into_bytes().into(), partition_key: n.to_string() })
            .collect();
        kinesis.put("s", &all).await.unwrap();
        kinesis.split("s", "shardId-000000000000", 1 << 127).await.unwrap();
        let content = kinesis.put("s", &all).await.unwrap();
        assert_eq!(content[0].records, 0);
        assert!(content[1].records > 0 && content[2].records > 0, "{content:?}");

        kinesis.merge("s", "shardId-000000000001", "shardId-000000000002").await.unwrap();
        let lineage = kinesis.lineage("s").await.unwrap();
        let parents: Vec<Vec<String>> = lineage.iter().map(|shard| shard.parents.clone()).collect();
        let id = |n: u32| format!("shardId-{n:012}");
        assert_eq!(parents, [vec![], vec![id(0)], vec![id(0)], vec![id(1), id(2)]]);
        let open = open(lineage);
        assert_eq!((open.len(), open[0].id.as_str()), (1, id(3).as_str()));
        assert_eq!((open[0].first, open[0].last), (0, u128::MAX));
    }
}
