//! Aggregated records of an encoder that is not ours, through the public door: an invocation's bytes in, records out.

use std::fs;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::json;
use tidemill_aws::{Batch, Invocation, decode};
use tidemill_core::{EventTime, partition_hash};

/// The lower half of the hash keys: the first of two shards.
const LOWER: RangeInclusive<u128> = 0..=u128::MAX / 2;

const AGGREGATED: [&str; 5] = ["explicit-hash-keys", "keys", "many", "nested", "one"];

/// What a fixture must unpack to.
#[derive(Deserialize)]
struct Expected {
    partition_key: String,
    explicit_hash_key: Option<String>,
    data: String,
}

impl Expected {
    fn payload(&self) -> Vec<u8> {
        base64_simd::STANDARD.decode_to_vec(&self.data).expect("base64")
    }

    fn place(&self) -> u128 {
        let explicit = self.explicit_hash_key.as_ref().map(|key| key.parse().expect("a hash key"));
        explicit.unwrap_or_else(|| partition_hash(&self.partition_key))
    }
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/kpl").join(name)
}

fn blob(name: &str) -> Vec<u8> {
    fs::read(folder("aggregated").join(name).with_extension("bin")).expect("a blob")
}

fn expected(name: &str) -> Vec<Expected> {
    let rows = fs::read(folder("aggregated").join(name).with_extension("json")).expect("what the blob holds");
    serde_json::from_slice(&rows).expect("rows")
}

/// An invocation with these payloads at the sequence numbers 100, 101, …
fn event(payloads: &[&[u8]]) -> Vec<u8> {
    let record = |(number, payload): (usize, &&[u8])| {
        let sequence = (100 + number).to_string();
        json!({
            "kinesis": {
                "partitionKey": "outer", "sequenceNumber": sequence, "approximateArrivalTimestamp": 7.5,
                "data": base64_simd::STANDARD.encode_to_string(payload),
            },
            "eventSource": "aws:kinesis", "eventID": format!("shardId-0:{sequence}"), "eventSourceARN": "arn:stream/s",
        })
    };
    json!({ "Records": payloads.iter().enumerate().map(record).collect::<Vec<_>>() }).to_string().into_bytes()
}

fn with_batch(payloads: &[&[u8]], check: impl FnOnce(&Batch)) {
    match decode(&event(payloads)) {
        Ok(Invocation::Batch(batch)) => check(&batch),
        other => panic!("not a batch: {other:?}"),
    }
}

#[test]
fn an_aggregate_becomes_its_inner_records() {
    for name in AGGREGATED {
        with_batch(&[&blob(name)], |batch| {
            let (records, expected) = (batch.records(), expected(name));
            assert_eq!((batch.len(), records.len()), (1, expected.len()), "{name}");
            for ((number, record), expected) in (0..).zip(&records).zip(&expected) {
                assert_eq!((record.position.sequence.as_str(), record.position.sub_sequence), ("100", number));
                assert_eq!(record.arrival, EventTime::from_millis(7_500));
                assert_eq!(record.partition_key, expected.partition_key);
                assert_eq!(record.payload, expected.payload());
            }
        });
    }
}

#[test]
fn an_aggregate_inside_an_aggregate_stays_packed() {
    with_batch(&[&blob("nested")], |batch| assert_eq!(batch.records()[0].payload, blob("one")));
}

#[test]
fn what_only_looks_like_an_aggregate_is_plain_data() {
    let files: Vec<_> =
        fs::read_dir(folder("plain")).expect("a folder").map(|file| file.expect("a file").path()).collect();
    assert_eq!(files.len(), 15);
    for file in files {
        let blob = fs::read(&file).expect("a blob");
        with_batch(&[&blob], |batch| {
            let records = batch.unpack(Some(&LOWER)).records;
            assert_eq!(records.len(), 1, "{}", file.display());
            assert_eq!(records[0].position.sub_sequence, 0);
            assert_eq!((records[0].partition_key, records[0].payload), ("outer", blob.as_slice()));
        });
    }
}

#[test]
fn inner_records_of_another_shard_are_discarded_and_counted() {
    for name in AGGREGATED {
        with_batch(&[&blob(name)], |batch| {
            let (unpacked, expected) = (batch.unpack(Some(&LOWER)), expected(name));
            let own = (0_u64..).zip(&expected).filter(|(_, inner)| LOWER.contains(&inner.place()));
            let own: Vec<_> = own.map(|(number, inner)| (number, inner.payload())).collect();
            let records = unpacked.records.iter();
            let taken: Vec<_> = records.map(|record| (record.position.sub_sequence, record.payload.to_vec())).collect();
            assert_eq!(taken, own, "sub-sequence numbers stay: {name}");
            assert_eq!(unpacked.foreign, expected.len() - own.len());
        });
    }
}

#[test]
fn the_range_includes_both_ends_and_explicit_hash_keys_come_before_partition_keys() {
    // Places: 0, 2^128 - 1, MD5("LHR"), 0, 2^127.
    for (range, own) in [(0..=0, vec![0, 3]), (u128::MAX..=u128::MAX, vec![1]), (1 << 127..=1 << 127, vec![4])] {
        with_batch(&[&blob("explicit-hash-keys")], |batch| {
            let unpacked = batch.unpack(Some(&range));
            let numbers: Vec<_> = unpacked.records.iter().map(|record| record.position.sub_sequence).collect();
            assert_eq!((&numbers, unpacked.foreign), (&own, 5 - own.len()));
        });
    }
}

#[test]
fn plain_and_aggregated_records_lie_in_the_order_of_their_positions() {
    let blobs = AGGREGATED.map(blob);
    let payloads: Vec<&[u8]> = blobs.iter().flat_map(|blob| [b"plain", blob.as_slice()]).collect();
    with_batch(&payloads, |batch| {
        let records = batch.records();
        assert!(records.is_sorted_by(|one, next| one.position < next.position));
        assert_eq!(records.iter().filter(|record| record.payload == b"plain").count(), blobs.len());
        assert_eq!(records.len(), blobs.len() + AGGREGATED.map(|name| expected(name).len()).iter().sum::<usize>());
    });
}

#[test]
fn inner_records_are_borrowed_from_the_batch() {
    with_batch(&[&blob("keys")], |batch| {
        for (one, other) in batch.records().iter().zip(&batch.records()) {
            assert!(std::ptr::eq(one.payload, other.payload) && std::ptr::eq(one.partition_key, other.partition_key));
        }
    });
}
