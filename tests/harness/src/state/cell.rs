//! One cell of a key, decoded.

use tidemill_core::{Span, version_of};

use super::{Content, Slot, cbor};

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Which of the key's.
    pub slot: Slot,
    /// What it holds; `None` if it is gone.
    pub holds: Option<Content>,
}

/// Kinds of cells, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CellKind {
    /// Windows.
    Window,
    /// Slices that windows share.
    Slice,
    /// Values of a process function.
    Value,
    /// Elements of its lists.
    Element,
    /// Entries of its maps.
    Entry,
    /// Timers.
    Timer,
    /// Left events that a join waits with.
    Left,
    /// Right events that a join waits with.
    Right,
    /// The first, last or best events.
    Ranked,
    /// Ids of events that were taken.
    Id,
    /// What was taken of a producer.
    Producer,
    /// Anything else.
    Other,
}

impl CellKind {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Window => "window",
            Self::Slice => "slice",
            Self::Value => "value",
            Self::Element => "element",
            Self::Entry => "entry",
            Self::Timer => "timer",
            Self::Left => "left",
            Self::Right => "right",
            Self::Ranked => "ranked",
            Self::Id => "id",
            Self::Producer => "producer",
            Self::Other => "other",
        }
    }
}

impl Cell {
    /// A cell from its stored bytes. One whose content is not what its slot says is of no known kind.
    pub(super) fn stored(slot: &[u8], value: Option<&[u8]>) -> Self {
        let other = || Slot::Other(cbor::shown(slot));
        let read = Slot::stored(slot);
        match value {
            // Nothing removes these, and nobody may miss it if something does.
            None if matches!(read, Slot::Commits | Slot::Floor) => Self { slot: other(), holds: None },
            None => Self { slot: read, holds: None },
            Some(value) => match content(&read, value) {
                Some(holds) => Self { slot: read, holds: Some(holds) },
                None => Self { slot: other(), holds: Some(Content::Other(cbor::shown(value))) },
            },
        }
    }

    /// Its kind.
    pub fn kind(&self) -> CellKind {
        match (&self.slot, &self.holds) {
            (Slot::Value(_), Some(Content::Ranked(..))) => CellKind::Ranked,
            (Slot::Window(_), _) => CellKind::Window,
            (Slot::Slice(_), _) => CellKind::Slice,
            (Slot::Value(_), _) => CellKind::Value,
            (Slot::Element(..), _) => CellKind::Element,
            (Slot::Entry(..), _) => CellKind::Entry,
            (Slot::Timer(_), _) => CellKind::Timer,
            (Slot::Left(..), _) => CellKind::Left,
            (Slot::Right(..), _) => CellKind::Right,
            (Slot::Id(_), _) => CellKind::Id,
            (Slot::Commits | Slot::Floor | Slot::Output(..), _) => CellKind::Producer,
            (Slot::Other(_), _) => CellKind::Other,
        }
    }

    /// The window, if it is one's.
    pub fn window(&self) -> Option<Span> {
        match self.slot {
            Slot::Window(window) => Some(window),
            _ => None,
        }
    }

    /// For cells of one key: kind by kind, and in each by time where they have one.
    pub(super) fn order(&self) -> (CellKind, i64, i64) {
        let (first, second) = match (&self.slot, &self.holds) {
            (Slot::Window(window), _) => (window.end.as_millis(), window.start.as_millis()),
            (Slot::Slice(time) | Slot::Timer(time) | Slot::Left(time, _) | Slot::Right(time, _), _)
            | (Slot::Id(_), Some(Content::Until(time))) => (time.as_millis(), 0),
            _ => (0, 0),
        };
        (self.kind(), first, second)
    }
}

/// What a cell holds. Those of an operator may say before which version of the pipeline wrote them.
fn content(slot: &Slot, value: &[u8]) -> Option<Content> {
    let stored = |value| cbor::decoded(value).and_then(|value| Content::stored(slot, &value));
    stored(value).or_else(|| version_of(value).ok().and_then(|(_, value)| stored(value)))
}

#[cfg(test)]
mod tests {
    use ciborium::{Value as Cbor, cbor};
    use serde_json::json;
    use tidemill_core::EventTime;

    use super::super::Pane;
    use super::*;

    fn cell(slot: Result<Cbor, ciborium::value::Error>, value: Result<Cbor, ciborium::value::Error>) -> Cell {
        let bytes = |value: Result<Cbor, _>| {
            let mut bytes = Vec::new();
            ciborium::into_writer(&value.expect("a value"), &mut bytes).expect("written");
            bytes
        };
        Cell::stored(&bytes(slot), Some(&bytes(value)))
    }

    fn at(millis: i64) -> EventTime {
        EventTime::from_millis(millis)
    }

