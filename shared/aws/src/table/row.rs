//! From an output to the items that it changes.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tidemill_core::{EventTime, SequenceNumber, Span};

/// The most bytes of a partition key.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
const MAX_PK_BYTES: usize = 2048;
/// The most bytes of an item, names of attributes included: 400 KiB, less what it may come to remember of former
/// producers.
const MAX_ITEM_BYTES: usize = (400 - 8) << 10;

/// Stands for an empty key, and for no window.
const NONE: &str = "-";

/// All attributes but the key and the bookkeeping (`producer`, `order`, `former`).
pub(super) const VALUES: [&str; 11] = [
    "data",
    "id",
    "time",
    "resultkey",
    "panetiming",
    "paneindex",
    "commit",
    "sequence",
    "subsequence",
    "index",
    "replacedby",
];

/// Attributes by name; those that are `None` are left out.
type Named = Vec<(&'static str, Option<AttributeValue>)>;

/// The attributes of a result's event that a table is about.
#[derive(Deserialize)]
struct Event<'a> {
    id: String,
    time: Option<String>,
    subject: Option<String>,
    producer: String,
    commit: Option<String>,
    sequence: Option<String>,
    subsequence: Option<String>,
    index: u64,
    windowstart: Option<String>,
    windowend: Option<String>,
    paneindex: Option<u64>,
    panenumber: Option<u64>,
    panetiming: Option<String>,
    panereplaces: Option<String>,
    resultkey: Option<String>,
    #[serde(borrow, default, deserialize_with = "even_null")]
    data: Option<&'a RawValue>,
}

/// `null` is a value too.
fn even_null<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// What one item shall become.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) pk: String,
    pub(super) sk: String,
    pub(super) producer: String,
    /// Where the row stands among those of its producer; sorts as text.
    pub(super) order: String,
    /// By name; of [`VALUES`], those that are not here are removed.
    pub(super) values: BTreeMap<&'static str, AttributeValue>,
}

impl Row {
    fn bytes(&self) -> usize {
        let value = |value: &AttributeValue| match value {
            AttributeValue::S(text) | AttributeValue::N(text) => text.len(),
            _ => 0,
        };
        let named = self.values.iter().map(|(name, held)| name.len() + value(held)).sum::<usize>();
        named + [&self.pk, &self.sk, &self.producer, &self.order].map(String::len).iter().sum::<usize>() + 32
    }
}

/// What one output changes: its own item, and afterwards those of the windows that it replaces.
#[derive(Debug, PartialEq)]
pub(super) struct Change {
    pub(super) row: Row,
    pub(super) voids: Vec<Row>,
}

impl Change {
    /// Reads an output's bytes; says why no table ever takes them.
    pub(super) fn parse(data: &[u8]) -> Result<Self, String> {
        let event: Event<'_> = serde_json::from_slice(data).map_err(|error| {
            format!("it is no event of a pipeline: {error}. A table takes events only, nothing plain")
        })?;
        let change = event.change()?;
        let (pk, bytes) = (change.row.pk.len(), change.row.bytes());
        match () {
            () if pk > MAX_PK_BYTES => Err(format!("its key has {pk} bytes: a table takes {MAX_PK_BYTES} bytes")),
            () if bytes > MAX_ITEM_BYTES => {
                Err(format!("its item has {bytes} bytes: a table takes {MAX_ITEM_BYTES} bytes"))
            }
            () => Ok(change),
        }
    }
}

