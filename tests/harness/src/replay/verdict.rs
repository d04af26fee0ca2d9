//! Comparing what came out with what was expected.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::compressed;
use crate::error::Error;
use crate::findings::Findings;

use super::difference::Difference;
use super::sinks::Collected;

/// The lines that are expected.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) path: PathBuf,
    lines: Vec<String>,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// The results, in their order if so.
    Results { ordered: bool },
    /// The late records: these members of each, with the JSON pointers to their values; whole if
    /// there are none.
    Late { fields: BTreeMap<String, String> },
    /// The results of the stream of that logical name.
    Stream(String),
    /// What stands in the table of that logical name.
    Table(String),
    /// The messages in the queue of that name: these members of each, as of late records.
    Queue { name: String, fields: BTreeMap<String, String> },
}

/// What a run is compared with.
#[derive(Debug)]
pub(super) enum Expectation {
    /// With these lines, part by part.
    Lines(Vec<(Part, Expected)>),
    /// With nothing, and why.
    Nothing(String),
}

/// What the comparison says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All that was compared is as expected.
    Holds,
    /// Something differs.
    Differs(Differences),
    /// Nothing was compared, and why.
    NotCompared(String),
}

/// Where a run differs from what was expected: what was compared, and how it differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differences(pub Vec<(String, Difference)>);

impl Serialize for Differences {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(what, difference)| (what, difference)))
    }
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

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Results { .. } => f.write_str("results"),
            Self::Late { .. } => f.write_str("late"),
            Self::Stream(name) => write!(f, "in stream {name}"),
            Self::Table(name) => write!(f, "in table {name}"),
            Self::Queue { name, .. } => write!(f, "in queue {name}"),
        }
    }
}

impl Part {
    fn compare(&self, expected: &[String], collected: &Collected) -> Result<Difference, Error> {
        let none = Vec::new();
        Ok(match self {
            Self::Results { ordered: true } if collected.shards > 1 => return Err(no_order(collected.shards)),
            Self::Results { ordered: true } => Difference::in_order(expected, &collected.results),
            Self::Results { ordered: false } => Difference::between(expected, &collected.results),
            Self::Late { fields } => in_part(expected, &collected.late, fields),
            Self::Stream(name) => Difference::between(expected, collected.streams.get(name).unwrap_or(&none)),
            Self::Table(name) => Difference::between(expected, collected.tables.get(name).unwrap_or(&none)),
            Self::Queue { name, fields } => in_part(expected, collected.queues.get(name).unwrap_or(&none), fields),
        })
    }
}

fn no_order(shards: usize) -> Error {
    Error::NotFound(format!(
        "the results have no one order, as expect_order wants it: they came through {shards} shards. Let them go to one \
         stream of one shard, and name other sinks under [expect_streams]"
    ))
}

/// Compares these members of each line, or all of it if there are none.
fn in_part(expected: &[String], actual: &[String], fields: &BTreeMap<String, String>) -> Difference {
    if fields.is_empty() {
        return Difference::between(expected, actual);
    }
    let projected: Vec<String> = actual.iter().map(|line| projected(line, fields)).collect();
    Difference::between(expected, &projected)
}

/// These members of a record; what the record does not have is null.
fn projected(line: &str, fields: &BTreeMap<String, String>) -> String {
    let record: Value = line.parse().unwrap_or_default();
    let member =
        |(name, pointer): (&String, &String)| (name.clone(), record.pointer(pointer).cloned().unwrap_or_default());
    fields.iter().map(member).collect::<Value>().to_string()
}

