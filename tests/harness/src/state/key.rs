//! Keys, as users write them: `JFK`, `42`, `["JFK","LAX"]`.

use serde_json::Value as Json;

/// A key as a user writes it: text as it is, anything else as JSON.
pub fn text(key: &Json) -> String {
    match key {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether a key is meant by what a user wrote: its text, its JSON, or for a tuple its elements
/// joined by `/`, which is how results name it.
pub fn is_meant(key: &Json, written: &str) -> bool {
    text(key) == written
        || path(key).is_some_and(|path| path == written)
        || written.parse::<Json>().is_ok_and(|json| json == *key)
}

fn path(key: &Json) -> Option<String> {
    let elements: Vec<String> = key.as_array()?.iter().map(|item| path(item).unwrap_or_else(|| text(item))).collect();
    Some(elements.join("/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_found_by_their_text_their_json_or_their_path() {
        for (key, written) in [
            (json!("JFK"), "JFK"),
            (json!("JFK"), "\"JFK\""),
            (json!("42"), "42"),
            (json!(42), "42"),
            (json!(-7), "-7"),
            (json!(true), "true"),
            (json!(["JFK", "LAX"]), "[\"JFK\", \"LAX\"]"),
            (json!(["JFK", 7, true]), "JFK/7/true"),
            (json!({"a": 1}), "{\"a\":1}"),
        ] {
            assert!(is_meant(&key, written), "{key} {written}");
        }
    }

    #[test]
    fn other_keys_are_not() {
        for (key, written) in [(json!("JFK"), "jfk"), (json!(42), "4"), (json!(["JFK", "LAX"]), "JFK"), (json!(1), "")]
        {
            assert!(!is_meant(&key, written), "{key} {written}");
        }
    }

    proptest! {
        #[test]
        fn a_key_is_meant_by_its_own_text(text_key in any::<String>(), number in any::<i64>()) {
            for key in [json!(text_key), json!(number), json!([text_key, number])] {
                prop_assert!(is_meant(&key, &text(&key)));
            }
        }
    }
}
