//! What a step wants sent downstream, as data.

use serde::{Deserialize, Serialize};

use crate::{EventTime, KeyBytes, Position, Reject, Span};

/// When a result was made, relative to the close of its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// Before the window closed.
    Early,
    /// When the window closed.
    OnTime,
    /// After it had closed, for a record within the allowed lateness.
    Late,
}

impl Timing {
    /// The text that results carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Early => "early",
            Self::OnTime => "on_time",
            Self::Late => "late",
        }
    }
}

/// One thing to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A result.
    Result(Emission),
    /// A record that is late for every window that it belongs to.
    Late(LateRecord),
    /// What could not be processed.
    Quarantined(Quarantined),
}

/// A result: what one record or one firing gave for one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emission {
    /// Which of the pipeline's sinks, 0 for the main one.
    pub sink: u16,
    /// The key's stored bytes; empty in a pipeline without key.
    pub key: KeyBytes,
    /// The key as a person reads it; empty in a pipeline without key.
    pub key_text: String,
    /// The partition key of the key's records, and so of its results.
    pub partition_key: String,
    /// The event time that it is about: the window's end, the record's or the timer's time.
    pub time: EventTime,
    /// What made it.
    pub cause: Cause,
    /// Which of several results of the same cause for the same sink, from 0; of a ranking the rank.
    pub number: u32,
    /// The encoded value (JSON).
    pub value: Vec<u8>,
}

/// What made a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A firing of a window.
    Pane(PaneId),
    /// A record.
    Record(Position),
    /// A timer.
    Timer(EventTime),
}

/// Which firing of which window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaneId {
    /// The window.
    pub window: Span,
    /// When it fired.
    pub timing: Timing,
    /// 0, 1, 2, … per (key, window).
    pub index: u32,
    /// Windows of the same key that gave results before and are part of this one since: those results are void.
    pub replaces: Vec<Span>,
}

/// One value for one sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Which of the pipeline's sinks, 0 for the main one.
    pub sink: u16,
    /// The encoded value (JSON).
    pub value: Vec<u8>,
}

/// A late record, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateRecord {
    /// Its place in the shard.
    pub position: Position,
    /// Its partition key.
    pub partition_key: String,
    /// The key as a person reads it.
    pub key_text: String,
    /// Its event time.
    pub event_time: EventTime,
    /// When the stream took it in.
    pub arrival: EventTime,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// What could not be processed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Why.
    pub reject: Reject,
    /// What.
    pub origin: Origin,
}

/// What a quarantine entry is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A record, as it came.
    Record {
        /// Its place in the shard.
        position: Position,
        /// Its partition key.
        partition_key: String,
        /// When the stream took it in.
        arrival: EventTime,
        /// Its bytes.
        payload: Vec<u8>,
    },
    /// A result that its sink would not take.
    Result {
        /// The key as a person reads it.
        key_text: String,
        /// The event time that it is about.
        time: EventTime,
        /// The window, if it is of one.
        window: Option<Span>,
        /// The encoded value (JSON).
        value: Vec<u8>,
    },
    /// A pane whose result could not be made: there is no record to blame.
    Pane {
        /// The key as a person reads it.
        key_text: String,
        /// The window.
        window: Span,
        /// The pane's state, CBOR.
        state: Vec<u8>,
    },
    /// A timer whose work failed: there is no record to blame.
    Timer {
        /// The key as a person reads it.
        key_text: String,
        /// When it was due.
        at: EventTime,
    },
}

impl Output {
    /// About how many bytes it takes when sent, for the caps of a commit: its content and 512 bytes of envelope.
    pub fn weight(&self) -> usize {
        let content = match self {
            Self::Result(result) => result.value.len() + result.key_text.len(),
            Self::Late(late) => late.payload.len(),
            Self::Quarantined(entry) => match &entry.origin {
                Origin::Record { payload, .. } => payload.len() + entry.reject.message.len(),
                Origin::Pane { state: content, .. } | Origin::Result { value: content, .. } => {
                    content.len() + entry.reject.message.len()
                }
                Origin::Timer { .. } => entry.reject.message.len(),
            },
        };
        content + 512
    }
}
