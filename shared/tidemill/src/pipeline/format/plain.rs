//! JSON, read fast where it is plain.
//!
//! A deserializer that calls visitors exactly as `serde_json` does, or gives up: then `serde_json` is asked, and so it is
//! for what every error says. It gives up on what is rare (numbers of over 18 digits, maps with keys that are no strings,
//! enums with content, bytes, raw values, deep nesting) and on everything that is wrong.

use std::borrow::Cow;
use std::fmt;

use memchr::memchr;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};

use super::names::Names;

/// How deep values may be nested: `serde_json` takes 127.
const DEPTH: u8 = 100;
/// Integers of so many digits fit every integer type of 64 bits.
const DIGITS: usize = 18;

/// The value, if `text` is plain; `None` says nothing about it.
pub(super) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    let is_clean = is_clean(text.as_bytes());
    let mut parser = Parser { text, at: 0, depth: DEPTH, is_clean, names: Names::of_thread() };
    let value = T::deserialize(&mut parser);
    parser.skip_blanks();
    let is_all = parser.at == text.len();
    parser.names.keep();
    value.ok().filter(|_| is_all)
}

/// Not plain, or wrong.
#[derive(Debug)]
struct GivenUp;

type Plain<T> = Result<T, GivenUp>;

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not plain")
    }
}

impl std::error::Error for GivenUp {}

impl de::Error for GivenUp {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: u8,
    /// Whether every string goes up to the next quote.
    is_clean: bool,
    /// The names that are expected.
    names: Names,
}

