//! A scenario: a folder in `events/` beside the template, with records and what must come of
//! them.

mod settings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::findings::{Findings, listed};
use crate::input::PartitionKey;
use crate::near::did_you_mean;
use crate::template::{Template, Variable};

/// The folder of scenarios, beside the template.
const FOLDER: &str = "events";
/// The file that makes a folder a scenario.
const FILE: &str = "scenario.toml";

/// A scenario, read from its `scenario.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Its folder's name.
    pub name: String,
    /// What a person calls it.
    pub title: String,
    /// The logical ids of its functions. The first is fed with the records; each further one reads
    /// what those before it write.
    pub functions: Vec<String>,
    /// The line of `scenario.toml` that names the functions.
    pub functions_line: usize,
    /// Variables in place of the template's, for all of its functions.
    pub environment: BTreeMap<String, Variable>,
    /// Its records, one payload a line.
    pub input: PathBuf,
    /// Where each record's partition key comes from.
    pub partition_key: PartitionKey,
    /// The line of `scenario.toml` that says so.
    pub partition_key_line: usize,
    /// The results that must come out, if it says so.
    pub expect: Option<PathBuf>,
    /// The late records that must come out, if it says so.
    pub expect_late: Option<PathBuf>,
    /// The results that must come out of single sinks, which are no part of the others then.
    pub expect_streams: Vec<Named>,
    /// What must stand in tables when all is done.
    pub expect_tables: Vec<Named>,
    /// The messages that must lie in queues when all is done.
    pub expect_queues: Vec<Named>,
    /// What is compared of a message: members, each with the JSON pointer to its value. Empty if it is compared whole.
    pub queue_fields: BTreeMap<String, String>,
    /// JSON pointers into a result: of those that agree there only the last counts. Empty if all
    /// results count.
    pub final_by: Vec<String>,
    /// The line of `scenario.toml` that wants the results in the order in which they are expected, if
    /// one does.
    pub expect_order: Option<usize>,
    /// What is compared of a late record: members, each with the JSON pointer to its value. Empty if
    /// it is compared whole.
    pub late_fields: BTreeMap<String, String>,
    /// How many shards the source has; the template decides if this is open.
    pub shards: Option<u32>,
    /// How many records a batch holds; the template decides if this is open.
    pub batch_size: Option<u32>,
    /// Where a record says when it came: a JSON pointer to epoch milliseconds or an RFC 3339 text.
    pub arrival: Option<String>,
    /// The `scenario.toml` itself.
    pub file: PathBuf,
}

/// What is expected of one stream or table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The name by which a pipeline calls it.
    pub name: String,
    /// The line of `scenario.toml` that says so.
    pub line: usize,
    /// What is expected, one JSON value a line.
    pub path: PathBuf,
}

impl Scenario {
    /// Reads the scenario `name` beside the template in `folder`.
    pub fn load(folder: &Path, name: &str, findings: &mut Findings) -> Result<Option<Self>, Error> {
        let file = folder.join(FOLDER).join(name).join(FILE);
        if !is_name(name) || !file.is_file() {
            return Err(unknown(folder, name));
        }
        let text = std::fs::read_to_string(&file).map_err(|source| Error::reading(&file, source))?;
        Ok(settings::parse(&file, name, &text, findings))
    }

    /// The scenario beside the template, if there is just one.
    pub fn only(template: Option<&Path>) -> Option<String> {
        let template = Template::locate(template, &std::env::current_dir().ok()?).ok()?;
        let mut names = Self::names(template.parent()?);
        names.pop().filter(|_| names.is_empty())
    }

    /// The names of all scenarios beside the template in `folder`, in order.
    pub fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder.join(FOLDER)).into_iter().flatten();
        let mut names: Vec<String> = entries
            .flatten()
            .filter(|entry| entry.path().join(FILE).is_file())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }
}

/// A scenario is a folder in `events/`, never a path out of it.
fn is_name(name: &str) -> bool {
    Path::new(name).file_name().is_some_and(|last| last == name)
}

