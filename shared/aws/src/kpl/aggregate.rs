//! From an aggregate's bytes to the records inside, all of them borrowed.

use std::ops::RangeInclusive;

use md5::{Digest, Md5};
use tidemill_core::partition_hash;

use super::protobuf::{Fields, Malformed, Value};

const MAGIC: &[u8] = &[0xf3, 0x89, 0x9a, 0xc2];

/// A record inside an aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inner<'a> {
    pub(crate) partition_key: &'a str,
    pub(crate) payload: &'a [u8],
    /// Whether it belongs to another shard than the one that was asked for.
    pub(crate) foreign: bool,
}

/// The records inside `payload`, in the order of the producer; `None` if it is plain data, for which everything counts
/// that does not fit the format to the last byte, or holds no record.
///
/// A record is foreign if its place, the explicit hash key or else the hash of the partition key, lies outside
/// `hash_range`; without a range none is.
///
/// Nothing is copied, and what is kept for a record, about 60 bytes, stands against at least 6 bytes of payload.
pub(crate) fn unpack<'a>(payload: &'a [u8], hash_range: Option<&RangeInclusive<u128>>) -> Option<Vec<Inner<'a>>> {
    let (body, checksum) = payload.strip_prefix(MAGIC)?.split_last_chunk::<16>()?;
    if Md5::digest(body).as_slice() != checksum {
        return None;
    }
    let aggregate = Aggregate::parse(body, hash_range).ok()?;
    let inner: Result<Vec<_>, _> = aggregate.records.iter().map(|record| aggregate.inner(record)).collect();
    inner.ok().filter(|inner| !inner.is_empty())
}

/// `message AggregatedRecord { repeated string partition_key_table = 1; repeated string explicit_hash_key_table = 2;
/// repeated Record records = 3; }`, whose records may stand before the tables that they point into.
#[derive(Default)]
struct Aggregate<'a> {
    keys: Vec<PartitionKey<'a>>,
    /// Of each explicit hash key, whether it is foreign.
    foreign: Vec<bool>,
    records: Vec<&'a [u8]>,
}

struct PartitionKey<'a> {
    text: &'a str,
    foreign: bool,
}

impl<'a> Aggregate<'a> {
    fn parse(body: &'a [u8], hash_range: Option<&RangeInclusive<u128>>) -> Result<Self, Malformed> {
        let mut aggregate = Self::default();
        for field in Fields::of(body) {
            match field? {
                (1, Value::Bytes(key)) => {
                    let text = partition_key(key)?;
                    let foreign = hash_range.is_some_and(|range| !range.contains(&partition_hash(text)));
                    aggregate.keys.push(PartitionKey { text, foreign });
                }
                (2, Value::Bytes(key)) => {
                    let hash = hash_key(key)?;
                    aggregate.foreign.push(hash_range.is_some_and(|range| !range.contains(&hash)));
                }
                (3, Value::Bytes(record)) => aggregate.records.push(record),
                (1..=3, _) => return Err(Malformed),
                _ => {}
            }
        }
        Ok(aggregate)
    }

