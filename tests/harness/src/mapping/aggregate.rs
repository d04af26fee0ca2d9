//! Records that a producer packed into one, which enhanced fan-out hands out singly.
//!
//! Format: <https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md>

use std::ops::RangeInclusive;

use ferrokinesis::sequence::partition_key_to_hash_key;
use md5::{Digest, Md5};
use prost::Message;

use crate::emulators::Record;

const MAGIC: &[u8] = &[0xf3, 0x89, 0x9a, 0xc2];

#[derive(Clone, PartialEq, Message)]
struct Aggregate {
    #[prost(string, repeated, tag = "1")]
    partition_keys: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    explicit_hash_keys: Vec<String>,
    #[prost(message, repeated, tag = "3")]
    records: Vec<Inner>,
}

#[derive(Clone, PartialEq, Message)]
struct Inner {
    #[prost(uint64, required, tag = "1")]
    partition_key: u64,
    #[prost(uint64, optional, tag = "2")]
    explicit_hash_key: Option<u64>,
    #[prost(bytes = "vec", required, tag = "3")]
    data: Vec<u8>,
}

/// What enhanced fan-out makes of a record.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// What is handed out: the record itself if it is no aggregate, else those inside, all under its sequence number.
    pub(super) records: Vec<Record>,
    /// How many of an aggregate are left out, for nobody to hear of.
    pub(super) lost: usize,
}

/// Takes a record apart, if it is an aggregate, as a consumer of a shard with these hash keys gets it. What does not
/// belong to the shard is left out: the whole aggregate if `whole`, else those records alone. A malformed aggregate is
/// handed out as it is.
pub(super) fn parts(record: Record, shard: &RangeInclusive<u128>, whole: bool) -> Parts {
    let Some(inner) = unpack(&record.data) else {
        return Parts { records: vec![record], lost: 0 };
    };
    let count = inner.len();
    let is_own = |(_, hash, _): &(String, u128, Vec<u8>)| shard.contains(hash);
    if whole && !inner.iter().all(is_own) {
        return Parts { records: Vec::new(), lost: count };
    }
    let own = inner.into_iter().filter(is_own).map(|(partition_key, _, data)| Record {
        partition_key,
        data: base64_simd::STANDARD.encode_to_string(data),
        ..record.clone()
    });
    let records: Vec<Record> = own.collect();
    Parts { lost: count - records.len(), records }
}

/// The records inside: partition key, hash key and data. `None` if it is no aggregate, or none that fits the format.
fn unpack(data: &str) -> Option<Vec<(String, u128, Vec<u8>)>> {
    let data = base64_simd::STANDARD.decode_to_vec(data).ok()?;
    let (body, checksum) = data.strip_prefix(MAGIC)?.split_last_chunk::<16>()?;
    if Md5::digest(body).as_slice() != checksum {
        return None;
    }
    let Aggregate { partition_keys, explicit_hash_keys, records } = Aggregate::decode(body).ok()?;
    let at = |table: &[String], index: u64| table.get(usize::try_from(index).ok()?).cloned();
    let inner = |Inner { partition_key, explicit_hash_key, data }| {
        let key = at(&partition_keys, partition_key)?;
        let hash = match explicit_hash_key {
            Some(index) => at(&explicit_hash_keys, index)?.parse().ok()?,
            None => partition_key_to_hash_key(&key),
        };
        Some((key, hash, data))
    };
    let inner: Option<Vec<_>> = records.into_iter().map(inner).collect();
    inner.filter(|inner| !inner.is_empty())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An aggregate of records, each with its key, its explicit hash key and its data.
    fn packed(records: &[(&str, Option<u128>, &str)]) -> Vec<u8> {
        let mut aggregate = Aggregate::default();
        for (index, (key, hash, data)) in (0..).zip(records) {
            aggregate.partition_keys.push((*key).to_owned());
            let explicit_hash_key = hash.map(|hash| {
                aggregate.explicit_hash_keys.push(hash.to_string());
                aggregate.explicit_hash_keys.len() as u64 - 1
            });
            let data = data.as_bytes().to_vec();
            aggregate.records.push(Inner { partition_key: index, explicit_hash_key, data });
        }
        let body = aggregate.encode_to_vec();
        [MAGIC, &body, Md5::digest(&body).as_slice()].concat()
    }

    fn record(data: &[u8]) -> Record {
        Record {
            sequence_number: String::from("7"),
            partition_key: String::from("outer"),
            data: base64_simd::STANDARD.encode_to_string(data),
            approximate_arrival_timestamp: 1.5,
        }
    }

    fn handed_out(data: &[u8], shard: &RangeInclusive<u128>, whole: bool) -> (Vec<String>, usize) {
        let Parts { records, lost } = parts(record(data), shard, whole);
        assert!(
            records.iter().all(|record| record.sequence_number == "7" && record.approximate_arrival_timestamp == 1.5)
        );
        let data = |record: &Record| base64_simd::STANDARD.decode_to_vec(&record.data).unwrap();
        let text = |record: &Record| format!("{}={}", record.partition_key, String::from_utf8_lossy(&data(record)));
        (records.iter().map(text).collect(), lost)
    }

    const ALL: RangeInclusive<u128> = 0..=u128::MAX;

    #[test]
    fn an_aggregate_is_taken_apart() {
        let data = packed(&[("a", None, "1"), ("b", Some(9), "2")]);
        assert_eq!(handed_out(&data, &ALL, true), (vec![String::from("a=1"), String::from("b=2")], 0));
    }

    #[test]
    fn what_belongs_to_another_shard_is_lost_with_the_rest_or_alone() {
        let data = packed(&[("a", Some(5), "1"), ("b", Some(50), "2"), ("c", Some(6), "3")]);
        assert_eq!(handed_out(&data, &(0..=9), true), (vec![], 3));
        assert_eq!(handed_out(&data, &(0..=9), false), (vec![String::from("a=1"), String::from("c=3")], 1));
        // Without an explicit one, the hash of the partition key counts.
        let hash = partition_key_to_hash_key("a");
        let data = packed(&[("a", None, "1")]);
        assert_eq!(handed_out(&data, &(hash..=hash), true).1, 0);
        assert_eq!(handed_out(&data, &(hash + 1..=u128::MAX), true).1, 1);
    }

    #[test]
    fn what_does_not_fit_the_format_stays_as_it_is() {
        let whole = packed(&[("a", None, "1")]);
        let mut damaged = whole.clone();
        *damaged.last_mut().unwrap() ^= 1;
        let body = Aggregate { records: vec![Inner { partition_key: 3, ..Inner::default() }], ..Aggregate::default() };
        let body = body.encode_to_vec();
        let lost_key = [MAGIC, &body, Md5::digest(&body).as_slice()].concat();
        for data in [b"plain".as_slice(), MAGIC, &damaged, &lost_key, &packed(&[])] {
            assert_eq!(parts(record(data), &ALL, true).records[0].partition_key, "outer");
        }
    }
}