impl<'a> Parser<'a> {
    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline(never)]
    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.at += 1;
        }
    }

    /// The first byte of what comes, behind blanks. Most JSON has none.
    #[inline]
    fn peek(&mut self) -> Plain<u8> {
        match self.byte() {
            Some(byte) if byte > b' ' => Ok(byte),
            _ => {
                self.skip_blanks();
                self.byte().ok_or(GivenUp)
            }
        }
    }

    #[inline]
    fn take(&mut self, byte: u8) -> Plain<()> {
        if self.byte() != Some(byte) {
            self.skip_blanks();
            if self.byte() != Some(byte) {
                return Err(GivenUp);
            }
        }
        self.at += 1;
        Ok(())
    }

    fn word(&mut self, word: &str) -> Plain<()> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(GivenUp);
        }
        self.at += word.len();
        Ok(())
    }

    /// A string; without escapes it is borrowed.
    #[inline]
    fn string(&mut self) -> Plain<Cow<'a, str>> {
        self.take(b'"')?;
        if let Some(length) = first_eight(self.text.as_bytes(), self.at).and_then(special) {
            let (start, end) = (self.at, self.at + length);
            if self.text.as_bytes().get(end) == Some(&b'"') {
                self.at = end + 1;
                return self.text.get(start..end).map(Cow::Borrowed).ok_or(GivenUp);
            }
        }
        self.long_string()
    }

    /// A member's name: mostly the one that stood in its place in the text before.
    #[inline]
    fn name(&mut self) -> Plain<Cow<'a, str>> {
        if self.byte() == Some(b'"')
            && let Some(length) = self.names.length_if_next(self.text.as_bytes(), self.at + 1)
        {
            let start = self.at + 1;
            self.at = start + length + 1;
            return self.text.get(start..start + length).map(Cow::Borrowed).ok_or(GivenUp);
        }
        let name = self.string()?;
        if let Cow::Borrowed(name) = name {
            self.names.expect(name);
        }
        Ok(name)
    }

    #[inline(never)]
    fn long_string(&mut self) -> Plain<Cow<'a, str>> {
        let start = self.at;
        self.at = end_of_run(self.text.as_bytes(), start);
        if self.byte() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(&self.text[start..self.at - 1]));
        }
        self.skip_to_quote()?;
        serde_json::from_str(&self.text[start - 1..self.at]).map(Cow::Owned).map_err(|_| GivenUp)
    }

    /// Behind the string in which it stands.
    #[inline]
    fn skip_to_quote(&mut self) -> Plain<()> {
        if !self.is_clean {
            return self.skip_escapes_to_quote();
        }
        // Many are this short.
        if let Some(length) = first_eight(self.text.as_bytes(), self.at).and_then(special) {
            self.at += length + 1;
            return Ok(());
        }
        self.at += memchr(b'"', self.text.as_bytes().get(self.at..).ok_or(GivenUp)?).ok_or(GivenUp)? + 1;
        Ok(())
    }

    #[inline(never)]
    fn skip_escapes_to_quote(&mut self) -> Plain<()> {
        let bytes = self.text.as_bytes();
        loop {
            self.at = end_of_run(bytes, self.at);
            match bytes.get(self.at..).ok_or(GivenUp)? {
                [b'"', ..] => {
                    self.at += 1;
                    return Ok(());
                }
                [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => self.at += 2,
                [b'\\', b'u', a, b, c, d, ..] if [a, b, c, d].into_iter().all(u8::is_ascii_hexdigit) => self.at += 6,
                _ => return Err(GivenUp),
            }
        }
    }

    fn skip_digits(&mut self) -> Plain<()> {
        let rest = &self.text.as_bytes()[self.at..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        if digits > 0 { Ok(()) } else { Err(GivenUp) }
    }

    /// A number's text, and whether it is an integer. (RFC 8259, section 6.)
    fn number_text(&mut self) -> Plain<(&'a str, bool)> {
        let start = self.at;
        self.at += usize::from(self.byte() == Some(b'-'));
        let first = self.byte();
        let digits = self.at;
        self.skip_digits()?;
        if first == Some(b'0') && self.at > digits + 1 {
            return Err(GivenUp);
        }
        let integer = self.at;
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.skip_digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.skip_digits()?;
        }
        Ok((&self.text[start..self.at], self.at == integer))
    }

    /// An integer that is not followed by decimals; how long it is tells whether it is one.
    #[inline]
    fn digits(&self, at: usize) -> (u64, usize) {
        let (mut number, mut length) = (0_u64, 0);
        for byte in &self.text.as_bytes()[at..] {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
            length += 1;
        }
        (number, length)
    }

    /// A plain integer: without leading zeros, of at most 18 digits.
    #[inline]
    fn natural(&mut self) -> Option<u64> {
        let (number, length) = self.digits(self.at);
        let next = self.text.as_bytes().get(self.at + length);
        let is_plain = length == 1 || ((2..=DIGITS).contains(&length) && self.byte() != Some(b'0'));
        if !is_plain || matches!(next, Some(b'.' | b'e' | b'E')) {
            return None;
        }
        self.at += length;
        Some(number)
    }

    fn number<V: Visitor<'a>>(&mut self, visitor: V) -> Plain<V::Value> {
        if let Some(number) = self.natural() {
            return visitor.visit_u64(number);
        }
        let (text, is_integer) = self.number_text()?;
        if !is_integer {
            return visitor.visit_f64(serde_json::from_str(text).map_err(|_| GivenUp)?);
        }
        // Minus zero is a float to serde_json.
        if text.len() > DIGITS || text == "-0" {
            return Err(GivenUp);
        }
        visitor.visit_i64(text.parse().map_err(|_| GivenUp)?)
    }

    fn skip_value(&mut self) -> Plain<()> {
        match self.peek()? {
            b'"' => {
                self.at += 1;
                self.skip_to_quote()
            }
            b'{' => self.within(b'{', b'}', |items| {
                while items.goes_on(b'}')? {
                    items.parser.take(b'"')?;
                    items.parser.skip_to_quote()?;
                    items.parser.take(b':')?;
                    items.parser.skip_value()?;
                }
                Ok(())
            }),
            b'[' => self.within(b'[', b']', |items| {
                while items.goes_on(b']')? {
                    items.parser.skip_value()?;
                }
                Ok(())
            }),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ if self.natural().is_some() => Ok(()),
            _ => self.number_text().map(drop),
        }
    }

    /// Reads what stands between brackets.
    #[inline]
    fn within<T>(&mut self, open: u8, close: u8, read: impl FnOnce(&mut Items<'_, 'a>) -> Plain<T>) -> Plain<T> {
        self.take(open)?;
        self.depth = self.depth.checked_sub(1).ok_or(GivenUp)?;
        let value = read(&mut Items { parser: self, is_first: true })?;
        self.depth += 1;
        self.take(close)?;
        Ok(value)
    }
}

/// Whether there is neither an escape nor a control character, in a string or elsewhere.
fn is_clean(bytes: &[u8]) -> bool {
    // The compiler looks at many bytes at once. The last ones are looked at twice, so that none is left over.
    const WIDTH: usize = 32;
    let (whole, last) = (bytes.len() / WIDTH * WIDTH, bytes.len().saturating_sub(WIDTH));
    let ((lowest, nearest), (lowest_last, nearest_last)) = (extremes(&bytes[..whole]), extremes(&bytes[last..]));
    lowest.min(lowest_last) >= b' ' && nearest.min(nearest_last) > 0
}

