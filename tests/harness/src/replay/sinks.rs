//! Reading what a function sent downstream, as a consumer would.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::emulators::{Emulators, Record};
use crate::error::Error;

/// Everything that came out, repeats dropped. Each entry is one line of JSON.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Collected {
    /// The values of the results, in order of arrival; where only final ones count, those alone, as
    /// sorted lines.
    pub results: Vec<String>,
    /// How many results came, those included that are not final.
    pub fired: u64,
    /// The results of the streams that are looked at one by one, by logical name.
    pub streams: BTreeMap<String, Vec<String>>,
    /// What stands in the tables that are looked at, by logical name, as sorted lines.
    pub tables: BTreeMap<String, Vec<String>>,
    /// The messages in the queues that are looked at, by the name that the scenario gives them, the oldest first.
    pub queues: BTreeMap<String, Vec<String>>,
    /// The records that came too late.
    pub late: Vec<String>,
    /// The records that could not be processed, with reasons.
    pub quarantined: Vec<String>,
    /// Events that stand in a stream more than once; a consumer drops them by source and id.
    pub repeats: u64,
    /// Whether every result is a window's.
    pub windowed: bool,
    /// How many shards the results came through.
    pub(super) shards: usize,
    /// Source and id of what the stream at hand has shown so far.
    pub(super) seen: HashSet<(String, String)>,
}

/// What to read, and as what.
#[derive(Debug, Default)]
pub(super) struct Sinks<'a> {
    /// Every stream that is written to.
    pub(super) streams: BTreeSet<&'a str>,
    /// Those that hold nothing but what could not be processed.
    pub(super) quarantines: BTreeSet<&'a str>,
    /// Those whose results another function takes: they are no results of the whole.
    pub(super) intermediate: BTreeSet<&'a str>,
    /// Those whose results are kept apart, each with its logical name.
    pub(super) named: BTreeMap<&'a str, &'a str>,
    /// Tables, each with its logical name.
    pub(super) tables: BTreeMap<&'a str, &'a str>,
    /// Queues, each with the scenario's name for it.
    pub(super) queues: BTreeMap<&'a str, &'a str>,
    /// JSON pointers into a result: of those that agree there only the last counts.
    pub(super) final_by: &'a [String],
}

/// Where the results of a stream go.
#[derive(Clone, Copy)]
enum Place<'a> {
    Results,
    Named(&'a str),
    Quarantine,
    Nowhere,
}

impl<'a> Sinks<'a> {
    fn place(&self, stream: &str) -> Place<'a> {
        match self.named.get(stream) {
            Some(name) => Place::Named(name),
            None if self.quarantines.contains(stream) => Place::Quarantine,
            None if self.intermediate.contains(stream) => Place::Nowhere,
            None => Place::Results,
        }
    }
}

/// A CloudEvent in structured JSON, as far as it matters here.
#[derive(Deserialize)]
struct CloudEvent<'a> {
    #[serde(borrow)]
    specversion: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    windowend: Option<&'a RawValue>,
}

impl Collected {
    /// Reads all sinks of a run.
    pub(super) async fn read(emulators: &Emulators, sinks: &Sinks<'_>) -> Result<Self, Error> {
        let mut collected = Self { windowed: true, ..Self::default() };
        for name in sinks.named.values() {
            collected.streams.insert((*name).to_owned(), Vec::new());
        }
        for stream in &sinks.streams {
            let place = sinks.place(stream);
            collected.seen.clear();
            for shard in emulators.kinesis.shards(stream).await? {
                let before = collected.results.len();
                for record in emulators.kinesis.all_of_shard(stream, &shard).await? {
                    collected.take(&bytes(record), place);
                }
                collected.shards += usize::from(collected.results.len() > before);
            }
        }
        for (table, name) in &sinks.tables {
            let mut lines: Vec<String> = emulators.dynamodb.items(table)?.iter().map(item_line).collect();
            lines.sort();
            collected.tables.insert((*name).to_owned(), lines);
        }
        for (queue, name) in &sinks.queues {
            collected.queues.insert((*name).to_owned(), emulators.queues.messages(queue));
        }
        collected.windowed &= !collected.results.is_empty();
        collected.fired = collected.results.len() as u64;
        if !sinks.final_by.is_empty() {
            collected.results = last_of_each(std::mem::take(&mut collected.results), sinks.final_by);
        }
        Ok(collected)
    }

    fn take(&mut self, record: &[u8], place: Place<'_>) {
        let event = serde_json::from_slice::<CloudEvent<'_>>(record).ok();
        let Some(event) = event.filter(|event| event.specversion == "1.0") else {
            return self.take_plain(record, place);
        };
        let is_result = event.kind == "tidemill.result";
        if !is_result && event.kind != "tidemill.late" && event.kind != "tidemill.quarantine" {
            return self.take_plain(record, place);
        }
        if !self.seen.insert((event.source.into_owned(), event.id.into_owned())) {
            self.repeats += 1;
            return;
        }
        let line = event.data.map_or_else(|| String::from("null"), |data| one_line(data.get()));
        if is_result {
            self.result(line, place, event.windowend.is_some());
        } else if event.kind == "tidemill.late" {
            self.late.push(line);
        } else {
            self.quarantined.push(line);
        }
    }

