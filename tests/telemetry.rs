//! What a function writes beside its results: one line of metrics an invocation, and logs that hold no record.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use tidemill_harness::progress::Silent;
use tidemill_harness::replay::{Expect, Options, Report, prepare};

fn replay(options: Options) -> Result<Report, tidemill_harness::Error> {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let options = Options { template: Some(template), ..options };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(prepare(options)?.run(Arc::new(Silent)))
}

/// The function's binary, with its output in a file.
struct Written {
    folder: TempDir,
}

impl Written {
    fn new() -> Self {
        Self { folder: TempDir::new().expect("a folder") }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A replay, and the lines of output of all processes. `variables` are set for them.
    fn replay(&self, variables: &str, options: Options) -> (Result<Report, tidemill_harness::Error>, Vec<String>) {
        let input = self.file("first.jsonl");
        fs::write(&input, r#"{"origin":"JFK","departed_at":1357037940000,"delay_min":1}"#).expect("written");
        let first = Options { input: Some(input), expect: Expect::Nothing, ..Options::of("departures") };
        replay(first).expect("builds the function");
        let test = std::env::current_exe().expect("this test");
        let function = test.ancestors().nth(2).expect("target/debug").join("departures");
        self.replay_through(&function, variables, options)
    }

    /// The same through another program.
    fn replay_through(
        &self,
        program: &Path,
        variables: &str,
        options: Options,
    ) -> (Result<Report, tidemill_harness::Error>, Vec<String>) {
        let (script, output) = (self.file("bootstrap"), self.file("output"));
        let (function, written) = (program.display(), output.display());
        fs::write(&script, format!("#!/bin/sh\n{variables} exec '{function}' >> '{written}' 2>&1\n")).expect("written");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("executable");
        let report = replay(Options { artifact: Some(script), ..options });
        (report, fs::read_to_string(output).expect("output").lines().map(str::to_owned).collect())
    }
}

fn metrics(lines: &[String]) -> Vec<Value> {
    let metrics = lines.iter().filter(|line| line.starts_with("{\"_aws\""));
    metrics.map(|line| line.parse().expect("JSON")).collect()
}

fn sum(metrics: &[Value], name: &str) -> f64 {
    metrics.iter().filter_map(|line| line[name].as_f64()).sum()
}

#[test]
fn each_invocation_writes_one_line_and_they_add_up_to_the_run() {
    let (report, lines) = Written::new().replay("", Options::of("departures"));
    let (report, metrics) = (report.expect("it runs"), metrics(&lines));
    assert_eq!(metrics.len(), usize::try_from(report.invocations).expect("few"));
    let whole = |number: u64| f64::from(u32::try_from(number).expect("few"));
    for (name, expected) in [
        ("Records", whole(report.records)),
        ("Results", whole(report.results)),
        ("Late", whole(report.late)),
        ("WriteUnits", report.write_units),
        ("ReadUnits", report.read_units),
        ("Commits", whole(report.invocations)),
        ("Loads", 1.0),
    ] {
        assert!((sum(&metrics, name) - expected).abs() < 0.001, "{name}: {} of {expected}", sum(&metrics, name));
    }
    let with = |name: &str| metrics.iter().filter(|line| line[name].is_number()).count();
    assert_eq!((with("InitTime"), with("Time"), with("CommitTime")), (1, metrics.len(), metrics.len()));
    assert!(metrics[0]["InitTime"].is_number(), "the first line tells of the start");
    for line in &metrics {
        assert_eq!((&line["Pipeline"], &line["Shard"]), (&"departures".into(), &"shardId-000000000000".into()));
        assert!(line["RequestId"].is_string() && line["Commit"].is_u64(), "{line}");
    }
    let longest = lines.iter().map(String::len).max();
    assert!(longest.is_some_and(|bytes| bytes < 2_000), "{longest:?} bytes, and each is paid for");
}

#[test]
fn metrics_can_be_switched_off() {
    let (report, lines) = Written::new().replay("TIDEMILL_METRICS=off", Options::of("departures"));
    assert!(report.is_ok() && metrics(&lines).is_empty() && !lines.is_empty());
}

#[test]
fn spans_of_the_phases_go_to_a_layer_of_the_program_and_are_flushed_before_each_answer() {
    let (report, lines) =
        Written::new().replay_through(Path::new(env!("CARGO_BIN_EXE_traced")), "", Options::of("departures"));
    let report = report.expect("it runs");
    let count = |line: &str| lines.iter().filter(|written| *written == line).count();
    let invocations = usize::try_from(report.invocations).expect("few");
    assert_eq!(count("span invocation in nothing"), invocations);
    assert_eq!(count("flushed"), invocations);
    for phase in ["decode", "step", "commit"] {
        assert_eq!(count(&format!("span {phase} in invocation")), invocations, "{phase}");
    }
    assert!(count("span load in invocation") > 0 && count("span flush in invocation") > 0);
    assert_eq!(metrics(&lines).len(), invocations, "beside metrics and logs");
    assert!(lines.iter().all(|line| !line.contains("DEBUG")), "logs keep their level");
}

/// Each holds the word in a way of its own: as text, where a number belongs, as a key, outside of any JSON.
const RECORDS_WITH_A_SECRET: [&str; 6] = [
    r#"{"origin":"JFK","departed_at":"swordfish","delay_min":1}"#,
    r#"{"origin":"JFK","departed_at":1357037940000,"delay_min":"swordfish"}"#,
    r#"{"swordfish":1}"#,
    "swordfish",
    r#"{"origin":["swordfish"],"departed_at":1357037940000,"delay_min":1}"#,
    r#"{"origin":"swordfish","departed_at":99999999999999999,"delay_min":1}"#,
];

fn input(written: &Written, good: usize) -> Options {
    let good = (0..good).map(|_| r#"{"origin":"JFK","departed_at":1357037940000,"delay_min":1}"#);
    let lines: Vec<&str> = good.chain(RECORDS_WITH_A_SECRET).collect();
    let file = written.file("input.jsonl");
    fs::write(&file, lines.join("\n")).expect("written");
    Options { input: Some(file), expect: Expect::Nothing, ..Options::of("departures") }
}

#[test]
fn no_log_line_holds_what_a_quarantined_record_holds() {
    let written = Written::new();
    let (report, lines) = written.replay("", input(&written, 20));
    assert_eq!(report.expect("it runs").quarantined, 6);
    let told: Vec<&String> = lines.iter().filter(|line| line.contains("went to the quarantine")).collect();
    assert!(!told.is_empty(), "{lines:?}");
    for line in told {
        let line: Value = line.parse().expect("JSON");
        let span = &line["span"];
        assert!(span["request_id"].is_string() && span["shard"].is_string() && span["commit"].is_u64(), "{line}");
    }
    assert!(lines.iter().all(|line| !line.contains("swordfish")), "{lines:?}");
}

/// The reason is told; in the record's own words only at level debug.
#[test]
fn nor_does_the_error_of_a_stream_of_bad_records() {
    let written = Written::new();
    let options = input(&written, 0);
    // The last hundred are those that the error is about.
    let bad: String = RECORDS_WITH_A_SECRET.iter().rev().map(|line| format!("{line}\n").repeat(100)).collect();
    fs::write(written.file("input.jsonl"), bad).expect("written");
    let (report, lines) = written.replay("", options.clone());
    let error = report.expect_err("it halts").to_string();
    assert!(error.contains("cannot be processed") && !error.contains("swordfish"), "{error}");
    assert!(lines.iter().all(|line| !line.contains("swordfish")), "{}", lines[0]);
    assert!(sum(&metrics(&lines), "Breaker") > 0.0);

    let (_, lines) = written.replay("TIDEMILL_LOG=debug", options);
    assert!(lines.iter().any(|line| line.contains("DEBUG") && line.contains("swordfish")), "debug tells why");
}
