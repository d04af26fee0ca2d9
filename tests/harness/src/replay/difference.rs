//! Two lists of JSON values, and where they differ.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Number, Value};

/// How many lines of a difference are shown.
const SHOWN: usize = 5;

/// Lines on one side only: how many, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Expected lines that did not come out.
    pub missing: u64,
    /// Lines that came out and were not expected.
    pub unexpected: u64,
    /// The first missing ones.
    pub missing_lines: Vec<String>,
    /// The first unexpected ones.
    pub unexpected_lines: Vec<String>,
    /// The first line out of order, where order matters and all lines are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<OutOfOrder>,
}

/// A line that stands where another one is expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutOfOrder {
    /// Its number, counted from 1.
    pub line: usize,
    /// What is expected there.
    pub expected: String,
    /// What came there.
    pub actual: String,
}

impl Difference {
    /// Whether both sides are the same.
    pub fn is_none(&self) -> bool {
        self.missing == 0 && self.unexpected == 0 && self.order.is_none()
    }

    /// Compares as lists.
    pub(super) fn in_order(expected: &[String], actual: &[String]) -> Self {
        let mut difference = Self::between(expected, actual);
        if difference.is_none() {
            let mut pairs = expected.iter().zip(actual).zip(1..);
            let out = pairs.find(|((expected, actual), _)| canonical(expected) != canonical(actual));
            difference.order = out.map(|((expected, actual), line)| OutOfOrder {
                line,
                expected: expected.clone(),
                actual: actual.clone(),
            });
        }
        difference
    }

    /// Compares as multisets.
    pub(super) fn between(expected: &[String], actual: &[String]) -> Self {
        // By canonical text: expected less actual, and the line as the longer side has it.
        let mut balance: BTreeMap<String, (i64, &str)> = BTreeMap::new();
        for line in expected {
            let entry = balance.entry(canonical(line)).or_default();
            *entry = (entry.0 + 1, line);
        }
        for line in actual {
            let (count, text) = balance.entry(canonical(line)).or_default();
            *count -= 1;
            if *count < 0 {
                *text = line;
            }
        }
        let mut difference = Self::default();
        for (count, line) in balance.into_values() {
            difference.add(count, line);
        }
        difference
    }

    fn add(&mut self, count: i64, line: &str) {
        let times = count.unsigned_abs();
        let (total, lines) = if count > 0 {
            (&mut self.missing, &mut self.missing_lines)
        } else {
            (&mut self.unexpected, &mut self.unexpected_lines)
        };
        *total += times;
        let room = SHOWN.saturating_sub(lines.len());
        let shown = usize::try_from(times).unwrap_or(room).min(room);
        lines.extend(std::iter::repeat_n(line.to_owned(), shown));
    }
}

/// One text for all ways to write a value: members in order, whole numbers without a fraction.
fn canonical(line: &str) -> String {
    line.parse::<Value>().map_or_else(|_| line.to_owned(), |value| in_order(value).to_string())
}

fn in_order(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<String, Value> = members.into_iter().collect();
            let members = sorted.into_iter().map(|(name, value)| (name, in_order(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.into_iter().map(in_order).collect(),
        Value::Number(number) => Value::Number(whole(&number).unwrap_or(number)),
        other => other,
    }
}

/// A number such as 3.0 as 3, while that is exact.
fn whole(number: &Number) -> Option<Number> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let float = number.as_f64().filter(|_| number.is_f64())?;
    if float.fract() != 0.0 || float.abs() >= EXACT {
        return None;
    }
    format!("{float:.0}").parse::<i64>().ok().map(Number::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    fn difference(expected: &[&str], actual: &[&str]) -> Difference {
        Difference::between(&lines(expected), &lines(actual))
    }

    #[test]
    fn order_of_lines_and_members_and_ways_to_write_numbers_do_not_matter() {
        let expected = [r#"{"a":1,"b":[2.5,{"c":3,"d":0}]}"#, r#"{"a":2}"#];
        let actual = [r#"{ "a": 2.0 }"#, r#"{"b":[2.5,{"d":-0.0,"c":3.0}],"a":1}"#];
        assert!(difference(&expected, &actual).is_none());
    }

    #[test]
    fn how_often_a_line_comes_matters() {
        let found = difference(&["1", "1", "2"], &["1", "2", "2", "2"]);
        assert_eq!((found.missing, found.unexpected), (1, 2));
        assert_eq!(found.missing_lines, ["1"]);
        assert_eq!(found.unexpected_lines, ["2", "2"]);
    }

    #[test]
    fn lines_are_shown_as_they_were_written() {
        let found = difference(&[r#"{"b":1,"a":1.0}"#], &[r#"{"b":2,"a":1}"#]);
        assert_eq!(found.missing_lines, [r#"{"b":1,"a":1.0}"#]);
        assert_eq!(found.unexpected_lines, [r#"{"b":2,"a":1}"#]);
    }

    #[test]
    fn text_is_no_number() {
        assert!(!difference(&["\"1\""], &["1"]).is_none());
    }

    #[test]
    fn only_the_first_lines_are_kept() {
        let many: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let found = Difference::between(&many, &[]);
        assert_eq!((found.missing, found.missing_lines.len()), (100, SHOWN));
    }

    #[test]
    fn order_matters_where_it_is_asked_for() {
        let in_order = |expected: &[&str], actual: &[&str]| Difference::in_order(&lines(expected), &lines(actual));
        assert!(in_order(&["1", "2", "1"], &["1", "2.0", "1"]).is_none());
        let found = in_order(&["1", "2", "1"], &["1", "1", "2"]);
        let (expected, actual) = (String::from("2"), String::from("1"));
        assert_eq!(found.order, Some(OutOfOrder { line: 2, expected, actual }));
        assert!(!found.is_none());
        // A missing line puts all behind it out of place: that it is missing says more.
        let found = in_order(&["1", "2", "3"], &["2", "3"]);
        assert_eq!((found.missing, found.order), (1, None));
    }
}
