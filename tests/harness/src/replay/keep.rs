//! Keeping what a run left in its account.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::emulators::{Emulators, Kinesis, Record};
use crate::error::Error;
use crate::kept::{Account, Kept, Label};

use super::prepare::Prepared;

impl Prepared {
    /// Keeps the tables, and what the functions' streams hold, in place of the scenario's run before.
    pub(super) async fn keep(&self, emulators: &Emulators) -> Result<Account, Error> {
        let (kept, scenario) = (Kept::beside(self.template.folder()), &self.scenario.name);
        let new = kept.begin(scenario)?;
        emulators.dynamodb.save(&new.tables())?;
        emulators.kinesis.save(&new.streams()).await?;
        for stream in self.chain.written_streams() {
            write_stream(&emulators.kinesis, stream, &new.file(&format!("{stream}.jsonl"))).await?;
        }
        let open = if self.options.drain { "" } else { " --no-drain" };
        new.set_label(&Label {
            made_by: format!("cargo tidemill replay {scenario} --keep{open}"),
            journal_tables: self.chain.journal_tables(),
        })?;
        kept.install(&new, scenario)
    }
}

/// Writes the records of a stream as they stand in it, repeats included.
async fn write_stream(kinesis: &Kinesis, stream: &str, file: &Path) -> Result<(), Error> {
    let records = kinesis.all(stream).await?;
    let failed = |source| Error::writing(file, source);
    let mut out = BufWriter::new(File::create(file).map_err(failed)?);
    records.iter().try_for_each(|record| writeln!(out, "{}", line(record))).and_then(|()| out.flush()).map_err(failed)
}

/// A record with its data as JSON, or in base64 if it is none.
fn line(record: &Record) -> Value {
    let bytes = base64_simd::STANDARD.decode_to_vec(record.data.as_bytes()).unwrap_or_default();
    let data = serde_json::from_slice(&bytes).unwrap_or_else(|_| json!({"base64": record.data}));
    json!({
        "sequence_number": record.sequence_number,
        "partition_key": record.partition_key,
        "arrival": record.approximate_arrival_timestamp,
        "data": data,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(bytes: &[u8]) -> Value {
        let data = base64_simd::STANDARD.encode_to_string(bytes);
        let (sequence_number, partition_key) = (String::from("7"), String::from("k"));
        line(&Record { sequence_number, partition_key, data, approximate_arrival_timestamp: 1.0 })["data"].clone()
    }

    #[test]
    fn data_is_json_or_base64() {
        assert_eq!(data(br#"{"a":1}"#), json!({"a": 1}));
        assert_eq!(data(b"\xff"), json!({"base64": "/w=="}));
    }
}
