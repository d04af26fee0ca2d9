//! Reading records: JSON Lines in, payloads with partition keys out.

use std::fmt;
use std::path::Path;

use bytes::Bytes;
use serde_json::Value;

use crate::compressed;
use crate::error::Error;
use crate::findings::Findings;

/// A record to put on the source stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The line as it stands in the file, without its end.
    pub payload: Bytes,
    /// Its partition key.
    pub partition_key: String,
}

/// Where the partition keys of records come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionKey {
    /// JSON pointers into a payload: the first that leads to a value is taken.
    At(Vec<String>),
    /// One key for all records.
    Constant(String),
}

impl fmt::Display for PartitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(pointers) => f.write_str(&pointers.join(" or ")),
            Self::Constant(key) => f.write_str(key),
        }
    }
}

/// What Kinesis takes as one record: data and partition key, 1 MiB together.
pub(crate) const MAX_RECORD: usize = 1 << 20;
/// The longest partition key that Kinesis takes.
pub(crate) const MAX_PARTITION_KEY_CHARS: usize = 256;

/// Reads the records of a file, one payload a line; blank lines are skipped.
///
/// A line whose partition key cannot be read goes under its line number as partition key: what
/// cannot be processed is for the function to judge, so the harness drops nothing.
pub fn read(path: &Path, key_from: &PartitionKey, findings: &mut Findings) -> Result<Vec<Record>, Error> {
    // Records are slices of the file: a long one is held once.
    let text = Bytes::from(compressed::read(path)?);
    let mut records = Vec::new();
    let mut without_key: Option<(usize, &str, u64)> = None;
    for (line, payload) in lines(&text) {
        let key = key_from.of(payload);
        if let Err(why) = key {
            without_key.get_or_insert((line, why, 0)).2 += 1;
        }
        let partition_key = key.unwrap_or_else(|_| line.to_string());
        if payload.len() + partition_key.len() > MAX_RECORD {
            let message = format!("{} bytes; a Kinesis record holds 1 MiB", payload.len());
            findings.problem(path, Some(line), message);
        }
        let payload = text.slice_ref(payload);
        records.push(Record { payload, partition_key });
    }
    if let Some((line, why, count)) = without_key {
        let lines = if count == 1 { "1 line has" } else { &format!("{count} lines have") };
        let message = format!("{why}: {lines} no partition key at {key_from}, the line number stands in");
        findings.warning(path, Some(line), message);
    }
    if records.is_empty() {
        findings.problem(path, None, "there is no record in it");
    }
    Ok(records)
}

/// How many records a file holds.
pub fn count(path: &Path) -> Result<usize, Error> {
    Ok(lines(&compressed::read(path)?).count())
}

/// The lines that are not blank, with their numbers.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    text.split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .enumerate()
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(index, line)| (index + 1, line))
}

impl PartitionKey {
    /// The partition key of a payload, or why there is none.
    pub(crate) fn of(&self, payload: &[u8]) -> Result<String, &'static str> {
        let pointers = match self {
            Self::Constant(key) => return Ok(key.clone()),
            Self::At(pointers) => pointers,
        };
        let payload: Value = serde_json::from_slice(payload).map_err(|_| "not JSON")?;
        let mut values = pointers.iter().filter_map(|pointer| payload.pointer(pointer));
        let null = values.clone().next().map_or("nothing there", |_| "null there");
        text_of(values.find(|value| !value.is_null()).ok_or(null)?)
    }
}

/// A value as a partition key: text as it is, numbers and booleans as JSON writes them.
fn text_of(value: &Value) -> Result<String, &'static str> {
    let key = match value {
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => return Err("no text there"),
        value => value.to_string(),
    };
    match key.chars().count() {
        0 => Err("empty there"),
        1..=MAX_PARTITION_KEY_CHARS => Ok(key),
        _ => Err("over 256 characters there"),
    }
}

