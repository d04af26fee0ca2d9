//! The journal record: what one commit holds, and its stored bytes.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::ByteBuf;
use tidemill_core::{Change, EventTime, HashRange, PartRange, Position, Progress, SequenceNumber};

use crate::frame::{self, Stored};
use crate::{Format, JournalId, PartId, Ring};

/// Which life of a journal: a random number drawn at Init and carried by every record and every result id. A journal
/// that is dropped and begun anew has another, so its results are no repeats of the old ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Incarnation(pub u64);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl std::str::FromStr for Incarnation {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

impl Serialize for Incarnation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Incarnation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(Self)
    }
}

/// What moved the shard on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The first record of every journal (I7).
    Init,
    /// Records of the shard, or the rest of a firing.
    Data,
    /// A scheduled tick.
    Tick,
    /// The shard was split or merged; its children go on. Nothing follows (I6).
    Seal,
    /// The end of input, in a replay. The journal refuses data from here on.
    Drain,
}

/// One output in its final bytes, as the sink gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The logical name of the sink.
    pub sink: String,
    /// The partition key, 1 to 256 characters.
    pub partition_key: String,
    /// The bytes to send.
    pub data: Bytes,
}

/// The name of a part's image: the cells of `range` as of commit `as_of`, before any later record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartName {
    /// Which keys, by hash.
    pub range: PartRange,
    /// The image; `None` for a part without cells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<PartId>,
    /// s: the image holds exactly the records 1..=s.
    #[serde(rename = "s")]
    pub as_of: u64,
}

/// Content of a record that did not fit its item, in an immutable item of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spill {
    /// The item.
    pub id: PartId,
}

/// Whose state this is, and what it depends on. Stands in every record that names parts, so the ring always holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The journal that it was written for.
    pub journal: JournalId,
    /// The operator's fingerprint.
    pub fingerprint: BTreeMap<String, String>,
    /// The shard's first sequence number, where it is known: another one means a recreated stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starting_sequence: Option<SequenceNumber>,
    /// Which partition keys the shard owns, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash_range: Option<HashRange>,
}

impl Schema {
    /// Of a journal that was dropped: it fits whatever code comes first, which writes its own into its first record. No
    /// pipeline's fingerprint is empty.
    pub const fn unclaimed(journal: JournalId) -> Self {
        Self { journal, fingerprint: BTreeMap::new(), starting_sequence: None, hash_range: None }
    }

    pub(crate) fn is_unclaimed(&self) -> bool {
        self.fingerprint.is_empty()
    }
}

/// Record n of a journal. A field that this code does not know is refused: what it does not read it must not drop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// How its bytes are laid out, which the frame around them says.
    #[serde(skip, default = "Format::oldest")]
    pub format: Format,
    /// Which life of the journal.
    #[serde(rename = "inc")]
    pub incarnation: Incarnation,
    /// R.
    pub ring: Ring,
    /// n, from 1.
    #[serde(rename = "n")]
    pub number: u64,
    /// What moved the shard on.
    pub kind: Kind,
    /// The last record taken; `None` before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Watermark and what it is made of.
    pub progress: Progress,
    /// Cells that changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "stored_changes")]
    pub changes: Vec<Change>,
    /// What to send.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "stored_outputs")]
    pub outputs: Vec<Output>,
    /// Parts named here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartName>,
    /// The smallest s over all parts after this commit: records up to it are not needed (I5).
    pub oldest: u64,
    /// Content that did not fit the item.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spills: Vec<Spill>,
    /// Records that are missing between the position before and the first record taken here begin behind this position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<Position>,
    /// The schedule's own time, of a tick; of a Seal, when what its journal held was freed ([`freed`](Self::freed)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tick: Option<EventTime>,
    /// Whose state this is; in every record that names parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
}

impl Record {
    /// When what the journal held was freed, of a Seal of which it was. Stands where ticks have their time, so that earlier
    /// code reads it.
    pub fn freed(&self) -> Option<EventTime> {
        self.tick.filter(|_| self.kind == Kind::Seal)
    }

    /// Whether what it held was freed, of a record before a Seal. It needs no sign: one whose `oldest` is the record before
    /// names every part (I5).
    pub fn is_emptied(&self) -> bool {
        self.oldest + 1 == self.number && self.parts.is_empty()
    }

    /// The stored bytes. The changes are taken out meanwhile; the record is the same afterwards.
    ///
    /// # Errors
    /// If the record is far too large to be stored.
    pub fn encode(&mut self) -> Result<Bytes, String> {
        frame::seal(self.format, self).map(Bytes::from)
    }

    /// The record in stored bytes.
    ///
    /// # Errors
    /// What is wrong with them; they are never guessed at.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let (format, record) = frame::open::<Self>(bytes)?;
        Ok(Self { format, ..record })
    }
}

impl Stored for Record {
    fn changes(&mut self) -> &mut Vec<Change> {
        &mut self.changes
    }
}

impl Stored for SpilledContent {
    fn changes(&mut self) -> &mut Vec<Change> {
        &mut self.changes
    }
}

impl Stored for PartImage {
    fn changes(&mut self) -> &mut Vec<Change> {
        &mut self.cells
    }
}

/// Changes of format 1, as `[key, slot, value]`, byte strings each.
mod stored_changes {
    use super::*;

    type Stored = (ByteBuf, ByteBuf, Option<ByteBuf>);

    pub(super) fn serialize<S: Serializer>(changes: &[Change], serializer: S) -> Result<S::Ok, S::Error> {
        use serde_bytes::Bytes;
        serializer.collect_seq(
            changes.iter().map(|change| {
                (Bytes::new(&change.key), Bytes::new(&change.slot), change.value.as_deref().map(Bytes::new))
            }),
        )
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Change>, D::Error> {
        let stored = Vec::<Stored>::deserialize(deserializer)?;
        let change = |(key, slot, value): Stored| Change {
            key: key.into_vec(),
            slot: slot.into_vec(),
            value: value.map(ByteBuf::into_vec),
        };
        Ok(stored.into_iter().map(change).collect())
    }
}

/// Outputs as `[sink, partition key, data]`.
mod stored_outputs {
    use super::*;

    type Stored = (String, String, ByteBuf);

    pub(super) fn serialize<S: Serializer>(outputs: &[Output], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(
            outputs.iter().map(|output| (&output.sink, &output.partition_key, serde_bytes::Bytes::new(&output.data))),
        )
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Output>, D::Error> {
        let stored = Vec::<Stored>::deserialize(deserializer)?;
        let output =
            |(sink, partition_key, data): Stored| Output { sink, partition_key, data: Bytes::from(data.into_vec()) };
        Ok(stored.into_iter().map(output).collect())
    }
}

/// What a spill holds.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpilledContent {
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "stored_changes")]
    pub(crate) changes: Vec<Change>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "stored_outputs")]
    pub(crate) outputs: Vec<Output>,
}

/// A part's image: the cells of a range of keys as of a commit.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartImage {
    #[serde(rename = "inc")]
    pub(crate) incarnation: Incarnation,
    pub(crate) range: PartRange,
    #[serde(rename = "s")]
    pub(crate) as_of: u64,
    /// At least one: a part without cells has no image.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "stored_changes")]
    pub(crate) cells: Vec<Change>,
}