    /// `message Record { required uint64 partition_key_index = 1; optional uint64 explicit_hash_key_index = 2;
    /// required bytes data = 3; repeated Tag tags = 4; }`. Of a field that comes twice the last one counts.
    fn inner(&self, record: &'a [u8]) -> Result<Inner<'a>, Malformed> {
        let (mut key, mut hash_key, mut data) = (None, None, None);
        for field in Fields::of(record) {
            match field? {
                (1, Value::Varint(index)) => key = Some(index),
                (2, Value::Varint(index)) => hash_key = Some(index),
                (3, Value::Bytes(bytes)) => data = Some(bytes),
                (1..=3, _) => return Err(Malformed),
                _ => {}
            }
        }
        let key = entry(&self.keys, key.ok_or(Malformed)?)?;
        let foreign = match hash_key {
            Some(index) => *entry(&self.foreign, index)?,
            None => key.foreign,
        };
        Ok(Inner { partition_key: key.text, payload: data.ok_or(Malformed)?, foreign })
    }
}

fn entry<T>(table: &[T], index: u64) -> Result<&T, Malformed> {
    usize::try_from(index).ok().and_then(|index| table.get(index)).ok_or(Malformed)
}

/// Kinesis takes partition keys of 1 to 256 characters
/// (<https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html>).
fn partition_key(key: &[u8]) -> Result<&str, Malformed> {
    let key = std::str::from_utf8(key).map_err(|_| Malformed)?;
    if (1..=256).contains(&key.chars().count()) { Ok(key) } else { Err(Malformed) }
}

/// An explicit hash key is a decimal number below 2^128.
fn hash_key(key: &[u8]) -> Result<u128, Malformed> {
    if !key.iter().all(u8::is_ascii_digit) {
        return Err(Malformed);
    }
    std::str::from_utf8(key).ok().and_then(|digits| digits.parse().ok()).ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;
    use prost::Message;

    use super::*;

    /// The same messages as another implementation reads and writes them.
    #[derive(Clone, PartialEq, Message)]
    struct AggregatedRecord {
        #[prost(string, repeated, tag = "1")]
        partition_key_table: Vec<String>,
        #[prost(string, repeated, tag = "2")]
        explicit_hash_key_table: Vec<String>,
        #[prost(message, repeated, tag = "3")]
        records: Vec<Record>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Record {
        #[prost(uint64, optional, tag = "1")]
        partition_key_index: Option<u64>,
        #[prost(uint64, optional, tag = "2")]
        explicit_hash_key_index: Option<u64>,
        #[prost(bytes = "vec", optional, tag = "3")]
        data: Option<Vec<u8>>,
    }

    fn seal(body: &[u8]) -> Vec<u8> {
        [MAGIC, body, Md5::digest(body).as_slice()].concat()
    }

    /// One key and `count` records of it without data.
    fn smallest(count: usize) -> Vec<u8> {
        let body = [b"\x0a\x01k".as_slice(), &b"\x1a\x04\x08\x00\x1a\x00".repeat(count)].concat();
        seal(&body)
    }

    fn assert_agrees(inner: &[Inner<'_>], body: &[u8]) {
        let reference = AggregatedRecord::decode(body).expect("what we take, the reference takes");
        assert_eq!(inner.len(), reference.records.len());
        for (ours, theirs) in inner.iter().zip(&reference.records) {
            let key = theirs.partition_key_index.expect("an index");
            let key = usize::try_from(key).expect("small");
            assert_eq!(ours.partition_key, reference.partition_key_table[key]);
            assert_eq!(Some(ours.payload), theirs.data.as_deref());
            if let Some(index) = theirs.explicit_hash_key_index {
                let index = usize::try_from(index).expect("small");
                reference.explicit_hash_key_table[index].parse::<u128>().expect("a hash key");
            }
        }
    }

    #[test]
    fn tables_may_follow_the_records_that_point_into_them() {
        let blob = seal(b"\x1a\x06\x08\x00\x10\x00\x1a\x00\x12\x017\x0a\x03JFK");
        let expected = Inner { partition_key: "JFK", payload: b"", foreign: false };
        assert_eq!(unpack(&blob, None), Some(vec![expected]));
        assert_eq!(unpack(&blob, Some(&(0..=7))), Some(vec![expected]));
        assert_eq!(unpack(&blob, Some(&(8..=u128::MAX))), Some(vec![Inner { foreign: true, ..expected }]));
    }

    #[test]
    fn tags_and_unknown_fields_are_skipped() {
        let blob = seal(b"\x0a\x01k\x1a\x0c\x08\x00\x1a\x01x\x22\x05\x0a\x03tag\x48\x01");
        assert_eq!(unpack(&blob, None), Some(vec![Inner { partition_key: "k", payload: b"x", foreign: false }]));
    }

    #[test]
    fn as_many_records_as_fit_an_invocation_are_unpacked() {
        let blob = smallest(750_000);
        let inner = unpack(&blob, Some(&(0..=0))).expect("an aggregate");
        assert_eq!(inner.len(), 750_000);
        assert!(inner.iter().all(|inner| inner.foreign), "one hash for all: they share a key");
    }

    #[test]
    fn lengths_and_indexes_that_lie_are_plain_data() {
        for body in [
            &b"\x0a\x01k\x1a\xff\xff\xff\xff\x0f\x08\x00\x1a\x00"[..],
            b"\x0a\x01k\x1a\x0d\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x1a\x00",
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01k\x1a\x04\x08\x00\x1a\x00",
            b"\x08\x01\x1a\x04\x08\x00\x1a\x00",
            b"\x0a\x01\xff\x1a\x04\x08\x00\x1a\x00",
        ] {
            assert_eq!(unpack(&seal(body), None), None, "{body:x?}");
        }
    }

    prop_compose! {
        fn arb_aggregate()(
            keys in prop::collection::vec("\\PC{1,10}", 1..5),
            hash_keys in prop::collection::vec(any::<u128>(), 1..5),
            records in prop::collection::vec(
                (any::<Index>(), any::<Option<Index>>(), prop::collection::vec(any::<u8>(), 0..20)), 1..20
            ),
        ) -> AggregatedRecord {
            let at = |index: &Index, table: usize| Some(index.index(table) as u64);
            let records = records.iter().map(|(key, hash_key, data)| Record {
                partition_key_index: at(key, keys.len()),
                explicit_hash_key_index: hash_key.as_ref().and_then(|index| at(index, hash_keys.len())),
                data: Some(data.clone()),
            }).collect();
            let explicit_hash_key_table = hash_keys.iter().map(u128::to_string).collect();
            AggregatedRecord { partition_key_table: keys, explicit_hash_key_table, records }
        }
    }

    /// Sets some bytes, then cuts.
    fn damage(bytes: &mut Vec<u8>, hits: &[(Index, u8)], cut: Option<Index>) {
        for (at, byte) in hits {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
    }

    proptest! {
        #[test]
        fn what_the_reference_packs_is_unpacked(aggregate in arb_aggregate()) {
            let body = aggregate.encode_to_vec();
            let blob = seal(&body);
            assert_agrees(&unpack(&blob, None).expect("an aggregate"), &body);
        }

        #[test]
        fn a_record_is_foreign_if_its_place_lies_outside_the_range(
            aggregate in arb_aggregate(), first in any::<u128>(), last in any::<u128>()
        ) {
            let range = first.min(last)..=first.max(last);
            let blob = seal(&aggregate.encode_to_vec());
            let inner = unpack(&blob, Some(&range)).expect("an aggregate");
            for (inner, record) in inner.iter().zip(&aggregate.records) {
                let place = record.explicit_hash_key_index.map_or_else(
                    || partition_hash(inner.partition_key),
                    |index| aggregate.explicit_hash_key_table[usize::try_from(index).unwrap()].parse().unwrap(),
                );
                prop_assert_eq!(inner.foreign, !range.contains(&place));
            }
        }

        #[test]
        fn a_damaged_body_with_a_right_checksum_never_panics_and_never_reads_otherwise_than_the_reference(
            aggregate in arb_aggregate(),
            hits in prop::collection::vec((any::<Index>(), any::<u8>()), 0..4),
            cut in any::<Option<Index>>(),
        ) {
            let mut body = aggregate.encode_to_vec();
            damage(&mut body, &hits, cut);
            let blob = seal(&body);
            if let Some(inner) = unpack(&blob, Some(&(0..=u128::MAX / 2))) {
                assert_agrees(&inner, &body);
            }
        }

        #[test]
        fn damage_anywhere_makes_plain_data(
            aggregate in arb_aggregate(),
            hits in prop::collection::vec((any::<Index>(), any::<u8>()), 0..4),
            cut in any::<Option<Index>>(),
        ) {
            let whole = seal(&aggregate.encode_to_vec());
            let mut damaged = whole.clone();
            damage(&mut damaged, &hits, cut);
            prop_assert_eq!(unpack(&damaged, None).is_some(), damaged == whole);
        }
    }
}
