//! Reading what a function sent downstream, as a consumer would.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::emulators::Kinesis;
use crate::error::Error;
use crate::template::Roles;

/// Everything that came out, repeats dropped. Each entry is one line of JSON.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Collected {
    /// The values of the results.
    pub results: Vec<String>,
    /// The records that came too late.
    pub late: Vec<String>,
    /// The records that could not be processed, with reasons.
    pub quarantined: Vec<String>,
    /// Events that stand in a stream more than once; a consumer drops them by source and id.
    pub repeats: u64,
    /// Whether every result is a window's.
    pub windowed: bool,
    seen: HashSet<(String, String)>,
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
    /// Reads all sinks of a function and its quarantine.
    pub(super) async fn read(kinesis: &Kinesis, roles: &Roles) -> Result<Self, Error> {
        let mut collected = Self { windowed: true, ..Self::default() };
        let quarantine = roles.quarantine.iter().filter(|name| !roles.sinks.contains(name));
        for (stream, is_quarantine) in
            roles.sinks.iter().map(|name| (name, false)).chain(quarantine.map(|name| (name, true)))
        {
            for record in kinesis.all(stream).await? {
                let data = base64_simd::STANDARD.decode_to_vec(record.data.as_bytes());
                collected.take(&data.unwrap_or_else(|_| record.data.into_bytes()), is_quarantine);
            }
        }
        collected.windowed &= !collected.results.is_empty();
        Ok(collected)
    }

    fn take(&mut self, record: &[u8], is_quarantine: bool) {
        let event = serde_json::from_slice::<CloudEvent<'_>>(record).ok();
        let Some(event) = event.filter(|event| event.specversion == "1.0") else {
            return self.take_plain(record, is_quarantine);
        };
        let windowed = event.windowend.is_some();
        let to = match event.kind.as_ref() {
            "tidemill.result" => &mut self.results,
            "tidemill.late" => &mut self.late,
            "tidemill.quarantine" => &mut self.quarantined,
            _ => return self.take_plain(record, is_quarantine),
        };
        if !self.seen.insert((event.source.into_owned(), event.id.into_owned())) {
            self.repeats += 1;
            return;
        }
        to.push(event.data.map_or_else(|| String::from("null"), |data| one_line(data.get())));
        self.windowed &= windowed || event.kind != "tidemill.result";
    }

    /// A record that is no event of ours: its value as it is.
    fn take_plain(&mut self, record: &[u8], is_quarantine: bool) {
        let text = String::from_utf8_lossy(record);
        let line = match text.parse::<Value>() {
            Ok(_) => one_line(text.trim()),
            Err(_) => Value::from(text).to_string(),
        };
        if is_quarantine {
            self.quarantined.push(line);
        } else {
            self.results.push(line);
            self.windowed = false;
        }
    }
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
            collected.take(record.as_bytes(), false);
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
}
