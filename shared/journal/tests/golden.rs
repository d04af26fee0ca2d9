//! Stored bytes stay readable: records written by version 1 of the format are kept as files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use proptest::prelude::*;
use tidemill_core::{Change, EventTime, Floor, PartRange, Position, Progress, SequenceNumber, Watermark};
use tidemill_journal::{
    FORMAT_VERSION, Incarnation, JournalId, Kind, Output, PartId, PartName, Record, Ring, Schema, Spill,
};

fn sequence(digits: &str) -> SequenceNumber {
    SequenceNumber::parse(digits).expect("digits")
}

/// A record with every field set.
fn full_record() -> Record {
    let journal = JournalId {
        pipeline: "departures".to_owned(),
        stream: "arn:aws:kinesis:us-east-1:123456789012:stream/flights".to_owned(),
        shard: "shardId-000000000007".to_owned(),
    };
    let time = EventTime::from_millis;
    Record {
        incarnation: Incarnation(0x0123_4567_89ab_cdef),
        ring: Ring::of(1024).expect("a ring"),
        number: 5000,
        kind: Kind::Tick,
        position: Some(Position {
            sequence: sequence("49678482213667495263467347962839741384025598392937742338"),
            sub_sequence: 3,
        }),
        progress: Progress {
            watermark: Watermark::at(time(1_357_034_400_000)),
            highest: Some(time(1_357_056_000_000)),
            arrival: Some(time(1_764_000_000_123)),
            floors: vec![Floor { first: "00".to_owned(), last: "7f".to_owned(), watermark: Watermark::at(time(-5)) }],
            ..Progress::start()
        },
        changes: vec![
            Change { key: b"cJFK".to_vec(), slot: vec![0x82, 0, 1], value: Some(vec![0xa1, 0x61, 0x61, 5]) },
            Change { key: b"cEWR".to_vec(), slot: vec![0x82, 0, 1], value: None },
        ],
        outputs: vec![Output {
            sink: "departures".to_owned(),
            partition_key: "JFK".to_owned(),
            data: Bytes::from_static(br#"{"specversion":"1.0","data":{"flights":5}}"#),
        }],
        parts: vec![
            PartName {
                range: PartRange { first: 0, last: 9 },
                image: Some(PartId { id: "p1".to_owned(), chunks: 2, bytes: 400_000, plain: 900_000 }),
                as_of: 4999,
            },
            PartName { range: PartRange { first: 10, last: u64::MAX }, image: None, as_of: 4999 },
        ],
        oldest: 4999,
        spills: vec![Spill { id: PartId { id: "s1".to_owned(), chunks: 1, bytes: 9, plain: 90 } }],
        gap: Some(Position { sequence: sequence("12"), sub_sequence: 0 }),
        tick: Some(time(1_764_000_060_000)),
        schema: Some(Schema {
            journal,
            fingerprint: BTreeMap::from([("window".to_owned(), "tumbling 3600000 ms, offset 0 ms".to_owned())]),
            starting_sequence: Some(sequence("7")),
        }),
    }
}

/// A record with as little as there can be.
fn bare_record() -> Record {
    Record {
        number: 2,
        kind: Kind::Data,
        position: None,
        progress: Progress::start(),
        changes: Vec::new(),
        outputs: Vec::new(),
        parts: Vec::new(),
        oldest: 0,
        spills: Vec::new(),
        gap: None,
        tick: None,
        schema: None,
        ..full_record()
    }
}

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// Reads a kept file; writes it first if `BLESS=1`, which is right only for a new format version.
fn kept(name: &str, record: &Record) -> Vec<u8> {
    let path = golden(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, record.encode().expect("encodes")).expect("writes");
    }
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn records_of_version_1_are_read_for_ever() {
    for (name, record) in [("record-v1-full.bin", full_record()), ("record-v1-bare.bin", bare_record())] {
        let bytes = kept(name, &record);
        assert_eq!(Record::decode(&bytes).as_ref(), Ok(&record), "{name}");
    }
}

#[test]
fn this_code_writes_the_bytes_of_its_version() {
    assert_eq!(FORMAT_VERSION, 1, "a new version needs new golden files beside the old ones");
    for (name, record) in [("record-v1-full.bin", full_record()), ("record-v1-bare.bin", bare_record())] {
        let (kept, now) = (kept(name, &record), record.encode().expect("encodes"));
        assert_eq!(plain(&now), plain(&kept), "{name}: the CBOR inside the frame");
    }
}

/// The CBOR inside a frame. Compressed bytes may change with the compressor, these may not.
fn plain(frame: &[u8]) -> Vec<u8> {
    zstd::bulk::decompress(&frame[12..], 1 << 20).expect("inflates")
}

prop_compose! {
    fn changes()(
        cells in proptest::collection::vec(
            (any::<Vec<u8>>(), any::<Vec<u8>>(), proptest::option::of(any::<Vec<u8>>())), 0..20)
    ) -> Vec<Change> {
        cells.into_iter().map(|(key, slot, value)| Change { key, slot, value }).collect()
    }
}

prop_compose! {
    fn outputs()(
        sent in proptest::collection::vec((".{1,20}", ".{1,20}", any::<Vec<u8>>()), 0..10)
    ) -> Vec<Output> {
        sent.into_iter().map(|(sink, partition_key, data)| Output { sink, partition_key, data: data.into() }).collect()
    }
}

prop_compose! {
    fn records()(
        number in 1..u64::MAX, watermark: i64, highest: Option<i64>, sub_sequence: u64,
        changes in changes(), outputs in outputs(), first: u64, oldest: u64,
    ) -> Record {
        Record {
            number,
            position: Some(Position { sequence: sequence(&number.to_string()), sub_sequence }),
            progress: Progress {
                watermark: Watermark::at(EventTime::from_millis(watermark)),
                highest: highest.map(EventTime::from_millis),
                ..Progress::start()
            },
            changes,
            outputs,
            parts: vec![PartName { range: PartRange { first, last: u64::MAX }, image: None, as_of: oldest }],
            oldest,
            ..full_record()
        }
    }
}

proptest! {
    #[test]
    fn every_record_is_read_as_it_was_written(record in records()) {
        let bytes = record.encode().expect("encodes");
        prop_assert_eq!(Record::decode(&bytes), Ok(record));
    }

    #[test]
    fn damaged_bytes_are_refused(record in records(), at: prop::sample::Index, flip in 1..=255_u8) {
        let mut bytes = record.encode().expect("encodes").to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(Record::decode(&bytes).is_err());
    }

    #[test]
    fn cut_bytes_are_refused(record in records(), at: prop::sample::Index) {
        let bytes = record.encode().expect("encodes");
        prop_assert!(Record::decode(&bytes[..at.index(bytes.len())]).is_err());
    }
}
