//! `redrive`: quarantined records go back, once.
#![cfg(unix)]

#[path = "support/server.rs"]
mod server;
mod support;

use serde_json::{Value, json};
use server::Server;
use support::{Outcome, Project, SCENARIO, TEMPLATE};

/// An entry as a function writes it; `place` is the record's in its shard.
fn entry(place: u32, reason: &str) -> String {
    let data = json!({
        "reason": reason, "message": "expected value at line 1", "shard": "shardId-000000000000",
        "sequence": place.to_string(), "sub_sequence": 0, "partition_key": "k", "arrival": 1, "payload": format!("record {place}"),
    });
    json!({
        "specversion": "1.0", "id": place.to_string(), "type": "tidemill.quarantine",
        "source": "/tidemill/pipe/in/shardId-000000000000", "data": data,
    })
    .to_string()
}

fn project() -> Project {
    let template = TEMPLATE.replace("  Out:", "  Quarantine: {Type: AWS::Kinesis::Stream}\n  Out:");
    Project::new(&template, SCENARIO)
}

#[track_caller]
fn done(project: &Project, arguments: &[&str]) -> Outcome {
    let outcome = project.tidemill(arguments);
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    outcome
}

fn put(project: &Project, entries: &[String]) {
    project.write("entries", &entries.join("\n"));
    done(project, &["put", "quarantine", "--key", "k", "--input", "entries"]);
}

/// The payloads on the source stream.
fn source(server: &Server) -> Vec<String> {
    let shard = json!({"StreamName": "in", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"});
    let iterator = server.ask("Kinesis_20131202.GetShardIterator", &shard)["ShardIterator"].clone();
    let answer = server.ask("Kinesis_20131202.GetRecords", &json!({"ShardIterator": iterator}));
    let records = answer["Records"].as_array().expect("records").iter();
    let text = |record: &Value| {
        assert_eq!(record["PartitionKey"], "k");
        let data = base64_simd::STANDARD.decode_to_vec(record["Data"].as_str().expect("data")).expect("base64");
        String::from_utf8(data).expect("text")
    };
    records.map(text).collect()
}

#[test]
fn records_go_back_to_their_stream_once() {
    let project = project();
    let server = Server::start(&project, &["serve"]);
    let window = entry(9, "closure").replace("\"sequence\"", "\"other\"");
    let other = entry(2, "decode").replace("at line 1", "at line 7");
    put(&project, &[entry(1, "decode"), other, entry(1, "decode"), entry(3, "misrouted"), window]);

    let dry = done(&project, &["redrive"]);
    for part in [
        "2 to in, refused by pipe: decode\n  1: expected value at line 1\n  1: expected value at line 7\n",
        "1 to in, refused by pipe: misrouted\n",
        "1 stand there once more",
    ] {
        assert!(dry.stderr.contains(part), "no `{part}` in {}", dry.stderr);
    }
    assert!(dry.stderr.contains("not about a record") && dry.stderr.contains("--apply does it"), "{}", dry.stderr);
    assert_eq!(source(&server), [""; 0]);

    let applied = done(&project, &["redrive", "--reason", "decode", "--apply"]);
    assert_eq!(applied.stdout, "put back 2 on in\n");
    assert_eq!(source(&server), ["record 1", "record 2"]);

    put(&project, &[entry(4, "decode")]);
    let again = done(&project, &["redrive", "--apply"]);
    assert!(again.stderr.contains("2 put back before"), "{}", again.stderr);
    assert_eq!(source(&server), ["record 1", "record 2", "record 3", "record 4"]);
    assert!(done(&project, &["redrive", "--apply"]).stderr.contains("nothing is to be put back"));
    assert_eq!(server.end("-INT"), Some(0));
}

#[test]
fn what_an_attempt_may_have_put_back_is_told_and_not_repeated() {
    let project = project();
    let server = Server::start(&project, &["serve"]);
    put(&project, &[entry(1, "decode")]);
    done(&project, &["redrive", "--apply"]);
    // As if that attempt had ended before it heard whether the stream took it.
    let ledger = project.folder().join(".tidemill/redriven.jsonl");
    let text = std::fs::read_to_string(&ledger).expect("noted");
    std::fs::write(&ledger, text.lines().next().expect("two lines")).expect("written");
    let doubtful = done(&project, &["redrive", "--apply"]);
    assert!(doubtful.stderr.contains("1 that an earlier attempt may have put back"), "{}", doubtful.stderr);
    assert_eq!(source(&server), ["record 1"]);
    done(&project, &["redrive", "--apply", "--doubtful"]);
    assert_eq!(source(&server), ["record 1", "record 1"]);
}
