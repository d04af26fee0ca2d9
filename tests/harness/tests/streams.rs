//! `put` and `tail`: records into a running account and out of it.
#![cfg(unix)]

#[path = "support/server.rs"]
mod server;
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use server::Server;
use support::{Outcome, Project, SCENARIO, TEMPLATE, outcome};

fn project() -> Project {
    Project::new(TEMPLATE, SCENARIO)
}

fn serve(project: &Project) -> Server {
    Server::start(project, &["serve"])
}

/// `put` with that standard input.
fn put(project: &Project, arguments: &[&str], input: &str) -> Outcome {
    project.write("lines", input);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.arg("put").args(arguments).current_dir(project.folder());
    command.stdin(std::fs::File::open(project.folder().join("lines")).expect("opened"));
    outcome(&mut command)
}

/// A `tail` that is up; it began to follow.
struct Tail {
    process: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Tail {
    fn start(project: &Project, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
        command.arg("tail").args(arguments).current_dir(project.folder());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let mut line = String::new();
        BufReader::new(process.stderr.take().expect("piped")).read_line(&mut line).expect("read");
        assert!(line.contains("until"), "{line}");
        let out = BufReader::new(process.stdout.take().expect("piped"));
        Self { process, out }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("read");
        line.trim_end().to_owned()
    }

    /// What is left, when it has ended, and its exit code.
    fn rest(mut self) -> (String, Option<i32>) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).expect("read");
        (rest, self.process.wait().expect("ends").code())
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        // Fails only for a process that has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn what_is_put_comes_out_under_its_partition_key() {
    let project = project();
    let server = serve(&project);
    let mut tail = Tail::start(&project, &["in", "--json"]);
    // The scenario's rule, a stream by its logical id, a line without key.
    let outcome = put(&project, &["IN"], "{\"key\":\"a\"}\n\nno json\n");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""), "{}", outcome.stderr);
    for part in
        ["in in what runs at http://127.0.0.1:", "partition keys /key", "put 2 records on in", "1 record without"]
    {
        assert!(outcome.stderr.contains(part), "no `{part}` in {}", outcome.stderr);
    }
    let record = |line: String| line.parse::<Value>().expect("JSON");
    let first = record(tail.line());
    assert_eq!((&first["partition_key"], &first["data"]), (&json!("a"), &json!({"key": "a"})));
    assert_eq!(first["shard"], "shardId-000000000000");
    let second = record(tail.line());
    assert_eq!((&second["partition_key"], &second["data"]["base64"]), (&json!("3"), &json!("bm8ganNvbg==")));
    assert_eq!(server.end("-INT"), Some(0));
}

#[test]
fn a_tail_ends_after_so_many_records_or_so_long_or_when_asked() {
    let project = project();
    let _server = serve(&project);
    put(&project, &["in", "--key", "k"], "1\n2\n3\n");
    let of = |arguments: &[&str]| Tail::start(&project, &[&["in", "--raw"], arguments].concat()).rest();
    assert_eq!(of(&["--from", "start", "--count", "2"]), (String::from("1\n2\n"), Some(0)));
    assert_eq!(of(&["--from", "1h", "--for", "1s"]), (String::from("1\n2\n3\n"), Some(0)));
    assert_eq!(of(&["--for", "300ms"]), (String::new(), Some(0)));
    let tail = Tail::start(&project, &["in"]);
    let id = tail.process.id().to_string();
    Command::new("kill").args(["-INT", &id]).status().expect("kill runs");
    assert_eq!(tail.rest(), (String::new(), Some(0)));
}

#[test]
fn a_tail_goes_on_in_the_shards_that_come_of_a_split() {
    let project = project();
    let server = serve(&project);
    let mut tail = Tail::start(&project, &["in", "--raw"]);
    put(&project, &["in", "--key", "k"], "1\n");
    assert_eq!(tail.line(), "1");
    let middle = (1_u128 << 127).to_string();
    let split = json!({"StreamName": "in", "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": middle});
    server.ask("Kinesis_20131202.SplitShard", &split);
    let status = || server.ask("Kinesis_20131202.DescribeStreamSummary", &json!({"StreamName": "in"}));
    while status()["StreamDescriptionSummary"]["StreamStatus"] != "ACTIVE" {
        std::thread::sleep(Duration::from_millis(5));
    }
    put(&project, &["in", "--key", "k"], "2\n");
    assert_eq!(tail.line(), "2");
    put(&project, &["in", "--key", "another"], "3\n");
    assert_eq!(tail.line(), "3");
    // All of it from the start, parents before children.
    let (all, _) = Tail::start(&project, &["in", "--raw", "--from", "start", "--count", "3"]).rest();
    assert_eq!(all.lines().collect::<Vec<_>>()[0], "1");
}

#[test]
fn records_go_in_as_they_come() {
    let project = project();
    let server = serve(&project);
    let url = format!("http://{}", server.address);
    let mut tail = Tail::start(&project, &["in", "--raw", "--endpoint-url", &url]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(["put", "in", "--endpoint-url", &url, "--json"]).current_dir(project.folder());
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("starts");
    let mut input = process.stdin.take().expect("piped");
    for line in ["{\"key\":1}", "{\"key\":2}"] {
        writeln!(input, "{line}").expect("written");
        assert_eq!(tail.line(), line, "it waits for the end of its input");
    }
    drop(input);
    let ended = process.wait_with_output().expect("ends");
    let report: Value = String::from_utf8_lossy(&ended.stdout).parse().expect("JSON");
    assert_eq!(
        report,
        json!({"stream": "in", "records": 2, "throttled": 0, "without_partition_key": 0, "refused": []})
    );
}

#[test]
fn what_a_stream_cannot_hold_is_refused_and_the_rest_goes_in() {
    let project = project();
    let _server = serve(&project);
    let long =
        format!("{{\"key\":\"{}\"}}\n{{\"key\":\"b\",\"x\":\"{}\"}}\n{{\"key\":\"c\"}}\n", "a", "x".repeat(1 << 20));
    let outcome = put(&project, &["in"], &long);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("refused: line 2: "), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("put 2 records"), "{}", outcome.stderr);
}

#[test]
fn mistakes_are_answered_with_what_to_do() {
    let project = project();
    let refused = |arguments: &[&str], parts: &[&str]| {
        let outcome = project.tidemill(arguments);
        assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
        for part in parts {
            assert!(outcome.stderr.contains(part), "no `{part}` in {}", outcome.stderr);
        }
    };
    refused(&["tail", "in"], &["nothing runs here: start `cargo tidemill watch`"]);
    refused(&["tail", "in", "--from", "yesterday"], &["a time is expected, such as 2026-01-01T00:00:00Z"]);
    let _server = serve(&project);
    refused(&["tail", "inn"], &["no stream `inn` in ", "there are in and out; did you mean `in`?"]);
    refused(&["put", "out"], &["no scenario here feeds `out`", "give --partition-key FIELD"]);
    refused(&["put", "in", "--input", "no.jsonl"], &["cannot read no.jsonl"]);
    refused(&["tail", "in", "--endpoint-url", "127.0.0.1:1"], &["is no URL"]);
    refused(&["tail", "in", "--endpoint-url", "http://127.0.0.1:1"], &["is it up?"]);
}