/// The lowest byte, and zero if there is a backslash.
fn extremes(bytes: &[u8]) -> (u8, u8) {
    bytes.iter().fold((u8::MAX, u8::MAX), |(lowest, nearest), byte| (lowest.min(*byte), nearest.min(*byte ^ b'\\')))
}

/// A one in each byte.
const ONES: u64 = u64::MAX / 0xff;

/// Where the bytes of a string end that stand for themselves.
#[inline]
fn end_of_run(bytes: &[u8], mut at: usize) -> usize {
    while let Some(eight) = first_eight(bytes, at) {
        if let Some(length) = special(eight) {
            return at + length;
        }
        at += 8;
    }
    let is_special = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
    bytes[at..].iter().position(is_special).map_or(bytes.len(), |run| at + run)
}

#[inline]
fn first_eight(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|eight| u64::from_le_bytes(*eight))
}

/// How many of eight bytes stand for themselves, if not all do.
#[inline]
const fn special(eight: u64) -> Option<usize> {
    // The high bit of each byte that is zero, and perhaps of others behind the first one.
    let (quotes, escapes) = (eight ^ (ONES * 0x22), eight ^ (ONES * 0x5c));
    let found = (eight.wrapping_sub(ONES * 0x20) & !eight)
        | (quotes.wrapping_sub(ONES) & !quotes)
        | (escapes.wrapping_sub(ONES) & !escapes);
    let marks = found & (ONES * 0x80);
    if marks == 0 { None } else { Some(marks.trailing_zeros() as usize / 8) }
}

macro_rules! numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Plain<V::Value> {
            self.peek()?;
            self.number(visitor)
        }
    )*};
}

macro_rules! give_up {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'a>>(self, _: V) -> Plain<V::Value> {
            Err(GivenUp)
        }
    )*};
}

