//! A record of the source stream and its place in the shard.

use std::any::Any;
use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::compact::Compact;
use crate::{EventTime, Reject};

/// A Kinesis sequence number: an opaque decimal number of up to 129 digits that grows within one shard.
///
/// Compared as a number, never as text; kept without leading zeros. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SequenceNumber(Compact<DIGITS>);

/// How many digits need no allocation: those of AWS have 56.
const DIGITS: usize = 63;

impl SequenceNumber {
    /// Reads a decimal number of 1 to 129 digits; `None` for anything else.
    pub fn parse(digits: &str) -> Option<Self> {
        Self::parse_ascii(digits.as_bytes())
    }

    /// The same, of bytes.
    pub fn parse_ascii(digits: &[u8]) -> Option<Self> {
        // All of them are looked at, eight at a time; stopping at the first that is none is slower.
        let (eights, others) = digits.as_chunks::<8>();
        let are_digits = |digits: &[u8]| digits.iter().fold(true, |all, digit| all & digit.is_ascii_digit());
        let are_digits = eights.iter().fold(true, |all, eight| all & are_digits(eight)) & are_digits(others);
        if !(1..=129).contains(&digits.len()) || !are_digits {
            return None;
        }
        let zeros = digits.iter().take(digits.len() - 1).take_while(|digit| **digit == b'0').count();
        Some(Self(digits[zeros..].into()))
    }

    fn of(text: &str) -> Self {
        Self(text.as_bytes().into())
    }

    /// The decimal digits.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("made of text")
    }
}

impl fmt::Debug for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SequenceNumber").field(&self.as_str()).finish()
    }
}

impl Serialize for SequenceNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for SequenceNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::of(&text))
    }
}

impl Ord for SequenceNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for SequenceNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A record's place in its shard: the sequence number, and for records that a producer packed into one Kinesis record
/// the number inside it (0 otherwise).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The Kinesis sequence number.
    pub sequence: SequenceNumber,
    /// The sub-sequence number, from 0.
    #[serde(default, rename = "sub")]
    pub sub_sequence: u64,
}

impl Position {
    /// Before all others.
    pub fn first() -> Self {
        Self { sequence: SequenceNumber::of("0"), sub_sequence: 0 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.sequence, self.sub_sequence)
    }
}

/// One record as it came from the shard. The payload is borrowed from the batch.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// The shard's id, such as `shardId-000000000000`.
    pub shard: &'a str,
    /// Its place in the shard.
    pub position: Position,
    /// The partition key that the producer gave (1 to 256 characters).
    pub partition_key: &'a str,
    /// When the stream took it in, on the stream's clock.
    pub arrival: EventTime,
    /// The bytes that the producer put.
    pub payload: &'a [u8],
    /// What an asynchronous stage made of it before the step, if the pipeline has one.
    pub enriched: Option<&'a Enriched>,
}

/// What an asynchronous stage made of a record: its events, or why there are none. Their type is known to the stage.
pub struct Enriched(pub Result<Box<dyn Any + Send + Sync>, Reject>);

impl fmt::Debug for Enriched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Enriched").field(&self.0.as_ref().map(|_| "events")).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_compare_as_numbers() {
        let number = |digits| SequenceNumber::parse(digits).expect("digits");
        assert!(number("9") < number("10"));
        assert!(number("0099") < number("100"));
        assert_eq!(number("000"), number("0"));
        assert!(number(&"9".repeat(128)) < number(&format!("1{}", "0".repeat(128))));
    }

    #[test]
    fn what_is_no_decimal_number_is_refused() {
        for wrong in ["", "-1", "1a", "१", &"1".repeat(130)] {
            assert_eq!(SequenceNumber::parse(wrong), None, "{wrong}");
        }
    }
}
