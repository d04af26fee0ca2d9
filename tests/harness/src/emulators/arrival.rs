//! Arrival times of records. The emulator cuts them to whole seconds; here they are what its clock says, to the
//! millisecond.

use ferrokinesis::sequence::{resolve_shard_id, shard_ix_to_hex};
use ferrokinesis::types::StoredRecord;
use serde_json::Value;

use super::Kinesis;

impl Kinesis {
    /// Milliseconds since the epoch, as the account's clock has it.
    pub fn now(&self) -> u64 {
        self.clock.millis()
    }

    /// Stamps the records that a PutRecords (or PutRecord) has put, request and answer in hand. Nobody reads
    /// meanwhile: whoever puts holds [`Kinesis::stamping`] to write, whoever reads holds it too.
    pub(super) async fn stamp(&self, asked: &Value, answer: &Value) {
        let Some(stream) = asked["StreamName"].as_str() else { return };
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since the epoch are exact in 53 bits")]
        let now = self.now() as f64 / 1_000.0;
        let stored: Vec<(String, StoredRecord)> = match (asked["Records"].as_array(), answer["Records"].as_array()) {
            (Some(records), Some(put)) => {
                records.iter().zip(put).filter_map(|(one, put)| stored(one, put, now)).collect()
            }
            _ => stored(asked, answer, now).into_iter().collect(),
        };
        // What was just stored can be stored again.
        let _ = self.store.put_records_batch(stream, &stored).await;
    }
}

/// A record as the emulator keeps it, under its key.
fn stored(record: &Value, put: &Value, arrival: f64) -> Option<(String, StoredRecord)> {
    let (_, shard) = resolve_shard_id(put["ShardId"].as_str()?).ok()?;
    let key = format!("{}/{}", shard_ix_to_hex(shard), put["SequenceNumber"].as_str()?);
    let text = |name: &str| record[name].as_str().map(str::to_owned);
    let record = StoredRecord {
        partition_key: text("PartitionKey")?,
        data: text("Data")?,
        approximate_arrival_timestamp: arrival,
    };
    Some((key, record))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::input::Record;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn records_arrive_when_the_clock_says() {
        let kinesis = Kinesis::new();
        kinesis.create_stream("s", 1).await.unwrap();
        let record = || [Record { payload: b"x".as_slice().into(), partition_key: String::from("k") }];
        kinesis.put("s", &record()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(61_007)).await;
        kinesis.put("s", &record()).await.unwrap();
        let arrivals: Vec<f64> =
            kinesis.all("s").await.unwrap().iter().map(|record| record.approximate_arrival_timestamp).collect();
        let apart = ((arrivals[1] - arrivals[0]) * 1_000.0).round();
        assert!((61_007.0..61_107.0).contains(&apart), "{arrivals:?}");
    }
}
