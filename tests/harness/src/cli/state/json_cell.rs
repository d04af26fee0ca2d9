//! A cell as JSON, in full.

use serde_json::{Value as Json, json};
use tidemill_core::{EventTime, Span};

use crate::state::{Cell, Content, Pane, Slot};

use super::json::{output_place, position, time};

/// A cell: its kind, what tells it from others of the kind, what it holds.
pub(super) fn cell(cell: &Cell) -> Json {
    let mut json = json!({ "kind": cell.kind().name(), "value": null, "removed": cell.holds.is_none() });
    add(&mut json, of_slot(&cell.slot));
    if let Some(holds) = &cell.holds {
        add(&mut json, of_content(holds));
    }
    json
}

fn add(json: &mut Json, more: Json) {
    if let (Json::Object(fields), Json::Object(more)) = (json, more) {
        fields.extend(more);
    }
}

fn of_slot(slot: &Slot) -> Json {
    match slot {
        Slot::Window(Span { start, end }) => json!({ "window_start": time(*start), "window_end": time(*end) }),
        Slot::Slice(start) => json!({ "slice_start": time(*start) }),
        Slot::Left(at, number) | Slot::Right(at, number) => json!({ "time": time(*at), "number": number }),
        Slot::Value(name) => json!({ "name": name }),
        Slot::Element(name, number) => json!({ "name": name, "number": number }),
        Slot::Entry(name, entry) => json!({ "name": name, "entry": entry }),
        Slot::Timer(at) => json!({ "time": time(*at) }),
        Slot::Id(id) => json!({ "id": id }),
        Slot::Commits | Slot::Floor => json!({}),
        Slot::Output(place, index) => json!({ "output": output_place(place, *index) }),
        Slot::Other(slot) => json!({ "slot": slot }),
    }
}

fn of_content(content: &Content) -> Json {
    match content {
        Content::Window(accumulator, fresh) if *fresh == Pane::default() => json!({ "value": accumulator }),
        Content::Window(accumulator, started) => json!({ "value": accumulator, "pane": pane(started) }),
        Content::State(value, expires) => json!({ "value": value, "expires": expires.map(time) }),
        Content::Timer(depth) => json!({ "depth": depth }),
        Content::Ranked(events, expires) => {
            let event = |(at, event): &(EventTime, Json)| json!({ "time": time(*at), "value": event });
            json!({ "value": events.iter().map(event).collect::<Vec<_>>(), "expires": expires.map(time) })
        }
        Content::Event(value) | Content::Other(value) => json!({ "value": value }),
        Content::Until(until) => json!({ "expires": time(*until) }),
        Content::Commits(number, ranges) => json!({ "commit": number, "output_ranges": ranges }),
        Content::Floor(place) => json!({ "floor": position(place) }),
        Content::Nothing => json!({}),
    }
}

fn pane(pane: &Pane) -> Json {
    let span = |span: &Span| json!({ "window_start": time(span.start), "window_end": time(span.end) });
    json!({
        "next_index": pane.next_index,
        "closed": pane.closed,
        "events_since": pane.news,
        "early": pane.early.map(time),
        "replaces": pane.replaces.iter().map(span).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(slot: Slot, holds: Option<Content>) -> Json {
        cell(&Cell { slot, holds })
    }

    fn at(millis: i64) -> EventTime {
        EventTime::from_millis(millis)
    }

    #[test]
    fn a_window_says_its_pane_once_it_has_one() {
        let window = Slot::Window(Span { start: at(0), end: at(1_000) });
        let plain = shown(window.clone(), Some(Content::Window(None, Pane::default())));
        let fields = json!({
            "kind": "window", "window_start": "1970-01-01T00:00:00.000Z", "window_end": "1970-01-01T00:00:01.000Z",
            "value": null, "removed": false,
        });
        assert_eq!(plain, fields);
        let pane = Pane { next_index: 1, early: Some(at(5)), ..Pane::default() };
        let fired = shown(window, Some(Content::Window(Some(json!(7)), pane)));
        assert_eq!(fired["value"], 7);
        let pane = json!({
            "next_index": 1, "closed": false, "events_since": 0, "early": "1970-01-01T00:00:00.005Z", "replaces": [],
        });
        assert_eq!(fired["pane"], pane);
    }

    #[test]
    fn what_is_removed_has_no_value() {
        let gone = json!({"kind": "entry", "name": "m", "entry": [1, "a"], "value": null, "removed": true});
        assert_eq!(shown(Slot::Entry("m".to_owned(), json!([1, "a"])), None), gone);
    }

    #[test]
    fn ranked_events_have_their_times() {
        let ranked = Content::Ranked(vec![(at(0), json!(9))], Some(at(1_000)));
        let json = json!({
            "kind": "ranked", "name": "kept", "removed": false, "expires": "1970-01-01T00:00:01.000Z",
            "value": [{"time": "1970-01-01T00:00:00.000Z", "value": 9}],
        });
        assert_eq!(shown(Slot::Value("kept".to_owned()), Some(ranked)), json);
    }
}
