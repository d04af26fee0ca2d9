//! Reading the files of this package, its scenarios among them.

#![allow(dead_code, reason = "each test has a copy of this module, and none uses all of it")]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Value;

/// A path within this package.
pub(crate) fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// A file of this package as text, unpacked if its name ends in `.gz`.
pub(crate) fn text(relative: &str) -> String {
    let path = path(relative);
    let stored = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = String::new();
    let read = match path.extension() {
        Some(extension) if extension == "gz" => GzDecoder::new(stored.as_slice()).read_to_string(&mut text),
        _ => stored.as_slice().read_to_string(&mut text),
    };
    read.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text
}

/// Each line of a file of this package as JSON.
pub(crate) fn values(relative: &str) -> Vec<Value> {
    let parse = |line: &str| line.parse().unwrap_or_else(|error| panic!("{relative}: {error}: {line}"));
    text(relative).lines().map(parse).collect()
}

/// How often each value is there, whatever the order of its fields.
pub(crate) fn multiset(values: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    values.iter().for_each(|value| *counts.entry(value.to_string()).or_default() += 1);
    counts
}

/// A scenario, as far as a test in process needs it.
#[derive(Deserialize)]
pub(crate) struct Scenario {
    #[serde(skip)]
    name: String,
    input: String,
    pub(crate) partition_key: PartitionKey,
    expect: String,
    expect_late: Option<String>,
    /// Names and places of the fields that late events are compared by.
    #[serde(default)]
    pub(crate) late_fields: BTreeMap<String, String>,
    /// Of the results that agree in these places, the last one counts.
    #[serde(default)]
    pub(crate) final_by: Vec<String>,
    /// The variables of the function.
    pub(crate) environment: BTreeMap<String, String>,
}

/// Where a record's partition key stands.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum PartitionKey {
    /// At the first of these pointers that there is.
    Pointers(Vec<String>),
    /// It is the same for all.
    Constant {
        /// The partition key.
        constant: String,
    },
}

impl Scenario {
    pub(crate) fn read(name: &str) -> Self {
        let text = text(&format!("events/{name}/scenario.toml"));
        let scenario: Self = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name: name.to_owned(), ..scenario }
    }

    /// The lines of the input, as they are and as JSON.
    pub(crate) fn input(&self) -> Vec<(String, Value)> {
        let input = self.beside(&self.input);
        text(&input).lines().map(str::to_owned).zip(values(&input)).collect()
    }

    pub(crate) fn expected(&self) -> Vec<Value> {
        values(&self.beside(&self.expect))
    }

    pub(crate) fn expected_late(&self) -> Option<Vec<Value>> {
        self.expect_late.as_ref().map(|late| values(&self.beside(late)))
    }

    fn beside(&self, file: &str) -> String {
        format!("events/{}/{file}", self.name)
    }
}

impl PartitionKey {
    pub(crate) fn of(&self, event: &Value) -> String {
        match self {
            Self::Constant { constant } => constant.clone(),
            Self::Pointers(pointers) => {
                let key = pointers.iter().find_map(|pointer| event.pointer(pointer));
                key.unwrap_or_else(|| panic!("no partition key in {event}")).to_string()
            }
        }
    }
}
