//! Filter criteria of an event source: which records a function gets at all.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html>

use serde_json::{Map, Value};

/// The most characters of a pattern.
const MAX_PATTERN: usize = 4_096;
/// The most filters of a mapping, unless AWS raises the quota.
pub(super) const MAX_FILTERS: usize = 5;

/// One pattern of a mapping's `FilterCriteria`. A record passes if one of them matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    pattern: Map<String, Value>,
}

impl Filter {
    /// Reads a pattern, or says why AWS would refuse it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.chars().count() > MAX_PATTERN {
            return Err(format!("is longer than {MAX_PATTERN} characters"));
        }
        match serde_json::from_str(text) {
            Ok(Value::Object(pattern)) => {
                check(&Value::Object(pattern.clone()))?;
                Ok(Self { pattern })
            }
            Ok(_) => Err(String::from("is no JSON object")),
            Err(error) => Err(format!("is no JSON ({error})")),
        }
    }

    /// Whether a record passes: no filter at all lets everything pass. `data` is in base64.
    pub fn any_passes(filters: &[Self], metadata: &Value, data: &str) -> bool {
        filters.is_empty() || filters.iter().any(|filter| filter.passes(metadata, data))
    }

    /// A record whose data is no JSON passes no pattern that asks for `data`.
    fn passes(&self, metadata: &Value, data: &str) -> bool {
        self.pattern.iter().all(|(name, pattern)| {
            if name != "data" {
                return matches_field(metadata, name, pattern);
            }
            let data = base64_simd::STANDARD.decode_to_vec(data).ok();
            let data = data.and_then(|data| serde_json::from_slice::<Value>(&data).ok());
            data.is_some_and(|data| matches(Some(&data), pattern))
        })
    }
}

/// A pattern's leaves are lists of rules.
fn check(pattern: &Value) -> Result<(), String> {
    match pattern {
        Value::Object(fields) if fields.is_empty() => Err(String::from("has an empty object")),
        Value::Object(fields) => fields.iter().try_for_each(|(name, pattern)| match pattern {
            Value::Array(branches) if name == "$or" => branches.iter().try_for_each(check),
            pattern => check(pattern),
        }),
        Value::Array(rules) if rules.is_empty() => Err(String::from("has an empty list of rules")),
        Value::Array(rules) => rules.iter().try_for_each(check_rule),
        other => Err(format!("has `{other}` where a list of rules or an object is expected")),
    }
}

fn check_rule(rule: &Value) -> Result<(), String> {
    let Value::Object(rule) = rule else { return Ok(()) };
    let known = rule.iter().all(|(name, operand)| match name.as_str() {
        "prefix" | "suffix" | "equals-ignore-case" => operand.is_string(),
        "exists" => operand.is_boolean(),
        "anything-but" => !operand.is_null(),
        "numeric" => comparisons(operand).is_some(),
        _ => false,
    });
    if known && rule.len() == 1 {
        return Ok(());
    }
    Err(format!("has the rule `{}`, which is not known", Value::Object(rule.clone())))
}

fn matches_field(event: &Value, name: &str, pattern: &Value) -> bool {
    match pattern {
        Value::Array(branches) if name == "$or" => branches.iter().any(|branch| matches(Some(event), branch)),
        pattern => matches(event.get(name), pattern),
    }
}

fn matches(value: Option<&Value>, pattern: &Value) -> bool {
    match pattern {
        Value::Object(fields) => {
            let value = value.unwrap_or(&Value::Null);
            fields.iter().all(|(name, pattern)| matches_field(value, name, pattern))
        }
        Value::Array(rules) => rules.iter().any(|rule| match value {
            // Any element of a list may match.
            Some(Value::Array(elements)) if !elements.is_empty() => {
                elements.iter().any(|element| rule_holds(Some(element), rule))
            }
            value => rule_holds(value, rule),
        }),
        _ => false,
    }
}

fn rule_holds(value: Option<&Value>, rule: &Value) -> bool {
    let Value::Object(rule) = rule else { return value == Some(rule) };
    let text = value.and_then(Value::as_str);
    rule.iter().all(|(name, operand)| match (name.as_str(), operand.as_str()) {
        ("exists", _) => value.is_some() == operand.as_bool().unwrap_or(true),
        ("prefix", Some(prefix)) => text.is_some_and(|text| text.starts_with(prefix)),
        ("suffix", Some(suffix)) => text.is_some_and(|text| text.ends_with(suffix)),
        ("equals-ignore-case", Some(other)) => text.is_some_and(|text| text.eq_ignore_ascii_case(other)),
        ("anything-but", _) => value.is_some_and(|value| differs(value, operand)),
        ("numeric", _) => value.and_then(Value::as_f64).is_some_and(|number| {
            comparisons(operand).is_some_and(|all| all.iter().all(|(sign, bound)| compare(number, sign, *bound)))
        }),
        _ => false,
    })
}

