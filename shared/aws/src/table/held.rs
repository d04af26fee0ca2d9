//! What an item holds already, and whether a row adds to it.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::row::Row;

/// How many producers before the present one an item remembers. A zombie ends with its invocation, within minutes; a
/// shard is split or merged a few times a day at most.
const FORMER: usize = 8;

/// How far an item has come, per producer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) producer: String,
    pub(super) order: String,
    /// `<order> <producer>` of those before, oldest first.
    former: Vec<String>,
}

impl Held {
    /// Reads it from an item; `None` if the item is not one of ours.
    pub(super) fn of(item: &HashMap<String, AttributeValue>) -> Option<Self> {
        let text = |name| item.get(name)?.as_s().ok().cloned();
        let former = item.get("former").and_then(|list| list.as_l().ok()).map(Vec::as_slice).unwrap_or_default();
        let former = former.iter().filter_map(|mark| mark.as_s().ok().cloned()).collect();
        Some(Self { producer: text("producer")?, order: text("order")?, former })
    }

    /// Whether the item has had this row, or a later one of its producer.
    pub(super) fn has_had(&self, row: &Row) -> bool {
        let marks = self.former.iter().filter_map(|mark| mark.split_once(' '));
        let marks = marks.map(|(order, producer)| (producer, order));
        marks.chain([(self.producer.as_str(), self.order.as_str())]).any(|(producer, order)| {
            // An order is text that sorts as the numbers in it.
            producer == row.producer && row.order.as_str() <= order
        })
    }

    /// What the item remembers once `row`, of another producer, is written.
    pub(super) fn followed_by(&self, row: &Row) -> AttributeValue {
        let of_row = |mark: &&String| mark.split_once(' ').is_some_and(|(_, producer)| producer == row.producer);
        let mut marks: Vec<String> = self.former.iter().filter(|mark| !of_row(mark)).cloned().collect();
        marks.push(format!("{} {}", self.order, self.producer));
        let surplus = marks.len().saturating_sub(FORMER);
        AttributeValue::L(marks.into_iter().skip(surplus).map(AttributeValue::S).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(producer: &str, order: &str) -> Row {
        let [pk, sk, producer, order] = ["JFK", "-", producer, order].map(str::to_owned);
        Row { pk, sk, producer, order, values: std::collections::BTreeMap::new() }
    }

    fn item(producer: &str, order: &str, former: AttributeValue) -> HashMap<String, AttributeValue> {
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let named = [("producer", text(producer)), ("order", text(order)), ("former", former)];
        named.map(|(name, value)| (name.to_owned(), value)).into()
    }

    #[test]
    fn an_item_remembers_how_far_the_last_producers_came() {
        let mut held = Held::of(&item("life 0", "001:3", AttributeValue::L(vec![]))).expect("ours");
        for life in 1..=9 {
            let next = row(&format!("life {life}"), "001:1");
            assert!(!held.has_had(&next));
            held = Held::of(&item(&next.producer, &next.order, held.followed_by(&next))).expect("ours");
            assert!(held.has_had(&next));
        }
        assert!(!held.has_had(&row("life 0", "001:3")), "only the last {FORMER} before are remembered");
        assert!((1..=9).all(|life| held.has_had(&row(&format!("life {life}"), "001:1"))));
        assert!(!held.has_had(&row("life 5", "001:2")), "what is new of an old producer is no repeat");
    }

    #[test]
    fn a_producer_that_comes_back_is_remembered_once() {
        let held = Held::of(&item("b", "001:1", AttributeValue::L(vec![AttributeValue::S("001:1 a".to_owned())])));
        let mark = |text: &str| AttributeValue::S(text.to_owned());
        assert_eq!(held.expect("ours").followed_by(&row("a", "001:2")), AttributeValue::L(vec![mark("001:1 b")]));
    }

    #[test]
    fn an_item_of_somebody_else_is_not_guessed_at() {
        assert_eq!(Held::of(&HashMap::new()), None);
    }
}