fn unknown(folder: &Path, name: &str) -> Error {
    let names = Scenario::names(folder);
    let found = match names.len() {
        0 => String::from("is no scenario (a folder with a scenario.toml)"),
        1 => format!("is {}", listed(names.iter().map(String::as_str))),
        _ => format!("are {}", listed(names.iter().map(String::as_str))),
    };
    let found = found + &did_you_mean(name, names.iter().map(String::as_str));
    Error::NoScenario { name: name.to_owned(), folder: folder.join(FOLDER), found }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = "title = \"T\"\nfunction = \"F\"\npartition_key = \"/origin\"\n";

    fn load(text: &str, files: &[&str]) -> Result<Scenario, String> {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("events/s");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("scenario.toml"), text).unwrap();
        for file in files {
            std::fs::write(folder.join(file), "").unwrap();
        }
        let mut findings = Findings::default();
        let scenario = Scenario::load(root.path(), "s", &mut findings);
        let scenario = scenario.map_err(|error| error.to_string())?;
        match findings.into_warnings() {
            Ok(_) => Ok(scenario.expect("no scenario")),
            Err(Error::Invalid(problems)) => Err(problems
                .iter()
                .map(|problem| format!("{}: {}\n", problem.line.unwrap_or(0), problem.message))
                .collect()),
            Err(other) => Err(other.to_string()),
        }
    }

    #[test]
    fn expectations_are_found_where_they_lie() {
        let scenario = load(FULL, &["input.jsonl", "expected.jsonl"]).unwrap();
        assert_eq!(scenario.title, "T");
        assert_eq!((scenario.functions, scenario.functions_line), (vec![String::from("F")], 2));
        assert!(scenario.input.ends_with("events/s/input.jsonl"));
        assert!(scenario.expect.unwrap().ends_with("expected.jsonl"));
        assert_eq!(scenario.expect_late, None);
    }

    #[test]
    fn everything_that_can_be_set_is_read() {
        let text = "title = \"T\"
functions = [\"F\", \"G\"]
partition_key = [\"/bid/auction\", \"/id\"]
final_by = [\"/auction\"]
late_fields = { seq = \"/seq\" }
[environment]
PIPELINE = \"q1\"
BOUND = 4
[expect_streams]
alerts = \"alerts.jsonl\"
[expect_tables]
latest = \"latest.jsonl.gz\"
[expect_queues]
failed = \"failed.jsonl\"
[queue_fields]
size = \"/KinesisBatchInfo/batchSize\"
";
        let files = ["input.jsonl.gz", "expected-late.jsonl.gz", "alerts.jsonl", "latest.jsonl.gz", "failed.jsonl"];
        let scenario = load(text, &files).unwrap();
        assert_eq!((scenario.functions.len(), scenario.functions_line), (2, 2));
        assert_eq!(scenario.partition_key.to_string(), "/bid/auction or /id");
        assert!(scenario.input.ends_with("input.jsonl.gz"));
        assert!(scenario.expect_late.unwrap().ends_with("expected-late.jsonl.gz"));
        let set: Vec<_> =
            scenario.environment.iter().map(|(name, set)| (name.as_str(), set.value.as_str(), set.line)).collect();
        assert_eq!(set, [("BOUND", "4", 8), ("PIPELINE", "q1", 7)]);
        assert_eq!((scenario.expect_streams[0].name.as_str(), scenario.expect_streams[0].line), ("alerts", 10));
        assert!(scenario.expect_tables[0].path.ends_with("latest.jsonl.gz"));
        assert!(scenario.expect_queues[0].path.ends_with("failed.jsonl"));
        assert_eq!(scenario.queue_fields["size"], "/KinesisBatchInfo/batchSize");
        assert_eq!((scenario.final_by.len(), scenario.late_fields["seq"].as_str()), (1, "/seq"));
    }

    #[test]
    fn a_constant_may_be_the_partition_key() {
        let text = FULL.replace("\"/origin\"", "{ constant = \"all\" }");
        let scenario = load(&text, &["input.jsonl"]).unwrap();
        assert_eq!(scenario.partition_key, PartitionKey::Constant(String::from("all")));
        let error = load(&FULL.replace("\"/origin\"", "7"), &["input.jsonl"]).unwrap_err();
        assert!(error.starts_with("3: a JSON pointer, a list of them, or { constant ="), "{error}");
    }

    #[test]
    fn settings_that_make_no_sense_are_reported_at_once() {
        let text = "title = \"T\"
function = \"F\"
functions = []
partition_key = { constant = \"\" }
final_by = [\"auction\"]
expect_order = true
late_fields = { seq = \"seq\" }
[environment]
A = [1]
AWS_REGION = \"x\"
[expect_streams]
alerts = \"no.jsonl\"
[queue_fields]
size = \"size\"
";
        let error = load(text, &["input.jsonl"]).unwrap_err();
        let expected = [
            "3: `function` stands here too; one of both is expected",
            "9: environment: A is of type array; text, a number or true or false is expected",
            "10: environment: AWS_REGION is set by the harness itself",
            "4: partition_key: a constant of 0 characters; 1 to 256 are expected",
            "5: final_by: `auction` is no JSON pointer",
            "6: expect_order compares every result in its order, final_by the last ones in any",
            "7: late_fields: `seq` is no JSON pointer",
            "7: late_fields: there is no expected-late.jsonl to compare with",
            "13: queue_fields: `size` is no JSON pointer",
            "13: queue_fields: there are no expect_queues to compare with",
            "12: expect_streams.alerts: there is no file `no.jsonl` here",
        ];
        let lines: Vec<&str> = error.lines().collect();
        assert_eq!(lines.len(), expected.len(), "{error}");
        for (line, start) in lines.iter().zip(expected) {
            assert!(line.starts_with(start), "{line}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let error = load(&format!("{FULL}speed = 3\n"), &["input.jsonl"]).unwrap_err();
        assert!(error.starts_with("4: unknown field `speed`"), "{error}");
    }

    #[test]
    fn a_missing_key_is_named() {
        let error = load("title = \"T\"\n", &["input.jsonl"]).unwrap_err();
        assert!(error.contains("missing field `partition_key`"), "{error}");
        let error = load("title = \"T\"\npartition_key = \"/k\"\n", &["input.jsonl"]).unwrap_err();
        assert_eq!(error, "1: missing field `function`, or `functions` for several chained through streams\n");
    }

    #[test]
    fn text_that_is_no_toml_is_refused_with_its_line() {
        let error = load("title = \"T\"\nfunction = \n", &["input.jsonl"]).unwrap_err();
        assert!(error.starts_with("2: "), "{error}");
    }

    #[test]
    fn everything_wrong_with_values_is_reported_at_once() {
        let text = "title = \"T\"\nfunction = \"F\"\npartition_key = \"origin\"\nexpect = \"no.jsonl\"\nshards = 0\nbatch_size = 10001\n";
        let error = load(text, &[]).unwrap_err();
        let lines: Vec<&str> = error.lines().collect();
        assert_eq!(
            lines,
            [
                "3: partition_key: `origin` is no JSON pointer; one starts with a slash, like /origin",
                "5: shards is 0; at least 1 is expected",
                "6: batch_size is 10001; 1 to 10000 is expected",
                "4: expect: there is no file `no.jsonl` here",
                "1: there is no input.jsonl here, and `input` names no other file",
            ]
        );
    }

    #[test]
    fn an_unknown_scenario_is_answered_with_those_that_exist() {
        let root = tempfile::tempdir().unwrap();
        for name in ["b", "a"] {
            let folder = root.path().join("events").join(name);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("scenario.toml"), FULL).unwrap();
        }
        for name in ["c", "../events/a", ""] {
            let error = Scenario::load(root.path(), name, &mut Findings::default()).unwrap_err();
            assert!(error.to_string().ends_with("there are a and b"), "{error}");
        }
    }
}
