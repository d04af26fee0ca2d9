//! Keeping streams in a file: the emulator's own way of it writes everything anew with every record.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use ferrokinesis::persistence::PersistentStream;
use ferrokinesis::sequence::{parse_sequence, shard_ix_to_hex};
use ferrokinesis::types::StoredRecord;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::findings::shown;

use super::Kinesis;

/// A stream with all its records: one line of the file.
#[derive(Serialize, Deserialize)]
struct KeptStream {
    stream: PersistentStream,
    /// By the emulator's key: the shard's number and the sequence number.
    records: Vec<(String, StoredRecord)>,
}

impl Kinesis {
    /// Writes all streams and their records to a file, in place of what it held.
    pub async fn save(&self, file: &Path) -> Result<(), Error> {
        let failed = |source| Error::writing(file, source);
        let new = file.with_extension("new");
        let mut out = BufWriter::new(File::create(&new).map_err(failed)?);
        for name in self.store.list_stream_names().await {
            let stream = self.store.get_stream(&name).await.map_err(|error| refused("read", &name, &error))?;
            let records = self.store.get_record_store(&name).await.into_iter().collect();
            let kept = KeptStream { stream: PersistentStream::from_stream(name, &stream, Vec::new()), records };
            serde_json::to_writer(&mut out, &kept).map_err(|error| failed(error.into()))?;
            out.write_all(b"\n").map_err(failed)?;
        }
        out.into_inner().map_err(|error| failed(error.into_error()))?.sync_all().map_err(failed)?;
        std::fs::rename(&new, file).map_err(failed)
    }

    /// Brings back what a file holds: shards, records and sequence numbers are as they were.
    pub async fn restore(&self, file: &Path) -> Result<(), Error> {
        let failed = |source| Error::reading(file, source);
        for line in BufReader::new(File::open(file).map_err(failed)?).lines() {
            let kept: KeptStream = serde_json::from_str(&line.map_err(failed)?).map_err(|error| Error::Emulator {
                service: "Kinesis",
                what: format!("read {}", shown(file).display()),
                why: format!("it is damaged ({error}); `--fresh` begins anew"),
            })?;
            self.bring_back(kept).await?;
        }
        Ok(())
    }

    async fn bring_back(&self, kept: KeptStream) -> Result<(), Error> {
        let (name, stream, _) = kept.stream.into_parts();
        let failed = |error| refused("restore", &name, &error);
        let shards = stream.shards.clone();
        self.store.put_stream(&name, stream).await.map_err(failed)?;
        self.store.put_records_batch(&name, &kept.records).await.map_err(failed)?;
        for (number, shard) in (0_i64..).zip(&shards) {
            let prefix = format!("{}/", shard_ix_to_hex(number));
            let taken = kept.records.iter().filter_map(|(key, _)| key.strip_prefix(&prefix)).filter_map(taken).max();
            let (Some(taken), Ok(hash)) = (taken, shard.hash_key_range.starting_hash_key.parse::<u128>()) else {
                continue;
            };
            // The counter of an open shard goes on behind its last record; a closed one takes no more.
            if shard.sequence_number_range.ending_sequence_number.is_none() {
                self.store.allocate_sequences_batch(&name, &vec![hash; taken]).await.map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// The count within a sequence number.
fn taken(sequence: &str) -> Option<usize> {
    usize::try_from(parse_sequence(sequence).ok()?.seq_ix?).ok()
}

fn refused(verb: &str, stream: &str, why: &dyn std::fmt::Debug) -> Error {
    Error::Emulator { service: "Kinesis", what: format!("{verb} stream `{stream}`"), why: format!("{why:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input;

    fn record(number: usize) -> input::Record {
        input::Record { payload: number.to_string().into_bytes().into(), partition_key: number.to_string() }
    }

    async fn contents(kinesis: &Kinesis) -> Vec<(String, String)> {
        let all = kinesis.all("s").await.unwrap();
        all.into_iter().map(|record| (record.sequence_number, record.data)).collect()
    }

    #[tokio::test]
    async fn streams_come_back_as_they_were_and_go_on_behind_their_last_record() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("streams.jsonl");
        let kinesis = Kinesis::new();
        kinesis.create_stream("s", 2).await.unwrap();
        kinesis.create_stream("empty", 1).await.unwrap();
        kinesis.put("s", &(0..700).map(record).collect::<Vec<_>>()).await.unwrap();
        kinesis.save(&file).await.unwrap();

        let restored = Kinesis::new();
        restored.restore(&file).await.unwrap();
        let before = contents(&kinesis).await;
        assert_eq!(contents(&restored).await, before);
        assert_eq!(restored.shards("empty").await.unwrap().len(), 1);

        restored.put("s", &(700..800).map(record).collect::<Vec<_>>()).await.unwrap();
        let after = contents(&restored).await;
        assert_eq!(after.len(), 800);
        let old: Vec<_> = after.iter().filter(|record| before.contains(record)).cloned().collect();
        assert_eq!(old, before);
    }

    #[tokio::test]
    async fn a_damaged_file_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("streams.jsonl");
        std::fs::write(&file, "{}\n").unwrap();
        let error = Kinesis::new().restore(&file).await.unwrap_err().to_string();
        assert!(error.contains("streams.jsonl") && error.contains("--fresh"), "{error}");
    }
}
