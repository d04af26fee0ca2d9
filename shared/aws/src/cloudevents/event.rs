//! The event and its attributes.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tidemill_core::{EventTime, Span};

/// The most characters of a partition key. <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html>
const PARTITION_KEY_CHARS: usize = 256;

/// One event; attributes that are `None` are left out.
#[derive(Serialize)]
pub(super) struct Event<'a> {
    pub(super) specversion: &'static str,
    pub(super) id: String,
    pub(super) source: &'a str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<Cow<'a, str>>,
    pub(super) datacontenttype: &'static str,
    pub(super) producer: &'a str,
    #[serde(flatten)]
    pub(super) place: Place<'a>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) pane: Option<Pane>,
    /// Which of several results of one firing, record or rank for its sink; left out of the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) panenumber: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resultkey: Option<String>,
    #[serde(flatten)]
    pub(super) content: Content<'a>,
}

/// Which of the producer's outputs it is.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Place<'a> {
    /// Of a commit.
    Commit { commit: String, index: usize },
    /// Of a record, where nothing is committed. Everything of records before `floor` is acknowledged.
    Record { sequence: &'a str, subsequence: String, index: usize, floor: &'a str, floorsub: String },
}

/// Which pane a result is of.
#[derive(Serialize)]
pub(super) struct Pane {
    /// No on-time result of this producer with an earlier end follows. Not the shard's watermark, which has passed
    /// results that are still to be sent. None for early results, which say nothing about others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) watermark: Option<String>,
    /// None for a window without end.
    #[serde(flatten)]
    pub(super) window: Option<Window>,
    pub(super) paneindex: u32,
    pub(super) panetiming: &'static str,
    /// Windows of the key whose results are void, as `start/end` with blanks between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) panereplaces: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Window {
    windowstart: String,
    windowend: String,
}

impl Window {
    pub(super) fn of(window: Span) -> Option<Self> {
        let has_end = window.end.in_calendar();
        has_end.then(|| Self {
            windowstart: window.start.as_millis().to_string(),
            windowend: window.end.as_millis().to_string(),
        })
    }
}

/// The event's data. Exactly one of the two.
#[derive(Serialize)]
pub(super) enum Content<'a> {
    #[serde(rename = "data")]
    Json(&'a RawValue),
    #[serde(rename = "data_base64")]
    Binary(String),
}

impl<'a> Content<'a> {
    /// Bytes of our own making: verbatim.
    pub(super) fn made(bytes: &'a [u8]) -> Self {
        serde_json::from_slice(bytes).map_or_else(|_| Self::binary(bytes), Self::Json)
    }

    /// Bytes that anyone may have made: verbatim if every JSON parser takes them inside an event, else base64. Lone
    /// surrogates, numbers beyond a double and nesting too deep would make the whole event unreadable.
    pub(super) fn found(bytes: &'a [u8]) -> Self {
        let nested = |raw: &RawValue| serde_json::from_str::<[Value; 1]>(&format!("[{raw}]")).is_ok();
        match serde_json::from_slice::<&RawValue>(bytes) {
            Ok(raw) if nested(raw) => Self::Json(raw),
            _ => Self::binary(bytes),
        }
    }

    fn binary(bytes: &[u8]) -> Self {
        Self::Binary(base64_simd::STANDARD.encode_to_string(bytes))
    }

    pub(super) const fn media_type(&self) -> &'static str {
        match self {
            Self::Json(_) => "application/json",
            Self::Binary(_) => "application/octet-stream",
        }
    }
}

impl Event<'_> {
    pub(super) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an event of strings and numbers always serialises")
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
    let key: String = text.chars().take(PARTITION_KEY_CHARS).collect();
    if key.is_empty() { "-".to_owned() } else { key }
}

/// A path segment of a URI reference. <https://www.rfc-editor.org/rfc/rfc3986#section-2.3>
pub(super) fn percent_encoded(segment: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    segment.bytes().map(encode).collect()
}
