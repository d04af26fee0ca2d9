//! What a request asks of which service.

use std::collections::BTreeSet;

use axum::http::HeaderMap;
use serde_json::Value;

use crate::permission::{self, Permission};

/// The services that are emulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    DynamoDb,
    Kinesis,
    Sqs,
}

/// A request, as far as counting and killing need to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub(crate) service: Service,
    operation: String,
    class: Option<String>,
    /// The table that results go to, if it is for one.
    sink: Option<String>,
    /// What it needs of IAM.
    pub(crate) permissions: BTreeSet<Permission>,
}

const TARGET: &str = "x-amz-target";

impl Call {
    /// Reads a request from its target header and its body. Results go to the tables `sinks`.
    pub(crate) fn read(headers: &HeaderMap, body: &[u8], sinks: &BTreeSet<String>) -> Self {
        let target = headers.get(TARGET).and_then(|target| target.to_str().ok());
        let (service, operation) = target.and_then(|target| target.split_once('.')).unwrap_or_default();
        // DynamoDB_20120810 and DynamoDBStreams_20120810; Kinesis_20131202.
        let service = match service {
            "AmazonSQS" => Service::Sqs,
            _ if service.starts_with("DynamoDB") => Service::DynamoDb,
            _ => Service::Kinesis,
        };
        let named = (service == Service::Kinesis).then(|| permission::of_kinesis(operation, body)).flatten();
        let body = (service == Service::DynamoDb).then(|| parsed(body)).flatten();
        let permissions = match &body {
            Some(body) => permission::of_dynamodb(operation, body),
            None => named.into_iter().collect(),
        };
        Self {
            permissions,
            service,
            operation: operation.to_owned(),
            class: body.as_ref().and_then(item_class),
            sink: body.as_ref().and_then(table_of).filter(|table| sinks.contains(*table)).map(str::to_owned),
        }
    }

    /// What is asked.
    pub(crate) fn operation(&self) -> &str {
        &self.operation
    }

    /// What it is counted as: the operation, and the class of item or the results' table where there
    /// is one.
    pub(crate) fn kind(&self) -> String {
        match self.sink.as_ref().or(self.class.as_ref()) {
            Some(class) => format!("{} {class}", self.operation),
            None => self.operation.clone(),
        }
    }

    /// Whether success of this call commits a journal record.
    pub(crate) fn commits(&self) -> bool {
        let writes = matches!(self.operation.as_str(), "PutItem" | "TransactWriteItems");
        writes && self.sink.is_none() && self.class.as_deref() == Some("slot")
    }

    /// Whether success of this call sends results downstream.
    pub(crate) fn flushes(&self) -> bool {
        match self.service {
            Service::Kinesis => matches!(self.operation.as_str(), "PutRecords" | "PutRecord"),
            Service::DynamoDb => self.sink.is_some() && !self.reads(),
            Service::Sqs => false,
        }
    }

    /// Whether it writes in a transaction, which costs double.
    pub(crate) fn is_transaction(&self) -> bool {
        self.operation == "TransactWriteItems"
    }

    /// Whether it is one that another transaction at the same item would be in the way of.
    pub(crate) fn writes_items(&self) -> bool {
        const WRITES: [&str; 4] = ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"];
        self.service == Service::DynamoDb && WRITES.contains(&self.operation.as_str())
    }

    /// Whether it asks for records of a stream.
    pub(crate) fn gets_records(&self) -> bool {
        self.service == Service::Kinesis && self.operation == "GetRecords"
    }

    /// Whether it says whether and how it wants to be told what capacity it took.
    pub(crate) fn takes_capacity(&self) -> bool {
        let many = ["BatchGetItem", "BatchWriteItem", "Query", "Scan", "TransactGetItems", "GetItem"];
        self.writes_items() || self.service == Service::DynamoDb && many.contains(&self.operation.as_str())
    }

    /// Whether it puts many records on a stream.
    pub(crate) fn puts_records(&self) -> bool {
        self.service == Service::Kinesis && self.operation == "PutRecords"
    }

    /// Whether the capacity it consumes is read capacity, unless the answer says otherwise.
    pub(crate) fn reads(&self) -> bool {
        matches!(self.operation.as_str(), "GetItem" | "Query" | "Scan" | "BatchGetItem" | "TransactGetItems")
    }
}

fn parsed(body: &[u8]) -> Option<Value> {
    std::str::from_utf8(body).ok()?.parse().ok()
}

/// The table of the first item that a request names.
fn table_of(body: &Value) -> Option<&str> {
    if let Some(table) = body["TableName"].as_str() {
        return Some(table);
    }
    if let Some(first) = body["TransactItems"].get(0) {
        return first.as_object()?.values().find_map(|action| action["TableName"].as_str());
    }
    body["RequestItems"].as_object()?.keys().next().map(String::as_str)
}

/// The class of the first item that a request names: `part` by its partition key, else the sort
/// key up to its number.
fn item_class(body: &Value) -> Option<String> {
    let text = |value: &Value| value["S"].as_str().map(str::to_owned);
    if let Some(values) = body["ExpressionAttributeValues"].as_object()
        && body.get("KeyConditionExpression").is_some()
    {
        return values.values().filter_map(text).find_map(|key| class_of(&key));
    }
    let key = first_key(body)?;
    let partition = text(&key["pk"])?;
    class_of(&partition).or_else(|| {
        let sort = text(&key["sk"])?;
        class_of(&sort).or_else(|| sort.split(':').next().map(str::to_owned))
    })
}

