//! What stands in a `scenario.toml`, and whether it makes sense.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::{Spanned, Value};

use crate::compressed;
use crate::environment::is_set_by_harness;
use crate::findings::Findings;
use crate::input::{MAX_PARTITION_KEY_CHARS, PartitionKey, check_pointer};
use crate::template::Variable;

use super::{Named, Scenario};

const INPUT: &str = "input.jsonl";
const EXPECTED: &str = "expected.jsonl";
const EXPECTED_LATE: &str = "expected-late.jsonl";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    title: String,
    function: Option<Spanned<String>>,
    functions: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    environment: BTreeMap<String, Spanned<Value>>,
    input: Option<Spanned<String>>,
    partition_key: Spanned<KeyFrom>,
    expect: Option<Spanned<String>>,
    expect_late: Option<Spanned<String>>,
    #[serde(default)]
    expect_streams: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    expect_tables: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    expect_queues: BTreeMap<String, Spanned<String>>,
    queue_fields: Option<Spanned<BTreeMap<String, String>>>,
    final_by: Option<Spanned<Vec<String>>>,
    expect_order: Option<Spanned<bool>>,
    late_fields: Option<Spanned<BTreeMap<String, String>>>,
    arrival: Option<Spanned<String>>,
    shards: Option<Spanned<u32>>,
    batch_size: Option<Spanned<u32>>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a JSON pointer, a list of them, or { constant = \"…\" } is expected")]
enum KeyFrom {
    Pointer(String),
    Pointers(Vec<String>),
    Constant(Constant),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Constant {
    constant: String,
}

/// Reads the text of a `scenario.toml`. `None` if it is none; what is wrong in it stands in
/// `findings`.
pub(super) fn parse(file: &Path, name: &str, text: &str, findings: &mut Findings) -> Option<Scenario> {
    let settings: Settings = match toml::from_str(text) {
        Ok(settings) => settings,
        Err(error) => {
            let line = error.span().map(|span| line_at(text, span.start));
            findings.problem(file, line, error.message());
            return None;
        }
    };
    Check { file, text, findings }.all(&settings);
    let folder = folder_of(file);
    let found = |given: &Option<Spanned<String>>, default| match given {
        Some(given) => Some(folder.join(given.get_ref())),
        None => compressed::find(folder, default),
    };
    let line = |at: usize| line_at(text, at);
    let named = |all: BTreeMap<String, Spanned<String>>| {
        let named = |(name, path): (_, Spanned<String>)| Named {
            name,
            line: line(path.span().start),
            path: folder.join(path.into_inner()),
        };
        all.into_iter().map(named).collect()
    };
    let (functions, functions_at) = match (settings.functions, settings.function) {
        (Some(functions), _) => (functions.get_ref().clone(), functions.span().start),
        (None, Some(function)) => (vec![function.get_ref().clone()], function.span().start),
        (None, None) => return None,
    };
    let set = |(name, value): (String, Spanned<Value>)| {
        let (file, line) = (file.to_path_buf(), line(value.span().start));
        Some((name, Variable { value: text_of(value.get_ref())?, file, line }))
    };
    Some(Scenario {
        name: name.to_owned(),
        title: settings.title,
        functions,
        functions_line: line(functions_at),
        environment: settings.environment.into_iter().filter_map(set).collect(),
        input: found(&settings.input, INPUT).unwrap_or_else(|| folder.join(INPUT)),
        partition_key_line: line(settings.partition_key.span().start),
        partition_key: settings.partition_key.into_inner().into(),
        expect: found(&settings.expect, EXPECTED),
        expect_late: found(&settings.expect_late, EXPECTED_LATE),
        expect_streams: named(settings.expect_streams),
        expect_tables: named(settings.expect_tables),
        expect_queues: named(settings.expect_queues),
        queue_fields: settings.queue_fields.map(Spanned::into_inner).unwrap_or_default(),
        final_by: settings.final_by.map(Spanned::into_inner).unwrap_or_default(),
        expect_order: settings.expect_order.filter(|order| *order.get_ref()).map(|order| line(order.span().start)),
        late_fields: settings.late_fields.map(Spanned::into_inner).unwrap_or_default(),
        shards: settings.shards.map(Spanned::into_inner),
        batch_size: settings.batch_size.map(Spanned::into_inner),
        arrival: settings.arrival.map(Spanned::into_inner),
        file: file.to_path_buf(),
    })
}

impl From<KeyFrom> for PartitionKey {
    fn from(from: KeyFrom) -> Self {
        match from {
            KeyFrom::Pointer(pointer) => Self::At(vec![pointer]),
            KeyFrom::Pointers(pointers) => Self::At(pointers),
            KeyFrom::Constant(Constant { constant }) => Self::Constant(constant),
        }
    }
}

/// Notes everything wrong that a type cannot say.
struct Check<'a> {
    file: &'a Path,
    text: &'a str,
    findings: &'a mut Findings,
}

