//! The two hashes of a key: where Kinesis puts it, and which part of the state it lies in.

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

/// Where Kinesis places a partition key: the MD5 of its UTF-8 text as a big-endian number. A shard owns an inclusive
/// range of these (<https://docs.aws.amazon.com/kinesis/latest/APIReference/API_HashKeyRange.html>).
pub fn partition_hash(partition_key: &str) -> u128 {
    u128::from_be_bytes(Md5::digest(partition_key.as_bytes()).into())
}

/// Which part of a shard's state a key's bytes lie in: XXH3, 64 bits, seed 0. Stored state depends on it for ever.
pub fn part_hash(key: &[u8]) -> u64 {
    XxHash3_64::oneshot(key)
}

/// What distinguishes values whose number is estimated: XXH3, 64 bits, seed 0. Stored sketches depend on it for ever.
pub(crate) fn value_hash(value: &[u8]) -> u64 {
    XxHash3_64::oneshot(value)
}

/// An inclusive range of [`part_hash`] values: one part of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartRange {
    /// First hash inside.
    pub first: u64,
    /// Last hash inside.
    pub last: u64,
}

impl PartRange {
    /// All keys.
    pub const ALL: Self = Self { first: 0, last: u64::MAX };

    /// Whether the key with these bytes lies inside.
    pub fn contains(&self, key: &[u8]) -> bool {
        (self.first..=self.last).contains(&part_hash(key))
    }
}

/// An inclusive range of [`partition_hash`] values: what a shard owns. Stored as two hexadecimal numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HashRange {
    /// First hash inside.
    #[serde(with = "hexadecimal")]
    pub first: u128,
    /// Last hash inside.
    #[serde(with = "hexadecimal")]
    pub last: u128,
}

impl HashRange {
    /// All partition keys.
    pub const ALL: Self = Self { first: 0, last: u128::MAX };

    /// Whether a hash lies inside.
    pub fn contains(&self, hash: u128) -> bool {
        (self.first..=self.last).contains(&hash)
    }

    /// What lies in both; `None` if nothing does.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let both = Self { first: self.first.max(other.first), last: self.last.min(other.last) };
        (both.first <= both.last).then_some(both)
    }
}

/// Numbers of 128 bits as text: not every reader of stored bytes has such numbers.
pub(crate) mod hexadecimal {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(number: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{number:02x}"))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_stay_what_they_are() {
        // MD5("JFK") by `printf JFK | md5sum`; XXH3 of the empty input from its reference implementation.
        assert_eq!(format!("{:032x}", partition_hash("JFK")), "e8178f8f26527f80a53bfc4c51e7812b");
        assert_eq!(part_hash(b""), 0x2d06_8005_38d3_94c2);
        assert_eq!(value_hash(b""), 0x2d06_8005_38d3_94c2);
    }
}
