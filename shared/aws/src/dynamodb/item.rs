//! Items as DynamoDB holds them.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use tidemill_core::{EventTime, Position, SequenceNumber};
use tidemill_journal::{Attempt, Beside, Incarnation, JournalId, Mark, PartId, SlotItem, Stamp, StoreError};

pub(super) type Attributes = HashMap<String, AttributeValue>;

pub(super) const MARK: &str = "mark";
pub(super) const ATTEMPT: &str = "attempt";
/// When a chunk was written, in milliseconds.
pub(super) const WRITTEN: &str = "written";
/// When a sweep met a chunk first that does not say when it was written, in milliseconds.
pub(super) const SEEN: &str = "seen";
/// The size of a chunk's body.
pub(super) const BYTES: &str = "bytes";
const PART: &str = "/part:";

pub(super) fn slot_key(slot: u32) -> String {
    format!("slot:{slot:010}")
}

/// The partition key of a part's chunks.
pub(super) fn part_key(journal: &JournalId, id: &PartId) -> String {
    part_key_of(journal, &id.id)
}

pub(super) fn part_key_of(journal: &JournalId, id: &str) -> String {
    format!("{journal}{PART}{id}")
}

/// The journal whose partition key this is: `pipeline/stream ARN/shard`, of which only the ARN has slashes of its own.
pub(super) fn journal_of(key: &str) -> Option<JournalId> {
    let (pipeline, rest) = key.split_once('/')?;
    let (stream, shard) = rest.rsplit_once('/')?;
    let [pipeline, stream, shard] = [pipeline, stream, shard].map(str::to_owned);
    Some(JournalId { pipeline, stream, shard })
}

