//! Permissions: what a request needs of IAM, so that what functions did can be compared with what their roles allow.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::template::{stream_arn, table_arn};

/// An action on a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Permission {
    /// `kinesis:PutRecords`.
    pub action: String,
    /// An ARN.
    pub resource: String,
}

impl Permission {
    fn of(service: &str, operation: &str, resource: String) -> Self {
        Self { action: format!("{service}:{operation}"), resource }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.action, self.resource)
    }
}

/// What a request to Kinesis needs. A page that only a token names needs what the first page needed.
pub(crate) fn of_kinesis(operation: &str, body: &[u8]) -> Option<Permission> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(rename = "StreamARN")]
        arn: Option<String>,
        #[serde(rename = "StreamName")]
        name: Option<String>,
    }
    let Named { arn, name } = serde_json::from_slice(body).ok()?;
    let resource = arn.or_else(|| name.map(|name| stream_arn(&name)))?;
    Some(Permission::of("kinesis", operation, resource))
}

/// What a request to DynamoDB needs: a transaction what each of its items does.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html>
pub(crate) fn of_dynamodb(operation: &str, body: &Value) -> BTreeSet<Permission> {
    let on = |operation: &str, table: &Value| Some(Permission::of("dynamodb", operation, table_arn(table.as_str()?)));
    if let Some(items) = body["TransactItems"].as_array() {
        let of_item = |(kind, item): (&String, &Value)| on(&format!("{kind}Item"), &item["TableName"]);
        return items.iter().filter_map(Value::as_object).flatten().filter_map(of_item).collect();
    }
    if let Some(tables) = body["RequestItems"].as_object() {
        return tables.keys().filter_map(|table| on(operation, &Value::from(table.as_str()))).collect();
    }
    on(operation, &body["TableName"]).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(permissions: impl IntoIterator<Item = Permission>) -> Vec<String> {
        permissions.into_iter().map(|permission| permission.to_string()).collect()
    }

    #[test]
    fn streams_are_named_by_name_or_arn() {
        let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/flights";
        for body in [json!({"StreamName": "flights", "Records": [{"Data": "eA=="}]}), json!({"StreamARN": arn})] {
            let needed = of_kinesis("PutRecords", body.to_string().as_bytes());
            assert_eq!(texts(needed), [format!("kinesis:PutRecords on {arn}")]);
        }
        assert_eq!(of_kinesis("ListShards", br#"{"NextToken": "x"}"#), None);
    }

    #[test]
    fn a_transaction_needs_what_its_items_do() {
        let body = json!({"TransactItems": [{"ConditionCheck": {"TableName": "j"}}, {"Put": {"TableName": "j"}}]});
        let table = "arn:aws:dynamodb:us-east-1:000000000000:table/j";
        let expected = ["ConditionCheckItem", "PutItem"].map(|action| format!("dynamodb:{action} on {table}"));
        assert_eq!(texts(of_dynamodb("TransactWriteItems", &body)), expected);
        let get = json!({"TableName": "j", "Key": {}});
        assert_eq!(texts(of_dynamodb("GetItem", &get)), [format!("dynamodb:GetItem on {table}")]);
    }
}
