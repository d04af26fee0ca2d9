//! Where a journal's items live.

use std::fmt;
use std::future::Future;
use std::ops::RangeInclusive;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tidemill_core::Position;

use crate::{Incarnation, Mark};

/// Which journal: one per pipeline and shard.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalId {
    /// The pipeline's name.
    pub pipeline: String,
    /// The source stream's ARN.
    pub stream: String,
    /// The shard's id.
    pub shard: String,
}

impl fmt::Display for JournalId {
    /// `pipeline/stream ARN/shard`: the partition key of its items.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.pipeline, self.stream, self.shard)
    }
}

/// One slot's item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotItem {
    /// Which life of the journal.
    pub incarnation: Incarnation,
    /// n.
    pub number: u64,
    /// The record's stored bytes.
    pub body: Bytes,
}

/// What must hold for a slot to be written, checked and written as one atomic act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The slot is empty. For record 1 alone.
    Vacant,
    /// The slot is empty, and slot `slot` holds record `number` of `incarnation`. For the first lap: emptiness alone
    /// carries no incarnation, and a zombie could write into a ring that was emptied and begun anew.
    VacantAfter {
        /// The slot of the record before.
        slot: u32,
        /// The number of the record before.
        number: u64,
        /// Its incarnation.
        incarnation: Incarnation,
    },
    /// The slot holds record `number` of `incarnation`: the one of the lap before.
    Replaces {
        /// The number that stands there.
        number: u64,
        /// Its incarnation.
        incarnation: Incarnation,
    },
}

/// How a guarded write ended. Losing is an outcome, not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is stored.
    Stored,
    /// The guard did not hold. It may have failed against this writer's own earlier attempt.
    Conflict,
}

/// The name of an immutable item beside the ring, and of how many chunks it is made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartId {
    /// Unique within the journal: incarnation, range, s and a hash of the content.
    pub id: String,
    /// How many items hold it.
    pub chunks: u32,
    /// How many bytes they hold.
    pub bytes: u32,
    /// How many bytes that was before it was packed.
    pub plain: u32,
}

/// How often an environment began to work behind a position: what an environment that dies leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The journal's position then; `None` before the first record.
    pub position: Option<Position>,
    /// How often, from 1. 0 after success.
    pub count: u32,
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No answer, or not now: a write may or may not have happened, and may still.
    #[error("{what}: no answer: {why}")]
    Unavailable {
        /// What was asked of which item.
        what: String,
        /// The cause.
        why: String,
    },
    /// It will not do it, and did not: no such table, no permission, too large.
    #[error("{what}: refused: {why}")]
    Refused {
        /// What was asked of which item.
        what: String,
        /// The cause and the fix.
        why: String,
    },
    /// The item is there, but not one that this code can read.
    #[error("{what}: not a tidemill item: {why}")]
    Foreign {
        /// Which item.
        what: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Items of journals. Each method has its law; [`laws`](crate::laws) checks them all against any store.
pub trait Store: Send + Sync {
    /// The slot's item. *Law:* reflects every write acknowledged before the call (strongly consistent).
    fn read_slot(
        &self,
        journal: &JournalId,
        slot: u32,
    ) -> impl Future<Output = Result<Option<SlotItem>, StoreError>> + Send;

    /// The items of the slots in the range that are not empty, in slot order, at most `limit` from the front. *Law:*
    /// each item on its own is strongly consistent; together they need not be one moment's picture.
    fn read_slots(
        &self,
        journal: &JournalId,
        slots: RangeInclusive<u32>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(u32, SlotItem)>, StoreError>> + Send;

    /// Writes a slot if the guard holds. *Law:* check and write are one atomic act; of several writers whose guards
    /// hold at the same time, exactly one stores; [`Put::Stored`] means durable; [`Put::Conflict`] means that this call
    /// wrote nothing, but an earlier attempt may have.
    fn put_slot(
        &self,
        journal: &JournalId,
        slot: u32,
        item: &SlotItem,
        guard: Guard,
    ) -> impl Future<Output = Result<Put, StoreError>> + Send;

    /// The flush mark. *Law:* some mark written earlier, or none.
    fn read_mark(&self, journal: &JournalId) -> impl Future<Output = Result<Option<Mark>, StoreError>> + Send;

    /// Writes the flush mark if its number grows. *Law:* written iff it [raises](Mark::raises) the one that stands there;
    /// check and write are one atomic act; not to be written is no error.
    fn write_mark(&self, journal: &JournalId, mark: &Mark) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes the flush mark if it makes the due time earlier. *Law:* written iff it [lowers](Mark::lowers) the one that
    /// stands there; check and write are one atomic act; not to be written is no error.
    fn lower_mark(&self, journal: &JournalId, mark: &Mark) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The last attempt written. *Law:* reflects every write acknowledged before the call.
    fn read_attempt(&self, journal: &JournalId) -> impl Future<Output = Result<Option<Attempt>, StoreError>> + Send;

    /// Writes the attempt. *Law:* unconditional; the last write wins.
    fn write_attempt(
        &self,
        journal: &JournalId,
        attempt: &Attempt,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes an immutable item in chunks. *Law:* acknowledged only when every chunk is durable; writing the same again
    /// changes nothing.
    fn write_part(
        &self,
        journal: &JournalId,
        id: &PartId,
        chunks: &[Bytes],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// All chunks in order; `None` if any is missing. *Law:* strongly consistent a chunk.
    fn read_part(
        &self,
        journal: &JournalId,
        id: &PartId,
    ) -> impl Future<Output = Result<Option<Vec<Bytes>>, StoreError>> + Send;

    /// Deletes all chunks. *Law:* deleting what is not there succeeds.
    fn delete_part(&self, journal: &JournalId, id: &PartId) -> impl Future<Output = Result<(), StoreError>> + Send;
}
