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
