//! The event and its attributes.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;
use tidemill_core::{EventTime, Position, Span};

use super::object::Object;

/// The most characters of a partition key. <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html>
const PARTITION_KEY_CHARS: usize = 256;

/// One event; attributes that are `None` are left out.
pub(super) struct Event<'a> {
    pub(super) id: String,
    /// Percent-encoded.
    pub(super) source: &'a str,
    pub(super) kind: &'static str,
    pub(super) time: Option<String>,
    pub(super) subject: Option<Cow<'a, str>>,
    pub(super) producer: &'a str,
    pub(super) place: Place<'a>,
    pub(super) pane: Option<Pane<'a>>,
    /// Which of several results of one firing, record or rank for its sink; left out of the first.
    pub(super) panenumber: Option<u32>,
    pub(super) resultkey: Option<String>,
    pub(super) content: Content<'a>,
}

/// Which of the producer's outputs it is.
pub(super) enum Place<'a> {
    /// Of a commit.
    Commit { commit: u64, index: usize },
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
    /// In JSON, attributes always in the same order.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut event = Object::with_capacity(self.content.len() + 640);
        event.plain("specversion", "1.0");
        event.plain("id", &self.id);
        event.plain("source", self.source);
        event.plain("type", self.kind);
        self.time.iter().for_each(|time| event.plain("time", time));
        self.subject.iter().for_each(|subject| event.text("subject", subject));
        event.plain("datacontenttype", self.content.media_type());
        event.text("producer", self.producer);
        self.place.write(&mut event);
        self.pane.iter().for_each(|pane| pane.write(&mut event));
        self.panenumber.iter().for_each(|number| event.number("panenumber", *number));
        self.resultkey.iter().for_each(|key| event.plain("resultkey", key));
        match &self.content {
            Content::Json(json) => event.json("data", json),
            Content::Binary(base64) => event.plain("data_base64", base64),
        }
        event.finish()
    }
}

impl Place<'_> {
    fn write(&self, event: &mut Object) {
        match self {
            Self::Commit { commit, index } => {
                event.digits("commit", *commit);
                event.number("index", *index);
            }
            Self::Record { position, index, floor } => {
                event.plain("sequence", position.sequence.as_str());
                event.digits("subsequence", position.sub_sequence);
                event.number("index", *index);
                event.plain("floor", floor.sequence.as_str());
                event.digits("floorsub", floor.sub_sequence);
            }
        }
    }
}

impl Pane<'_> {
    fn write(&self, event: &mut Object) {
        self.watermark.iter().for_each(|watermark| event.digits("watermark", watermark.as_millis()));
        if let Some(window) = self.window {
            event.digits("windowstart", window.start.as_millis());
            event.digits("windowend", window.end.as_millis());
        }
        event.number("paneindex", self.paneindex);
        event.plain("panetiming", self.panetiming);
        if !self.panereplaces.is_empty() {
            let interval = |span: &Span| format!("{}/{}", span.start.as_millis(), span.end.as_millis());
            let intervals: Vec<String> = self.panereplaces.iter().map(interval).collect();
            event.text("panereplaces", &intervals.join(" "));
        }
    }
}

/// RFC 3339; `None` outside the years 1 to 9999, where a global window ends.
pub(super) fn time(instant: EventTime) -> Option<String> {
    instant.in_calendar().then(|| instant.to_string())
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