    #[test]
    fn a_window_is_read_with_its_pane_and_without_an_accumulator() {
        let window = || cbor!({"w" => [0, 60]});
        let plain = Content::Window(Some(json!([2, -5])), Pane::default());
        assert_eq!(cell(window(), cbor!({"acc" => [2, -5]})).holds, Some(plain));
        let marker = Content::Window(None, Pane::default());
        assert_eq!(cell(window(), cbor!({})).holds, Some(marker));
        let nothing = Content::Window(Some(json!(null)), Pane::default());
        assert_eq!(cell(window(), cbor!({"acc" => null})).holds, Some(nothing));
        let replaces = vec![Span { start: at(0), end: at(5) }];
        let pane = Pane { next_index: 2, closed: true, news: 3, early: Some(at(9)), replaces };
        let stored = cbor!({"acc" => 1, "pane" => {
            "i" => 2, "c" => true, "n" => 3, "e" => 9, "r" => [{"start" => 0, "end" => 5}]
        }});
        assert_eq!(cell(window(), stored).holds, Some(Content::Window(Some(json!(1)), pane)));
    }

    #[test]
    fn what_json_has_not_is_shown_of_contents_too() {
        let value = Cbor::Tag(1, Box::new(Cbor::Array(vec![Cbor::Bytes(vec![255]), Cbor::Integer(u64::MAX.into())])));
        let shown = json!({"tag": 1, "value": [{"base64": "/w=="}, u64::MAX]});
        assert_eq!(cell(cbor!({"v" => "a"}), cbor!({"v" => value})).holds, Some(Content::State(shown, None)));
    }

    #[test]
    fn what_a_process_function_keeps_is_told_from_ranked_events() {
        let value = || cbor!({"v" => "kept"});
        let kept = cell(value(), cbor!({"v" => 7, "x" => 100}));
        assert_eq!((kept.kind(), kept.holds), (CellKind::Value, Some(Content::State(json!(7), Some(at(100))))));
        assert_eq!(cell(value(), cbor!({})).holds, Some(Content::State(json!(null), None)));
        let ranked = cell(value(), cbor!({"k" => [[5, "best"], [4, "second"]]}));
        let events = vec![(at(5), json!("best")), (at(4), json!("second"))];
        assert_eq!((ranked.kind(), ranked.holds), (CellKind::Ranked, Some(Content::Ranked(events, None))));
    }

    #[test]
    fn sides_ids_and_timers_are_read() {
        let left = cell(cbor!({"b" => [0, 5, 0]}), cbor!({"l" => {"seller" => 1}}));
        assert_eq!((left.kind(), left.holds), (CellKind::Left, Some(Content::Event(json!({"seller": 1})))));
        let id = cell(cbor!({"d" => Cbor::Bytes(vec![1])}), cbor!(9));
        assert_eq!((id.kind(), id.holds), (CellKind::Id, Some(Content::Until(at(9)))));
        assert_eq!(cell(cbor!({"t" => 5}), cbor!({"d" => 2})).holds, Some(Content::Timer(2)));
    }

    #[test]
    fn producers_are_read() {
        assert_eq!(cell(cbor!("p"), cbor!({"n" => 7, "i" => [[0, 2]]})).holds, Some(Content::Commits(7, vec![(0, 2)])));
        let floor = cell(cbor!("f"), cbor!({"sequence" => "12", "sub" => 0}));
        assert!(matches!(floor.holds, Some(Content::Floor(place)) if place.sequence.as_str() == "12"));
        assert_eq!(
            cell(cbor!({"o" => [{"sequence" => "12", "sub" => 0}, 1]}), cbor!(null)).holds,
            Some(Content::Nothing)
        );
    }

    #[test]
    fn a_content_that_does_not_fit_its_slot_is_shown_as_stored() {
        for (slot, value) in [
            (json!({"w": [0, 60]}), json!({"acc": 1, "new": 2})),
            (json!({"b": [0, 5, 0]}), json!({"r": 1})),
            (json!({"v": "a"}), json!({"v": 1, "d": 1})),
            (json!({"t": 5}), json!({"v": 1})),
            (json!("p"), json!(1)),
            (json!("f"), json!(null)),
            (json!({"z": 1}), json!([1])),
        ] {
            let stored = |value: &serde_json::Value| Cbor::serialized(value);
            let cell = cell(stored(&slot), stored(&value));
            assert_eq!(cell, Cell { slot: Slot::Other(slot), holds: Some(Content::Other(value)) });
        }
    }

    #[test]
    fn a_cell_of_a_later_version_is_read_all_the_same() {
        let cell = Cell::stored(b"\xa1\x61w\x82\x00\x18\x3c", Some(b"\x02\xa1\x63acc\x07"));
        assert_eq!(cell.holds, Some(Content::Window(Some(json!(7)), Pane::default())));
    }

    #[test]
    fn bytes_behind_a_content_make_it_unknown() {
        let cell = Cell::stored(b"\xa1\x61s\x05", Some(b"\xa0\x00"));
        assert_eq!(cell.kind(), CellKind::Other);
        assert_eq!(cell.holds, Some(Content::Other(json!({"undecoded": "oAA="}))));
    }
}
