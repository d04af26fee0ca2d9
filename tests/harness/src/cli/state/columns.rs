//! Cells in columns: their windows, and what their accumulators hold.

use serde_json::Value as Json;
use tidemill_core::Span;

use crate::cli::style::Style;
use crate::cli::summary::WIDTH;
use crate::cli::table::{Align, Table, printable};
use crate::state::Cell;

use super::text::{INDENT, time};

/// Cells under the columns of their accumulators.
pub(super) fn cells(cells: &[Cell], style: Style) -> Vec<String> {
    let mut table = Table::new(&[("start", Align::Left), ("end", Align::Left)]);
    for cell in cells {
        table.row(span(cell));
    }
    values(&mut table, cells);
    table.lines(INDENT, style)
}

pub(super) fn span(cell: &Cell) -> Vec<String> {
    match cell.window {
        Some(Span { start, end }) => vec![time(start), time(end)],
        None => vec![cell.slot.to_string(), String::new()],
    }
}

/// A column for each field of the accumulators where they have the same ones and there is room,
/// else one for their JSON.
pub(super) fn values(table: &mut Table, cells: &[Cell]) {
    let whole = || cells.iter().map(|cell| cell.value.clone()).collect::<Vec<_>>();
    let columns = fields(cells).unwrap_or_else(|| vec![(String::from("acc"), whole())]);
    let texts = |values: &[Option<Json>]| -> Vec<String> { values.iter().map(text).collect() };
    let wide = |(name, values): &(String, Vec<Option<Json>>)| {
        texts(values).iter().chain([name]).map(|text| text.chars().count() + 2).max().unwrap_or(0)
    };
    let fits = table.width() + INDENT + columns.iter().map(wide).sum::<usize>() <= WIDTH;
    let columns = if fits { columns } else { vec![(String::from("acc"), whole())] };
    for (name, values) in columns {
        let numbers = values.iter().flatten().all(|value| value.is_number() || value.is_null());
        table.column(&name, if numbers { Align::Right } else { Align::Left }, texts(&values));
    }
}

/// The fields of accumulators that are lists of one length, or objects of the same names, and hold
/// nothing nested.
fn fields(cells: &[Cell]) -> Option<Vec<(String, Vec<Option<Json>>)>> {
    let names = |value: &Json| -> Option<Vec<String>> {
        let flat = |value: &Json| !value.is_array() && !value.is_object();
        match value {
            Json::Array(items) if items.iter().all(flat) => Some((0..items.len()).map(|n| n.to_string()).collect()),
            Json::Object(fields) if fields.values().all(flat) => Some(fields.keys().cloned().collect()),
            _ => None,
        }
    };
    let mut present = cells.iter().filter_map(|cell| cell.value.as_ref());
    let first = names(present.next()?)?;
    if first.is_empty() || !present.all(|value| names(value).as_ref() == Some(&first)) {
        return None;
    }
    let field = |cell: &Cell, name: &str| -> Option<Json> {
        let value = cell.value.as_ref()?;
        value.get(name).or_else(|| value.get(name.parse::<usize>().ok()?)).cloned()
    };
    let column =
        |name: &String| (format!("acc.{}", printable(name)), cells.iter().map(|cell| field(cell, name)).collect());
    Some(first.iter().map(column).collect())
}

/// A value as a cell of a table; nothing for one that was removed.
fn text(value: &Option<Json>) -> String {
    value.as_ref().map_or_else(String::new, |value| printable(&value.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tidemill_core::EventTime;

    use super::*;

    fn shown(values: &[Json]) -> Vec<String> {
        let window = Span { start: EventTime::from_millis(0), end: EventTime::from_millis(3_600_500) };
        let cell = |value: &Json| Cell { window: Some(window), slot: Json::Null, value: Some(value.clone()) };
        cells(&values.iter().map(cell).collect::<Vec<_>>(), Style::plain())
    }

    #[test]
    fn lists_of_one_length_have_a_column_for_each_element() {
        assert_eq!(
            shown(&[json!([8, -45, "a"]), json!([1_359, null, "b"])]),
            [
                "  start                 end                       acc.0  acc.1  acc.2",
                "  1970-01-01T00:00:00Z  1970-01-01T01:00:00.500Z      8    -45  \"a\"",
                "  1970-01-01T00:00:00Z  1970-01-01T01:00:00.500Z   1359   null  \"b\"",
            ]
        );
    }

    #[test]
    fn objects_of_the_same_names_have_a_column_for_each_field() {
        assert!(shown(&[json!({"count": 2, "sum": 1.5})])[0].ends_with("acc.count  acc.sum"));
    }

    #[test]
    fn anything_else_is_shown_as_json_and_cut() {
        assert!(shown(&[json!(7)])[1].ends_with("Z    7"));
        for odd in [json!([[1], 2]), json!({"a": {}}), json!([]), json!("x".repeat(100)), json!(vec![1; 40])] {
            let lines = shown(&[odd.clone(), json!(null)]);
            assert!(lines.iter().all(|line| line.chars().count() <= WIDTH), "{lines:#?}");
            assert!(lines[0].ends_with("acc") || lines[0].contains("acc "), "{lines:#?}");
        }
    }

    #[test]
    fn a_cell_that_is_no_window_shows_its_slot() {
        let cell = Cell { window: None, slot: json!({"t": 5}), value: None };
        assert_eq!(cells(&[cell], Style::plain())[1], "  {\"t\":5}");
    }
}