fn class_of(key: &str) -> Option<String> {
    let class = match key.split_once(':') {
        _ if key.contains("/part:") => "part",
        Some(("slot", _)) => "slot",
        Some(("chunk", _)) => "part",
        None if key == "mark" => "mark",
        _ => return None,
    };
    Some(class.to_owned())
}

/// The first item or key in a request, be it single, a transaction or a batch.
fn first_key(body: &Value) -> Option<&Value> {
    let plain = |value: &'_ Value| value.get("Item").is_some() || value.get("Key").is_some();
    let of = |value| -> Option<&Value> { Value::get(value, "Item").or_else(|| Value::get(value, "Key")) };
    if plain(body) {
        return of(body);
    }
    if let Some(transaction) = body["TransactItems"].get(0) {
        return transaction.as_object()?.values().find_map(of);
    }
    let batch = body["RequestItems"].as_object()?.values().next()?;
    match batch.get("Keys") {
        Some(keys) => keys.get(0),
        None => batch.get(0)?.as_object()?.values().find_map(of),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn call(target: &'static str, body: &Value) -> Call {
        let mut headers = HeaderMap::new();
        headers.insert(TARGET, HeaderValue::from_static(target));
        Call::read(&headers, body.to_string().as_bytes(), &BTreeSet::from([String::from("latest")]))
    }

    fn key(pk: &str, sk: &str) -> Value {
        json!({"pk": {"S": pk}, "sk": {"S": sk}, "n": {"N": "1"}})
    }

    #[test]
    fn items_are_told_apart_by_their_keys() {
        let put = |pk, sk| call("DynamoDB_20120810.PutItem", &json!({"TableName": "t", "Item": key(pk, sk)})).kind();
        assert_eq!(put("p/a/s", "slot:0000000001"), "PutItem slot");
        assert_eq!(put("p/a/s", "mark"), "PutItem mark");
        assert_eq!(put("p/a/s/part:3-7", "chunk:0000"), "PutItem part");
        assert_eq!(put("p/a/s", "attempt"), "PutItem attempt");
        let get = call("DynamoDB_20120810.GetItem", &json!({"Key": key("p", "mark")}));
        assert_eq!(get.kind(), "GetItem mark");
        assert!(get.reads() && !get.commits());
    }

    #[test]
    fn transactions_and_batches_are_told_apart_by_their_first_item() {
        let check = json!({"TransactItems": [
            {"ConditionCheck": {"Key": key("p", "slot:0000000001")}},
            {"Put": {"Item": key("p", "slot:0000000002")}},
        ]});
        let check = call("DynamoDB_20120810.TransactWriteItems", &check);
        assert_eq!(check.kind(), "TransactWriteItems slot");
        assert!(check.commits());
        let get = json!({"RequestItems": {"t": {"Keys": [key("p/part:1", "chunk:0000")]}}});
        assert_eq!(call("DynamoDB_20120810.BatchGetItem", &get).kind(), "BatchGetItem part");
        let write = json!({"RequestItems": {"t": [{"PutRequest": {"Item": key("p/part:1", "chunk:0000")}}]}});
        assert_eq!(call("DynamoDB_20120810.BatchWriteItem", &write).kind(), "BatchWriteItem part");
    }

    #[test]
    fn queries_are_told_apart_by_the_values_of_their_condition() {
        let query = json!({
            "KeyConditionExpression": "pk = :p AND sk BETWEEN :a AND :b",
            "ExpressionAttributeValues": {":p": {"S": "p"}, ":a": {"S": "slot:0000000001"}, ":b": {"S": "slot:0000000009"}},
        });
        assert_eq!(call("DynamoDB_20120810.Query", &query).kind(), "Query slot");
        let query = json!({
            "KeyConditionExpression": "pk = :p",
            "ExpressionAttributeValues": {":p": {"S": "p/part:4"}},
        });
        assert_eq!(call("DynamoDB_20120810.Query", &query).kind(), "Query part");
    }

    #[test]
    fn the_streams_of_tables_are_dynamodb_too() {
        let list = call("DynamoDBStreams_20120810.ListStreams", &json!({}));
        assert_eq!((list.service, list.kind().as_str()), (Service::DynamoDb, "ListStreams"));
    }

    #[test]
    fn writes_to_a_table_of_results_flush_whatever_their_keys() {
        let put = json!({"TableName": "latest", "Item": key("p", "slot:0000000001")});
        let transaction = json!({"TransactItems": [{"Update": {"TableName": "latest", "Key": key("p", "s")}}]});
        let batch = json!({"RequestItems": {"latest": [{"PutRequest": {"Item": key("p", "s")}}]}});
        for (target, body, kind) in [
            ("DynamoDB_20120810.PutItem", put, "PutItem latest"),
            ("DynamoDB_20120810.TransactWriteItems", transaction, "TransactWriteItems latest"),
            ("DynamoDB_20120810.BatchWriteItem", batch, "BatchWriteItem latest"),
        ] {
            let call = call(target, &body);
            assert_eq!(call.kind(), kind);
            assert!(call.flushes() && !call.commits());
        }
        let get = call("DynamoDB_20120810.GetItem", &json!({"TableName": "latest", "Key": key("p", "s")}));
        assert!(!get.flushes());
    }

    #[test]
    fn kinesis_has_no_items() {
        let put = call("Kinesis_20131202.PutRecords", &json!({"Records": []}));
        assert_eq!(put.kind(), "PutRecords");
        assert!(put.flushes() && !put.commits());
        assert_eq!(put.service, Service::Kinesis);
    }
}