impl Check<'_> {
    fn all(mut self, settings: &Settings) {
        self.functions(settings);
        self.environment(&settings.environment);
        self.partition_key(&settings.partition_key);
        self.numbers(settings);
        self.comparison(settings);
        self.files(settings);
    }

    fn problem<T>(&mut self, at: &Spanned<T>, message: impl Into<String>) {
        self.findings.problem(self.file, Some(line_at(self.text, at.span().start)), message);
    }

    fn functions(&mut self, settings: &Settings) {
        match (&settings.function, &settings.functions) {
            (None, None) => {
                let message = "missing field `function`, or `functions` for several chained through streams";
                self.findings.problem(self.file, Some(1), message);
            }
            (Some(_), Some(functions)) => {
                self.problem(functions, "`function` stands here too; one of both is expected")
            }
            (None, Some(functions)) if functions.get_ref().is_empty() => {
                self.problem(functions, "functions is empty; at least one is expected");
            }
            _ => {}
        }
    }

    fn environment(&mut self, environment: &BTreeMap<String, Spanned<Value>>) {
        for (name, value) in environment {
            if text_of(value.get_ref()).is_none() {
                let kind = value.get_ref().type_str();
                self.problem(
                    value,
                    format!("environment: {name} is of type {kind}; text, a number or true or false is expected"),
                );
            }
            if is_set_by_harness(name) {
                self.problem(value, format!("environment: {name} is set by the harness itself"));
            }
        }
    }

    fn partition_key(&mut self, given: &Spanned<KeyFrom>) {
        match given.get_ref() {
            KeyFrom::Pointer(pointer) => self.pointers("partition_key", given, [pointer]),
            KeyFrom::Pointers(pointers) if pointers.is_empty() => {
                self.problem(given, "partition_key is empty; at least one JSON pointer is expected");
            }
            KeyFrom::Pointers(pointers) => self.pointers("partition_key", given, pointers),
            KeyFrom::Constant(Constant { constant }) => {
                let chars = constant.chars().count();
                if !(1..=MAX_PARTITION_KEY_CHARS).contains(&chars) {
                    self.problem(
                        given,
                        format!("partition_key: a constant of {chars} characters; 1 to {MAX_PARTITION_KEY_CHARS} are expected"),
                    );
                }
            }
        }
    }

    fn pointers<'a, T>(&mut self, key: &str, at: &Spanned<T>, pointers: impl IntoIterator<Item = &'a String>) {
        for why in pointers.into_iter().filter_map(|pointer| check_pointer(pointer).err()) {
            self.problem(at, format!("{key}: {why}"));
        }
    }

    fn numbers(&mut self, settings: &Settings) {
        if let Some(shards) = settings.shards.as_ref().filter(|shards| *shards.get_ref() == 0) {
            self.problem(shards, "shards is 0; at least 1 is expected");
        }
        if let Some(arrival) = &settings.arrival
            && let Err(why) = check_pointer(arrival.get_ref())
        {
            self.problem(arrival, format!("arrival: {why}"));
        }
        if let Some(size) = settings.batch_size.as_ref().filter(|size| !(1..=10_000).contains(size.get_ref())) {
            self.problem(size, format!("batch_size is {}; 1 to 10000 is expected", size.get_ref()));
        }
    }

    fn comparison(&mut self, settings: &Settings) {
        if let Some(final_by) = &settings.final_by {
            self.pointers("final_by", final_by, final_by.get_ref());
        }
        if let (Some(order), Some(_)) =
            (settings.expect_order.as_ref().filter(|order| *order.get_ref()), &settings.final_by)
        {
            self.problem(order, "expect_order compares every result in its order, final_by the last ones in any; one of both is expected");
        }
        if let Some(fields) = &settings.late_fields {
            self.pointers("late_fields", fields, fields.get_ref().values());
            if settings.expect_late.is_none() && compressed::find(folder_of(self.file), EXPECTED_LATE).is_none() {
                self.problem(fields, format!("late_fields: there is no {EXPECTED_LATE} to compare with"));
            }
        }
        if let Some(fields) = &settings.queue_fields {
            self.pointers("queue_fields", fields, fields.get_ref().values());
            if settings.expect_queues.is_empty() {
                self.problem(fields, "queue_fields: there are no expect_queues to compare with");
            }
        }
    }

    fn files(&mut self, settings: &Settings) {
        let folder = folder_of(self.file);
        let one = |key: &str, given: &Option<_>| {
            given.iter().map(|given: &Spanned<String>| (key.to_owned(), given.clone())).collect()
        };
        let many = |key: &str, given: &BTreeMap<String, Spanned<String>>| {
            given.iter().map(|(name, path)| (format!("{key}.{name}"), path.clone())).collect()
        };
        let files: [Vec<_>; 6] = [
            one("input", &settings.input),
            one("expect", &settings.expect),
            one("expect_late", &settings.expect_late),
            many("expect_streams", &settings.expect_streams),
            many("expect_tables", &settings.expect_tables),
            many("expect_queues", &settings.expect_queues),
        ];
        for (key, given) in files.into_iter().flatten() {
            if !folder.join(given.get_ref()).is_file() {
                self.problem(&given, format!("{key}: there is no file `{}` here", given.get_ref()));
            }
        }
        if settings.input.is_none() && compressed::find(folder, INPUT).is_none() {
            let message = format!("there is no {INPUT} here, and `input` names no other file");
            self.findings.problem(self.file, Some(1), message);
        }
    }
}

/// The value of an environment variable. What has no one text is none.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => Some(value.to_string()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("."))
}

fn line_at(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}
