//! What cells hold, as `tidemill_core` stores it.

use ciborium::Value as Cbor;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;
use tidemill_core::{EventTime, Position, Span};

use super::Slot;
use super::cbor::json_of;

/// What a cell holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Of a window or a slice: the accumulator, if it has one of its own, and what the window sent.
    Window(Option<Json>, Pane),
    /// Of a value, an element or an entry: what it is, and when it goes.
    State(Json, Option<EventTime>),
    /// Of a timer: how many timers lie before it, each set by the one before for an instant that was over.
    Timer(u32),
    /// The best first, each with its time; and when they go.
    Ranked(Vec<(EventTime, Json)>, Option<EventTime>),
    /// An event that a join waits with.
    Event(Json),
    /// Until when an id is remembered.
    Until(EventTime),
    /// A producer's commit, and which of its outputs were taken: first and last of each range.
    Commits(u64, Vec<(u32, u32)>),
    /// A place in a producer's source.
    Floor(Position),
    /// Nothing: that the cell is there says it all.
    Nothing,
    /// Of a cell that this command does not know: as stored.
    Other(Json),
}

/// What a window sent, and what it is to send.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pane {
    /// The number of its next result, which is how often it fired.
    #[serde(rename = "i")]
    pub next_index: u32,
    /// Whether it gave its on-time result, and is kept for late events.
    #[serde(rename = "c")]
    pub closed: bool,
    /// Events since it fired, where they are counted.
    #[serde(rename = "n")]
    pub news: u64,
    /// When it gives an early result.
    #[serde(rename = "e")]
    pub early: Option<EventTime>,
    /// Windows that fired and are part of it since.
    #[serde(rename = "r")]
    pub replaces: Vec<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Window {
    #[serde(rename = "acc", default, deserialize_with = "something")]
    accumulator: Option<Cbor>,
    #[serde(default)]
    pane: Pane,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    #[serde(rename = "v", default = "null")]
    value: Cbor,
    #[serde(rename = "x", default)]
    expires: Option<EventTime>,
    #[serde(rename = "d", default)]
    depth: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ranked {
    #[serde(rename = "k")]
    events: Vec<(EventTime, Cbor)>,
    #[serde(rename = "x", default)]
    expires: Option<EventTime>,
}

#[derive(Deserialize)]
enum Waiting {
    #[serde(rename = "l")]
    Left(Cbor),
    #[serde(rename = "r")]
    Right(Cbor),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Commits {
    #[serde(rename = "n")]
    number: u64,
    #[serde(rename = "i")]
    taken: Vec<(u32, u32)>,
}

impl Content {
    /// What a cell in this slot holds; `None` if that is no content of such a cell.
    pub(super) fn stored(slot: &Slot, value: &Cbor) -> Option<Self> {
        Some(match slot {
            Slot::Window(_) | Slot::Slice(_) => {
                let Window { accumulator, pane } = read(value)?;
                Self::Window(accumulator.as_ref().map(json_of), pane)
            }
            Slot::Left(..) | Slot::Right(..) => match (slot, read(value)?) {
                (Slot::Left(..), Waiting::Left(event)) | (Slot::Right(..), Waiting::Right(event)) => {
                    Self::Event(json_of(&event))
                }
                _ => return None,
            },
            Slot::Value(_) => ranked(value).or_else(|| state(value))?,
            Slot::Element(..) | Slot::Entry(..) => state(value)?,
            Slot::Timer(_) => match read(value)? {
                State { value: Cbor::Null, expires: None, depth } => Self::Timer(depth),
                _ => return None,
            },
            Slot::Id(_) => Self::Until(read(value)?),
            Slot::Commits => {
                let Commits { number, taken } = read(value)?;
                Self::Commits(number, taken)
            }
            Slot::Floor => Self::Floor(read(value)?),
            Slot::Output(..) => value.is_null().then_some(Self::Nothing)?,
            Slot::Other(_) => Self::Other(json_of(value)),
        })
    }
}

/// Ranked events lie where a process function has a value.
fn ranked(value: &Cbor) -> Option<Content> {
    let Ranked { events, expires } = read(value)?;
    Some(Content::Ranked(events.iter().map(|(time, event)| (*time, json_of(event))).collect(), expires))
}

fn state(value: &Cbor) -> Option<Content> {
    match read(value)? {
        State { value, expires, depth: 0 } => Some(Content::State(json_of(&value), expires)),
        _ => None,
    }
}

fn read<T: DeserializeOwned>(value: &Cbor) -> Option<T> {
    value.deserialized().ok()
}

const fn null() -> Cbor {
    Cbor::Null
}

/// What stands there is the accumulator, also where it is null.
fn something<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cbor>, D::Error> {
    Cbor::deserialize(deserializer).map(Some)
}
