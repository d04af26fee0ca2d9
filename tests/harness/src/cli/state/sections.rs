//! Cells in tables, one for each kind.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use tidemill_core::{EventTime, Span};

use crate::cli::style::Style;
use crate::cli::summary::{WIDTH, many};
use crate::cli::table::{Align, Table, cut};
use crate::state::{Cell, CellKind, Content, Pane, Slot, key};

use super::columns::{have_room, values, wrapped};
use super::text::{INDENT, ROWS, cut_to, expiry, rest, time};

/// How far lines of their own are indented below their row.
const BELOW: usize = 4;
/// How much of the key of a map's entry, or of an id, a person is shown.
const KEY_WIDTH: usize = 30;

/// One row of a table.
struct Row {
    /// What tells it from others, under the headings of its kind.
    lead: Vec<String>,
    value: Option<Json>,
    removed: bool,
    /// What else is to say of it, in lines of their own.
    notes: Vec<String>,
}

/// All cells of one key, with all that they hold.
pub(super) fn of_key(cells: &[&Cell], style: Style) -> Vec<String> {
    let slices: Vec<EventTime> = cells.iter().filter_map(|cell| slice(cell)).collect();
    let mut lines = Vec::new();
    for (kind, cells) in by_kind(cells.iter().copied(), |cell| cell) {
        let mut headings = headings(kind);
        let mut rows: Vec<Row> = cells.iter().flat_map(|cell| rows(cell)).collect();
        if kind == CellKind::Window && !slices.is_empty() {
            headings.push(("slices", Align::Right));
            for (row, cell) in rows.iter_mut().zip(cells) {
                row.lead.push(shared(cell, &slices).to_string());
            }
        }
        lines.extend(table(kind, &headings, &rows, Room::AsNeeded, style));
    }
    lines
}

/// Cells of several keys, in their order: of each kind as many as a person reads.
pub(super) fn of_keys(cells: &[(&Json, &Cell)], style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    for (kind, cells) in by_kind(cells.iter().copied(), |(_, cell)| cell) {
        let mut headings = headings(kind);
        headings.insert(0, ("key", Align::Left));
        let with_key = |(key, cell): (&Json, &Cell)| {
            let key = cut_to(&key::text(key), 12);
            rows(cell).into_iter().map(move |mut row| {
                row.lead.insert(0, key.clone());
                row
            })
        };
        let rows: Vec<Row> = cells.into_iter().flat_map(with_key).collect();
        lines.extend(table(kind, &headings, &rows[..rows.len().min(ROWS)], Room::OneLine, style));
        lines.extend(rest(rows.len(), style));
    }
    lines
}

fn by_kind<'a, T>(cells: impl Iterator<Item = T>, cell: impl Fn(&T) -> &'a Cell) -> BTreeMap<CellKind, Vec<T>> {
    let mut kinds: BTreeMap<CellKind, Vec<T>> = BTreeMap::new();
    for one in cells {
        kinds.entry(cell(&one).kind()).or_default().push(one);
    }
    kinds
}

/// How much room a row has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    /// What does not fit is cut.
    OneLine,
    /// Values that do not fit get lines of their own.
    AsNeeded,
}

fn table(kind: CellKind, headings: &[(&str, Align)], rows: &[Row], room: Room, style: Style) -> Vec<String> {
    let mut table = Table::new(headings);
    for row in rows {
        table.row(row.lead.clone());
    }
    let name = value_name(kind);
    let all: Vec<Option<Json>> = rows.iter().map(|row| row.value.clone()).collect();
    let below = room == Room::AsNeeded && !have_room(&table, name, &all);
    if !below {
        values(&mut table, name, &all);
    }
    if rows.iter().any(|row| row.removed) {
        let removed = rows.iter().map(|row| if row.removed { "removed" } else { "" });
        table.column("", Align::Left, removed.map(str::to_owned).collect());
    }
    let mut lines = table.lines(INDENT, style).into_iter();
    let mut shown: Vec<String> = lines.next().into_iter().collect();
    for (line, row) in lines.zip(rows) {
        shown.push(line);
        let value = row.value.iter().filter(|_| below).flat_map(|value| wrapped(value, WIDTH - BELOW));
        shown.extend(value.map(|line| format!("{:BELOW$}{line}", "")));
        shown.extend(row.notes.iter().map(|note| style.dim(&cut(&format!("{:BELOW$}{note}", "")))));
    }
    shown
}

/// The columns before the value: the first says what the rows are.
fn headings(kind: CellKind) -> Vec<(&'static str, Align)> {
    use Align::{Left, Right};
    match kind {
        CellKind::Window => vec![("start", Left), ("end", Left)],
        CellKind::Slice => vec![("slice from", Left)],
        CellKind::Value => vec![("value", Left), ("expires", Left)],
        CellKind::Element => vec![("list", Left), ("element", Right), ("expires", Left)],
        CellKind::Entry => vec![("map", Left), ("entry", Left), ("expires", Left)],
        CellKind::Timer => vec![("timer", Left)],
        CellKind::Left => vec![("left", Left)],
        CellKind::Right => vec![("right", Left)],
        CellKind::Ranked => vec![("rank", Right), ("time", Left), ("expires", Left)],
        CellKind::Id => vec![("id", Left), ("remembered until", Left)],
        CellKind::Producer | CellKind::Other => vec![("cell", Left)],
    }
}

