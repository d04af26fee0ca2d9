//! `serve`: what a client finds, what is kept, and how it ends.
#![cfg(unix)]

#[path = "support/server.rs"]
mod server;
mod support;

use std::time::Duration;

use serde_json::{Value, json};
use server::Server;
use support::{Project, SCENARIO, TEMPLATE};

fn serve(project: &Project, arguments: &[&str]) -> Server {
    Server::start(project, &[&["serve"], arguments].concat())
}

fn put(server: &Server, data: &str) -> Value {
    let data = base64_simd::STANDARD.encode_to_string(data);
    server.ask("Kinesis_20131202.PutRecord", &json!({"StreamName": "in", "PartitionKey": "k", "Data": data}))
}

/// The sequence numbers of the stream `in`.
fn records(server: &Server) -> Vec<Value> {
    let shard = json!({"StreamName": "in", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"});
    let iterator = server.ask("Kinesis_20131202.GetShardIterator", &shard)["ShardIterator"].clone();
    let answer = server.ask("Kinesis_20131202.GetRecords", &json!({"ShardIterator": iterator}));
    let records = answer["Records"].as_array().expect("records");
    records.iter().map(|record| record["SequenceNumber"].clone()).collect()
}

fn items(server: &Server) -> u64 {
    let answer = server.ask("DynamoDB_20120810.Scan", &json!({"TableName": "Journal"}));
    answer["Count"].as_u64().expect("a count")
}

fn put_item(server: &Server) {
    let item = json!({"pk": {"S": "p"}, "sk": {"S": "s"}});
    server.ask("DynamoDB_20120810.PutItem", &json!({"TableName": "Journal", "Item": item}));
}

fn project() -> Project {
    Project::new(TEMPLATE, SCENARIO)
}

#[test]
fn a_client_finds_both_services_at_the_exported_address() {
    let project = project();
    let server = serve(&project, &[]);
    let exports = std::fs::read_to_string(project.folder().join(".tidemill/serve/env")).expect("an env file");
    for variable in [
        format!("export AWS_ENDPOINT_URL_KINESIS=http://{}", server.address),
        format!("export AWS_ENDPOINT_URL_DYNAMODB=http://{}", server.address),
        String::from("export AWS_REGION=us-east-1"),
        String::from("export AWS_ACCESS_KEY_ID=local"),
        String::from("export TIDEMILL_STREAM_OUT=out"),
        String::from("export TIDEMILL_JOURNAL_TABLE=Journal"),
    ] {
        assert!(exports.lines().any(|line| line == variable), "no `{variable}` in {exports}");
    }
    let streams = server.ask("Kinesis_20131202.ListStreams", &json!({}));
    assert_eq!(streams["StreamNames"], json!(["in", "out"]));
    assert_eq!(server.ask("DynamoDB_20120810.ListTables", &json!({}))["TableNames"], json!(["Journal"]));
    let url = format!("http://{}", server.address);
    let state = project.tidemill(&["state", "--endpoint-url", &url]);
    assert!(state.stderr.contains("table `Journal` holds no journal yet"), "{}", state.stderr);
}

#[test]
fn what_is_in_it_is_kept_until_it_is_to_begin_anew() {
    let project = project();
    let server = serve(&project, &[]);
    let first = put(&server, "a")["SequenceNumber"].clone();
    put_item(&server);
    assert_eq!(server.end("-INT"), Some(0));

    let server = serve(&project, &[]);
    assert_eq!((records(&server), items(&server)), (vec![first.clone()], 1));
    let second = put(&server, "b")["SequenceNumber"].clone();
    assert_eq!(records(&server), [first, second]);
    assert_eq!(server.end("-TERM"), Some(0));

    let server = serve(&project, &["--fresh"]);
    assert_eq!((records(&server).len(), items(&server)), (0, 0));
}

#[test]
fn shards_are_split_and_merged_and_stay_so() {
    let project = project();
    let server = serve(&project, &[]);
    put(&server, "a");
    let id = |number: u32| format!("shardId-{number:012}");
    let middle = (1_u128 << 127).to_string();
    let reshard = |server: &Server, operation: &str, request: Value| {
        server.ask(&format!("Kinesis_20131202.{operation}"), &request);
        let status = || server.ask("Kinesis_20131202.DescribeStreamSummary", &json!({"StreamName": "in"}));
        while status()["StreamDescriptionSummary"]["StreamStatus"] != "ACTIVE" {
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    reshard(&server, "SplitShard", json!({"StreamName": "in", "ShardToSplit": id(0), "NewStartingHashKey": middle}));
    let child = put(&server, "b")["ShardId"].clone();
    assert!(child == id(1).as_str() || child == id(2).as_str(), "{child}");
    assert_eq!(server.end("-INT"), Some(0));

    let server = serve(&project, &[]);
    let again = put(&server, "c");
    assert_eq!(again["ShardId"], child);
    let merge = json!({"StreamName": "in", "ShardToMerge": id(1), "AdjacentShardToMerge": id(2)});
    reshard(&server, "MergeShards", merge);
    assert_eq!(put(&server, "d")["ShardId"], id(3).as_str());
    let open = json!({"StreamName": "in", "ShardFilter": {"Type": "AT_LATEST"}});
    let open = server.ask("Kinesis_20131202.ListShards", &open);
    assert_eq!(open["Shards"].as_array().map(Vec::len), Some(1));
    assert_eq!(open["Shards"][0]["AdjacentParentShardId"], id(2).as_str());
    assert_eq!(records(&server).len(), 1);
}

#[test]
fn tables_survive_a_kill_and_streams_do_not() {
    let project = project();
    let server = serve(&project, &[]);
    put(&server, "a");
    put_item(&server);
    assert_eq!(server.end("-KILL"), None);
    let server = serve(&project, &[]);
    assert_eq!((records(&server).len(), items(&server)), (0, 1));
}

#[test]
fn a_second_server_is_refused() {
    let project = project();
    let server = serve(&project, &[]);
    let port = server.address.rsplit(':').next().expect("a port");
    let same_port = project.tidemill(&["serve", "--port", port]);
    assert_eq!(same_port.code, Some(2));
    assert!(same_port.stderr.contains(&format!("port {port} is in use")), "{}", same_port.stderr);
    let same_data = project.tidemill(&["serve", "--port", "0", "--fresh"]);
    assert_eq!((same_data.code, same_data.stdout.as_str()), (Some(2), ""));
    assert!(same_data.stderr.contains("another `cargo tidemill serve` works on"), "{}", same_data.stderr);
}

#[test]
fn a_template_that_changed_is_followed_as_far_as_it_can_be() {
    let project = project();
    serve(&project, &[]).end("-INT");
    let more = TEMPLATE
        .replace("{Name: in}", "{Name: in, ShardCount: 2}")
        .replace("  Out:", "  New: {Type: AWS::Kinesis::Stream}\n  Out:");
    project.write("template.yaml", &more);
    let server = serve(&project, &[]);
    let streams = server.ask("Kinesis_20131202.ListStreams", &json!({}));
    assert_eq!(streams["StreamNames"], json!(["New", "in", "out"]));
}

#[test]
fn mistakes_in_the_template_are_reported() {
    let project = Project::new(&TEMPLATE.replace("!Ref Journal}", "!Ref Journall}"), SCENARIO);
    let outcome = project.tidemill(&["serve", "--port", "0"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("`Journall` is no parameter or resource"), "{}", outcome.stderr);
    let outcome = Project::new(TEMPLATE, SCENARIO).tidemill(&["serve", "--port", "0", "--function", "Other"]);
    assert!(outcome.stderr.contains("there are Function"), "{}", outcome.stderr);
}
