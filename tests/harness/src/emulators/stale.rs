//! Reads of DynamoDB that are not strongly consistent: shortly behind a write they may answer as if it had not come yet.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html>

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::template::Table;

use super::call::Call;
use super::dynamodb::Items;

/// How long a write may go unseen. AWS says: usually a second or less.
const SHORTLY: Duration = Duration::from_secs(1);

/// Items as they were before their last write.
pub(super) struct Stale {
    items: Items,
    /// Tables, each with the names of its key's attributes.
    keys: BTreeMap<String, Vec<String>>,
    before: Mutex<BTreeMap<Address, Before>>,
}

/// An item: its table, and its key as text.
type Address = (String, String);

struct Before {
    item: Option<Value>,
    written: Instant,
}

impl Stale {
    pub(super) fn new(items: Items, tables: &[Table]) -> Self {
        let name = |key: &Value| key["AttributeName"].as_str().map(str::to_owned);
        let names = |table: &Table| {
            let keys = table.request["KeySchema"].as_array().into_iter().flatten();
            keys.filter_map(name).collect()
        };
        let keys = tables.iter().map(|table| (table.name.clone(), names(table))).collect();
        Self { items, keys, before: Mutex::default() }
    }

    /// Takes note of the items that a request is about to write, as they are.
    pub(super) fn note(&self, call: &Call, body: &[u8]) {
        if call.reads() {
            return;
        }
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return };
        for (table, of) in written(&body) {
            let Some(key) = self.key(table, of) else { continue };
            let item = self.items.get(table, &key);
            let before = Before { item, written: Instant::now() };
            self.before().insert((table.to_owned(), key.to_string()), before);
        }
    }

    /// What a read could answer in place of `answer`: as things were before writes of the last moment. `None` if there
    /// were none to what it read, or if it asks for strong consistency or for parts of items.
    pub(super) fn earlier(&self, call: &Call, body: &[u8], answer: &[u8]) -> Option<Value> {
        let asked: Value = serde_json::from_slice(body).ok()?;
        let parts = ["ProjectionExpression", "AttributesToGet", "IndexName"];
        if asked["ConsistentRead"] == true || parts.iter().any(|part| asked.get(part).is_some()) {
            return None;
        }
        let table = asked["TableName"].as_str()?;
        let mut answer: Value = serde_json::from_slice(answer).ok()?;
        match call.operation() {
            "GetItem" => match self.before_write(table, &self.key(table, &asked["Key"])?)? {
                Some(item) => answer["Item"] = item,
                None => drop(answer.as_object_mut()?.remove("Item")),
            },
            "Query" | "Scan" => {
                let mut changed = false;
                let mut items = Vec::new();
                for item in answer["Items"].as_array()? {
                    let earlier = self.key(table, item).and_then(|key| self.before_write(table, &key));
                    changed |= earlier.is_some();
                    items.extend(earlier.unwrap_or_else(|| Some(item.clone())));
                }
                answer["Count"] = items.len().into();
                answer["Items"] = items.into();
                return changed.then_some(answer);
            }
            _ => return None,
        }
        Some(answer)
    }

    /// The item before a write of the last moment: `Some(None)` if there was none.
    #[expect(clippy::option_option, reason = "no write, or no item before it")]
    fn before_write(&self, table: &str, key: &Value) -> Option<Option<Value>> {
        let before = self.before();
        let found = before.get(&(table.to_owned(), key.to_string()))?;
        (found.written.elapsed() < SHORTLY).then(|| found.item.clone())
    }

    /// The key in an item.
    fn key(&self, table: &str, item: &Value) -> Option<Value> {
        let names = self.keys.get(table)?;
        names.iter().map(|name| Some((name.clone(), item.get(name)?.clone()))).collect::<Option<_>>().map(Value::Object)
    }

    fn before(&self) -> MutexGuard<'_, BTreeMap<Address, Before>> {
        self.before.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The items that a request writes: each with its table, as far as it has the key.