    /// A record that is no event of ours: its value as it is.
    fn take_plain(&mut self, record: &[u8], place: Place<'_>) {
        let text = String::from_utf8_lossy(record);
        let line = match text.parse::<Value>() {
            Ok(_) => one_line(text.trim()),
            Err(_) => Value::from(text).to_string(),
        };
        match place {
            Place::Quarantine => self.quarantined.push(line),
            place => self.result(line, place, false),
        }
    }

    fn result(&mut self, line: String, place: Place<'_>, windowed: bool) {
        match place {
            Place::Named(name) => self.streams.entry(name.to_owned()).or_default().push(line),
            Place::Nowhere => {}
            Place::Results | Place::Quarantine => {
                self.results.push(line);
                self.windowed &= windowed;
            }
        }
    }
}

fn bytes(record: Record) -> Vec<u8> {
    let data = base64_simd::STANDARD.decode_to_vec(record.data.as_bytes());
    data.unwrap_or_else(|_| record.data.into_bytes())
}

/// The value that an item holds as JSON text in its attribute `data`; an item without is shown whole.
fn item_line(item: &Value) -> String {
    item["data"]["S"].as_str().map_or_else(|| item.to_string(), one_line)
}

/// The last of those results that agree at all of the pointers, as sorted lines.
fn last_of_each(results: Vec<String>, pointers: &[String]) -> Vec<String> {
    let mut last: BTreeMap<Vec<Option<String>>, String> = BTreeMap::new();
    for line in results {
        let value: Value = line.parse().unwrap_or_default();
        let at = |pointer: &String| value.pointer(pointer).map(Value::to_string);
        last.insert(pointers.iter().map(at).collect(), line);
    }
    let mut last: Vec<String> = last.into_values().collect();
    last.sort();
    last
}

/// JSON text as it was sent, unless it stands on several lines.
fn one_line(text: &str) -> String {
    match text.contains('\n').then(|| text.parse::<Value>()) {
        Some(Ok(value)) => value.to_string(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, kind: &str, data: &str) -> String {
        format!(r#"{{"specversion":"1.0","id":"{id}","source":"s","type":"{kind}","windowend":"5","data":{data}}}"#)
    }

    fn collected(records: &[&str]) -> Collected {
        let mut collected = Collected { windowed: true, ..Collected::default() };
        for record in records {
            collected.take(record.as_bytes(), Place::Results);
        }
        collected
    }

    #[test]
    fn events_go_by_their_type() {
        let found = collected(&[
            &event("1", "tidemill.result", r#"{"a": 1.50}"#),
            &event("2", "tidemill.late", "2"),
            &event("3", "tidemill.quarantine", "3"),
        ]);
        assert_eq!(found.results, [r#"{"a": 1.50}"#]);
        assert_eq!(found.late, ["2"]);
        assert_eq!(found.quarantined, ["3"]);
        assert!(found.windowed);
    }

    #[test]
    fn repeats_are_dropped_by_source_and_id() {
        let again = event("1", "tidemill.result", "1");
        let other_source = again.replace(r#""source":"s""#, r#""source":"t""#);
        let found = collected(&[&again, &again, &other_source]);
        assert_eq!((found.results.len(), found.repeats), (2, 1));
    }

    #[test]
    fn what_is_no_event_is_a_result_each_time() {
        let found = collected(&[r#"{"a":1}"#, r#"{"a":1}"#, "no json", "{\n\"a\": 1}"]);
        assert_eq!(found.results, [r#"{"a":1}"#, r#"{"a":1}"#, r#""no json""#, r#"{"a":1}"#]);
        assert_eq!(found.repeats, 0);
        assert!(!found.windowed);
    }

    #[test]
    fn an_event_without_data_is_null() {
        let found = collected(&[r#"{"specversion":"1.0","id":"1","source":"s","type":"tidemill.result"}"#]);
        assert_eq!(found.results, ["null"]);
    }

    #[test]
    fn results_go_where_their_stream_belongs_and_the_rest_by_type() {
        let mut found = Collected::default();
        let take = |found: &mut Collected, place| {
            found.take(event("1", "tidemill.result", "1").as_bytes(), place);
            found.take(event("2", "tidemill.late", "2").as_bytes(), place);
            found.seen.clear();
        };
        take(&mut found, Place::Named("alerts"));
        take(&mut found, Place::Nowhere);
        found.take(b"3", Place::Quarantine);
        assert_eq!(found.streams, [(String::from("alerts"), vec![String::from("1")])].into());
        assert_eq!((found.results.len(), found.late.len()), (0, 2));
        assert_eq!(found.quarantined, ["3"]);
    }

    #[test]
    fn the_last_of_those_that_agree_is_final() {
        let results = [r#"{"k":2,"n":1}"#, r#"{"k":1,"n":1}"#, r#"{"k":2,"n":3}"#, r#"{"n":9}"#].map(String::from);
        let last = last_of_each(results.into(), &[String::from("/k")]);
        assert_eq!(last, [r#"{"k":1,"n":1}"#, r#"{"k":2,"n":3}"#, r#"{"n":9}"#]);
    }

    #[test]
    fn an_item_is_what_it_holds_as_data() {
        let item: Value = r#"{"pk":{"S":"p"},"data":{"S":"{\"a\":1}"}}"#.parse().unwrap();
        assert_eq!(item_line(&item), r#"{"a":1}"#);
        let other: Value = r#"{"pk":{"S":"p"}}"#.parse().unwrap();
        assert_eq!(item_line(&other), r#"{"pk":{"S":"p"}}"#);
    }
}
