//! A scenario: a folder in `events/` beside the template, with records and what must come of
//! them.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use crate::error::Error;
use crate::findings::{Findings, listed};
use crate::input::check_pointer;

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
    /// The logical id of the function that it is played to.
    pub function: String,
    /// The line of `scenario.toml` that names the function.
    pub function_line: usize,
    /// Its records, one payload a line.
    pub input: PathBuf,
    /// JSON pointer to each record's partition key.
    pub partition_key: String,
    /// The results that must come out, if it says so.
    pub expect: Option<PathBuf>,
    /// The late records that must come out, if it says so.
    pub expect_late: Option<PathBuf>,
    /// How many shards the source has; the template decides if this is open.
    pub shards: Option<u32>,
    /// How many records a batch holds; the template decides if this is open.
    pub batch_size: Option<u32>,
    /// The `scenario.toml` itself.
    pub file: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    title: String,
    function: Spanned<String>,
    input: Option<Spanned<String>>,
    partition_key: Spanned<String>,
    expect: Option<Spanned<String>>,
    expect_late: Option<Spanned<String>>,
    shards: Option<Spanned<u32>>,
    batch_size: Option<Spanned<u32>>,
}

impl Scenario {
    /// Reads the scenario `name` beside the template in `folder`.
    pub fn load(folder: &Path, name: &str, findings: &mut Findings) -> Result<Option<Self>, Error> {
        let file = folder.join(FOLDER).join(name).join(FILE);
        if !is_name(name) || !file.is_file() {
            return Err(unknown(folder, name));
        }
        let text = std::fs::read_to_string(&file).map_err(|source| Error::reading(&file, source))?;
        Ok(parse(&file, name, &text, findings))
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
    Error::NoScenario { name: name.to_owned(), folder: folder.join(FOLDER), found }
}

fn parse(file: &Path, name: &str, text: &str, findings: &mut Findings) -> Option<Scenario> {
    let settings: Settings = match toml::from_str(text) {
        Ok(settings) => settings,
        Err(error) => {
            let line = error.span().map(|span| line_at(text, span.start));
            findings.problem(file, line, error.message());
            return None;
        }
    };
    check(file, text, &settings, findings);
    let folder = file.parent().unwrap_or(Path::new("."));
    let found = |given: &Option<Spanned<String>>, default: &str| match given {
        Some(given) => Some(folder.join(given.get_ref())),
        None => Some(folder.join(default)).filter(|path| path.is_file()),
    };
    let input = settings.input.as_ref().map_or("input.jsonl", |input| input.get_ref().as_str());
    Some(Scenario {
        name: name.to_owned(),
        function_line: line_at(text, settings.function.span().start),
        function: settings.function.into_inner(),
        input: folder.join(input),
        partition_key: settings.partition_key.into_inner(),
        expect: found(&settings.expect, "expected.jsonl"),
        expect_late: found(&settings.expect_late, "expected-late.jsonl"),
        shards: settings.shards.map(Spanned::into_inner),
        batch_size: settings.batch_size.map(Spanned::into_inner),
        title: settings.title,
        file: file.to_path_buf(),
    })
}

/// Everything that a type cannot say.
fn check(file: &Path, text: &str, settings: &Settings, findings: &mut Findings) {
    let mut problem = |at: usize, message: String| {
        findings.problem(file, Some(line_at(text, at)), message);
    };
    let pointer = &settings.partition_key;
    if let Err(why) = check_pointer(pointer.get_ref()) {
        problem(pointer.span().start, format!("partition_key: {why}"));
    }
    if let Some(shards) = settings.shards.as_ref().filter(|shards| *shards.get_ref() == 0) {
        problem(shards.span().start, String::from("shards is 0; at least 1 is expected"));
    }
    if let Some(size) = &settings.batch_size
        && !(1..=10_000).contains(size.get_ref())
    {
        let message = format!("batch_size is {}; 1 to 10000 is expected", size.get_ref());
        problem(size.span().start, message);
    }
    let folder = file.parent().unwrap_or(Path::new("."));
    let files = [("input", &settings.input), ("expect", &settings.expect), ("expect_late", &settings.expect_late)];
    for (key, given) in files {
        if let Some(given) = given.as_ref().filter(|given| !folder.join(given.get_ref()).is_file()) {
            problem(given.span().start, format!("{key}: there is no file `{}` here", given.get_ref()));
        }
    }
    if settings.input.is_none() && !folder.join("input.jsonl").is_file() {
        problem(0, String::from("there is no input.jsonl here, and `input` names no other file"));
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
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
        assert_eq!(scenario.function_line, 2);
        assert!(scenario.input.ends_with("events/s/input.jsonl"));
        assert!(scenario.expect.unwrap().ends_with("expected.jsonl"));
        assert_eq!(scenario.expect_late, None);
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let error = load(&format!("{FULL}speed = 3\n"), &["input.jsonl"]).unwrap_err();
        assert!(error.starts_with("4: unknown field `speed`"), "{error}");
    }

    #[test]
    fn a_missing_key_is_named() {
        let error = load("title = \"T\"\n", &["input.jsonl"]).unwrap_err();
        assert!(error.contains("missing field `function`"), "{error}");
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
