//! The source stream, as far as a handler looks at it.

use std::future::Future;

use tidemill_aws::ShardInfo;
use tidemill_core::SequenceNumber;

/// The source stream, as far as a handler looks at it: what the event source left out, how shards descend from each other,
/// whether one is quiet.
pub trait Source: Send + Sync {
    /// The sequence number of the record that follows `position` in the shard, or `None` if there is none now. Without a
    /// position the first record that the shard holds. A shard that is not there any more holds none.
    ///
    /// # Errors
    /// What the service said.
    fn next_after(
        &self,
        stream: &str,
        shard: &str,
        position: Option<&SequenceNumber>,
    ) -> impl Future<Output = Result<Option<SequenceNumber>, String>> + Send;

    /// All shards that the stream lists, those that were split or merged among them.
    ///
    /// # Errors
    /// What the service said.
    fn shards(&self, stream: &str) -> impl Future<Output = Result<Vec<ShardInfo>, String>> + Send;

    /// The shard, if the stream lists it. May be answered from an earlier look: what a shard descends from never changes,
    /// but it may be closed since.
    ///
    /// # Errors
    /// What the service said.
    fn shard(&self, stream: &str, shard: &str) -> impl Future<Output = Result<Option<ShardInfo>, String>> + Send;
}

/// No source to look at: gaps are not noticed, and no shard has parents.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

impl Source for Unwatched {
    async fn next_after(&self, _: &str, _: &str, _: Option<&SequenceNumber>) -> Result<Option<SequenceNumber>, String> {
        Ok(None)
    }

    async fn shards(&self, _: &str) -> Result<Vec<ShardInfo>, String> {
        Ok(Vec::new())
    }

    async fn shard(&self, _: &str, _: &str) -> Result<Option<ShardInfo>, String> {
        Ok(None)
    }
}

impl Source for tidemill_aws::KinesisSource {
    async fn next_after(
        &self,
        stream: &str,
        shard: &str,
        position: Option<&SequenceNumber>,
    ) -> Result<Option<SequenceNumber>, String> {
        Self::next_after(self, stream, shard, position).await
    }

    async fn shards(&self, stream: &str) -> Result<Vec<ShardInfo>, String> {
        Self::shards(self, stream).await
    }

    async fn shard(&self, stream: &str, shard: &str) -> Result<Option<ShardInfo>, String> {
        Self::shard(self, stream, shard).await
    }
}