fn value_name(kind: CellKind) -> &'static str {
    match kind {
        CellKind::Window | CellKind::Slice => "acc",
        CellKind::Left | CellKind::Right | CellKind::Ranked => "event",
        _ => "holds",
    }
}

/// A row for a cell; for ranked events, one for each.
fn rows(cell: &Cell) -> Vec<Row> {
    let row = |value: Option<&Json>, notes| {
        let lead = lead(cell);
        vec![Row { lead, value: value.cloned(), removed: cell.holds.is_none(), notes }]
    };
    match &cell.holds {
        Some(Content::Window(accumulator, pane)) => row(accumulator.as_ref(), of_pane(pane)),
        Some(Content::State(value, _) | Content::Event(value) | Content::Other(value)) => row(Some(value), Vec::new()),
        Some(Content::Ranked(events, expires)) => ranked(events, *expires),
        Some(Content::Timer(before @ 1..)) => {
            let timers = many(u64::from(*before), "timer", "timers");
            row(None, vec![format!("in a chain behind {timers}, each for an instant that was over")])
        }
        _ => row(None, Vec::new()),
    }
}

fn ranked(events: &[(EventTime, Json)], expires: Option<EventTime>) -> Vec<Row> {
    let row = |(index, (at, event)): (usize, &(EventTime, Json))| Row {
        lead: vec![(index + 1).to_string(), time(*at), expiry(expires)],
        value: Some(event.clone()),
        removed: false,
        notes: Vec::new(),
    };
    events.iter().enumerate().map(row).collect()
}

fn lead(cell: &Cell) -> Vec<String> {
    let expires = match &cell.holds {
        Some(Content::State(_, expires)) => expiry(*expires),
        Some(Content::Until(until)) => expiry(Some(*until)),
        _ => String::new(),
    };
    match &cell.slot {
        Slot::Window(Span { start, end }) => vec![time(*start), time(*end)],
        Slot::Slice(at) | Slot::Timer(at) | Slot::Left(at, _) | Slot::Right(at, _) => vec![time(*at)],
        Slot::Value(name) => vec![name.clone(), expires],
        Slot::Element(name, number) => vec![name.clone(), number.to_string(), expires],
        Slot::Entry(name, entry) => vec![name.clone(), cut_to(&key::text(entry), KEY_WIDTH), expires],
        Slot::Id(id) => vec![cut_to(&key::text(id), KEY_WIDTH), expires],
        Slot::Commits => vec![String::from("commit")],
        Slot::Floor => vec![String::from("floor")],
        Slot::Output(place, index) => vec![format!("output {place}/{index}")],
        Slot::Other(slot) => vec![slot.to_string()],
    }
}

/// What a window sent and is to send; nothing of one that is as it began.
fn of_pane(pane: &Pane) -> Vec<String> {
    let mut parts = Vec::new();
    if pane.next_index > 0 {
        parts.push(format!("next pane {}", pane.next_index));
    }
    if pane.closed {
        parts.push(String::from("closed, still takes late events"));
    }
    if pane.news > 0 {
        parts.push(format!("{} since the last pane", many(pane.news, "event", "events")));
    }
    parts.extend(pane.early.map(|early| format!("early result due {}", time(early))));
    let mut notes = Vec::new();
    if !parts.is_empty() {
        notes.push(parts.join(", "));
    }
    notes.extend(pane.replaces.iter().map(|old| format!("replaces {} to {}", time(old.start), time(old.end))));
    notes
}

fn slice(cell: &Cell) -> Option<EventTime> {
    match cell.slot {
        Slot::Slice(start) => Some(start),
        _ => None,
    }
}

