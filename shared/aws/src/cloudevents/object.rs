//! A JSON object, written member by member.

use bytes::{BufMut, Bytes, BytesMut};
use itoa::Integer;

/// The object so far, behind others in a buffer that they share.
///
/// Members are given as they begin: comma, name and colon, and the quote of a string that needs no escapes. So what is the
/// same in each event is copied at once.
pub(super) struct Object<'b>(&'b mut BytesMut);

impl<'b> Object<'b> {
    /// Begins with what stands before the first value.
    pub(super) fn begin(buffer: &'b mut BytesMut, bytes: usize, beginning: &str) -> Self {
        buffer.reserve(bytes);
        buffer.extend_from_slice(beginning.as_bytes());
        Self(buffer)
    }

    /// A string that may need escapes; the member begins without its quote.
    pub(super) fn text(&mut self, member: &str, text: &str) {
        self.0.extend_from_slice(member.as_bytes());
        // Without branches the compiler looks at many bytes at once.
        let escapes = |found, byte| found | (byte < b' ') | (byte == b'"') | (byte == b'\\');
        if text.bytes().fold(false, escapes) {
            serde_json::to_writer((&mut *self.0).writer(), text).expect("a text always serialises");
        } else {
            self.plain("\"", text);
        }
    }

    /// A string without quotes, backslashes and control characters.
    pub(super) fn plain(&mut self, member: &str, text: &str) {
        self.0.extend_from_slice(member.as_bytes());
        self.0.extend_from_slice(text.as_bytes());
        self.0.put_u8(b'"');
    }

    /// A number as a string of digits, for consumers that read numbers as doubles.
    pub(super) fn digits(&mut self, member: &str, number: impl Integer) {
        self.plain(member, itoa::Buffer::new().format(number));
    }

    /// A number, or the rest of a string of which the member is the beginning.
    pub(super) fn number(&mut self, member: &str, number: impl Integer) {
        self.json(member, itoa::Buffer::new().format(number).as_bytes());
    }

    /// A value in JSON.
    pub(super) fn json(&mut self, member: &str, value: &[u8]) {
        self.0.extend_from_slice(member.as_bytes());
        self.0.extend_from_slice(value);
    }

    /// All of it.
    pub(super) fn finish(self) -> Bytes {
        self.0.put_u8(b'}');
        self.0.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    proptest! {
        #[test]
        fn it_is_what_serde_writes(text in "\\PC{0,9}|[\0-\u{ff}\"\\\\]{0,9}", number: u64, negative in i64::MIN..0) {
            let raw = serde_json::value::to_raw_value(&[&text]).expect("serialises");
            let mut buffer = BytesMut::new();
            let objects = [0, 1].map(|_| {
                let mut object = Object::begin(&mut buffer, 0, r#"{"first":true"#);
                object.text(r#","text":"#, &text);
                object.digits(r#","digits":""#, negative);
                object.number(r#","number":"#, number);
                object.json(r#","raw":"#, raw.get().as_bytes());
                object.finish()
            });
            let expected = json!({
                "first": true, "text": text, "digits": negative.to_string(), "number": number, "raw": [text],
            });
            for object in objects {
                prop_assert_eq!(serde_json::from_slice::<Value>(&object).expect("JSON"), expected.clone());
            }
        }
    }
}
