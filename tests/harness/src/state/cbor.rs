//! Stored CBOR as JSON, for people to read. Whatever the bytes, something is shown.

use ciborium::Value as Cbor;
use serde_json::{Map, Number, Value as Json, json};

/// The value in stored bytes; bytes that are no CBOR value, or go on behind one, as `{"undecoded": base64}`.
pub fn shown(bytes: &[u8]) -> Json {
    decoded(bytes).map_or_else(|| json!({ "undecoded": base64(bytes) }), |value| json_of(&value))
}

/// The one CBOR value in stored bytes.
pub(super) fn decoded(mut bytes: &[u8]) -> Option<Cbor> {
    let value = ciborium::from_reader(&mut bytes).ok()?;
    bytes.is_empty().then_some(value)
}

/// A value as JSON. What JSON has no form for: bytes as `{"base64": …}`, numbers beyond 64 bits and
/// floats that are no number as text, tags as `{"tag": …, "value": …}`, maps with other keys than
/// text by their keys' JSON.
pub fn json_of(value: &Cbor) -> Json {
    match value {
        Cbor::Null => Json::Null,
        Cbor::Bool(value) => Json::Bool(*value),
        Cbor::Integer(number) => integer(i128::from(*number)),
        Cbor::Float(number) => Number::from_f64(*number).map_or_else(|| number.to_string().into(), Json::Number),
        Cbor::Text(text) => Json::String(text.clone()),
        Cbor::Bytes(bytes) => json!({ "base64": base64(bytes) }),
        Cbor::Array(items) => items.iter().map(json_of).collect(),
        Cbor::Tag(tag, value) => json!({ "tag": tag, "value": json_of(value) }),
        Cbor::Map(entries) => map(entries),
        other => Json::String(format!("{other:?}")),
    }
}

fn integer(number: i128) -> Json {
    match (u64::try_from(number), i64::try_from(number)) {
        (Ok(number), _) => number.into(),
        (_, Ok(number)) => number.into(),
        _ => number.to_string().into(),
    }
}

/// An object; a list of pairs if two keys would read the same.
fn map(entries: &[(Cbor, Cbor)]) -> Json {
    let mut object = Map::new();
    for (key, value) in entries {
        let key = match key {
            Cbor::Text(text) => text.clone(),
            other => json_of(other).to_string(),
        };
        object.insert(key, json_of(value));
    }
    if object.len() == entries.len() {
        return Json::Object(object);
    }
    entries.iter().map(|(key, value)| json!([json_of(key), json_of(value)])).collect()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(value: &Cbor) -> Vec<u8> {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).unwrap();
        bytes
    }

    fn any_cbor() -> impl Strategy<Value = Cbor> {
        let leaf = prop_oneof![
            Just(Cbor::Null),
            any::<bool>().prop_map(Cbor::Bool),
            any::<u64>().prop_map(|number| Cbor::Integer(number.into())),
            any::<i64>().prop_map(|number| Cbor::Integer(number.into())),
            any::<f64>().prop_map(Cbor::Float),
            any::<Vec<u8>>().prop_map(Cbor::Bytes),
            any::<String>().prop_map(Cbor::Text),
        ];
        leaf.prop_recursive(6, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Cbor::Array),
                prop::collection::vec((inner.clone(), inner.clone()), 0..6).prop_map(Cbor::Map),
                (any::<u64>(), inner).prop_map(|(tag, value)| Cbor::Tag(tag, Box::new(value))),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_value_is_shown(value in any_cbor()) {
            prop_assert!(!shown(&encoded(&value)).to_string().is_empty());
        }

        #[test]
        fn any_bytes_are_shown(bytes in any::<Vec<u8>>()) {
            prop_assert!(!shown(&bytes).to_string().is_empty());
        }
    }

    #[test]
    fn nesting_without_end_is_shown_undecoded() {
        assert_eq!(shown(&[0x81; 100_000])["undecoded"].as_str().map(str::len), Some(133_336));
    }

    #[test]
    fn lengths_that_are_lies_take_no_memory() {
        for lie in [0x5b_u8, 0x7b, 0x9b, 0xbb] {
            let bytes = [&[lie][..], &[0xff; 8]].concat();
            assert!(shown(&bytes)["undecoded"].is_string());
        }
    }

    #[test]
    fn what_json_has_is_itself() {
        let value = Cbor::Map(vec![
            (Cbor::Text("acc".into()), Cbor::Array(vec![Cbor::Integer(3.into()), Cbor::Null, Cbor::Float(1.5)])),
            (Cbor::Integer((-7).into()), Cbor::Bool(true)),
        ]);
        assert_eq!(json_of(&value), json!({"acc": [3, null, 1.5], "-7": true}));
    }

    #[test]
    fn what_json_has_not_is_written_so_that_nothing_is_lost() {
        assert_eq!(json_of(&Cbor::Float(f64::NAN)), json!("NaN"));
        assert_eq!(json_of(&Cbor::Bytes(vec![255])), json!({"base64": "/w=="}));
        assert_eq!(shown(&[0x3b, 255, 255, 255, 255, 255, 255, 255, 255]), json!("-18446744073709551616"));
        let twice = Cbor::Map(vec![(Cbor::Text("1".into()), Cbor::Null), (Cbor::Integer(1.into()), Cbor::Bool(true))]);
        assert_eq!(json_of(&twice), json!([["1", null], [1, true]]));
    }
}
