//! An entry of a quarantine, and the record in it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::input::Record;
use crate::streams::Taken;

/// What tells a record: where it stood in its stream, whatever pipeline refused it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// The pipeline that could not process it.
    pub pipeline: String,
    /// The stream that it came from.
    pub stream: String,
    /// The shard.
    pub shard: String,
    /// The place there.
    pub sequence: String,
    /// The place in what a producer packed into one record.
    pub sub_sequence: u64,
}

/// A record that could not be processed, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which record.
    pub identity: Identity,
    /// The pipeline that could not process it.
    pub pipeline: String,
    /// Why, in a word.
    pub reason: String,
    /// Why.
    pub message: String,
    /// The record.
    pub record: Record,
}

/// An entry that cannot be put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// Its place in the quarantine.
    pub sequence_number: String,
    /// The pipeline that it is of, if it says so.
    pub pipeline: Option<String>,
    /// Its reason, if it has one.
    pub reason: Option<String>,
    /// Why it cannot be put back.
    pub why: String,
}

impl Entry {
    /// The record that stands in an entry.
    pub(super) fn read(taken: &Taken) -> Result<Self, Unfit> {
        let event: Value = serde_json::from_slice(&taken.data).unwrap_or_default();
        let data = &event["data"];
        let text = |name: &str| data[name].as_str().map(str::to_owned);
        let place = event["source"].as_str().and_then(place);
        let unfit = |why: &str| Unfit {
            sequence_number: taken.sequence_number.clone(),
            pipeline: place.as_ref().map(|(pipeline, ..)| pipeline.clone()),
            reason: text("reason"),
            why: why.to_owned(),
        };
        if event["type"] != "tidemill.quarantine" {
            return Err(unfit("it is no entry of a quarantine"));
        }
        let Some((pipeline, stream, shard)) = place.clone() else {
            return Err(unfit("it does not name its pipeline and stream"));
        };
        let Some(sequence) = text("sequence") else {
            return Err(unfit("it is about a window, a timer or a result, not about a record"));
        };
        let payload = match (text("payload"), text("payload_base64")) {
            (Some(text), _) => text.into_bytes(),
            (None, Some(text)) => {
                base64_simd::STANDARD.decode_to_vec(text).map_err(|_| unfit("its payload is no base64"))?
            }
            (None, None) => {
                return Err(unfit("it holds only the head of its payload: the record was too large for it"));
            }
        };
        let partition_key = text("partition_key").ok_or_else(|| unfit("it does not say its partition key"))?;
        let sub_sequence = data["sub_sequence"].as_u64().unwrap_or(0);
        let shard = text("shard").unwrap_or(shard);
        Ok(Self {
            identity: Identity { pipeline: pipeline.clone(), stream, shard, sequence, sub_sequence },
            pipeline,
            reason: text("reason").unwrap_or_default(),
            message: text("message").unwrap_or_default(),
            record: Record { payload: payload.into(), partition_key },
        })
    }
}

/// Pipeline, stream and shard of `/tidemill/<pipeline>/<stream>/<shard>`, each percent-encoded.
fn place(source: &str) -> Option<(String, String, String)> {
    let mut parts = source.strip_prefix("/tidemill/")?.split('/').map(decoded);
    let place = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(place)
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes().iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [*rest.next()?, *rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => *byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn taken(data: &Value) -> Taken {
        Taken {
            shard: None,
            sequence_number: String::from("9"),
            partition_key: String::from("k"),
            arrival: 0.0,
            data: data.to_string().into_bytes(),
        }
    }

    fn entry(data: &Value) -> Value {
        json!({
            "specversion": "1.0", "id": "1", "type": "tidemill.quarantine",
            "source": "/tidemill/a%20b/in/shardId-000000000000", "data": data,
        })
    }

    #[test]
    fn the_record_comes_back_as_it_was() {
        let bytes = entry(&json!({
            "reason": "decode", "message": "no", "shard": "shardId-000000000000", "sequence": "7", "sub_sequence": 2,
            "partition_key": "JFK", "arrival": 5, "payload_base64": "/w==",
        }));
        let read = Entry::read(&taken(&bytes)).unwrap();
        assert_eq!(read.record, Record { payload: vec![0xff].into(), partition_key: String::from("JFK") });
        assert_eq!((read.pipeline.as_str(), read.identity.stream.as_str()), ("a b", "in"));
        assert_eq!((read.identity.sequence.as_str(), read.identity.sub_sequence), ("7", 2));
    }

    #[test]
    fn what_holds_no_whole_record_says_why() {
        let why = |event: &Value| Entry::read(&taken(event)).unwrap_err().why;
        assert!(why(&json!({"a": 1})).contains("no entry"));
        assert!(why(&entry(&json!({"reason": "closure", "key": "k"}))).contains("not about a record"));
        let cut = json!({"reason": "size", "sequence": "7", "partition_key": "k", "payload_head": "x"});
        assert!(why(&entry(&cut)).contains("only the head"));
    }
}
