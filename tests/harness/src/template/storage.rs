//! Streams and tables.

use std::collections::BTreeMap;

use serde_json::json;

use crate::findings::Findings;

use super::Template;
use super::node::{Node, Value};
use super::property::Reader;
use super::resolve::Resource;

/// A Kinesis stream of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Its logical id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `ShardCount`; 1 if the template leaves it open.
    pub shards: u32,
}

/// A DynamoDB table of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its logical id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The `CreateTable` request that makes it.
    pub request: serde_json::Value,
}

/// More shards than any scenario needs; each costs a task and an environment.
const MAX_SHARDS: i64 = 1_000;

pub(super) fn read(template: &Template, findings: &mut Findings) -> (Vec<Stream>, Vec<Table>) {
    let (mut streams, mut tables) = (Vec::new(), Vec::new());
    let mut seen = BTreeMap::new();
    for (id, node, kind) in template.resources() {
        let mut reader = Reader { path: &template.path, resolver: &template.resolver, findings: &mut *findings };
        let (what, name) = match template.resolver.resources.get(id) {
            Some(Resource::Stream(name)) => {
                streams.push(stream(&mut reader, id, name, node));
                ("stream", name)
            }
            Some(Resource::Table(name)) => {
                tables.extend(table(&mut reader, id, name, node, kind));
                ("table", name)
            }
            _ => continue,
        };
        if let Some(first) = seen.insert((what, name.clone()), id) {
            reader.problem(node.line, format!("`{id}` and `{first}` are both the {what} `{name}`"));
        }
    }
    (streams, tables)
}

fn stream(reader: &mut Reader<'_>, id: &str, name: &str, node: &Node) -> Stream {
    let shards = node.at(&["Properties", "ShardCount"]);
    Stream {
        id: id.to_owned(),
        name: name.to_owned(),
        shards: reader.whole_or(shards, "ShardCount", 1..=MAX_SHARDS, 1),
    }
}

fn table(reader: &mut Reader<'_>, id: &str, name: &str, node: &Node, kind: &str) -> Option<Table> {
    let request = if kind == "AWS::Serverless::SimpleTable" {
        Some(simple_table(reader, name, node))
    } else {
        full_table(reader, id, name, node)
    };
    request.map(|request| Table { id: id.to_owned(), name: name.to_owned(), request })
}

fn simple_table(reader: &mut Reader<'_>, name: &str, node: &Node) -> serde_json::Value {
    let key = node.at(&["Properties", "PrimaryKey"]);
    let attribute = reader.text(key.and_then(|key| key.get("Name"))).unwrap_or_else(|| String::from("id"));
    let kind = match reader.text(key.and_then(|key| key.get("Type"))).as_deref() {
        Some("Number") => "N",
        Some("Binary") => "B",
        _ => "S",
    };
    json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": attribute, "AttributeType": kind}],
        "KeySchema": [{"AttributeName": attribute, "KeyType": "HASH"}],
    })
}

/// Billing, backups, encryption and tags do not change what a table answers; keys and indexes do.
fn full_table(reader: &mut Reader<'_>, id: &str, name: &str, node: &Node) -> Option<serde_json::Value> {
    let mut request = json!({"TableName": name, "BillingMode": "PAY_PER_REQUEST"});
    let mut complete = true;
    for property in ["AttributeDefinitions", "KeySchema"] {
        match node.at(&["Properties", property]) {
            Some(value) if !value.items().is_empty() => request[property] = plain(reader, value),
            _ => {
                reader.problem(node.line, format!("table `{id}` has no {property}"));
                complete = false;
            }
        }
    }
    for property in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
        if let Some(value) = node.at(&["Properties", property]) {
            request[property] = plain(reader, value);
        }
    }
    complete.then_some(request)
}

/// A property as JSON, with all text resolved.
fn plain(reader: &mut Reader<'_>, node: &Node) -> serde_json::Value {
    match &node.value {
        Value::List(items) => items.iter().map(|item| plain(reader, item)).collect(),
        Value::Map(entries) if !is_function(node) => entries
            .iter()
            .filter(|entry| entry.key != "ProvisionedThroughput")
            .map(|entry| (entry.key.clone(), plain(reader, &entry.node)))
            .collect(),
        _ => reader.text(Some(node)).unwrap_or_default().into(),
    }
}

fn is_function(node: &Node) -> bool {
    match node.entries() {
        [entry] => entry.key == "Ref" || entry.key.starts_with("Fn::"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn load(text: &str) -> Result<Template, String> {
        let mut findings = Findings::default();
        let template = Template::parse(Path::new("t.yaml"), text, &mut findings);
        match findings.into_warnings() {
            Ok(_) => Ok(template.expect("no template")),
            Err(error) => Err(error.to_string()),
        }
    }

    const TABLE: &str = "
Parameters: {Hash: {Type: String, Default: pk}}
Resources:
  Flights: {Type: AWS::Kinesis::Stream, Properties: {Name: flights, ShardCount: 2}}
  Late: {Type: AWS::Kinesis::Stream}
  Journal:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{AttributeName: !Ref Hash, AttributeType: S}]
      KeySchema: [{AttributeName: !Ref Hash, KeyType: HASH}]
      BillingMode: PAY_PER_REQUEST
  Simple: {Type: AWS::Serverless::SimpleTable}
";

    #[test]
    fn streams_have_a_name_and_shards() {
        let template = load(TABLE).unwrap();
        assert_eq!(template.stream("flights").unwrap().shards, 2);
        assert_eq!(template.stream("Late").unwrap().shards, 1);
    }

    #[test]
    fn tables_become_requests() {
        let template = load(TABLE).unwrap();
        let journal = &template.tables[0].request;
        assert_eq!(journal["KeySchema"], json!([{"AttributeName": "pk", "KeyType": "HASH"}]));
        assert_eq!(template.tables[1].request["KeySchema"][0]["AttributeName"], "id");
    }

    #[test]
    fn everything_wrong_is_reported_at_once() {
        let text = "Resources:
  A: {Type: AWS::Kinesis::Stream, Properties: {Name: same, ShardCount: none}}
  B: {Type: AWS::Kinesis::Stream, Properties: {Name: same}}
  C: {Type: AWS::DynamoDB::Table}
";
        let error = load(text).unwrap_err();
        let lines: Vec<&str> = error.lines().collect();
        assert_eq!(
            lines,
            [
                "t.yaml:2: ShardCount is `none`; a whole number from 1 to 1000 is expected",
                "t.yaml:3: `B` and `A` are both the stream `same`",
                "t.yaml:4: table `C` has no AttributeDefinitions",
                "t.yaml:4: table `C` has no KeySchema",
            ]
        );
    }
}
