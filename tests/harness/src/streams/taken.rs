//! A record that came out of a stream.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::Error;

/// A record as it stands in a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// Its shard; unknown of a run that is over.
    pub shard: Option<String>,
    /// Its place in the shard.
    pub sequence_number: String,
    /// Its partition key.
    pub partition_key: String,
    /// When it arrived, in seconds since the epoch.
    pub arrival: f64,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// The line of a record, in what a run left and in what `tail --json` prints.
#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    shard: Option<String>,
    sequence_number: String,
    partition_key: String,
    arrival: f64,
    data: Value,
}

impl Taken {
    /// The record as one line of JSON: its data as JSON, or `{"base64": …}` if it is none.
    pub fn line(&self) -> String {
        let encoded = || json!({"base64": base64_simd::STANDARD.encode_to_string(&self.data)});
        let line = Line {
            shard: self.shard.clone(),
            sequence_number: self.sequence_number.clone(),
            partition_key: self.partition_key.clone(),
            arrival: self.arrival,
            data: serde_json::from_slice(&self.data).unwrap_or_else(|_| encoded()),
        };
        // Text, numbers and JSON serialise.
        serde_json::to_string(&line).unwrap_or_default()
    }

    /// The record of a [line](Self::line); data that was JSON comes back as the same value.
    pub(super) fn of_line(line: &str) -> Result<Self, Error> {
        let line: Line = serde_json::from_str(line)
            .map_err(|why| Error::NotFound(format!("a line of a kept stream is no record ({why}): {line}")))?;
        let encoded = match line.data.as_object() {
            Some(members) if members.len() == 1 => members.get("base64").and_then(Value::as_str),
            _ => None,
        };
        let data = encoded.and_then(|text| base64_simd::STANDARD.decode_to_vec(text).ok());
        let data = data.unwrap_or_else(|| line.data.to_string().into_bytes());
        let Line { shard, sequence_number, partition_key, arrival, .. } = line;
        Ok(Self { shard, sequence_number, partition_key, arrival, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_brings_the_record_back() {
        for data in [br#"{"a":1}"#.as_slice(), b"\xff", b"plain"] {
            let taken = Taken {
                shard: Some(String::from("shardId-000000000000")),
                sequence_number: String::from("7"),
                partition_key: String::from("k"),
                arrival: 1.5,
                data: data.to_vec(),
            };
            assert_eq!(Taken::of_line(&taken.line()).unwrap(), taken);
        }
    }
}
