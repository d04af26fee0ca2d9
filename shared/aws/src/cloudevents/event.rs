//! The event and its attributes.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use serde_json::Value;
use serde_json::value::RawValue;
use tidemill_core::{EventTime, Position, Span};

use super::object::Object;

/// The most characters of a partition key. <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html>
const PARTITION_KEY_CHARS: usize = 256;

/// One event; attributes that are `None` are left out.
pub(super) struct Event<'a> {
    /// Percent-encoded.
    pub(super) source: &'a str,
    pub(super) kind: &'static str,
    pub(super) time: Option<EventTime>,
    pub(super) subject: Option<Cow<'a, str>>,
    pub(super) producer: &'a str,
    pub(super) place: Place<'a>,
    pub(super) pane: Option<Pane<'a>>,
    /// Which of several results of one firing, record or rank for its sink; left out of the first.
    pub(super) panenumber: Option<u32>,
    pub(super) resultkey: Option<ResultKey>,
    pub(super) content: Content<'a>,
}

/// Which of the producer's outputs it is.
pub(super) enum Place<'a> {
    /// Of a commit.
    Commit { life: &'a str, commit: u64, index: usize },
    /// Of a record, where nothing is committed. Everything of records before `floor` is acknowledged.
    Record { position: &'a Position, index: usize, floor: &'a Position },
}

/// Which pane a result is of.
pub(super) struct Pane<'a> {
    /// No on-time result of this producer with an earlier end follows. Not the shard's watermark, which has passed
    /// results that are still to be sent. None for early results, which say nothing about others.
    pub(super) watermark: Option<EventTime>,
    /// None for a window without end.
    pub(super) window: Option<Span>,
    pub(super) paneindex: u32,
    pub(super) panetiming: &'static str,
    /// Windows of the key whose results are void, as `start/end` with blanks between.
    pub(super) panereplaces: &'a [Span],
}

/// The event's data. Exactly one of the two.
pub(super) enum Content<'a> {
    Json(&'a [u8]),
    Binary(String),
}

impl<'a> Content<'a> {
    /// Bytes that anyone may have made: verbatim if every JSON parser takes them inside an event, else base64. Lone
    /// surrogates, numbers beyond a double and nesting too deep would make the whole event unreadable.
    pub(super) fn found(bytes: &'a [u8]) -> Self {
        let nested = |raw: &RawValue| serde_json::from_str::<[Value; 1]>(&format!("[{raw}]")).is_ok();
        match serde_json::from_slice::<&RawValue>(bytes) {
            Ok(raw) if nested(raw) => Self::Json(raw.get().as_bytes()),
            _ => Self::Binary(base64_simd::STANDARD.encode_to_string(bytes)),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Json(json) => json.len(),
            Self::Binary(base64) => base64.len(),
        }
    }

    const fn media_type(&self) -> &'static str {
        match self {
            Self::Json(_) => "application/json",
            Self::Binary(_) => "application/octet-stream",
        }
    }
}

