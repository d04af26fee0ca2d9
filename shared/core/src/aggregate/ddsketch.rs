//! DDSketch: quantiles with a bounded relative error, by counting values in buckets.
//!
//! Masson, Rim and Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees" (VLDB
//! 2019), with the paper's fast mapping: the exponent and the first `bits` bits of the mantissa name the bucket, so each
//! octave is divided into 2^bits of equal width. A value's bucket depends on its own bits alone, not on a logarithm that
//! every platform rounds in its own way, and buckets never collapse: the sketch is a function of the multiset of values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::sum::add_total;
use crate::Reject;

const MANTISSA_BITS: u32 = f64::MANTISSA_DIGITS - 1;
/// The exponent that infinity has.
const INFINITE: i32 = 0x7ff;

/// The finest division of an octave: 2^16 buckets.
const MOST_BITS: u8 = 16;

/// The key of NaN under it.
const HIGHEST: u64 = (INFINITE as u64) << MOST_BITS | 1;

/// How finely an octave is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    bits: u8,
}

impl Mapping {
    /// The coarsest that keeps the relative error at most `accuracy`, or the finest there is.
    pub(super) fn with_accuracy(accuracy: f64) -> Self {
        let bits = (0..MOST_BITS).find(|bits| Self { bits: *bits }.accuracy() <= accuracy);
        Self { bits: bits.unwrap_or(MOST_BITS) }
    }

    /// log2 of the buckets of an octave.
    pub(super) const fn bits(self) -> u8 {
        self.bits
    }

    /// The largest relative error of a value that stands for its bucket.
    fn accuracy(self) -> f64 {
        1.0 / f64::from((2 << self.bits) + 1)
    }

    /// The bucket of a value: negative for negative values, 0 for those below the smallest normal number, and of NaN,
    /// whatever its sign, the one behind infinity's.
    fn key(self, value: f64) -> i32 {
        let magnitude = value.abs();
        if value.is_nan() {
            (INFINITE << self.bits) + 1
        } else if magnitude < f64::MIN_POSITIVE {
            0
        } else {
            let key = (magnitude.to_bits() >> (MANTISSA_BITS - u32::from(self.bits))) as i32;
            if value < 0.0 { -key } else { key }
        }
    }

    /// The value that stands for a bucket: the harmonic mean of its bounds, from which both are equally far away.
    fn value(self, key: i32) -> f64 {
        let infinite = INFINITE << self.bits;
        let magnitude = match key.abs() {
            0 => 0.0,
            key if key > infinite => f64::NAN,
            key if key == infinite => f64::INFINITY,
            key => {
                let lower = f64::from_bits((key as u64) << (MANTISSA_BITS - u32::from(self.bits)));
                let (buckets, place) = (1 << self.bits, key & ((1 << self.bits) - 1));
                lower + lower / f64::from(2 * (buckets + place) + 1)
            }
        };
        if key < 0 { -magnitude } else { magnitude }
    }
}

/// How many values each bucket holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Encoded", try_from = "Encoded")]
pub struct DdSketch(BTreeMap<i32, u64>);

impl DdSketch {
    /// Counts a value.
    pub(super) fn add(&mut self, value: f64, mapping: Mapping) -> Result<(), Reject> {
        self.add_to(mapping.key(value), 1)
    }

    /// Counts all values of the other, which has the same mapping.
    pub(super) fn merge(&mut self, other: Self) -> Result<(), Reject> {
        other.0.into_iter().try_for_each(|(key, count)| self.add_to(key, count))
    }

    fn add_to(&mut self, key: i32, more: u64) -> Result<(), Reject> {
        let count = self.0.entry(key).or_default();
        *count = add_total(*count, more)?;
        Ok(())
    }

    /// Whether there are no values.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// About the value with rank ⌊q (n - 1)⌋, counted from 0, of the n values in order; NaN if there are none. `q` is 0
    /// to 1.
    pub(super) fn quantile(&self, q: f64, mapping: Mapping) -> f64 {
        let total = self.0.values().fold(0, |sum: u64, count| sum.saturating_add(*count));
        let rank = (q * total.saturating_sub(1) as f64) as u64;
        let mut up_to = 0_u64;
        let reached = self.0.iter().find(|(_, count)| {
            up_to = up_to.saturating_add(**count);
            up_to > rank
        });
        // A rank that was rounded up behind the last value, beyond 2^53 of them, means the last.
        reached.or_else(|| self.0.last_key_value()).map_or(f64::NAN, |(key, _)| mapping.value(*key))
    }
}

/// The stored form: the first key, then the gap to each next one; and the count of each.
#[derive(Serialize, Deserialize)]
struct Encoded {
    keys: Vec<i64>,
    counts: Vec<u64>,
}

impl From<DdSketch> for Encoded {
    fn from(DdSketch(buckets): DdSketch) -> Self {
        let mut last = 0;
        let gap = |key: &i32| {
            let key = i64::from(*key);
            key - std::mem::replace(&mut last, key)
        };
        Self { keys: buckets.keys().map(gap).collect(), counts: buckets.into_values().collect() }
    }
}

