//! HyperLogLog: how many different hashes were seen, in a few kilobytes.
//!
//! The state is a function of the set of hashes alone, never of their order or of when states were encoded or merged. It
//! begins sparse, as one entry for each prefix of 25 bits (HyperLogLog++, Heule et al., EDBT 2013), and becomes 2^p
//! registers of 6 bits when that is smaller. Estimates use Ertl's improved raw estimator ("New cardinality estimation
//! algorithms for HyperLogLog sketches", 2017, algorithm 6): it needs no tables of biases, and only operations that IEEE
//! 754 rounds exactly, so that every machine gives the same number.

use std::iter;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Bits of a hash that a sparse entry tells apart.
const PREFIX_BITS: u8 = 25;
/// Bits of an entry or register that hold a rank: the place of the first 1 behind the prefix, from 1.
const RANK_BITS: u8 = 6;

/// A set of hashes, as far as HyperLogLog remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Encoded", try_from = "Encoded")]
pub enum HyperLogLog {
    /// Ascending; one entry for each prefix, with its highest rank: `prefix << 6 | rank`.
    Sparse(Vec<u32>),
    /// The highest rank in each register: 2^p bytes.
    Dense(Vec<u8>),
}

impl HyperLogLog {
    /// No hashes.
    pub(super) const fn new() -> Self {
        Self::Sparse(Vec::new())
    }

    /// Takes a hash in. The precision p is 4 to 16, and the same for ever.
    pub(super) fn insert(&mut self, hash: u64, precision: u8) {
        self.insert_entry(entry(hash), precision);
    }

    /// Takes all of the other's hashes in. Both have the same precision.
    pub(super) fn merge(&mut self, other: Self, precision: u8) {
        match (&mut *self, other) {
            (_, Self::Sparse(entries)) => entries.into_iter().for_each(|entry| self.insert_entry(entry, precision)),
            (Self::Dense(into), Self::Dense(from)) => {
                into.iter_mut().zip(from).for_each(|(into, from)| *into = from.max(*into));
            }
            (Self::Sparse(_), dense) => {
                let sparse = std::mem::replace(self, dense);
                self.merge(sparse, precision);
            }
        }
    }

    /// About how many different hashes were taken in.
    pub(super) fn estimate(&self) -> u64 {
        match self {
            Self::Sparse(entries) => entries.len() as u64,
            Self::Dense(registers) => estimate(registers).round() as u64,
        }
    }

    fn insert_entry(&mut self, new: u32, precision: u8) {
        match self {
            Self::Dense(registers) => raise(registers, new),
            Self::Sparse(entries) => {
                let prefix = new >> RANK_BITS;
                let place = entries.partition_point(|old| old >> RANK_BITS < prefix);
                match entries.get_mut(place) {
                    Some(old) if *old >> RANK_BITS == prefix => *old = new.max(*old),
                    _ => entries.insert(place, new),
                }
                if size_of::<u32>() * entries.len() > packed_len(1 << precision) {
                    let mut registers = vec![0; 1 << precision];
                    entries.iter().for_each(|entry| raise(&mut registers, *entry));
                    *self = Self::Dense(registers);
                }
            }
        }
    }
}

/// Bytes that so many registers are encoded in.
const fn packed_len(registers: usize) -> usize {
    registers / 4 * 3
}

fn entry(hash: u64) -> u32 {
    let prefix = hash >> (u64::BITS - u32::from(PREFIX_BITS));
    let rank = rank(hash << PREFIX_BITS, u64::BITS as u8 - PREFIX_BITS);
    (prefix as u32) << RANK_BITS | u32::from(rank)
}

/// The place of the first 1 among the highest `width` bits, from 1; `width` + 1 if there is none.
fn rank(bits: u64, width: u8) -> u8 {
    width.min(bits.leading_zeros() as u8) + 1
}

/// Raises the register of an entry to its rank there.
fn raise(registers: &mut [u8], entry: u32) {
    let precision = registers.len().trailing_zeros() as u8;
    let (prefix, behind) = (u64::from(entry >> RANK_BITS), (entry & ((1 << RANK_BITS) - 1)) as u8);
    let (index, between) = (prefix >> (PREFIX_BITS - precision), PREFIX_BITS - precision);
    let within = rank(prefix << (u64::BITS as u8 - between), between);
    let rank = if within <= between { within } else { between + behind };
    let register = &mut registers[index as usize];
    *register = rank.max(*register);
}