impl Event<'_> {
    fn change(self) -> Result<Change, String> {
        let data = self.data.ok_or("its data is not JSON: a table takes JSON only. Send it to a stream")?;
        let window = match (&self.windowstart, &self.windowend) {
            (Some(start), Some(end)) => sort_key(span(start, end)?),
            _ => NONE.to_owned(),
        };
        let voids = self.panereplaces.as_deref().unwrap_or_default().split_ascii_whitespace().map(replaced);
        let voids = voids.collect::<Result<Vec<String>, String>>()?;
        let (order, place) = self.place()?;
        let pk = self.subject.filter(|subject| !subject.is_empty()).unwrap_or_else(|| NONE.to_owned());
        let row = |sk, own: Named| Row {
            pk: pk.clone(),
            sk,
            producer: self.producer.clone(),
            order: order.clone(),
            values: place.iter().cloned().chain(own).filter_map(|(name, value)| Some((name, value?))).collect(),
        };
        let void = |sk| row(sk, vec![("replacedby", text(Some(window.clone())))]);
        let voids = voids.into_iter().filter(|sk| *sk != window).map(void).collect();
        let sk = match self.panenumber {
            Some(number @ 1..) => format!("{window}#{number}"),
            _ => window.clone(),
        };
        let values = vec![
            ("data", text(Some(data.get()))),
            ("time", text(self.time)),
            ("resultkey", text(self.resultkey)),
            ("panetiming", text(self.panetiming)),
            ("paneindex", number(self.paneindex)),
        ];
        Ok(Change { row: row(sk, values), voids })
    }

    /// Where the event stands among its producer's, as text that sorts, and the attributes that say so.
    fn place(&self) -> Result<(String, Named), String> {
        let index = self.index.to_string();
        let mut place = vec![("id", text(Some(self.id.as_str()))), ("index", number(Some(&index)))];
        let order = match (&self.commit, &self.sequence) {
            (Some(commit), _) => {
                place.push(("commit", number(Some(commit))));
                vec![digits("commit", commit)?, digits("index", &index)?]
            }
            (None, Some(sequence)) => {
                let sub = self.subsequence.as_deref().unwrap_or("0");
                place.extend([("sequence", text(Some(sequence.as_str()))), ("subsequence", number(Some(sub)))]);
                vec![digits("sequence", sequence)?, digits("subsequence", sub)?, digits("index", &index)?]
            }
            (None, None) => {
                return Err("it has neither `commit` nor `sequence`: it is no event of a pipeline".to_owned());
            }
        };
        Ok((order.iter().map(sortable).collect::<Vec<_>>().join("/"), place))
    }
}

fn digits(name: &str, text: &str) -> Result<SequenceNumber, String> {
    SequenceNumber::parse(text).ok_or_else(|| format!("its `{name}` is `{text}`, no whole number of up to 129 digits"))
}

/// The number, after the count of its digits: sorts as text as it does as a number.
fn sortable(number: &SequenceNumber) -> String {
    format!("{:03}:{number}", number.as_str().len())
}

fn replaced(interval: &str) -> Result<String, String> {
    let (start, end) =
        interval.split_once('/').ok_or_else(|| format!("`{interval}` in its `panereplaces` is no interval"))?;
    Ok(sort_key(span(start, end)?))
}

fn span(start: &str, end: &str) -> Result<Span, String> {
    let time = |text: &str| {
        let millis = text.parse().map_err(|_| format!("`{text}` in its window is no time in milliseconds"))?;
        Ok::<_, String>(EventTime::from_millis(millis))
    };
    Ok(Span { start: time(start)?, end: time(end)? })
}

fn sort_key(window: Span) -> String {
    format!("{}/{}", window.start, window.end)
}

fn text(value: Option<impl Into<String>>) -> Option<AttributeValue> {
    value.map(|value| AttributeValue::S(value.into()))
}