/// Refuses what is no JSON pointer, with the reason.
pub fn check_pointer(pointer: &str) -> Result<(), String> {
    let escapes = pointer.split('~').skip(1);
    if !pointer.starts_with('/') {
        return Err(format!("`{pointer}` is no JSON pointer; one starts with a slash, like /origin"));
    }
    if escapes.into_iter().any(|after| !after.starts_with(['0', '1'])) {
        return Err(format!("`{pointer}` is no JSON pointer; in one, ~ is written ~0 and / within a name ~1"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &[u8]) -> (Vec<Record>, Findings) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut findings = Findings::default();
        let records = read(file.path(), &at(&["/k"]), &mut findings).unwrap();
        (records, findings)
    }

    fn at(pointers: &[&str]) -> PartitionKey {
        PartitionKey::At(pointers.iter().map(|pointer| (*pointer).to_owned()).collect())
    }

    fn keys(text: &[u8]) -> Vec<String> {
        let (records, _) = read_text(text);
        records.into_iter().map(|record| record.partition_key).collect()
    }

    #[test]
    fn blank_lines_are_skipped_and_line_ends_cut() {
        let (records, _) = read_text(b"{\"k\":\"a\"}\r\n\n  \n{\"k\":\"b\"}");
        assert_eq!(records.len(), 2);
        assert_eq!(records[0].payload, b"{\"k\":\"a\"}".as_slice());
        assert_eq!(records[1].partition_key, "b");
    }

    #[test]
    fn numbers_and_booleans_are_keys_in_their_text_form() {
        assert_eq!(keys(b"{\"k\":12}\n{\"k\":true}"), ["12", "true"]);
    }

    #[test]
    fn the_first_pointer_that_leads_to_a_value_is_taken() {
        let keys = at(&["/bid/auction", "/auction/id", "/id"]);
        let of = |payload: &str| keys.of(payload.as_bytes());
        assert_eq!(of(r#"{"id":1,"auction":{"id":2},"bid":{"auction":3}}"#).unwrap(), "3");
        assert_eq!(of(r#"{"id":1,"auction":{"id":2},"bid":null}"#).unwrap(), "2");
        assert_eq!(of(r#"{"id":1,"bid":{"auction":null}}"#).unwrap(), "1");
        assert_eq!(of(r#"{"bid":{"auction":null}}"#).unwrap_err(), "null there");
        assert_eq!(of("{}").unwrap_err(), "nothing there");
        // One that leads to a value which is no key is not passed over.
        assert_eq!(of(r#"{"id":1,"bid":{"auction":[]}}"#).unwrap_err(), "no text there");
        assert_eq!(keys.to_string(), "/bid/auction or /auction/id or /id");
    }

    #[test]
    fn a_constant_is_the_key_of_anything() {
        let constant = PartitionKey::Constant(String::from("all"));
        assert_eq!(constant.of(b"no json").unwrap(), "all");
    }

    #[test]
    fn a_line_without_a_key_goes_under_its_number() {
        let long = format!("{{\"k\":\"{}\"}}", "x".repeat(257));
        let text = format!("no json\n\n{{\"k\":null}}\n{{\"k\":\"\"}}\n{{\"k\":[]}}\n{{}}\n{long}\n");
        assert_eq!(keys(text.as_bytes()), ["1", "3", "4", "5", "6", "7"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_records_too() {
        assert_eq!(keys(b"\xff\xfe\n{\"k\":\"a\"}\n"), ["1", "a"]);
    }

    #[test]
    fn lines_without_a_key_are_one_warning() {
        let (_, findings) = read_text(b"{\"k\":\"a\"}\nno json\nneither\n");
        let warnings = findings.into_warnings().unwrap();
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].line, Some(2));
        assert_eq!(warnings[0].message, "not JSON: 2 lines have no partition key at /k, the line number stands in");
    }

    #[test]
    fn a_record_over_one_mebibyte_is_refused_with_its_line() {
        let text = format!("{{\"k\":\"a\"}}\n{{\"k\":\"a\",\"x\":\"{}\"}}\n", "x".repeat(MAX_RECORD));
        let (_, findings) = read_text(text.as_bytes());
        let error = findings.into_warnings().unwrap_err().to_string();
        assert!(error.contains(":2: ") && error.ends_with("a Kinesis record holds 1 MiB"), "{error}");
    }

    #[test]
    fn pointers_are_checked() {
        assert_eq!(check_pointer("/origin"), Ok(()));
        assert_eq!(check_pointer("/a/0/b~1c~0"), Ok(()));
        assert!(check_pointer("origin").is_err());
        assert!(check_pointer("").is_err());
        assert!(check_pointer("/a~2").is_err());
        assert!(check_pointer("/a~").is_err());
    }
}