fn estimate(registers: &[u8]) -> f64 {
    const ALPHA: f64 = 0.5 / std::f64::consts::LN_2;
    let m = registers.len() as f64;
    let highest = u64::BITS as usize + 1 - registers.len().trailing_zeros() as usize;
    let mut counts = [0.0; u64::BITS as usize];
    registers.iter().for_each(|rank| counts[usize::from(*rank)] += 1.0);
    let full = m * tau(1.0 - counts[highest] / m);
    let middle = counts[1..highest].iter().rev().fold(full, |z, count| 0.5 * (z + count));
    ALPHA * m * m / (middle + m * sigma(counts[0] / m))
}

/// x + Σ x^(2^k) 2^(k-1) for k from 1.
fn sigma(x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let powers = iter::successors(Some((x * x, 1.0)), |(power, factor)| Some((power * power, factor * 2.0)));
    sum_until_still(x, powers.map(|(power, factor)| power * factor))
}

/// (1 - x - Σ (1 - x^(2^-k))² 2^-k for k from 1) / 3.
fn tau(x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let roots = iter::successors(Some((x.sqrt(), 0.5)), |(root, factor)| Some((root.sqrt(), factor * 0.5)));
    sum_until_still(1.0 - x, roots.map(|(root, factor)| -(1.0 - root) * (1.0 - root) * factor)) / 3.0
}