fn number(value: Option<impl ToString>) -> Option<AttributeValue> {
    value.map(|value| AttributeValue::N(value.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn event(more: Value) -> Value {
        let mut event = json!({
            "specversion": "1.0", "id": "ab-12-3", "source": "/tidemill/departures", "type": "tidemill.result",
            "time": "2013-01-01T11:00:00.000Z", "subject": "JFK", "datacontenttype": "application/json",
            "producer": "departures/ab", "commit": "12", "index": 3, "resultkey": "8c", "data": {"flights": 2},
        });
        let fields = event.as_object_mut().expect("an object");
        for (name, value) in more.as_object().expect("an object") {
            match value {
                Value::String(gone) if gone == "gone" => fields.remove(name),
                value => fields.insert(name.clone(), value.clone()),
            };
        }
        event
    }

    fn parse(more: Value) -> Result<Change, String> {
        Change::parse(event(more).to_string().as_bytes())
    }

    fn row(more: Value) -> Row {
        parse(more).expect("an event").row
    }

    fn hour() -> Value {
        json!({"windowstart": "1357034400000", "windowend": "1357038000000", "paneindex": 1, "panetiming": "late"})
    }

    fn with(mut one: Value, other: Value) -> Value {
        let more = other.as_object().expect("an object").clone();
        one.as_object_mut().expect("an object").extend(more);
        one
    }

    const WINDOW: &str = "2013-01-01T10:00:00.000Z/2013-01-01T11:00:00.000Z";

    #[test]
    fn a_result_of_a_window_is_an_item_of_key_and_window() {
        let row = row(hour());
        assert_eq!((row.pk.as_str(), row.sk.as_str(), row.producer.as_str()), ("JFK", WINDOW, "departures/ab"));
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let number = |value: &str| AttributeValue::N(value.to_owned());
        let expected = [
            ("data", text(r#"{"flights":2}"#)),
            ("id", text("ab-12-3")),
            ("time", text("2013-01-01T11:00:00.000Z")),
            ("resultkey", text("8c")),
            ("panetiming", text("late")),
            ("paneindex", number("1")),
            ("commit", number("12")),
            ("index", number("3")),
        ];
        assert_eq!(row.values, expected.into());
    }

    #[test]
    fn without_key_or_window_there_is_a_dash() {
        for none in [json!({"subject": "gone"}), json!({"subject": ""})] {
            let row = row(none);
            assert_eq!((row.pk.as_str(), row.sk.as_str()), ("-", "-"));
        }
        let lasting = row(json!({"windowstart": "-9223372036854775808", "windowend": "9223372036854775807"}));
        assert_eq!(lasting.sk, "-9223372036854775808/9223372036854775807");
    }

    #[test]
    fn the_further_results_of_a_firing_have_items_of_their_own() {
        assert_eq!(row(with(hour(), json!({"panenumber": 0}))).sk, WINDOW);
        assert_eq!(row(with(hour(), json!({"panenumber": 2}))).sk, format!("{WINDOW}#2"));
        assert_eq!(row(json!({"panenumber": 1})).sk, "-#1");
    }

    #[test]
    fn replaced_windows_are_voided_with_the_order_of_what_replaces_them() {
        let replaces = json!({"panereplaces": "0/1 1/2 1357034400000/1357038000000", "panenumber": 1});
        let Change { row, voids } = parse(with(hour(), replaces)).expect("an event");
        let replaced =
            ["1970-01-01T00:00:00.000Z/1970-01-01T00:00:00.001Z", "1970-01-01T00:00:00.001Z/1970-01-01T00:00:00.002Z"];
        assert_eq!(voids.iter().map(|void| void.sk.as_str()).collect::<Vec<_>>(), replaced, "itself it does not void");
        for void in voids {
            assert_eq!((&void.pk, &void.producer, &void.order), (&row.pk, &row.producer, &row.order));
            assert_eq!(void.values["replacedby"], AttributeValue::S(WINDOW.to_owned()));
            assert!(!void.values.contains_key("data") && !void.values.contains_key("paneindex"));
        }
    }

    #[test]
    fn results_without_commit_are_ordered_by_their_record() {
        let at = |sequence: &str, sub: &str, index: u64| {
            row(json!({"commit": "gone", "sequence": sequence, "subsequence": sub, "index": index}))
        };
        let orders = [at("9", "11", 2), at("9", "11", 10), at("9", "100", 0), at("10", "0", 0)].map(|row| row.order);
        assert!(orders.is_sorted(), "{orders:?}");
        let row = at("49590338271490256608559692538361571095921575989136588898", "7", 0);
        assert_eq!(row.values["subsequence"], AttributeValue::N("7".to_owned()));
        assert!(row.values["sequence"].is_s(), "a DynamoDB number has 38 digits at most");
    }

    #[test]
    fn null_is_a_value() {
        assert_eq!(row(json!({"data": null})).values["data"], AttributeValue::S("null".to_owned()));
    }

    #[test]
    fn data_is_kept_to_the_letter() {
        let text = event(json!({"data": 1})).to_string().replace(r#""data":1"#, r#""data": [1.50, "\u00e9"]"#);
        let row = Change::parse(text.as_bytes()).expect("an event").row;
        assert_eq!(row.values["data"], AttributeValue::S(r#"[1.50, "\u00e9"]"#.to_owned()));
    }

    #[test]
    fn what_no_table_takes_is_objected_to() {
        for (event, why) in [
            (json!({"data": "gone", "data_base64": "AA=="}), "is not JSON"),
            (json!({"subject": "k".repeat(2049)}), "its key has 2049 bytes: a table takes 2048"),
            (json!({"data": "d".repeat(MAX_ITEM_BYTES)}), "a table takes 401408 bytes"),
            (json!({"producer": "gone"}), "missing field `producer`"),
            (json!({"commit": "gone"}), "neither `commit` nor `sequence`"),
            (json!({"commit": "twelve"}), "`commit` is `twelve`"),
            (json!({"panereplaces": "1-2"}), "`1-2` in its `panereplaces`"),
            (json!({"windowstart": "soon", "windowend": "1"}), "`soon` in its window"),
        ] {
            let told = parse(event).expect_err(why);
            assert!(told.contains(why), "{told}");
        }
        assert!(Change::parse(b"JFK,1").expect_err("no event").contains("it is no event of a pipeline"));
        assert!(parse(json!({"subject": "k".repeat(2048)})).is_ok());
    }

    proptest! {
        #[test]
        fn orders_sort_as_text_as_they_do_as_numbers(one: (u64, u32), other: (u64, u32)) {
            let order = |(commit, index): (u64, u32)| row(json!({"commit": commit.to_string(), "index": index})).order;
            prop_assert_eq!(order(one).cmp(&order(other)), one.cmp(&other));
        }
    }
}