pub(super) fn chunk_key(chunk: u32) -> String {
    format!("chunk:{chunk:04}")
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn binary(value: &Bytes) -> AttributeValue {
    AttributeValue::B(Blob::new(value.to_vec()))
}

/// The primary key of an item.
pub(super) fn key(pk: &str, sk: &str) -> Attributes {
    attributes([("pk", text(pk)), ("sk", text(sk))])
}

pub(super) fn slot_item(pk: &str, sk: &str, item: &SlotItem) -> Attributes {
    attributes([
        ("pk", text(pk)),
        ("sk", text(sk)),
        ("inc", text(item.incarnation.to_string())),
        ("num", number(item.number)),
        ("body", binary(&item.body)),
    ])
}

pub(super) fn mark_item(pk: &str, mark: &Mark) -> Attributes {
    let mut item = attributes([
        ("pk", text(pk)),
        ("sk", text(MARK)),
        ("inc", text(mark.incarnation.to_string())),
        ("num", number(mark.number)),
    ]);
    item.extend(mark.due.map(|due| ("due".to_owned(), number(due.as_millis()))));
    item
}

pub(super) fn attempt_item(pk: &str, attempt: &Attempt) -> Attributes {
    let mut item = attributes([("pk", text(pk)), ("sk", text(ATTEMPT)), ("count", number(attempt.count))]);
    if let Some(Position { sequence, sub_sequence }) = &attempt.position {
        item.extend(attributes([("seq", text(sequence.as_str())), ("sub", number(sub_sequence))]));
    }
    item
}

/// A chunk says when it was written, and its size, which a listing is to tell without the bodies.
pub(super) fn chunk_item(pk: &str, sk: &str, body: &Bytes, written: EventTime) -> Attributes {
    attributes([
        ("pk", text(pk)),
        ("sk", text(sk)),
        ("body", binary(body)),
        (WRITTEN, number(written.as_millis())),
        (BYTES, number(body.len())),
    ])
}

fn attributes<const N: usize>(named: [(&str, AttributeValue); N]) -> Attributes {
    named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// An item that was read; what is not as it should be is [`StoreError::Foreign`].
pub(super) struct Stored {
    table: String,
    attributes: Attributes,
}

impl Stored {
    pub(super) fn new(table: &str, attributes: Attributes) -> Self {
        Self { table: table.to_owned(), attributes }
    }

    pub(super) fn slot(mut self) -> Result<(u32, SlotItem), StoreError> {
        let slot = self.ordinal("slot:")?;
        Ok((slot, SlotItem { incarnation: self.incarnation()?, number: self.number("num")?, body: self.body()? }))
    }

    pub(super) fn mark(self) -> Result<Mark, StoreError> {
        let due = match self.attributes.get("due") {
            Some(_) => Some(EventTime::from_millis(self.number("due")?)),
            None => None,
        };
        Ok(Mark { incarnation: self.incarnation()?, number: self.number("num")?, due })
    }

    pub(super) fn attempt(self) -> Result<Attempt, StoreError> {
        let position = match self.attributes.get("seq") {
            Some(_) => Some(Position { sequence: self.sequence("seq")?, sub_sequence: self.number("sub")? }),
            None => None,
        };
        Ok(Attempt { position, count: self.number("count")? })
    }

    fn sequence(&self, name: &str) -> Result<SequenceNumber, StoreError> {
        SequenceNumber::parse(self.text(name)?).ok_or_else(|| self.foreign(name, "is no sequence number"))
    }

    pub(super) fn chunk(mut self) -> Result<(u32, Bytes), StoreError> {
        Ok((self.ordinal("chunk:")?, self.body()?))
    }

    /// What a listing tells of a chunk, without its body.
    pub(super) fn beside(self) -> Result<Beside, StoreError> {
        let key = self.text("pk")?.rsplit_once(PART);
        let key = key.and_then(|(journal, id)| Some((journal_of(journal)?, id.to_owned())));
        let (journal, id) = key.ok_or_else(|| self.foreign("pk", "is not one of a part"))?;
        let has = |name| self.attributes.contains_key(name);
        let time = |name| self.number(name).map(EventTime::from_millis);
        let stamp = if has(WRITTEN) {
            Some(Stamp::Written(time(WRITTEN)?))
        } else if has(SEEN) {
            Some(Stamp::Seen(time(SEEN)?))
        } else {
            None
        };
        let bytes = if has(BYTES) { self.number(BYTES)? } else { 0 };
        Ok(Beside { journal, id, chunk: self.ordinal("chunk:")?, bytes, stamp })
    }

    /// The number in the sort key.
    fn ordinal(&self, prefix: &str) -> Result<u32, StoreError> {
        let digits = self.text("sk")?.strip_prefix(prefix);
        digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| self.foreign("sk", "is not one of ours"))
    }

    fn incarnation(&self) -> Result<Incarnation, StoreError> {
        self.text("inc")?.parse().map_err(|_| self.foreign("inc", "is not a hexadecimal number of 64 bits"))
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Result<T, StoreError> {
        let digits = self.attributes.get(name).and_then(|value| value.as_n().ok());
        digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| self.foreign(name, "is missing or no whole number"))
    }

    fn text(&self, name: &str) -> Result<&str, StoreError> {
        let value = self.attributes.get(name).and_then(|value| value.as_s().ok());
        value.map(String::as_str).ok_or_else(|| self.foreign(name, "is missing or not a string"))
    }

    fn body(&mut self) -> Result<Bytes, StoreError> {
        match self.attributes.remove("body") {
            Some(AttributeValue::B(body)) => Ok(body.into_inner().into()),
            _ => Err(self.foreign("body", "is missing or not binary")),
        }
    }

    fn foreign(&self, attribute: &str, wrong: &str) -> StoreError {
        let key = |name| self.attributes.get(name).and_then(|value| value.as_s().ok()).map_or("?", String::as_str);
        StoreError::Foreign {
            what: format!("item `{}` `{}` in table `{}`", key("pk"), key("sk"), self.table),
            why: format!("its attribute `{attribute}` {wrong}"),
        }
    }
}