/// How many of the slices are part of a window.
fn shared(window: &Cell, slices: &[EventTime]) -> usize {
    let inside = |span: Span| slices.iter().filter(|slice| (span.start..span.end).contains(slice)).count();
    window.window().map_or(0, inside)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(millis: i64) -> EventTime {
        EventTime::from_millis(millis)
    }

    fn cell(slot: Slot, holds: Content) -> Cell {
        Cell { slot, holds: Some(holds) }
    }

    fn shown(cells: &[Cell]) -> Vec<String> {
        of_key(&cells.iter().collect::<Vec<_>>(), Style::plain())
    }

    fn window(start: i64, end: i64) -> Slot {
        Slot::Window(Span { start: at(start), end: at(end) })
    }

    #[test]
    fn windows_over_slices_say_how_many_they_share() {
        let slice =
            |start, sum: i64| cell(Slot::Slice(at(start)), Content::Window(Some(json!([sum])), Pane::default()));
        let marker = |start, end| cell(window(start, end), Content::Window(None, Pane::default()));
        assert_eq!(
            shown(&[marker(0, 2_000), marker(1_000, 3_000), slice(0, 7), slice(1_000, -8)]),
            [
                "  start                 end                   slices",
                "  1970-01-01T00:00:00Z  1970-01-01T00:00:02Z       2",
                "  1970-01-01T00:00:01Z  1970-01-01T00:00:03Z       1",
                "  slice from            acc.0",
                "  1970-01-01T00:00:00Z      7",
                "  1970-01-01T00:00:01Z     -8",
            ]
        );
    }

    #[test]
    fn a_window_that_fired_says_what_comes_next() {
        let replaces = vec![Span { start: at(0), end: at(1_000) }];
        let pane = Pane { next_index: 2, closed: false, news: 1, early: Some(at(5_000)), replaces };
        let late = Pane { next_index: 1, closed: true, ..Pane::default() };
        assert_eq!(
            shown(&[
                cell(window(0, 9_000), Content::Window(Some(json!(3)), pane)),
                cell(window(i64::MIN, i64::MAX), Content::Window(Some(json!(4)), late)),
            ]),
            [
                "  start                 end                   acc",
                "  1970-01-01T00:00:00Z  1970-01-01T00:00:09Z    3",
                "    next pane 2, 1 event since the last pane, early result due 1970-01-01T00:00…",
                "    replaces 1970-01-01T00:00:00Z to 1970-01-01T00:00:01Z",
                "  no start              no end                  4",
                "    next pane 1, closed, still takes late events",
            ]
        );
    }

    #[test]
    fn what_a_process_function_keeps_is_shown_kind_by_kind() {
        let state = |value, expires: Option<i64>| Content::State(value, expires.map(at));
        assert_eq!(
            shown(&[
                cell(Slot::Value("count".to_owned()), state(json!(7), None)),
                cell(Slot::Element("delays".to_owned(), 12), state(json!({"late": 5, "to": "LAX"}), Some(1_000))),
                cell(Slot::Entry("routes".to_owned(), json!(["JFK", 2])), state(json!([1, [2]]), Some(i64::MAX))),
                cell(Slot::Timer(at(2_000)), Content::Timer(3)),
            ]),
            [
                "  value  expires  holds",
                "  count  never        7",
                "  list    element  expires               holds.late  holds.to",
                "  delays       12  1970-01-01T00:00:01Z           5  \"LAX\"",
                "  map     entry      expires  holds",
                "  routes  [\"JFK\",2]  never    [1,[2]]",
                "  timer",
                "  1970-01-01T00:00:02Z",
                "    in a chain behind 3 timers, each for an instant that was over",
            ]
        );
    }

    #[test]
    fn events_that_wait_or_are_ranked_are_shown_with_their_times() {
        let ranked = Content::Ranked(vec![(at(5), json!({"price": 9})), (at(4), json!({"price": 8}))], None);
        assert_eq!(
            shown(&[
                cell(Slot::Left(at(1_000), 0), Content::Event(json!({"seller": 1}))),
                cell(Slot::Right(at(2_000), 0), Content::Event(json!("x"))),
                cell(Slot::Value("kept".to_owned()), ranked),
            ]),
            [
                "  left                  event.seller",
                "  1970-01-01T00:00:01Z             1",
                "  right                 event",
                "  1970-01-01T00:00:02Z  \"x\"",
                "  rank  time                      expires  event.price",
                "     1  1970-01-01T00:00:00.005Z  never              9",
                "     2  1970-01-01T00:00:00.004Z  never              8",
            ]
        );
    }

    #[test]
    fn what_a_key_holds_is_never_cut() {
        let long = json!({"auction": 1, "channel": "x".repeat(60), "price": [7, 8]});
        let state = |value: &Json| cell(Slot::Value("bid".to_owned()), Content::State(value.clone(), None));
        assert_eq!(
            shown(&[state(&long), state(&json!(1))]),
            [
                "  value  expires",
                "  bid    never",
                "    {\"auction\":1,",
                &format!("    \"channel\":\"{}\",", "x".repeat(60)),
                "    \"price\":[7,8]}",
                "  bid    never",
                "    1",
            ]
        );
    }

    #[test]
    fn ids_and_unknown_cells_are_shown() {
        assert_eq!(
            shown(&[
                cell(Slot::Id(json!("a-1")), Content::Until(at(1_000))),
                cell(Slot::Other(json!({"z": 5})), Content::Other(json!([1, {}]))),
            ]),
            ["  id   remembered until", "  a-1  1970-01-01T00:00:01Z", "  cell     holds", "  {\"z\":5}  [1,{}]",]
        );
    }

    #[test]
    fn changes_say_their_keys_and_what_was_removed() {
        let set = cell(Slot::Value("count".to_owned()), Content::State(json!(7), None));
        let removed = Cell { slot: Slot::Value("quiet".to_owned()), holds: None };
        let key = json!("JFK");
        assert_eq!(
            of_keys(&[(&key, &set), (&key, &removed)], Style::plain()),
            ["  key  value  expires  holds", "  JFK  count  never        7", "  JFK  quiet                  removed",]
        );
    }
}
