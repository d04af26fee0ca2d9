//! Values in columns: one for each field, where there is room.

use serde_json::Value as Json;

use crate::cli::summary::WIDTH;
use crate::cli::table::{Align, Table, printable};

use super::text::INDENT;

/// A column's heading, and its value of each row.
type Column = (String, Vec<Option<Json>>);

/// A column for each field of the values where they have the same ones and there is room, else one for their JSON;
/// none if there are no values.
pub(super) fn values(table: &mut Table, name: &str, values: &[Option<Json>]) {
    if values.iter().all(Option::is_none) {
        return;
    }
    let fields = fields(name, values).filter(|columns| fit(table, columns));
    for (name, values) in fields.unwrap_or_else(|| whole(name, values)) {
        let numbers = values.iter().flatten().all(|value| value.is_number() || value.is_null());
        table.column(&name, if numbers { Align::Right } else { Align::Left }, texts(&values));
    }
}

/// Whether [`values`] has room for all of the values.
pub(super) fn have_room(table: &Table, name: &str, values: &[Option<Json>]) -> bool {
    fields(name, values).is_some_and(|columns| fit(table, &columns)) || fit(table, &whole(name, values))
}

fn whole(name: &str, values: &[Option<Json>]) -> Vec<Column> {
    vec![(name.to_owned(), values.to_vec())]
}

fn fit(table: &Table, columns: &[Column]) -> bool {
    let wide = |(name, values): &Column| {
        texts(values).iter().chain([name]).map(|text| text.chars().count() + 2).max().unwrap_or(0)
    };
    table.width() + INDENT + columns.iter().map(wide).sum::<usize>() <= WIDTH
}

/// A value in lines of its own of at most `width`, broken behind commas where there are some.
pub(super) fn wrapped(value: &Json, width: usize) -> Vec<String> {
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0);
    for piece in printable(&value.to_string()).split_inclusive(',') {
        let mut is_full = used + piece.chars().count() > width;
        for c in piece.chars() {
            if used > 0 && is_full {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += 1;
            is_full = used == width;
        }
    }
    lines.push(line);
    lines
}

/// The fields of values that are lists of one length, or objects of the same names, and hold nothing nested.
fn fields(name: &str, values: &[Option<Json>]) -> Option<Vec<Column>> {
    let names = |value: &Json| -> Option<Vec<String>> {
        let flat = |value: &Json| !value.is_array() && !value.is_object();
        match value {
            Json::Array(items) if items.iter().all(flat) => Some((0..items.len()).map(|n| n.to_string()).collect()),
            Json::Object(fields) if fields.values().all(flat) => Some(fields.keys().cloned().collect()),
            _ => None,
        }
    };
    let mut present = values.iter().flatten();
    let first = names(present.next()?)?;
    if first.is_empty() || !present.all(|value| names(value).as_ref() == Some(&first)) {
        return None;
    }
    let field = |value: &Option<Json>, field: &str| -> Option<Json> {
        let value = value.as_ref()?;
        value.get(field).or_else(|| value.get(field.parse::<usize>().ok()?)).cloned()
    };
    let column =
        |own: &String| (format!("{name}.{}", printable(own)), values.iter().map(|value| field(value, own)).collect());
    Some(first.iter().map(column).collect())
}

/// Values as cells of a table; nothing for one that is not there.
fn texts(values: &[Option<Json>]) -> Vec<String> {
    let text = |value: &Option<Json>| value.as_ref().map_or_else(String::new, |value| printable(&value.to_string()));
    values.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::style::Style;

    fn shown(of: &[Json]) -> Vec<String> {
        let mut table = Table::new(&[("start", Align::Left), ("end", Align::Left)]);
        for _ in of {
            table.row(vec![String::from("1970-01-01T00:00:00Z"), String::from("1970-01-01T01:00:00.500Z")]);
        }
        values(&mut table, "acc", &of.iter().cloned().map(Some).collect::<Vec<_>>());
        table.lines(INDENT, Style::plain())
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
    fn a_long_value_is_broken_behind_commas_and_anywhere_if_it_must() {
        let value = json!({"a": 1, "b": "x".repeat(12), "c": [2, 3]});
        let lines = wrapped(&value, 10);
        assert_eq!(lines, ["{\"a\":1,", "\"b\":\"xxxxx", "xxxxxxx\",", "\"c\":[2,3]}"]);
        assert_eq!(lines.concat(), value.to_string());
    }

    #[test]
    fn where_there_is_no_value_there_is_no_column() {
        let mut table = Table::new(&[("start", Align::Left)]);
        values(&mut table, "acc", &[None, None]);
        assert_eq!(table.width(), "start".len());
    }
}
