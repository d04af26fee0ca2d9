//! `serve`: what a client finds, what is kept, and how it ends.
#![cfg(unix)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use support::{Project, SCENARIO, TEMPLATE};

/// A server that is up; killed with the value if it was not ended.
struct Server {
    process: Child,
    address: String,
    exports: String,
}

impl Server {
    fn start(project: &Project, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
        command.args(["serve", "--port", "0"]).args(arguments).current_dir(project.folder());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let mut stderr = BufReader::new(process.stderr.take().expect("piped"));
        let mut line = String::new();
        while !line.starts_with("serving ") {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).expect("read"), 0, "it ended");
        }
        process.stderr = Some(stderr.into_inner());
        let exports = std::fs::read_to_string(project.folder().join(".tidemill/serve/env")).expect("an env file");
        let address = line.split("http://").nth(1).and_then(|rest| rest.split(' ').next()).expect("an address");
        Self { process, address: address.to_owned(), exports }
    }

    /// One request, as an SDK sends it. Some are answered with nothing.
    fn ask(&self, target: &str, body: &Value) -> Value {
        let (service, json) = if target.starts_with("Dynamo") { ("dynamodb", "1.0") } else { ("kinesis", "1.1") };
        let body = body.to_string();
        let mut stream = TcpStream::connect(&self.address).expect("connects");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
        write!(
            stream,
            "POST / HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/x-amz-json-{json}\r\n\
             x-amz-target: {target}\r\nx-amz-date: 20260101T000000Z\r\nauthorization: AWS4-HMAC-SHA256 \
             Credential=local/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n\
             content-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        if body.is_empty() {
            return Value::Null;
        }
        body.parse().unwrap_or_else(|_| panic!("no JSON: {answer}"))
    }

    fn put(&self, data: &str) -> Value {
        let data = base64_simd::STANDARD.encode_to_string(data);
        self.ask("Kinesis_20131202.PutRecord", &json!({"StreamName": "in", "PartitionKey": "k", "Data": data}))
    }

    /// The sequence numbers of the stream `in`.
    fn records(&self) -> Vec<Value> {
        let shard = json!({"StreamName": "in", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"});
        let iterator = self.ask("Kinesis_20131202.GetShardIterator", &shard)["ShardIterator"].clone();
        let answer = self.ask("Kinesis_20131202.GetRecords", &json!({"ShardIterator": iterator}));
        let records = answer["Records"].as_array().expect("records");
        records.iter().map(|record| record["SequenceNumber"].clone()).collect()
    }

    fn items(&self) -> u64 {
        let answer = self.ask("DynamoDB_20120810.Scan", &json!({"TableName": "Journal"}));
        answer["Count"].as_u64().expect("a count")
    }

    fn put_item(&self) {
        let item = json!({"pk": {"S": "p"}, "sk": {"S": "s"}});
        self.ask("DynamoDB_20120810.PutItem", &json!({"TableName": "Journal", "Item": item}));
    }

    /// Ends it with a signal; the exit code.
    fn end(mut self, signal: &str) -> Option<i32> {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().expect("kill runs");
        assert!(sent.success());
        self.process.wait().expect("ends").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only for a process that has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn project() -> Project {
    Project::new(TEMPLATE, SCENARIO)
}

#[test]
fn a_client_finds_both_services_at_the_exported_address() {
    let project = project();
    let server = Server::start(&project, &[]);
    for variable in [
        format!("export AWS_ENDPOINT_URL_KINESIS=http://{}", server.address),
        format!("export AWS_ENDPOINT_URL_DYNAMODB=http://{}", server.address),
        String::from("export AWS_REGION=us-east-1"),
        String::from("export AWS_ACCESS_KEY_ID=local"),
        String::from("export TIDEMILL_STREAM_OUT=out"),
        String::from("export TIDEMILL_JOURNAL_TABLE=Journal"),
    ] {
        assert!(server.exports.lines().any(|line| line == variable), "no `{variable}` in {}", server.exports);
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
    let server = Server::start(&project, &[]);
    let first = server.put("a")["SequenceNumber"].clone();
    server.put_item();
    assert_eq!(server.end("-INT"), Some(0));

    let server = Server::start(&project, &[]);
    assert_eq!((server.records(), server.items()), (vec![first.clone()], 1));
    let second = server.put("b")["SequenceNumber"].clone();
    assert_eq!(server.records(), [first, second]);
    assert_eq!(server.end("-TERM"), Some(0));

    let server = Server::start(&project, &["--fresh"]);
    assert_eq!((server.records().len(), server.items()), (0, 0));
}

#[test]
fn shards_are_split_and_merged_and_stay_so() {
    let project = project();
    let server = Server::start(&project, &[]);
    server.put("a");
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
    let child = server.put("b")["ShardId"].clone();
    assert!(child == id(1).as_str() || child == id(2).as_str(), "{child}");
    assert_eq!(server.end("-INT"), Some(0));

    let server = Server::start(&project, &[]);
    let again = server.put("c");
    assert_eq!(again["ShardId"], child);
    let merge = json!({"StreamName": "in", "ShardToMerge": id(1), "AdjacentShardToMerge": id(2)});
    reshard(&server, "MergeShards", merge);
    assert_eq!(server.put("d")["ShardId"], id(3).as_str());
    let open = json!({"StreamName": "in", "ShardFilter": {"Type": "AT_LATEST"}});
    let open = server.ask("Kinesis_20131202.ListShards", &open);
    assert_eq!(open["Shards"].as_array().map(Vec::len), Some(1));
    assert_eq!(open["Shards"][0]["AdjacentParentShardId"], id(2).as_str());
    assert_eq!(server.records().len(), 1);
}

#[test]
fn tables_survive_a_kill_and_streams_do_not() {
    let project = project();
    let server = Server::start(&project, &[]);
    server.put("a");
    server.put_item();
    assert_eq!(server.end("-KILL"), None);
    let server = Server::start(&project, &[]);
    assert_eq!((server.records().len(), server.items()), (0, 1));
}

#[test]
fn a_second_server_is_refused() {
    let project = project();
    let server = Server::start(&project, &[]);
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
    Server::start(&project, &[]).end("-INT");
    let more = TEMPLATE
        .replace("{Name: in}", "{Name: in, ShardCount: 2}")
        .replace("  Out:", "  New: {Type: AWS::Kinesis::Stream}\n  Out:");
    project.write("template.yaml", &more);
    let server = Server::start(&project, &[]);
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
