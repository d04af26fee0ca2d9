//! Keys: what is kept for one, and how much for each.

use crate::cli::style::Style;
use crate::cli::summary::{grouped, many};
use crate::cli::table::{Align, Table, cut, printable};
use crate::state::{Cell, CellKind, Content, KeyState, KeySummary, ShardState, key};

use super::sections::of_key;
use super::text::{INDENT, ROWS, cut_to, joined, rest, time, title, watermark};

/// How much of a key a person is shown in the list.
const KEY_WIDTH: usize = 24;

/// Keys with all that is kept for them, shard after shard; of many remembered ids only how many, unless asked for.
pub(super) fn keys(found: &[(&ShardState, KeyState)], all_ids: bool, style: Style) -> String {
    let mut lines = Vec::new();
    for (shard, state) in found {
        lines.push(title(&printable(&key::text(&state.key)), &counted(state), style));
        lines.extend(cells(state, all_ids, style));
        let (view, journal) = (&shard.view, &shard.journal);
        let stands = format!(
            "  {} of {}: commit {}, watermark {}",
            journal.shard,
            journal.pipeline,
            grouped(view.number()),
            watermark(view.progress().watermark)
        );
        lines.push(style.dim(&cut(&stands)));
    }
    joined(&lines)
}

fn cells(state: &KeyState, all_ids: bool, style: Style) -> Vec<String> {
    let (ids, others): (Vec<&Cell>, Vec<&Cell>) = state.cells.iter().partition(|cell| cell.kind() == CellKind::Id);
    if all_ids || ids.len() <= ROWS {
        return of_key(&state.cells.iter().collect::<Vec<_>>(), style);
    }
    let mut lines = of_key(&others, style);
    let remembered = many(ids.len() as u64, "id", "ids");
    let next = ids.iter().find_map(|cell| match cell.holds {
        Some(Content::Until(until)) => Some(format!(", the next one until {}", time(until))),
        _ => None,
    });
    lines.push(format!("  {remembered} remembered{}: --ids lists them", next.unwrap_or_default()));
    lines
}

/// What a key has: `2 open windows, 1 closed`.
fn counted(state: &KeyState) -> String {
    let is_closed = |cell: &&Cell| matches!(&cell.holds, Some(Content::Window(_, pane)) if pane.closed);
    let closed = state.cells.iter().filter(is_closed).count();
    let phrase = |(kind, count): (&CellKind, &usize)| match kind {
        CellKind::Window if closed == *count => many(closed as u64, "closed window", "closed windows"),
        CellKind::Window if closed > 0 => {
            format!("{}, {} closed", named(*kind, count - closed), grouped(closed as u64))
        }
        _ => named(*kind, *count),
    };
    state.summary().counts.iter().map(phrase).collect::<Vec<_>>().join(", ")
}

fn named(kind: CellKind, count: usize) -> String {
    let (one, more) = match kind {
        CellKind::Window => ("open window", "open windows"),
        CellKind::Slice => ("slice", "slices"),
        CellKind::Value => ("value", "values"),
        CellKind::Element => ("list element", "list elements"),
        CellKind::Entry => ("map entry", "map entries"),
        CellKind::Timer => ("timer", "timers"),
        CellKind::Left => ("left event", "left events"),
        CellKind::Right => ("right event", "right events"),
        CellKind::Ranked => ("ranked event", "ranked events"),
        CellKind::Id => ("remembered id", "remembered ids"),
        CellKind::Producer | CellKind::Other => ("unknown cell", "unknown cells"),
    };
    many(count as u64, one, more)
}

/// The heading of the column that counts a kind.
fn heading(kind: CellKind) -> &'static str {
    match kind {
        CellKind::Window => "windows",
        CellKind::Slice => "slices",
        CellKind::Value => "values",
        CellKind::Element => "elements",
        CellKind::Entry => "entries",
        CellKind::Timer => "timers",
        CellKind::Left => "left",
        CellKind::Right => "right",
        CellKind::Ranked => "ranked",
        CellKind::Id => "ids",
        CellKind::Producer | CellKind::Other => "unknown",
    }
}

/// The keys of all shards, in order, as many as a person reads: a column for each kind of cells that any has.
pub(super) fn list(shards: &[ShardState], style: Style) -> Vec<String> {
    let mut keys: Vec<KeySummary> = shards.iter().flat_map(ShardState::summaries).collect();
    keys.sort_by(|a, b| a.text.cmp(&b.text));
    if keys.is_empty() {
        return vec![String::from("  nothing is kept for any key")];
    }
    let mut lines = table(&keys[..keys.len().min(ROWS)], &kinds(&keys)).lines(INDENT, style);
    lines.extend(rest(keys.len(), style));
    lines
}

