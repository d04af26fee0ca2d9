//! The short way through an event: records that differ from the first in nothing but their values.
//!
//! Lambda writes the records of a batch alike. What stands around the values of the first record must stand around those
//! of each, byte for byte; then only the values are looked at. Every other event goes the general way, and so does one
//! with a value that is not plain: it is that way which says what is wrong.

use memchr::memchr;
use serde::Deserialize;
use serde_json::value::RawValue;
use tidemill_core::{EventTime, SequenceNumber};

use super::batch::{Batch, SourceShard};

const HEAD: &[u8] = b"{\"Records\":[";
const FOOT: &[u8] = b"]}";

/// The event's records, exactly as the general way reads them; `None` if that must be asked.
pub(super) fn scan(body: &[u8]) -> Option<Batch> {
    let mut rest = body.strip_prefix(HEAD)?;
    let shape = Shape::of_first(rest)?;
    let mut batch = shape.batch(rest.len());
    let mut last = "".as_bytes();
    loop {
        let sequence = shape.cut(&mut rest, &mut batch)?;
        if !is_behind(last, sequence) {
            return None;
        }
        last = sequence;
        match rest.split_first()? {
            (b',', behind) => rest = behind,
            _ if rest == FOOT => return Some(batch),
            _ => return None,
        }
    }
}

/// What varies from record to record.
#[derive(Clone, Copy)]
enum Value {
    PartitionKey,
    Sequence,
    Data,
    Arrival,
    /// The part of `eventID` behind the shard, which is the sequence number again.
    Identity,
}

/// How the records of an event are written.
struct Shape<'a> {
    source: SourceShard,
    /// The values in the order in which they stand, each with the text before it.
    values: [(&'a [u8], Value); 5],
    /// How long partition key and sequence number are in the first record.
    partition_key: usize,
    sequence: usize,
    /// The text behind the last value.
    tail: &'a [u8],
    /// How long the first record is, and about how long its payload: the others will not be much different.
    length: usize,
    payload: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct First<'a> {
    event_source: &'a str,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: &'a str,
    #[serde(rename = "eventID")]
    event_id: &'a str,
    #[serde(borrow)]
    kinesis: FirstData<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FirstData<'a> {
    partition_key: &'a str,
    sequence_number: &'a str,
    data: &'a str,
    #[serde(borrow)]
    approximate_arrival_timestamp: &'a RawValue,
}

impl<'a> Shape<'a> {
    fn of_first(records: &'a [u8]) -> Option<Self> {
        let mut stream = serde_json::Deserializer::from_slice(records).into_iter::<First<'a>>();
        let first = stream.next()?.ok()?;
        let length = stream.byte_offset();
        let FirstData { partition_key, sequence_number, data, approximate_arrival_timestamp } = first.kinesis;
        let (shard, identity) = first.event_id.rsplit_once(':')?;
        if first.event_source != "aws:kinesis" || shard.is_empty() {
            return None;
        }
        let mut values = [
            (partition_key, Value::PartitionKey),
            (sequence_number, Value::Sequence),
            (data, Value::Data),
            (approximate_arrival_timestamp.get(), Value::Arrival),
            (identity, Value::Identity),
        ];
        values.sort_by_key(|(text, _)| text.as_ptr());
        let mut behind = 0;
        let values = values.map(|(text, value)| {
            // All of them are borrowed from the same bytes.
            let start = text.as_ptr().addr() - records.as_ptr().addr();
            let before = &records[behind..start];
            behind = start + text.len();
            (before, value)
        });
        let source = SourceShard::new(first.event_source_arn, shard);
        let (partition_key, sequence) = (partition_key.len(), sequence_number.len());
        let (tail, payload) = (&records[behind..length], data.len() / 4 * 3);
        Some(Self { source, values, partition_key, sequence, tail, length, payload })
    }

    /// A batch without records, with room for about as many as so many bytes hold.
    fn batch(&self, bytes: usize) -> Batch {
        let count = bytes / self.length + 1;
        Batch {
            source: Some(self.source.clone()),
            entries: Vec::with_capacity(count),
            partition_keys: String::with_capacity(count * self.partition_key),
            payloads: Vec::with_capacity(count * self.payload),
        }
    }

    /// Cuts the next record off and adds it to those before it. Its sequence number's digits are returned.
    fn cut(&self, rest: &mut &'a [u8], batch: &mut Batch) -> Option<&'a [u8]> {
        let (mut sequence, mut identity, mut arrival): (&[u8], &[u8], _) = (&[], &[], EventTime::FIRST);
        for (text, value) in &self.values {
            *rest = rest.strip_prefix(*text)?;
            match value {
                Value::PartitionKey => batch.partition_keys.push_str(plain_text(cut(rest, self.partition_key)?)?),
                Value::Sequence => sequence = cut(rest, self.sequence)?,
                Value::Data => {
                    base64_simd::STANDARD.decode_append(cut_at_quote(rest)?, &mut batch.payloads).ok()?;
                }
                Value::Arrival => arrival = cut_seconds(rest)?,
                Value::Identity if sequence.is_empty() => identity = cut_at_quote(rest)?,
                Value::Identity => (*rest, identity) = (rest.strip_prefix(sequence)?, sequence),
            }
        }
        *rest = rest.strip_prefix(self.tail)?;
        if identity != sequence {
            return None;
        }
        batch.push(SequenceNumber::parse_ascii(sequence)?, arrival);
        Some(sequence)
    }
}

/// Whether a number is larger than the one before, by its digits. Of a longer one with leading zeros it may be wrong to say
/// no.
pub(super) fn is_behind(before: &[u8], digits: &[u8]) -> bool {
    before.len() < digits.len() && digits[0] != b'0' || before.len() == digits.len() && before < digits
}

/// What stands before the next quote, perhaps as long as before. Quotes within are noticed by who looks at the text.
fn cut<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    match rest.split_at_checked(length) {
        Some((text, behind @ [b'"', ..])) => {
            *rest = behind;
            Some(text)
        }
        _ => cut_at_quote(rest),
    }
}

fn cut_at_quote<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (text, behind) = rest.split_at(memchr(b'"', rest)?);
    *rest = behind;
    Some(text)
}

/// A JSON string that stands for itself.
fn plain_text(text: &[u8]) -> Option<&str> {
    let is_plain = text.iter().fold(true, |all, byte| all & (*byte >= b' ') & (*byte != b'\\') & (*byte != b'"'));
    is_plain.then(|| str::from_utf8(text).ok())?
}

/// Whole seconds or with up to three decimals, as Lambda writes them.
fn cut_seconds(rest: &mut &[u8]) -> Option<EventTime> {
    let seconds = cut_digits(rest)?;
    if seconds.is_empty() || seconds.len() > 12 || (seconds[0] == b'0' && seconds.len() > 1) {
        return None;
    }
    let mut millis = number(seconds) * 1_000;
    if let Some(behind) = rest.strip_prefix(b".") {
        *rest = behind;
        let decimals = cut_digits(rest)?;
        millis += match decimals.len() {
            1 => number(decimals) * 100,
            2 => number(decimals) * 10,
            3 => number(decimals),
            _ => return None,
        };
    }
    let arrival = EventTime::from_millis(millis);
    arrival.in_calendar().then_some(arrival)
}

fn cut_digits<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (digits, behind) = rest.split_at(rest.iter().position(|byte| !byte.is_ascii_digit())?);
    *rest = behind;
    Some(digits)
}

/// Of at most twelve digits.
fn number(digits: &[u8]) -> i64 {
    digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
}