fn written(body: &Value) -> Vec<(&str, &Value)> {
    if let Some(actions) = body["TransactItems"].as_array() {
        let actions = actions.iter().filter_map(Value::as_object).flatten();
        let writes = actions.filter(|(kind, _)| *kind != "ConditionCheck");
        return writes.filter_map(|(_, action)| Some((action["TableName"].as_str()?, item(action)?))).collect();
    }
    if let Some(tables) = body["RequestItems"].as_object() {
        let requests = |(table, requests)| -> Vec<(&str, &Value)> {
            let (table, requests): (&String, &Value) = (table, requests);
            let requests = requests.as_array().into_iter().flatten().filter_map(Value::as_object).flatten();
            requests.filter_map(|(_, request)| Some((table.as_str(), item(request)?))).collect()
        };
        return tables.iter().flat_map(requests).collect();
    }
    body["TableName"].as_str().zip(item(body)).into_iter().collect()
}

/// What is put, or the key of what is changed.
fn item(action: &Value) -> Option<&Value> {
    action.get("Item").or_else(|| action.get("Key"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::http::{HeaderMap, HeaderValue};
    use serde_json::json;

    use super::super::DynamoDb;
    use super::*;

    fn call(operation: &str, body: &Value) -> (Call, Vec<u8>) {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", HeaderValue::from_str(&format!("DynamoDB_20120810.{operation}")).unwrap());
        let body = body.to_string().into_bytes();
        (Call::read(&headers, &body, &BTreeSet::new()), body)
    }

    fn table() -> Table {
        let request = json!({
            "TableName": "days", "BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
        });
        Table { id: String::from("T"), name: String::from("days"), request }
    }

    fn item(key: &str, number: &str) -> Value {
        json!({"k": {"S": key}, "n": {"N": number}})
    }

    /// Writes as a function's front does it.
    fn put(stale: &Stale, key: &str, number: &str) {
        let (call, body) = call("PutItem", &json!({"TableName": "days", "Item": item(key, number)}));
        stale.note(&call, &body);
        stale.items.put("days", &item(key, number));
    }

    #[tokio::test]
    async fn a_read_shortly_behind_a_write_may_not_see_it() {
        let dynamodb = DynamoDb::start().await.unwrap();
        dynamodb.create_table(&table()).unwrap();
        let stale = Stale::new(dynamodb.direct(), &[table()]);
        let get = |more: &Value| {
            let mut asked = json!({"TableName": "days", "Key": {"k": {"S": "a"}}});
            asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let (call, body) = call("GetItem", &asked);
            stale.earlier(&call, &body, json!({"Item": item("a", "9")}).to_string().as_bytes())
        };
        assert_eq!(get(&json!({})), None);
        put(&stale, "a", "1");
        assert_eq!(get(&json!({})), Some(json!({})));
        put(&stale, "a", "2");
        assert_eq!(get(&json!({})), Some(json!({"Item": item("a", "1")})));
        assert_eq!(get(&json!({"ConsistentRead": true})), None);
        assert_eq!(get(&json!({"ProjectionExpression": "n"})), None);

        put(&stale, "b", "5");
        let (call, body) = call("Query", &json!({"TableName": "days", "KeyConditionExpression": "k = :k"}));
        let answer = json!({"Items": [item("a", "2"), item("b", "5"), item("c", "7")], "Count": 3});
        let earlier = stale.earlier(&call, &body, answer.to_string().as_bytes()).unwrap();
        assert_eq!(earlier, json!({"Items": [item("a", "1"), item("c", "7")], "Count": 2}));
    }

    #[test]
    fn writes_are_found_in_every_kind_of_request() {
        let key = json!({"k": {"S": "a"}});
        let transaction = json!({"TransactItems": [
            {"ConditionCheck": {"TableName": "t", "Key": key}}, {"Delete": {"TableName": "t", "Key": key}},
        ]});
        let batch = json!({"RequestItems": {"t": [{"PutRequest": {"Item": key}}, {"DeleteRequest": {"Key": key}}]}});
        let update = json!({"TableName": "t", "Key": key});
        assert_eq!(written(&transaction), [("t", &key)]);
        assert_eq!(written(&batch), [("t", &key), ("t", &key)]);
        assert_eq!(written(&update), [("t", &key)]);
    }
}
