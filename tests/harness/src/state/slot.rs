//! Which cell of a key, as `tidemill_core` stores it: a tag, and what tells cells of that kind apart.

use ciborium::Value as Cbor;
use serde_json::Value as Json;
use tidemill_core::{EventTime, Position, Span};

use super::cbor;

/// Which cell of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// A window.
    Window(Span),
    /// A slice that windows share: its start.
    Slice(EventTime),
    /// A left event that a join waits with: its time, and which of that time.
    Left(EventTime, u64),
    /// A right event that a join waits with.
    Right(EventTime, u64),
    /// A value of a process function: its name.
    Value(String),
    /// An element of a list: the list's name, and the element's number.
    Element(String, u64),
    /// An entry of a map: the map's name, and the entry's key.
    Entry(String, Json),
    /// A timer: when it fires.
    Timer(EventTime),
    /// The id of an event that was taken.
    Id(Json),
    /// The last commit that was taken of a producer.
    Commits,
    /// The place before which all of a producer's outputs were taken.
    Floor,
    /// An output of a producer that was taken: its record's place, and which of the record's.
    Output(Position, u32),
    /// A kind that this command does not know, or whose content it cannot read: as stored.
    Other(Json),
}

impl Slot {
    /// A slot from its stored bytes.
    pub(crate) fn stored(bytes: &[u8]) -> Self {
        let known = cbor::decoded(bytes).and_then(|slot| known(&slot));
        known.unwrap_or_else(|| Self::Other(cbor::shown(bytes)))
    }

    /// Whether it tells of a producer, and so its key is no key of the pipeline but the producer's name.
    pub(super) const fn is_of_producer(&self) -> bool {
        matches!(self, Self::Commits | Self::Floor | Self::Output(..))
    }
}

fn known(slot: &Cbor) -> Option<Slot> {
    let (tag, content) = match slot {
        Cbor::Text(tag) => (tag, &[][..]),
        Cbor::Map(entries) => match entries.as_slice() {
            [(Cbor::Text(tag), Cbor::Array(items))] => (tag, items.as_slice()),
            [(Cbor::Text(tag), item)] => (tag, std::slice::from_ref(item)),
            _ => return None,
        },
        _ => return None,
    };
    Some(match (tag.as_str(), content) {
        ("w", [start, end]) => Slot::Window(Span { start: time(start)?, end: time(end)? }),
        ("s", [start]) => Slot::Slice(time(start)?),
        ("b", [side, at, number]) => match number_of(side)? {
            0 => Slot::Left(time(at)?, number_of(number)?),
            1 => Slot::Right(time(at)?, number_of(number)?),
            _ => return None,
        },
        ("v", [name]) => Slot::Value(name.as_text()?.to_owned()),
        ("l", [name, number]) => Slot::Element(name.as_text()?.to_owned(), number_of(number)?),
        ("m", [name, key]) => Slot::Entry(name.as_text()?.to_owned(), cbor::shown(key.as_bytes()?)),
        ("t", [at]) => Slot::Timer(time(at)?),
        ("d", [id]) => Slot::Id(cbor::shown(id.as_bytes()?)),
        ("p", []) => Slot::Commits,
        ("f", []) => Slot::Floor,
        ("o", [place, index]) => Slot::Output(place.deserialized().ok()?, number_of(index)?.try_into().ok()?),
        _ => return None,
    })
}

fn time(value: &Cbor) -> Option<EventTime> {
    Some(EventTime::from_millis(value.as_integer()?.try_into().ok()?))
}

fn number_of(value: &Cbor) -> Option<u64> {
    value.as_integer()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(millis: i64) -> EventTime {
        EventTime::from_millis(millis)
    }

    #[test]
    fn each_kind_is_known_by_its_tag() {
        let position: Position = serde_json::from_value(json!({"sequence": "12", "sub": 3})).expect("a position");
        for (bytes, slot) in [
            (&b"\xa1\x61w\x82\x00\x05"[..], Slot::Window(Span { start: at(0), end: at(5) })),
            (b"\xa1\x61s\x20", Slot::Slice(at(-1))),
            (b"\xa1\x61b\x83\x00\x05\x01", Slot::Left(at(5), 1)),
            (b"\xa1\x61b\x83\x01\x05\x00", Slot::Right(at(5), 0)),
            (b"\xa1\x61v\x61c", Slot::Value("c".to_owned())),
            (b"\xa1\x61l\x82\x61c\x07", Slot::Element("c".to_owned(), 7)),
            (b"\xa1\x61m\x82\x61c\x44\x63JFK", Slot::Entry("c".to_owned(), json!("JFK"))),
            (b"\xa1\x61t\x05", Slot::Timer(at(5))),
            (b"\xa1\x61d\x42\x18\x2a", Slot::Id(json!(42))),
            (b"\x61p", Slot::Commits),
            (b"\x61f", Slot::Floor),
            (b"\xa1\x61o\x82\xa2\x68sequence\x6212\x63sub\x03\x01", Slot::Output(position, 1)),
        ] {
            assert_eq!(Slot::stored(bytes), slot);
        }
    }

    #[test]
    fn what_is_not_known_is_kept_as_it_is_stored() {
        for (bytes, json) in [
            (&b"\xa1\x61z\x05"[..], json!({"z": 5})),
            (b"\xa1\x61w\x82\x00\x61x", json!({"w": [0, "x"]})),
            (b"\xa1\x61w\x83\x00\x01\x02", json!({"w": [0, 1, 2]})),
            (b"\xa1\x61b\x83\x02\x05\x00", json!({"b": [2, 5, 0]})),
            (b"\x61q", json!("q")),
            (b"\xf6", json!(null)),
            (b"\xff", json!({"undecoded": "/w=="})),
        ] {
            assert_eq!(Slot::stored(bytes), Slot::Other(json));
        }
    }
}