fn kinds(keys: &[KeySummary]) -> Vec<CellKind> {
    let mut kinds: Vec<CellKind> = keys.iter().flat_map(|key| key.counts.keys().copied()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

fn table(keys: &[KeySummary], kinds: &[CellKind]) -> Table {
    let mut table = Table::new(&[("key", Align::Left)]);
    for key in keys {
        table.row(vec![cut_to(&key.text, KEY_WIDTH)]);
    }
    for kind in kinds {
        let count = |key: &KeySummary| key.counts.get(kind).map_or_else(String::new, |count| grouped(*count as u64));
        table.column(heading(*kind), Align::Right, keys.iter().map(count).collect());
    }
    if kinds.contains(&CellKind::Window) {
        let [first, last]: [fn(&KeySummary) -> Option<_>; 2] =
            [|key| key.span.map(|span| time(span.start)), |key| key.span.map(|span| time(span.end))];
        for (name, of) in [("first start", first), ("last end", last)] {
            table.column(name, Align::Left, keys.iter().map(|key| of(key).unwrap_or_default()).collect());
        }
    }
    if kinds.contains(&CellKind::Timer) {
        let next = |key: &KeySummary| key.timer.map(time).unwrap_or_default();
        table.column("next timer", Align::Left, keys.iter().map(next).collect());
    }
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tidemill_core::{EventTime, Span};

    use super::*;
    use crate::state::{Pane, Slot};

    fn window(hour: i64, closed: bool) -> Cell {
        let [start, end] = [hour, hour + 1].map(|hour| EventTime::from_millis(hour * 3_600_000));
        let pane = Pane { closed, ..Pane::default() };
        Cell { slot: Slot::Window(Span { start, end }), holds: Some(Content::Window(Some(json!(1)), pane)) }
    }

    fn id(number: i64) -> Cell {
        let until = EventTime::from_millis(number * 1_000);
        Cell { slot: Slot::Id(json!(number)), holds: Some(Content::Until(until)) }
    }

    fn state(cells: Vec<Cell>) -> KeyState {
        KeyState { key: json!("JFK"), cells }
    }

    #[test]
    fn windows_that_closed_are_not_called_open() {
        assert_eq!(counted(&state(vec![window(0, false), window(1, false)])), "2 open windows");
        assert_eq!(
            counted(&state(vec![window(0, true), window(1, false), window(2, false)])),
            "2 open windows, 1 closed"
        );
        assert_eq!(counted(&state(vec![window(0, true)])), "1 closed window");
    }

    #[test]
    fn nothing_is_called_a_window_that_is_none() {
        let timer = Cell { slot: Slot::Timer(EventTime::from_millis(1)), holds: Some(Content::Timer(0)) };
        let value = Cell { slot: Slot::Value(String::from("a")), holds: Some(Content::State(json!(1), None)) };
        assert_eq!(counted(&state(vec![value, timer])), "1 value, 1 timer");
    }

    #[test]
    fn many_ids_are_listed_only_if_asked_for() {
        let many = state((1..=ROWS as i64 + 1).map(id).collect());
        assert_eq!(
            cells(&many, false, Style::plain()),
            ["  21 ids remembered, the next one until 1970-01-01T00:00:01Z: --ids lists them"]
        );
        assert_eq!(cells(&many, true, Style::plain()).len(), ROWS + 2);
        let few = state((1..=ROWS as i64).map(id).collect());
        assert_eq!(cells(&few, false, Style::plain()).len(), ROWS + 1);
    }

    #[test]
    fn each_kind_that_any_key_has_is_counted_in_a_column() {
        let timer = Cell { slot: Slot::Timer(EventTime::from_millis(0)), holds: Some(Content::Timer(0)) };
        let keys = [state(vec![window(0, false)]).summary(), state(vec![id(1), id(2), timer]).summary()];
        assert_eq!(
            table(&keys, &kinds(&keys)).lines(INDENT, Style::plain())[..2],
            [
                "  key  windows  timers  ids  first start           last end              next t…",
                "  JFK        1               1970-01-01T00:00:00Z  1970-01-01T01:00:00Z",
            ]
        );
    }
}