impl<'a> Deserializer<'a> for &mut Parser<'a> {
    type Error = GivenUp;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Plain<V::Value> {
        match self.peek()? {
            b'"' => self.deserialize_str(visitor),
            b'{' => self.deserialize_map(visitor),
            b'[' => self.deserialize_seq(visitor),
            b't' | b'f' => self.deserialize_bool(visitor),
            b'n' => self.deserialize_unit(visitor),
            _ => self.number(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Plain<V::Value> {
        if self.peek()? == b't' {
            self.word("true")?;
            return visitor.visit_bool(true);
        }
        self.word("false")?;
        visitor.visit_bool(false)
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32
        deserialize_u64 deserialize_f32 deserialize_f64
    }

    fn deserialize_char<V: Visitor<'a>>(self, visitor: V) -> Plain<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Plain<V::Value> {
        visit(self.string()?, visitor)
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Plain<V::Value> {
        self.deserialize_str(visitor)
    }

    give_up! { deserialize_bytes deserialize_byte_buf }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Plain<V::Value> {
        if self.peek()? == b'n' {
            self.word("null")?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'a>>(self, visitor: V) -> Plain<V::Value> {
        self.peek()?;
        self.word("null")?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'a>>(self, _: &'static str, visitor: V) -> Plain<V::Value> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(self, name: &'static str, visitor: V) -> Plain<V::Value> {
        check_name(name)?;
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Plain<V::Value> {
        self.within(b'[', b']', |items| visitor.visit_seq(items))
    }

    fn deserialize_tuple<V: Visitor<'a>>(self, _: usize, visitor: V) -> Plain<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(self, _: &'static str, _: usize, visitor: V) -> Plain<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Plain<V::Value> {
        self.within(b'{', b'}', |items| visitor.visit_map(items))
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Plain<V::Value> {
        if self.peek()? == b'[' { self.deserialize_seq(visitor) } else { self.deserialize_map(visitor) }
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Plain<V::Value> {
        match self.string()? {
            Cow::Borrowed(variant) => visitor.visit_enum(BorrowedStrDeserializer::new(variant)),
            Cow::Owned(_) => Err(GivenUp),
        }
    }

    fn deserialize_identifier<V: Visitor<'a>>(self, visitor: V) -> Plain<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Plain<V::Value> {
        self.skip_value()?;
        visitor.visit_unit()
    }
}

fn visit<'a, V: Visitor<'a>>(text: Cow<'a, str>, visitor: V) -> Plain<V::Value> {
    match text {
        Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
        Cow::Owned(text) => visitor.visit_str(&text),
    }
}

/// `serde_json` gives types of its own names that no other has.
fn check_name(name: &str) -> Plain<()> {
    if name.starts_with('$') { Err(GivenUp) } else { Ok(()) }
}

/// Elements or members.
struct Items<'p, 'a> {
    parser: &'p mut Parser<'a>,
    is_first: bool,
}

impl Items<'_, '_> {
    /// Whether another one stands before the closing bracket.
    #[inline]
    fn goes_on(&mut self, close: u8) -> Plain<bool> {
        let next = self.parser.peek()?;
        if self.is_first {
            self.is_first = false;
            return Ok(next != close);
        }
        match next {
            b',' => self.parser.at += 1,
            _ if next == close => return Ok(false),
            _ => return Err(GivenUp),
        }
        Ok(true)
    }
}

impl<'a> SeqAccess<'a> for &mut Items<'_, 'a> {
    type Error = GivenUp;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Plain<Option<T::Value>> {
        if self.goes_on(b']')? { seed.deserialize(&mut *self.parser).map(Some) } else { Ok(None) }
    }
}

impl<'a> MapAccess<'a> for &mut Items<'_, 'a> {
    type Error = GivenUp;

    fn next_key_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Plain<Option<T::Value>> {
        if self.goes_on(b'}')? { seed.deserialize(Key(self.parser)).map(Some) } else { Ok(None) }
    }

    fn next_value_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Plain<T::Value> {
        self.parser.take(b':')?;
        seed.deserialize(&mut *self.parser)
    }
}

/// A member's name, which `serde_json` also reads as a number or a bool if that is asked for.
struct Key<'p, 'a>(&'p mut Parser<'a>);

impl<'a> Deserializer<'a> for Key<'_, 'a> {
    type Error = GivenUp;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Plain<V::Value> {
        visit(self.0.name()?, visitor)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Plain<V::Value> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(self, name: &'static str, visitor: V) -> Plain<V::Value> {
        check_name(name)?;
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'a>>(self, _: &'static str, _: &'static [&'static str], _: V) -> Plain<V::Value> {
        Err(GivenUp)
    }

    give_up! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_bytes deserialize_byte_buf
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        char str string unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::de::IgnoredAny;
    use serde_json::Value;
    use serde_json::value::RawValue;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    enum Kind {
        #[serde(rename = "a")]
        A,
        B(i64),
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Id(u16);

    #[derive(Debug, PartialEq, Deserialize)]
    struct Typed<'a> {
        a: Option<Id>,
        #[serde(borrow)]
        b: Option<Cow<'a, str>>,
        c: Option<(f64, i8)>,
        d: Option<Kind>,
        e: Option<BTreeMap<String, f32>>,
        f: Option<BTreeMap<u8, bool>>,
        g: Option<char>,
        #[serde(default)]
        h: Vec<Typed<'a>>,
        z: Option<IgnoredAny>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "a")]
    enum Tagged {
        #[serde(rename = "a")]
        A { b: i64 },
        #[serde(untagged)]
        Other(BTreeMap<String, Value>),
    }

    /// Read, it is as serde_json reads it; whether it was read.
    fn agrees<'a, T: Deserialize<'a> + PartialEq + fmt::Debug>(text: &'a str) -> bool {
        let Some(read) = read::<T>(text) else { return false };
        assert_eq!(Some(&read), serde_json::from_str(text).ok().as_ref(), "{text}");
        true
    }

    #[test]
    fn what_producers_write_is_plain() {
        assert!(agrees::<Value>(r#"{"a":[1,-2,3.25,1e3],"b":{"c":null,"d":true},"e":"\u00e9\n","f":"é", "g" : [ ] }"#));
        assert!(agrees::<Typed<'_>>(
            r#"{"a":7,"b":"x\"","c":[1.5,-1],"d":"a","e":{"k":1},"g":"g","h":[{"z":{"a":["\ud800",-0,0.5E-7]}}],"y":[{}]}"#
        ));
        assert!(agrees::<Tagged>(r#"{"b":1,"a":"a"}"#) && agrees::<Tagged>(r#"{"b":1,"a":"c"}"#));
        assert!(agrees::<(u8, Option<()>)>(" [1,null]\n"));
    }

    #[test]
    fn names_may_change_from_text_to_text() {
        let long = "n".repeat(40);
        for name in ["ab", "a", "abc", "", "a\\\"b", "a", "a\\u0022", "é", "fifteen bytes!!", "sixteen bytes!!!", &long]
        {
            for text in [format!("{{\"{name}\":{{\"b\":1}},\"{name}\":2}}"), format!("{{\"{name}\":0}}")] {
                assert!(agrees::<Value>(&text) && agrees::<Value>(&text), "{text}");
            }
        }
        let many: BTreeMap<String, usize> = (0..100).map(|number| (format!("{number:02}"), number)).collect();
        let text = serde_json::to_string(&many).expect("serialises");
        assert!((0..3).all(|_| agrees::<Value>(&text)));
        // What was a name and a quote may be another's beginning.
        assert!(
            agrees::<Value>(r#"{"a\"b":1,"longer than that":2}"#)
                && !agrees::<Value>(r#"{"a"b":1,"longer than that":2}"#)
        );
    }

    #[test]
    fn what_is_not_is_left_to_serde_json() {
        for text in [
            "",
            "{",
            "[1,]",
            "[,1]",
            "{\"a\":1,}",
            "{\"a\"}",
            "01",
            "-",
            "-0",
            "1.",
            ".5",
            "1e",
            "nul",
            "\"\u{1}\"",
            "\"\\x\"",
            "\"\\ud800\"",
            "[1] 2",
            "1234567890123456789",
            "tru",
            "\"",
            "\"\\",
            "{1:2}",
            "1e400",
            "[1 2]",
            "{\"a\" 1}",
        ] {
            assert!(!agrees::<Value>(text), "{text}");
        }
        assert!(
            !agrees::<Value>(&"[".repeat(200)) && !agrees::<Value>(&format!("{}{}", "[".repeat(120), "]".repeat(120)))
        );
        assert!(read::<&RawValue>("1").is_none() && !agrees::<Kind>("{\"B\":1}"));
        assert!(!agrees::<BTreeMap<u8, bool>>("{\"1\":true}") && !agrees::<Id>("70000") && !agrees::<Typed<'_>>("7"));
    }

    /// Pieces of JSON in any order: mostly wrong, sometimes by little.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("{\"a\":"),
            Just("\"b\":"),
            Just("\"c\":"),
            Just("\"d\":"),
            Just("\"e\":{"),
            Just("\"f\":"),
            Just("\"h\":["),
            Just("\"z\":"),
            Just(","),
            Just("}"),
            Just("]"),
            Just("["),
            Just("1"),
            Just("-2.5e1"),
            Just("\"a\""),
            Just(" "),
            Just("null"),
            Just("true"),
            Just("\"\\u00e9\""),
            Just("\"é\""),
            Just("0"),
            Just("\\"),
            Just("\""),
            Just("300"),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e9..1e9).prop_map(Value::from),
            "\\PC{0,20}|[\0-\u{ff}]{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            let name = "[a-hz]|\\PC{0,3}";
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(name, inner, 0..6).prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn each_byte_is_looked_at(length in 0..100_usize, at: prop::sample::Index, byte in prop_oneof![any::<u8>(), Just(b'\\')]) {
            let mut bytes = vec![b'a'; length];
            if let Some(place) = bytes.get_mut(at.index(length.max(1))) {
                *place = byte;
            }
            prop_assert_eq!(is_clean(&bytes), bytes.iter().all(|byte| *byte >= b' ' && *byte != b'\\'));
        }

        #[test]
        fn what_is_read_is_what_serde_json_reads(value in value(), pretty: bool, damage: Option<(prop::sample::Index, char)>) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let mut text = text.expect("serialises");
            if let Some((at, character)) = damage {
                let at = text.floor_char_boundary(at.index(text.len()));
                text.replace_range(at..text.ceil_char_boundary(at + 1), character.encode_utf8(&mut [0; 4]));
            }
            agrees::<Value>(&text);
            agrees::<Typed<'_>>(&text);
            agrees::<Tagged>(&text);
            agrees::<IgnoredAny>(&text);
        }

        #[test]
        fn so_are_pieces(text in pieces()) {
            agrees::<Value>(&text);
            agrees::<Typed<'_>>(&text);
            agrees::<IgnoredAny>(&text);
        }
    }
}