impl Expected {
    /// Reads the lines of a file, blank ones apart. What is no JSON is a problem.
    pub(super) fn read(path: &Path, findings: &mut Findings) -> Result<Self, Error> {
        let text = String::from_utf8(compressed::read(path)?)
            .map_err(|error| Error::reading(path, std::io::Error::new(std::io::ErrorKind::InvalidData, error)))?;
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
    /// Compares part by part, each as a multiset of JSON values unless its order matters.
    pub(super) fn judge(&self, collected: &Collected) -> Result<Verdict, Error> {
        let parts = match self {
            Self::Nothing(why) => return Ok(Verdict::NotCompared(why.clone())),
            Self::Lines(parts) => parts,
        };
        let mut differences = Vec::new();
        for (part, expected) in parts {
            let difference = part.compare(&expected.lines, collected)?;
            if !difference.is_none() {
                differences.push((part.to_string(), difference));
            }
        }
        Ok(if differences.is_empty() { Verdict::Holds } else { Verdict::Differs(Differences(differences)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    fn expecting(parts: &[(Part, &[&str])]) -> Expectation {
        let expected = |text: &[&str]| Expected { path: PathBuf::new(), lines: lines(text) };
        Expectation::Lines(parts.iter().map(|(part, text)| (part.clone(), expected(text))).collect())
    }

    const RESULTS: Part = Part::Results { ordered: false };

    fn whole() -> Part {
        Part::Late { fields: BTreeMap::new() }
    }

    #[test]
    fn what_is_expected_counts_and_the_rest_does_not() {
        let collected =
            |results, late| Collected { results: lines(results), late: lines(late), ..Collected::default() };
        let both = expecting(&[(RESULTS, &["1"]), (whole(), &["2"])]);
        assert_eq!(both.judge(&collected(&["1"], &["2"])).unwrap(), Verdict::Holds);
        let Verdict::Differs(Differences(differences)) = both.judge(&collected(&["1"], &[])).unwrap() else {
            panic!("it holds");
        };
        assert_eq!((differences.len(), differences[0].0.as_str()), (1, "late"));
        let results = expecting(&[(RESULTS, &["1"])]);
        assert_eq!(results.judge(&collected(&["1"], &["9"])).unwrap(), Verdict::Holds);
    }

    #[test]
    fn late_records_may_be_compared_in_part() {
        let late = lines(&[r#"{"seq":7,"bid":{"auction":3,"price":9}}"#, r#"{"seq":8}"#]);
        let collected = Collected { late, ..Collected::default() };
        let fields = [("seq", "/seq"), ("auction", "/bid/auction")];
        let fields = fields.map(|(name, pointer)| (name.to_owned(), pointer.to_owned())).into();
        let expected: &[&str] = &[r#"{"auction":null,"seq":8}"#, r#"{"auction":3,"seq":7}"#];
        assert_eq!(expecting(&[(Part::Late { fields }, expected)]).judge(&collected).unwrap(), Verdict::Holds);
    }

    #[test]
    fn streams_and_tables_are_compared_by_their_names() {
        let named = |name: &str, line: &str| [(name.to_owned(), lines(&[line]))].into();
        let collected =
            Collected { streams: named("alerts", "1"), tables: named("latest", "2"), ..Collected::default() };
        let parts: [(Part, &[&str]); 2] =
            [(Part::Stream("alerts".into()), &["1"]), (Part::Table("latest".into()), &["2"])];
        assert_eq!(expecting(&parts).judge(&collected).unwrap(), Verdict::Holds);
        let other = expecting(&[(Part::Stream("other".into()), &["1"])]);
        assert!(matches!(other.judge(&collected).unwrap(), Verdict::Differs(_)));
    }

    #[test]
    fn of_messages_the_members_that_are_named_are_compared() {
        let messages = lines(&[r#"{"info":{"size":1},"at":"now"}"#]);
        let collected = Collected { queues: [(String::from("q"), messages)].into(), ..Collected::default() };
        let part = |name: &str| {
            let fields = [(String::from("size"), String::from("/info/size"))].into();
            (Part::Queue { name: name.to_owned(), fields }, &[r#"{"size":1}"#][..])
        };
        assert_eq!(expecting(&[part("q")]).judge(&collected).unwrap(), Verdict::Holds);
        assert!(matches!(expecting(&[part("other")]).judge(&collected).unwrap(), Verdict::Differs(_)));
    }

    #[test]
    fn results_of_several_shards_have_no_order_to_compare() {
        let collected = Collected { results: lines(&["1"]), shards: 2, ..Collected::default() };
        let error = expecting(&[(Part::Results { ordered: true }, &["1"])]).judge(&collected).unwrap_err();
        assert!(error.to_string().contains("came through 2 shards"), "{error}");
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
