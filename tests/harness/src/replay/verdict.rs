//! Comparing what came out with what was expected.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use serde_json::{Map, Number, Value};

use crate::error::Error;
use crate::findings::Findings;

/// How many lines of a difference are shown.
const SHOWN: usize = 5;

/// The lines that are expected.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) path: PathBuf,
    lines: Vec<String>,
}

/// What a run is compared with.
#[derive(Debug)]
pub(super) enum Expectation {
    /// With these lines; `None` is not compared.
    Lines { results: Option<Expected>, late: Option<Expected> },
    /// With nothing, and why.
    Nothing(String),
}

/// What the comparison says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All that was compared is as expected.
    Holds,
    /// Something differs.
    Differs(Box<Differences>),
    /// Nothing was compared, and why.
    NotCompared(String),
}

/// Where a run differs from what was expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Differences {
    /// In the results.
    #[serde(skip_serializing_if = "Difference::is_none")]
    pub results: Difference,
    /// In the late records.
    #[serde(skip_serializing_if = "Difference::is_none")]
    pub late: Difference,
}

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
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Holds => serializer.serialize_str("holds"),
            Self::Differs(_) => serializer.serialize_str("differs"),
            Self::NotCompared(why) => serializer.collect_str(&format_args!("not compared: {why}")),
        }
    }
}

impl Expected {
    /// Reads the lines of a file, blank ones apart. What is no JSON is a problem.
    pub(super) fn read(path: &Path, findings: &mut Findings) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::reading(path, source))?;
        let mut lines = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            if let Err(error) = line.parse::<Value>() {
                findings.problem(path, Some(index + 1), format!("no JSON ({error}); a line is one result"));
            }
            lines.push(line.trim().to_owned());
        }
        let path = path.to_path_buf();
        Ok(Self { path, lines })
    }

    /// How many lines are expected.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }
}

impl Expectation {
    /// Compares results and late records, each as a multiset of JSON values.
    pub(super) fn judge(&self, results: &[String], late: &[String]) -> Verdict {
        let (expected_results, expected_late) = match self {
            Self::Nothing(why) => return Verdict::NotCompared(why.clone()),
            Self::Lines { results, late } => (results, late),
        };
        let compare = |expected: &Option<Expected>, actual| match expected {
            Some(expected) => Difference::between(&expected.lines, actual),
            None => Difference::default(),
        };
        let differences =
            Differences { results: compare(expected_results, results), late: compare(expected_late, late) };
        if differences.results.is_none() && differences.late.is_none() {
            Verdict::Holds
        } else {
            Verdict::Differs(Box::new(differences))
        }
    }
}

impl Difference {
    /// Whether both sides are the same.
    pub fn is_none(&self) -> bool {
        self.missing == 0 && self.unexpected == 0
    }

    fn between(expected: &[String], actual: &[String]) -> Self {
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
    fn late_records_count_where_they_are_expected() {
        let expected = |text: &[&str]| {
            let (path, lines) = (PathBuf::new(), lines(text));
            Some(Expected { path, lines })
        };
        let both = Expectation::Lines { results: expected(&["1"]), late: expected(&["2"]) };
        assert_eq!(both.judge(&lines(&["1"]), &lines(&["2"])), Verdict::Holds);
        assert!(matches!(both.judge(&lines(&["1"]), &[]), Verdict::Differs(_)));
        let results = Expectation::Lines { results: expected(&["1"]), late: None };
        assert_eq!(results.judge(&lines(&["1"]), &lines(&["9"])), Verdict::Holds);
    }

    #[test]
    fn an_expected_line_that_is_no_json_is_a_problem_with_its_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "1\n\nx\n").unwrap();
        let mut findings = Findings::default();
        assert_eq!(Expected::read(file.path(), &mut findings).unwrap().len(), 2);
        assert!(findings.into_warnings().unwrap_err().to_string().contains(":3: no JSON"));
    }
}
