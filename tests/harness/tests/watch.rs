//! `watch`: functions run on what is put, and are built again when their source changes.
#![cfg(unix)]

#[path = "support/server.rs"]
mod server;
mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use server::Server;
use support::{Project, SCENARIO, TEMPLATE};

const SOURCE: &str = include_str!("fixtures/function/src/main.rs");

fn project() -> Project {
    let project = Project::new(TEMPLATE, SCENARIO);
    project.write("Cargo.toml", include_str!("fixtures/function/Cargo.toml"));
    project.write("src/main.rs", SOURCE);
    project
}

fn put(server: &Server, key: &str) {
    let data = base64_simd::STANDARD.encode_to_string("{}");
    server.ask("Kinesis_20131202.PutRecord", &json!({"StreamName": "in", "PartitionKey": key, "Data": data}));
}

/// The keys of the results so far.
fn results(server: &Server) -> Vec<String> {
    let shard = json!({"StreamName": "out", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"});
    let iterator = server.ask("Kinesis_20131202.GetShardIterator", &shard)["ShardIterator"].clone();
    let answer = server.ask("Kinesis_20131202.GetRecords", &json!({"ShardIterator": iterator}));
    let records = answer["Records"].as_array().expect("records").iter();
    let event = |record: &Value| {
        let data = base64_simd::STANDARD.decode_to_vec(record["Data"].as_str().expect("data")).expect("base64");
        let event: Value = serde_json::from_slice(&data).expect("JSON");
        event["data"]["key"].as_str().expect("a key").to_owned()
    };
    records.map(event).collect()
}

#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(120), "{what} does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_is_put_goes_through_the_function_and_a_change_replaces_it() {
    let project = project();
    let server = Server::start(&project, &["watch"]);
    put(&server, "a");
    until("the first result", || results(&server) == ["a"]);

    // What the compiler refuses changes nothing.
    project.write("src/main.rs", "no Rust");
    std::thread::sleep(Duration::from_millis(500));
    put(&server, "b");
    until("a result of what ran before", || results(&server) == ["a", "b"]);

    project.write(
        "src/main.rs",
        &SOURCE.replace("let suffix = var(\"SUFFIX\").unwrap_or_default();", "let suffix = \"!\";"),
    );
    let mut number = 0;
    until("a result of the new one", || {
        number += 1;
        put(&server, &format!("c{number}"));
        std::thread::sleep(Duration::from_millis(100));
        results(&server).last().is_some_and(|last| last.ends_with('!'))
    });
    assert_eq!(server.end("-INT"), Some(0));
    assert!(!project.folder().join(".tidemill/serve/bin").exists());
}

#[test]
fn names_that_are_none_are_answered() {
    let project = project();
    let outcome = project.tidemill(&["watch", "tst", "--port", "0"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""));
    assert!(outcome.stderr.contains("there are test and Function; did you mean `test`?"), "{}", outcome.stderr);
}