fn sum_until_still(mut sum: f64, terms: impl Iterator<Item = f64>) -> f64 {
    for term in terms {
        let next = sum + term;
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

/// The stored form: entries as four bytes each, big-endian; registers as four in three bytes, the first in the high bits.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Encoded {
    Sparse(ByteBuf),
    Dense(ByteBuf),
}

impl From<HyperLogLog> for Encoded {
    fn from(sketch: HyperLogLog) -> Self {
        match sketch {
            HyperLogLog::Sparse(entries) => {
                Self::Sparse(entries.into_iter().flat_map(u32::to_be_bytes).collect::<Vec<_>>().into())
            }
            HyperLogLog::Dense(registers) => {
                let four = |ranks: &[u8]| ranks.iter().fold(0, |bits, rank| bits << RANK_BITS | u32::from(*rank));
                let bytes = registers.chunks(4).flat_map(|ranks| four(ranks).to_be_bytes().into_iter().skip(1));
                Self::Dense(bytes.collect::<Vec<_>>().into())
            }
        }
    }
}

impl TryFrom<Encoded> for HyperLogLog {
    type Error = &'static str;

    fn try_from(encoded: Encoded) -> Result<Self, Self::Error> {
        match encoded {
            Encoded::Sparse(bytes) => {
                let (entries, []) = bytes.as_chunks::<4>() else { return Err("sparse entries have four bytes each") };
                let entries: Vec<u32> = entries.iter().map(|bytes| u32::from_be_bytes(*bytes)).collect();
                let sound = entries.iter().all(|entry| (1..=40).contains(&(entry & 63)) && entry >> 31 == 0);
                let ascending = entries.is_sorted_by(|a, b| a >> RANK_BITS < b >> RANK_BITS);
                if sound && ascending { Ok(Self::Sparse(entries)) } else { Err("sparse entries are out of order") }
            }
            Encoded::Dense(bytes) => {
                let registers: Vec<u8> = bytes.chunks(3).flat_map(unpack).collect();
                let highest = u64::BITS + 1 - registers.len().trailing_zeros();
                let known = (4..=16).any(|precision| bytes.len() == packed_len(1 << precision));
                if known && registers.iter().all(|rank| u32::from(*rank) <= highest) {
                    Ok(Self::Dense(registers))
                } else {
                    Err("these are no 2^4 to 2^16 registers")
                }
            }
        }
    }
}

fn unpack(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let bits = bytes.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
    [18, 12, 6, 0].into_iter().map(move |shift| (bits >> shift) as u8 & 63)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    const PRECISION: u8 = 12;

    /// Hashes as good as random: the finaliser of SplitMix64.
    fn hash(n: u64) -> u64 {
        let mut z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn sketch(hashes: impl IntoIterator<Item = u64>, precision: u8) -> HyperLogLog {
        let mut sketch = HyperLogLog::new();
        hashes.into_iter().for_each(|hash| sketch.insert(hash, precision));
        sketch
    }

    #[test]
    fn a_register_is_the_same_by_way_of_an_entry_as_from_the_whole_hash() {
        let zeros = (0..64).map(|n| u64::MAX >> n).chain([0, 1 << 39, 1 << 52, 1 << 51]);
        for hash in (0..10_000).map(hash).chain(zeros) {
            for precision in [4, 12, 16] {
                let mut registers = vec![0; 1 << precision];
                raise(&mut registers, entry(hash));
                let index = (hash >> (64 - precision)) as usize;
                assert_eq!(registers[index], rank(hash << precision, 64 - precision), "{hash:x} at {precision}");
            }
        }
    }

    #[test]
    fn of_hashes_with_one_prefix_the_highest_rank_is_kept() {
        let (high, low) = (1 << 63 | 1, 1 << 63 | 1 << 38);
        let both = sketch([high, low], PRECISION);
        assert_eq!(both, sketch([low, high, low], PRECISION));
        assert_eq!(both, HyperLogLog::Sparse(vec![entry(high)]));
    }

    #[test]
    fn estimates_stay_within_four_standard_errors_at_every_size() {
        for precision in [4, 8, 12, 16] {
            let error = 4.0 * 1.04 / f64::from(1_u32 << precision).sqrt();
            let mut sketch = HyperLogLog::new();
            for n in 1..=300_000_u64 {
                sketch.insert(hash(n), precision);
                if n % 997 == 0 || n < 100 {
                    let off = (sketch.estimate() as f64 - n as f64).abs();
                    assert!(off <= 1.0 + error * n as f64, "p {precision}: {} for {n}", sketch.estimate());
                }
            }
        }
    }

    #[test]
    fn few_values_are_counted_exactly_and_take_four_bytes_each() {
        let few = sketch((0..768).map(hash), PRECISION);
        assert_eq!(few.estimate(), 768);
        assert_eq!(codec::encode(&few).expect("encodes").len(), 4 * 768 + 11);
        let more = sketch((0..769).map(hash), PRECISION);
        assert!(matches!(more, HyperLogLog::Dense(_)));
        assert_eq!(codec::encode(&more).expect("encodes").len(), 3_072 + 10);
    }

    #[test]
    fn extreme_hashes_neither_overflow_nor_panic() {
        let mut full = HyperLogLog::Dense(vec![0; 16]);
        (0..16_u64).for_each(|n| full.insert(n << 60, 4));
        assert_eq!(full, HyperLogLog::Dense(vec![61; 16]));
        assert_eq!(full.estimate(), u64::MAX);
        let bytes = codec::encode(&full).expect("encodes");
        assert_eq!(codec::decode::<HyperLogLog>(&bytes), Ok(full));
        assert_eq!(HyperLogLog::Dense(vec![0; 16]).estimate(), 0);
    }

    #[test]
    fn stored_bytes_stay_what_they_are() {
        let bytes = |sketch| codec::encode(&sketch).expect("encodes");
        let sparse = [&b"\xa1\x66sparse\x48"[..], &[0, 0, 0, 0x28, 0x40, 0, 0, 1]].concat();
        assert_eq!(bytes(sketch([1 << 63 | 1 << 38, 0], PRECISION)), sparse);
        let ranks = [61, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5];
        let packed = [0xf4, 0x10, 0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0x05];
        let dense = [&b"\xa1\x65dense\x4c"[..], &packed].concat();
        assert_eq!(bytes(HyperLogLog::Dense(ranks.to_vec())), dense);
        for stored in [sparse, dense] {
            let sketch: HyperLogLog = codec::decode(&stored).expect("decodes");
            assert_eq!(bytes(sketch), stored);
        }
    }

    #[test]
    fn damaged_bytes_are_refused() {
        for (name, bytes) in [
            ("sparse", &[0, 0, 0][..]),
            ("sparse", &[0, 0, 0, 0]),
            ("sparse", &[0, 0, 1, 1, 0, 0, 0, 1]),
            ("dense", &[]),
            ("dense", &[0; 13]),
            ("dense", &[0xff; 12]),
        ] {
            let stored =
                codec::encode(&iter::once((name, ByteBuf::from(bytes))).collect::<std::collections::BTreeMap<_, _>>());
            assert!(codec::decode::<HyperLogLog>(&stored.expect("encodes")).is_err(), "{name} {bytes:?}");
        }
    }
}
