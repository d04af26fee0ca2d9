//! Which cell of a key.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{EventTime, Position, Span, codec};

/// Which cell of a key: what kind, and which of that kind. Tagged, so that kinds can be told apart; stored for ever.
///
/// The order of the kinds decides between cells of one key that are due at the same time: state expires before a timer
/// of the same instant fires.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Slot {
    /// A window: start and end.
    #[serde(rename = "w")]
    Window(EventTime, EventTime),
    /// A slice that windows share: start.
    #[serde(rename = "s")]
    Slice(EventTime),
    /// An event that an interval join waits with: its side (0 left, 1 right), its time, and which of several.
    #[serde(rename = "b")]
    Buffered(u8, EventTime, u64),
    /// A value of a process function: its name.
    #[serde(rename = "v")]
    Value(Cow<'static, str>),
    /// An element of a list of a process function: the list's name, the element's number.
    #[serde(rename = "l")]
    Element(Cow<'static, str>, u64),
    /// An entry of a map of a process function: the map's name, the key's CBOR bytes. Boxed, for all other slots to be small.
    #[serde(rename = "m")]
    Entry(Box<(Cow<'static, str>, ByteBuf)>),
    /// A timer of a process function.
    #[serde(rename = "t")]
    Timer(EventTime),
    /// The id of an event that was taken, to know its repeats: CBOR bytes.
    #[serde(rename = "d")]
    Taken(#[serde(with = "serde_bytes")] Vec<u8>),
    /// What was taken of a producer with commits. The key is the producer's name.
    #[serde(rename = "p")]
    Commits,
    /// What was taken of a producer without commits. The key is the producer's name.
    #[serde(rename = "f")]
    Floor,
    /// An output that was taken of a producer without commits: the place of its record, and which of several.
    #[serde(rename = "o")]
    Output(Box<Position>, u32),
}

impl Slot {
    /// An entry of a map.
    pub(crate) fn entry(map: impl Into<Cow<'static, str>>, key: Vec<u8>) -> Self {
        Self::Entry(Box::new((map.into(), ByteBuf::from(key))))
    }

    pub(crate) const fn window(window: Span) -> Self {
        Self::Window(window.start, window.end)
    }

    /// The window, if it is one's.
    pub(crate) const fn span(&self) -> Option<Span> {
        match self {
            Self::Window(start, end) => Some(Span { start: *start, end: *end }),
            _ => None,
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Window(start, end) => write!(f, "window {start} to {end}"),
            Self::Slice(start) => write!(f, "slice from {start}"),
            Self::Buffered(side, time, number) => {
                write!(f, "{} at {time}, {number}", if *side == 0 { "left" } else { "right" })
            }
            Self::Value(name) => f.write_str(name),
            Self::Element(name, number) => write!(f, "{name}[{number}]"),
            Self::Entry(entry) => match (&entry.0, codec::decode::<ciborium::Value>(&entry.1)) {
                (name, Ok(key)) => write!(f, "{name}{{{key:?}}}"),
                (name, Err(_)) => write!(f, "{name}{{{:02x?}}}", entry.1.as_slice()),
            },
            Self::Timer(at) => write!(f, "timer at {at}"),
            Self::Taken(_) => f.write_str("taken"),
            Self::Commits => f.write_str("commits"),
            Self::Floor => f.write_str("floor"),
            Self::Output(position, index) => write!(f, "output {position}/{index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_small_and_stored_as_ever() {
        assert!(size_of::<Slot>() <= 32, "{}", size_of::<Slot>());
        let stored = codec::encode(&Slot::entry("seen", vec![0x18, 0x2a])).expect("encodes");
        assert_eq!(stored, b"\xa1\x61m\x82\x64seen\x42\x18\x2a");
        assert_eq!(codec::decode(&stored), Ok(Slot::entry("seen", vec![0x18, 0x2a])));
    }
}
