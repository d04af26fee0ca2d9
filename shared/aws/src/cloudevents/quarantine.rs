//! Quarantine entries: what could not be processed, whole or as much of it as fits.

use std::borrow::Cow;

use bytes::BytesMut;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use tidemill_core::{EventTime, Origin, Quarantined, Reason};
use twox_hash::XxHash3_128;

use super::Envelope;
use super::envelope::output;
use super::event::{self, Content, Event};

/// How much of the content a shortened entry keeps.
const HEAD_BYTES: usize = 64 << 10;
/// How much of message and key a shortened entry keeps.
const TEXT_BYTES: usize = 8 << 10;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    Shortened,
}

/// The event's data.
#[derive(Serialize)]
struct Entry<'a> {
    reason: Reason,
    message: Cow<'a, str>,
    #[serde(flatten)]
    place: Place<'a>,
    #[serde(flatten)]
    content: Map<String, Value>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Place<'a> {
    Record { shard: &'a str, sequence: &'a str, sub_sequence: u64, partition_key: &'a str, arrival: EventTime },
    Pane { key: Cow<'a, str>, window_start: EventTime, window_end: EventTime },
    Time { key: Cow<'a, str>, time: EventTime },
}

impl Envelope<'_> {
    pub(super) fn quarantined(
        &self,
        index: usize,
        entry: &Quarantined,
        buffer: &mut BytesMut,
    ) -> tidemill_journal::Output {
        let whole = self.quarantine_output((index, entry), Extent::Whole, buffer);
        if whole.data.len() + whole.partition_key.len() <= self.destinations.quarantine_bytes {
            return whole;
        }
        self.quarantine_output((index, entry), Extent::Shortened, buffer)
    }

    fn quarantine_output(
        &self,
        (index, entry): (usize, &Quarantined),
        extent: Extent,
        buffer: &mut BytesMut,
    ) -> tidemill_journal::Output {
        let to = &self.destinations.quarantine;
        let data = self.quarantine_data(entry, extent);
        let (partition_key, time, subject) = match &entry.origin {
            Origin::Record { partition_key, arrival, .. } => (partition_key, *arrival, None),
            Origin::Pane { key_text, window, .. } => (key_text, window.end, event::subject(key_text)),
            Origin::Result { key_text, time, .. } | Origin::Timer { key_text, at: time } => {
                (key_text, *time, event::subject(key_text))
            }
        };
        if to.plain {
            return output(to, partition_key, data.get().as_bytes().to_vec().into());
        }
        let event = Event {
            time: event::time(time),
            subject: subject.map(|subject| extent.text(subject)),
            ..self.event(index, "tidemill.quarantine", Content::Json(data.get().as_bytes()))
        };
        output(to, partition_key, event.bytes(buffer))
    }

    fn quarantine_data(&self, entry: &Quarantined, extent: Extent) -> Box<RawValue> {
        let (place, content) = match &entry.origin {
            Origin::Record { position, partition_key, arrival, payload } => {
                let place = Place::Record {
                    shard: &self.producer.shard,
                    sequence: position.sequence.as_str(),
                    sub_sequence: position.sub_sequence,
                    partition_key,
                    arrival: *arrival,
                };
                (place, extent.content("payload", payload, std::str::from_utf8(payload).ok()))
            }
            Origin::Pane { key_text, window, state } => {
                let key = extent.text(key_text.into());
                let place = Place::Pane { key, window_start: window.start, window_end: window.end };
                (place, extent.content("state", state, None))
            }
            Origin::Result { key_text, time, window, value } => {
                let key = extent.text(key_text.into());
                let place = match window {
                    Some(window) => Place::Pane { key, window_start: window.start, window_end: window.end },
                    None => Place::Time { key, time: *time },
                };
                (place, extent.content("result", value, std::str::from_utf8(value).ok()))
            }
            Origin::Timer { key_text, at } => {
                (Place::Time { key: extent.text(key_text.into()), time: *at }, Map::new())
            }
        };
        let message = extent.text(entry.reject.message.as_str().into());
        let entry = Entry { reason: entry.reject.reason, message, place, content };
        to_raw_value(&entry).expect("an entry of strings and numbers always serialises")
    }
}

impl Extent {
    fn text(self, text: Cow<'_, str>) -> Cow<'_, str> {
        match text {
            Cow::Borrowed(text) => Cow::Borrowed(&text[..self.end(text, TEXT_BYTES)]),
            Cow::Owned(mut text) => {
                text.truncate(self.end(&text, TEXT_BYTES));
                Cow::Owned(text)
            }
        }
    }

    fn end(self, text: &str, most: usize) -> usize {
        match self {
            Self::Whole => text.len(),
            Self::Shortened => text.floor_char_boundary(most),
        }
    }

    /// `<name>` for text, `<name>_base64` for bytes; shortened `<name>_head…`, with length and XXH3-128 of the whole.
    fn content(self, name: &str, bytes: &[u8], text: Option<&str>) -> Map<String, Value> {
        let mut fields = Map::new();
        let stem = if self == Self::Whole { name.to_owned() } else { format!("{name}_head") };
        if let Some(text) = text {
            fields.insert(stem, text[..self.end(text, HEAD_BYTES)].into());
        } else {
            let kept = if self == Self::Whole { bytes } else { &bytes[..bytes.len().min(HEAD_BYTES)] };
            fields.insert(format!("{stem}_base64"), base64_simd::STANDARD.encode_to_string(kept).into());
        }
        if self == Self::Shortened {
            fields.insert(format!("{name}_length"), bytes.len().into());
            fields.insert(format!("{name}_xxh3"), format!("{:032x}", XxHash3_128::oneshot(bytes)).into());
        }
        fields
    }
}