fn differs(value: &Value, from: &Value) -> bool {
    match from {
        Value::Array(values) => !values.contains(value),
        Value::Object(_) => !rule_holds(Some(value), from),
        other => value != other,
    }
}

/// `["<", 5, ">=", 1]` in pairs.
fn comparisons(operand: &Value) -> Option<Vec<(&str, f64)>> {
    let operand = operand.as_array().filter(|operand| !operand.is_empty() && operand.len() % 2 == 0)?;
    let pairs = operand.chunks_exact(2).map(|pair| match pair {
        [sign, bound] => {
            let sign = sign.as_str().filter(|sign| ["=", "<", "<=", ">", ">="].contains(sign))?;
            Some((sign, bound.as_f64()?))
        }
        _ => None,
    });
    pairs.collect()
}

#[expect(clippy::float_cmp, reason = "what a pattern calls equal is equal")]
fn compare(number: f64, sign: &str, bound: f64) -> bool {
    match sign {
        "=" => number == bound,
        "<" => number < bound,
        "<=" => number <= bound,
        ">" => number > bound,
        _ => number >= bound,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn passes(pattern: &Value, data: &[u8]) -> bool {
        let filter = Filter::parse(&pattern.to_string()).unwrap();
        let metadata = json!({"partitionKey": "k1"});
        Filter::any_passes(&[filter], &metadata, &base64_simd::STANDARD.encode_to_string(data))
    }

    #[test]
    fn rules_hold_as_documented() {
        let data = br#"{"a": "Main", "n": 7, "tags": ["x", "y"], "null": null, "in": {"b": 1}}"#;
        for (pattern, expected) in [
            (json!({"a": ["Main"]}), true),
            (json!({"a": ["main"]}), false),
            (json!({"a": ["x", "Main"]}), true),
            (json!({"a": [{"equals-ignore-case": "mAIN"}]}), true),
            (json!({"a": [{"prefix": "Ma"}]}), true),
            (json!({"a": [{"suffix": "n"}]}), true),
            (json!({"a": [{"anything-but": ["Main"]}]}), false),
            (json!({"a": [{"anything-but": {"prefix": "x"}}]}), true),
            (json!({"n": [{"numeric": ["=", 7]}]}), true),
            (json!({"n": [{"numeric": [">", 0, "<=", 6.5]}]}), false),
            (json!({"n": [7], "a": ["no"]}), false),
            (json!({"$or": [{"n": [1]}, {"a": ["Main"]}]}), true),
            (json!({"tags": ["y"]}), true),
            (json!({"tags": ["z"]}), false),
            (json!({"null": [null]}), true),
            (json!({"absent": [{"exists": false}]}), true),
            (json!({"a": [{"exists": false}]}), false),
            (json!({"in": {"b": [1]}}), true),
        ] {
            assert_eq!(passes(&json!({"data": pattern}), data), expected, "{pattern}");
        }
    }

    #[test]
    fn data_that_is_no_json_passes_only_patterns_of_metadata() {
        assert!(!passes(&json!({"data": {"a": [1]}}), b"text"));
        assert!(passes(&json!({"partitionKey": ["k1"]}), b"text"));
        assert!(!passes(&json!({"partitionKey": ["k2"]}), b"text"));
        assert!(Filter::any_passes(&[], &Value::Null, "text"));
    }

    #[test]
    fn patterns_that_aws_refuses_are_refused() {
        for (pattern, why) in [
            ("text", "is no JSON"),
            ("[]", "is no JSON object"),
            (r#"{"data": "text"}"#, "a list of rules or an object is expected"),
            (r#"{"data": {"a": []}}"#, "an empty list of rules"),
            (r#"{"data": {"a": [{"near": 1}]}}"#, "which is not known"),
        ] {
            let refused = Filter::parse(pattern).unwrap_err();
            assert!(refused.contains(why), "{pattern}: {refused}");
        }
        assert!(Filter::parse(&format!(r#"{{"a": ["{}"]}}"#, "x".repeat(MAX_PATTERN))).is_err());
    }
}
