//! A JSON object, written member by member.

use itoa::Integer;

/// The object so far.
pub(super) struct Object(Vec<u8>);

impl Object {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// A string.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        // Without branches the compiler looks at many bytes at once.
        let escapes = |found, byte| found | (byte < b' ') | (byte == b'"') | (byte == b'\\');
        if text.bytes().fold(false, escapes) {
            serde_json::to_writer(&mut self.0, text).expect("a text always serialises");
        } else {
            self.quoted(text);
        }
    }

    /// A string without quotes, backslashes and control characters.
    pub(super) fn plain(&mut self, name: &str, text: &str) {
        self.name(name);
        self.quoted(text);
    }

    /// A number as a string of digits, for consumers that read numbers as doubles.
    pub(super) fn digits(&mut self, name: &str, number: impl Integer) {
        self.name(name);
        self.quoted(itoa::Buffer::new().format(number));
    }

    pub(super) fn number(&mut self, name: &str, number: impl Integer) {
        self.name(name);
        self.0.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    /// A value in JSON.
    pub(super) fn json(&mut self, name: &str, value: &[u8]) {
        self.name(name);
        self.0.extend_from_slice(value);
    }

    /// With at least one member.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }

    fn name(&mut self, name: &str) {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        self.quoted(name);
        self.0.push(b':');
    }

    /// Text that needs no escapes.
    fn quoted(&mut self, text: &str) {
        self.0.push(b'"');
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(b'"');
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
            let mut object = Object::with_capacity(0);
            object.text("text", &text);
            object.digits("digits", negative);
            object.number("number", number);
            object.json("raw", raw.get().as_bytes());
            let value: Value = serde_json::from_slice(&object.finish()).expect("JSON");
            prop_assert_eq!(value, json!({"text": text, "digits": negative.to_string(), "number": number, "raw": [text]}));
        }
    }
}
