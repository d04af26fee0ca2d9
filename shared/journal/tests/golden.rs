//! Stored bytes stay readable: records of each format are kept as files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use proptest::prelude::*;
use tidemill_core::{Change, EventTime, Floor, HashRange, PartRange, Position, Progress, SequenceNumber, Watermark};
use tidemill_journal::{Format, Incarnation, JournalId, Kind, Output, PartId, PartName, Record, Ring, Schema, Spill};

const FORMATS: [Format; 2] = [Format::V1, Format::V2];

fn sequence(digits: &str) -> SequenceNumber {
    SequenceNumber::parse(digits).expect("digits")
}

/// A record with every field set.
fn full_record(format: Format) -> Record {
    let journal = JournalId {
        pipeline: "departures".to_owned(),
        stream: "arn:aws:kinesis:us-east-1:123456789012:stream/flights".to_owned(),
        shard: "shardId-000000000007".to_owned(),
    };
    let time = EventTime::from_millis;
    Record {
        format,
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
            floors: vec![Floor::of(HashRange { first: 0, last: 0x7f }, Watermark::at(time(-5)))],
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
            hash_range: None,
        }),
    }
}

/// A record with as little as there can be.
fn bare_record(format: Format) -> Record {
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
        ..full_record(format)
    }
}

/// The kept files of a format, each with its record.
fn kept(format: Format) -> Vec<(PathBuf, Record)> {
    let path =
        |what| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata").join(format!("record-v{format}-{what}.bin"));
    vec![(path("full"), full_record(format)), (path("bare"), bare_record(format))]
}

/// Reads a kept file. `BLESS=1` writes one that is missing; one that is there is never written again.
fn read(path: &PathBuf, record: &Record) -> Vec<u8> {
    if std::env::var_os("BLESS").is_some() && !path.exists() {
        std::fs::write(path, record.clone().encode().expect("encodes")).expect("writes");
    }
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn records_of_each_format_are_read_for_ever() {
    for (path, record) in FORMATS.into_iter().flat_map(kept) {
        let bytes = read(&path, &record);
        assert_eq!(bytes[3], record.format.version());
        assert_eq!(Record::decode(&bytes).as_ref(), Ok(&record), "{}", path.display());
    }
}

#[test]
fn this_code_writes_the_bytes_of_each_format() {
    for (path, mut record) in FORMATS.into_iter().flat_map(kept) {
        let (kept, now) = (read(&path, &record), record.encode().expect("encodes"));
        assert_eq!(now[3], record.format.version());
        assert_eq!(plain(&now), plain(&kept), "{}: what is inside the frame", path.display());
    }
}

#[test]
fn a_format_that_passes_for_another_is_noticed() {
    let mut bytes = bare_record(Format::V2).encode().expect("encodes").to_vec();
    bytes[3] = Format::V1.version();
    assert!(Record::decode(&bytes).is_err(), "without changes both look the same");
}

/// What is inside a frame. Compressed bytes may change with the compressor, these may not.
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
        changes in changes(), outputs in outputs(), first: u64, oldest: u64, format in prop::sample::select(&FORMATS),
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
            ..full_record(format)
        }
    }
}

proptest! {
    #[test]
    fn every_record_is_read_as_it_was_written(mut record in records()) {
        let bytes = record.encode().expect("encodes");
        prop_assert_eq!(Record::decode(&bytes), Ok(record));
    }

    #[test]
    fn damaged_bytes_are_refused(mut record in records(), at: prop::sample::Index, flip in 1..=255_u8) {
        let mut bytes = record.encode().expect("encodes").to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(Record::decode(&bytes).is_err());
    }

    #[test]
    fn cut_bytes_are_refused(mut record in records(), at: prop::sample::Index) {
        let bytes = record.encode().expect("encodes");
        prop_assert!(Record::decode(&bytes[..at.index(bytes.len())]).is_err());
    }
}
