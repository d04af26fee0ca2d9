//! What goes in and what comes out.

use serde_json::Value;

/// What is wrong with a record, or odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    /// Its payload is no event.
    Undecodable,
    /// It has no event time.
    NoTime,
    /// It came under another partition key than its key demands.
    Misrouted,
    /// A closure fails on it.
    Failing,
    /// A closure panics on it.
    Panicking,
    /// A filter drops it.
    Filtered,
}

/// One record of a shard.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// Its number in the shard, from 1.
    pub(crate) id: u64,
    pub(crate) key: String,
    pub(crate) time: i64,
    pub(crate) value: i64,
    /// Which of several inputs it belongs to.
    pub(crate) input: usize,
    pub(crate) trouble: Trouble,
}

impl Record {
    /// Whether its event time may be used: it can be read, and lies in the years 1 to 9999.
    pub(crate) fn has_time(&self) -> bool {
        let unread = matches!(self.trouble, Trouble::Undecodable | Trouble::NoTime);
        !unread && (-62_135_596_800_000..=253_402_300_799_999).contains(&self.time)
    }

    /// Whether it moves event time on: not if it should have gone to another shard.
    pub(crate) fn raises(&self) -> bool {
        self.has_time() && self.trouble != Trouble::Misrouted
    }
}

/// What a record is once it has a key.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// Of the record.
    pub(crate) id: u64,
    pub(crate) key: String,
    pub(crate) time: i64,
    pub(crate) value: i64,
}

/// Start and end of a window; the end does not belong to it.
pub(crate) type Span = (i64, i64);

/// One thing that comes out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Sent(Sent),
    Late(u64),
    Bad(Bad),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sent {
    pub(crate) key: String,
    /// 0 is the main sink.
    pub(crate) sink: u16,
    pub(crate) cause: Cause,
    pub(crate) value: Value,
}

/// What made a result.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub(crate) enum Cause {
    Pane { window: Span, timing: &'static str, index: u32, replaces: Vec<Span> },
    Record(u64),
    Timer(i64),
}

/// What could not be processed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Bad {
    Record(u64),
    Pane(String, Span),
    Timer(String, i64),
}

/// Of what is due at the same time, shorter keys come first, then by their letters: that is how CBOR orders texts.
pub(crate) fn key_order(key: &str) -> (usize, &str) {
    (key.len(), key)
}