impl TryFrom<Encoded> for DdSketch {
    type Error = &'static str;

    fn try_from(Encoded { keys, counts }: Encoded) -> Result<Self, Self::Error> {
        if keys.len() != counts.len() || counts.contains(&0) {
            return Err("each bucket has one key and a count above 0");
        }
        if keys.iter().skip(1).any(|gap| *gap <= 0) {
            return Err("buckets are out of order");
        }
        let mut key = 0_i64;
        let add = |gap: i64| {
            key = key.checked_add(gap)?;
            let known = key.abs_diff(0) <= HIGHEST;
            i32::try_from(key).ok().filter(|_| known)
        };
        let keys: Option<Vec<i32>> = keys.into_iter().map(add).collect();
        Ok(Self(keys.ok_or("a bucket is out of range")?.into_iter().zip(counts).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    const MAPPING: Mapping = Mapping { bits: 6 };

    fn sketch(values: &[f64]) -> DdSketch {
        let mut sketch = DdSketch::default();
        values.iter().for_each(|value| sketch.add(*value, MAPPING).expect("adds"));
        sketch
    }

    #[test]
    fn the_mapping_is_the_coarsest_that_is_accurate_enough() {
        let bits = |accuracy| Mapping::with_accuracy(accuracy).bits();
        assert_eq!((bits(0.5), bits(0.05), bits(0.01), bits(0.001), bits(0.000_01)), (0, 4, 6, 9, 16));
        assert_eq!((bits(0.0), bits(f64::NAN)), (16, 16));
    }

    #[test]
    fn the_bounds_of_every_bucket_are_within_the_accuracy() {
        for bits in [0, 1, 6, 16] {
            let mapping = Mapping { bits };
            let accuracy = mapping.accuracy() * (1.0 + 1e-12);
            let buckets = [1, 1022, 1023, 1024, 2046].map(|exponent: i32| exponent << bits);
            for first in buckets {
                for key in [first, first + (1 << bits) / 2, first + (1 << bits) - 1] {
                    let bits_of = |key: i32| (key as u64) << (MANTISSA_BITS - u32::from(bits));
                    let (lower, upper) = (f64::from_bits(bits_of(key)), f64::from_bits(bits_of(key + 1) - 1));
                    for value in [lower, upper, -lower, -upper] {
                        let key = mapping.key(value);
                        let stands = mapping.value(key);
                        assert!((stands / value - 1.0).abs() <= accuracy, "{stands} for {value}, {bits} bits");
                        assert_eq!(mapping.key(stands), key);
                    }
                }
            }
        }
    }

    #[test]
    fn zeros_infinities_and_nan_have_buckets_of_their_own() {
        for value in [0.0, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(MAPPING.value(MAPPING.key(value)), value);
        }
        assert_eq!(MAPPING.key(-0.0), 0);
        assert_eq!(MAPPING.key(f64::MIN_POSITIVE / 2.0), 0);
        assert!(MAPPING.value(MAPPING.key(f64::NAN)).is_nan());
        assert_eq!(MAPPING.key(-f64::NAN), MAPPING.key(f64::NAN), "the sign of a NaN differs between processors");
        let mixed = sketch(&[f64::NAN, 1.0, f64::NEG_INFINITY]);
        let at = |q| mixed.quantile(q, MAPPING);
        assert_eq!(at(0.0), f64::NEG_INFINITY);
        assert!((at(0.5) - 1.0).abs() < 0.01);
        assert!(at(1.0).is_nan());
        assert!(sketch(&[]).quantile(0.5, MAPPING).is_nan());
    }

    #[test]
    fn a_count_that_would_overflow_is_refused() {
        let mut full = DdSketch(BTreeMap::from([(0, u64::MAX), (1, u64::MAX)]));
        assert!(full.add(0.0, MAPPING).is_err());
        assert_eq!(full.quantile(1.0, MAPPING), MAPPING.value(1));
    }

    #[test]
    fn stored_bytes_stay_what_they_are() {
        let bytes = codec::encode(&sketch(&[1.0, 1.0, 1.02, -1.0])).expect("encodes");
        let keys = [&b"\xa2\x64keys\x83\x39\xff\xbf\x1a\x00\x01\xff\x80\x01"[..], b"\x66counts\x83\x01\x02\x01"];
        assert_eq!(bytes, keys.concat());
        assert_eq!(codec::decode(&bytes), Ok(sketch(&[-1.0, 1.0, 1.02, 1.0])));
    }

    #[test]
    fn damaged_bytes_are_refused() {
        for (keys, counts) in [
            (vec![1], vec![]),
            (vec![1], vec![0]),
            (vec![1, 0], vec![1, 1]),
            (vec![1 << 40], vec![1]),
            (vec![i32::MIN.into()], vec![1]),
            (vec![i64::MAX, 1], vec![1, 1]),
        ] {
            let bytes = codec::encode(&Encoded { keys, counts }).expect("encodes");
            assert!(codec::decode::<DdSketch>(&bytes).is_err(), "{bytes:02x?}");
        }
    }
}