impl Event<'_> {
    /// In JSON, attributes always in the same order, behind what else `buffer` holds.
    pub(super) fn bytes(&self, buffer: &mut BytesMut) -> Bytes {
        let begin = r#"{"specversion":"1.0","id":""#;
        let mut event = Object::begin(buffer, self.content.len() + 640, begin);
        self.place.write_id(&mut event);
        event.plain(r#","source":""#, self.source);
        event.plain(r#","type":""#, self.kind);
        self.time.iter().for_each(|time| event.plain(r#","time":""#, &time.to_string()));
        self.subject.iter().for_each(|subject| event.text(r#","subject":"#, subject));
        event.plain(r#","datacontenttype":""#, self.content.media_type());
        event.text(r#","producer":"#, self.producer);
        self.place.write(&mut event);
        self.pane.iter().for_each(|pane| pane.write(&mut event));
        self.panenumber.iter().for_each(|number| event.number(r#","panenumber":"#, *number));
        self.resultkey.iter().for_each(|key| event.plain(r#","resultkey":""#, key.as_str()));
        match &self.content {
            Content::Json(json) => event.json(r#","data":"#, json),
            Content::Binary(base64) => event.plain(r#","data_base64":""#, base64),
        }
        event.finish()
    }
}

/// The 32 digits of a hash.
pub(super) struct ResultKey([u8; 32]);

impl ResultKey {
    pub(super) fn of(hash: u128) -> Self {
        let mut digits = [0; 32];
        for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(hash.to_be_bytes()) {
            *pair = [byte >> 4, byte & 0xf].map(|digit| b"0123456789abcdef"[usize::from(digit)]);
        }
        Self(digits)
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("digits")
    }
}

impl Place<'_> {
    /// The value of the id, of which the quote before it is there.
    fn write_id(&self, event: &mut Object<'_>) {
        match self {
            Self::Commit { life, commit, index } => {
                event.json(life, b"-");
                event.number("", *commit);
                event.digits("-", *index);
            }
            Self::Record { position, index, .. } => {
                event.json(position.sequence.as_str(), b"-");
                event.number("", position.sub_sequence);
                event.digits("-", *index);
            }
        }
    }

    fn write(&self, event: &mut Object<'_>) {
        match self {
            Self::Commit { commit, index, .. } => {
                event.digits(r#","commit":""#, *commit);
                event.number(r#","index":"#, *index);
            }
            Self::Record { position, index, floor } => {
                event.plain(r#","sequence":""#, position.sequence.as_str());
                event.digits(r#","subsequence":""#, position.sub_sequence);
                event.number(r#","index":"#, *index);
                event.plain(r#","floor":""#, floor.sequence.as_str());
                event.digits(r#","floorsub":""#, floor.sub_sequence);
            }
        }
    }
}

impl Pane<'_> {
    fn write(&self, event: &mut Object<'_>) {
        self.watermark.iter().for_each(|watermark| event.digits(r#","watermark":""#, watermark.as_millis()));
        if let Some(window) = self.window {
            event.digits(r#","windowstart":""#, window.start.as_millis());
            event.digits(r#","windowend":""#, window.end.as_millis());
        }
        event.number(r#","paneindex":"#, self.paneindex);
        event.plain(r#","panetiming":""#, self.panetiming);
        if !self.panereplaces.is_empty() {
            let interval = |span: &Span| format!("{}/{}", span.start.as_millis(), span.end.as_millis());
            let intervals: Vec<String> = self.panereplaces.iter().map(interval).collect();
            event.plain(r#","panereplaces":""#, &intervals.join(" "));
        }
    }
}

/// Written as RFC 3339; `None` outside the years 1 to 9999, where a global window ends.
pub(super) fn time(instant: EventTime) -> Option<EventTime> {
    instant.in_calendar().then_some(instant)
}

/// The key's text as the specification's String, which holds neither control characters nor noncharacters: they are
/// replaced. `None` if empty, as the attribute must not be.
pub(super) fn subject(text: &str) -> Option<Cow<'_, str>> {
    if text.contains(is_disallowed) {
        return Some(text.replace(is_disallowed, "\u{fffd}").into());
    }
    (!text.is_empty()).then_some(Cow::Borrowed(text))
}

/// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#type-system>
pub(super) fn is_disallowed(character: char) -> bool {
    let code = u32::from(character);
    character.is_control() || code & 0xfffe == 0xfffe || (0xfdd0..=0xfdef).contains(&code)
}

/// At most 256 characters, at least one.
pub(super) fn partition_key(text: &str) -> String {
    match text {
        "" => "-".to_owned(),
        // As many bytes are as many characters at most.
        _ if text.len() <= PARTITION_KEY_CHARS => text.to_owned(),
        _ => text.chars().take(PARTITION_KEY_CHARS).collect(),
    }
}

/// A path segment of a URI reference. <https://www.rfc-editor.org/rfc/rfc3986#section-2.3>
pub(super) fn percent_encoded(segment: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    segment.bytes().map(encode).collect()
}
