//! Whole replays, through a function that does as its records say (`fixtures/function`).

mod support;

use serde_json::Value;
use support::{Outcome, Project, SCENARIO, TEMPLATE};

/// A project with the function, and one record for each key.
fn project(keys: &[&str]) -> Project {
    let project = Project::new(TEMPLATE, SCENARIO);
    project.write("Cargo.toml", include_str!("fixtures/function/Cargo.toml"));
    project.write("src/main.rs", include_str!("fixtures/function/src/main.rs"));
    project.write("events/test/input.jsonl", &lines(keys));
    project
}

fn lines(keys: &[&str]) -> String {
    keys.iter().map(|key| format!("{{\"key\":\"{key}\"}}\n")).collect()
}

/// What a complete replay gives: each record once, and the end of the input.
fn expected(keys: &[&str]) -> String {
    lines(&[keys, &["drained"]].concat())
}

/// The keys of each invocation, and the process that had them.
fn invocations(project: &Project) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(project.folder().join("invocations")).expect("no invocation");
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.map(|(process, keys)| (process.to_owned(), keys.to_owned())).collect()
}

fn delivered(project: &Project) -> Vec<String> {
    invocations(project).into_iter().map(|(_, keys)| keys).collect()
}

#[track_caller]
fn json(outcome: &Outcome) -> Value {
    assert_ne!(outcome.code, Some(2), "{}", outcome.stderr);
    outcome.stdout.parse().expect("no JSON")
}

#[test]
fn results_are_compared_with_what_the_scenario_expects() {
    let project = project(&["a", "b", "c"]);
    project.write("events/test/expected.jsonl", &expected(&["c", "b", "a"]));
    let outcome = project.tidemill(&["replay", "test"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("✓ as expected: 4 results (expected.jsonl)"), "{}", outcome.stdout);

    project.write("events/test/expected.jsonl", &expected(&["a", "b", "x"]));
    let outcome = project.tidemill(&["replay", "test"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    for part in ["1 missing, 1 unexpected", "- {\"key\":\"x\"}", "+ {\"key\":\"c\"}"] {
        assert!(outcome.stdout.contains(part), "{}", outcome.stdout);
    }
}

#[test]
fn a_failed_record_is_sent_again_with_those_behind_it() {
    let project = project(&["a", "fail-2", "b", "c"]);
    project.write("events/test/expected.jsonl", &expected(&["a", "fail-2", "b", "c"]));
    let report = json(&project.tidemill(&["replay", "test", "--batch-size", "3", "--json"]));
    assert_eq!(report["verdict"], "holds");
    assert_eq!((report["batches"].as_u64(), report["retries"].as_u64()), (Some(2), Some(2)));
    assert_eq!(report["requests"], serde_json::json!({"PutItem slot": 4, "PutRecords": 5}));
    assert_eq!(report["write_units"], 4.0);
    assert_eq!(delivered(&project), ["a,fail-2,b", "fail-2,b", "fail-2,b", "c", ""]);
}

#[test]
fn environments_begin_cold_after_as_many_invocations_as_asked_for() {
    let processes = |options: &[&str]| {
        let project = project(&["a", "b", "c", "d"]);
        let report = json(&project.tidemill(&[&["replay", "test", "--batch-size", "1", "--json"], options].concat()));
        assert_eq!(report["results"], 5);
        let processes: Vec<String> = invocations(&project).into_iter().map(|(process, _)| process).collect();
        let kept = processes.windows(2).filter(|pair| pair[0] == pair[1]).count();
        (report["functions"][0]["cold_starts"].as_u64(), kept)
    };
    assert_eq!(processes(&[]), (Some(1), 4));
    assert_eq!(processes(&["--recycle", "2"]), (Some(3), 2));
    assert_eq!(processes(&["--recycle", "1"]), (Some(5), 0));
}

#[test]
fn a_program_that_somebody_else_has_built_runs_where_it_lies() {
    let project = project(&["a", "b"]);
    assert_eq!(project.tidemill(&["replay", "test"]).code, Some(0));
    let metadata = "    Metadata: {BuildProperties: {Binary: function}}\n    Properties:\n";
    let template = TEMPLATE.replace(metadata, "    Properties:\n      CodeUri: build\n");
    project.write("template.yaml", &template);
    let refused = project.tidemill(&["replay", "test"]);
    assert!(refused.stderr.contains("its CodeUri holds no program `bootstrap`: build it first"), "{}", refused.stderr);

    let file = |name: &str| project.folder().join(name);
    project.write("build/beside", "");
    std::fs::copy(file("target/debug/function"), file("build/bootstrap")).expect("it was built");
    std::fs::remove_file(file("Cargo.toml")).expect("it was there");
    project.write("events/test/expected.jsonl", &expected(&["a", "b"]));
    let report = json(&project.tidemill(&["replay", "test", "--json"]));
    assert_eq!(report["verdict"], "holds");
    // What it wrote lies beside it.
    assert!(file("build/invocations").is_file());
}

#[test]
fn what_a_kept_run_sent_can_be_printed_again() {
    let project = project(&["a", "b"]);
    let tail = |arguments: &[&str]| project.tidemill(&[&["tail", "Out", "--run", "test"], arguments].concat());
    let none = tail(&[]);
    assert!(none.stderr.contains("no run of `test` is kept"), "{}", none.stderr);
    assert_eq!(project.tidemill(&["replay", "test", "--keep"]).code, Some(0));
    assert_eq!(tail(&["--raw"]).stdout.lines().count(), 3);
    let one = json(&tail(&["--json", "--count", "1"]));
    assert_eq!(one["data"]["data"]["key"], "a");
    let other = project.tidemill(&["tail", "other", "--run", "test"]);
    assert!(other.stderr.contains("holds no stream `other`; it holds out"), "{}", other.stderr);
}

#[test]
fn records_that_are_trimmed_are_never_delivered() {
    let project = project(&["a", "b", "c", "d"]);
    project.write("events/test/expected.jsonl", &expected(&["a", "d"]));
    let file = "events/test/expected.jsonl";
    let report = json(&project.tidemill(&["replay", "test", "--trim", "2..3", "--expect", file, "--json"]));
    assert_eq!((&report["verdict"], &report["records"]), (&"holds".into(), &2.into()));
    assert_eq!(delivered(&project), ["a,d", ""]);
    let outcome = project.tidemill(&["replay", "test", "--trim", "4..9"]);
    assert!(outcome.stdout.contains("not compared"), "{}", outcome.stdout);
    assert_eq!(project.tidemill(&["replay", "test", "--trim", "0..3"]).code, Some(2));
}

#[test]
fn single_kinds_of_faults_happen_as_often_as_asked_for() {
    let project = project(&["a", "b", "c", "d"]);
    let options = ["replay", "test", "--batch-size", "1", "--json"];
    let faults = ["--fault", "answer_lost=2", "--fault", "batch_repeated"];
    let report = json(&project.tidemill(&[&options[..], &faults].concat()));
    assert_eq!(report["faults"], serde_json::json!({"answer_lost": 2, "batch_repeated": 1}));
    let refused = project.tidemill(&["replay", "test", "--fault", "stale_reed"]);
    assert!(refused.stderr.contains("did you mean `stale_read`?"), "{}", refused.stderr);
}

#[test]
fn errors_crashes_and_timeouts_fail_the_whole_batch() {
    for key in ["error-1", "crash-1", "hang-1"] {
        let project = project(&["a", key]);
        project.write("events/test/expected.jsonl", &expected(&["a", key]));
        let report = json(&project.tidemill(&["replay", "test", "--json"]));
        assert_eq!(report["verdict"], "holds", "{key}");
        assert_eq!(report["repeats"], 1, "{key}");
        let batch = format!("a,{key}");
        assert_eq!(delivered(&project), [batch.as_str(), batch.as_str(), ""]);
    }
}

#[test]
fn a_function_whose_time_is_up_is_ended_or_goes_on_if_asked() {
    let keys = ["a", "tardy-1"];
    let project = project(&keys);
    project.write("events/test/expected.jsonl", &expected(&keys));
    let ended = json(&project.tidemill(&["replay", "test", "--json"]));
    assert_eq!((ended["verdict"].as_str(), ended["requests"]["PutRecords"].as_u64()), (Some("holds"), Some(4)));
    std::fs::remove_file(project.folder().join("attempts-tardy-1")).expect("no attempt");
    let beside = json(&project.tidemill(&["replay", "test", "--json", "--zombies"]));
    // The zombie sends a second behind its time, its successor at once: under the same id, and no result is lost.
    assert_eq!((beside["verdict"].as_str(), beside["requests"]["PutRecords"].as_u64()), (Some("holds"), Some(5)));
    assert_eq!(beside["functions"][0]["cold_starts"].as_u64(), Some(2));
}

#[test]
fn a_process_is_frozen_between_its_invocations() {
    let keys = ["ghost", "slow1", "slow2", "slow3", "slow4", "slow5"];
    let project = project(&keys);
    let options = ["replay", "test", "--expect", "none", "--no-drain", "--batch-size", "1", "--environments", "6"];
    assert_eq!(project.tidemill(&options).code, Some(0));
    let ghosts = std::fs::read_to_string(project.folder().join("ghosts")).unwrap_or_default().lines().count();
    // In the second that the others take it would leave a hundred lines.
    assert!(ghosts < 20, "{ghosts}");
}

#[test]
fn a_function_that_makes_no_progress_is_given_up_with_its_reason() {
    let project = project(&["a", "error-999"]);
    let outcome = project.tidemill(&["replay", "test"]);
    assert_eq!(outcome.code, Some(2));
    for part in [
        "`Function` makes no progress on shardId-000000000000",
        "failed 50 times in a row",
        "last failure: Test: no luck with error-999",
        "cargo lambda invoke function --data-file .tidemill/failed/Function.json",
    ] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
    let event = std::fs::read_to_string(project.folder().join(".tidemill/failed/Function.json")).expect("the event");
    let event: Value = event.parse().expect("JSON");
    assert_eq!(event["Records"][1]["kinesis"]["partitionKey"], "error-999");
}

#[test]
fn a_function_that_does_not_start_is_given_up_soon_with_its_log() {
    let project = project(&["a"]);
    let template = TEMPLATE.replace("TIDEMILL_STREAM_OUT:", "REFUSE_TO_START: X is missing, TIDEMILL_STREAM_OUT:");
    project.write("template.yaml", &template);
    let outcome = project.tidemill(&["replay", "test"]);
    assert_eq!(outcome.code, Some(2));
    for part in ["failed 3 times in a row", "the process did not start", "| settings: X is missing"] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
}

#[test]
fn environments_take_turns() {
    let project = project(&["a", "b", "c", "d"]);
    let options = ["replay", "test", "--batch-size", "1", "--environments", "2"];
    assert_eq!(project.tidemill(&options).code, Some(0));
    let processes: Vec<String> = invocations(&project).into_iter().map(|(process, _)| process).collect();
    assert_eq!(processes.len(), 5);
    for (index, process) in processes.iter().enumerate() {
        assert_eq!(*process, processes[index % 2]);
        assert_ne!(*process, processes[(index + 1) % 2]);
    }
}

#[test]
fn kills_of_every_kind_happen_and_lose_nothing() {
    let keys: Vec<String> = (0..40).map(|number| format!("key{number}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let project = project(&keys);
    project.write("events/test/expected.jsonl", &expected(&keys));
    let options = ["replay", "test", "--batch-size", "1", "--json", "--kill", "9", "--seed", "3"];
    let report = json(&project.tidemill(&options));
    assert_eq!(report["verdict"], "holds");
    assert_eq!((report["kills"].as_u64(), report["retries"].as_u64()), (Some(9), Some(9)));
    for kind in ["in_flight", "before_flush", "before_answer"] {
        assert_eq!(report["kills_by_kind"][kind], 3, "{kind}");
    }
}

#[test]
fn a_function_that_answers_before_its_kill_is_killed_all_the_same() {
    let project = project(&["quiet"; 30]);
    let report = json(&project.tidemill(&["replay", "test", "--batch-size", "1", "--json", "--kill", "12"]));
    assert_eq!(report["results"], 1);
    // The end of the input is the one thing flushed here, and declared as often as that is killed.
    for kind in ["in_flight", "before_flush", "before_answer"] {
        assert_eq!(report["kills_by_kind"][kind], 4, "{kind}");
    }
}

#[test]
fn kills_that_find_no_moment_are_told() {
    let project = project(&["quiet"; 3]);
    let outcome = project.tidemill(&["replay", "test", "--no-drain", "--json", "--kill", "3"]);
    assert_eq!(json(&outcome)["kills_by_kind"].get("before_answer"), None);
    assert!(outcome.stderr.contains("of 3 kills found no moment"), "{}", outcome.stderr);
}

#[test]
fn shards_are_each_delivered_and_drained() {
    let project = project(&["a", "b", "c", "d", "e", "f"]);
    let report = json(&project.tidemill(&["replay", "test", "--shards", "3", "--json"]));
    assert_eq!((report["records"].as_u64(), report["results"].as_u64()), (Some(6), Some(9)));
    assert!(report["verdict"].as_str().is_some_and(|verdict| verdict.starts_with("not compared: ")));
}

#[test]
fn results_and_quarantine_are_written_where_asked() {
    let project = project(&["a", "b"]);
    let outcome = project.tidemill(&["replay", "test", "--no-drain", "--output", "-"]);
    assert_eq!(outcome.stdout, lines(&["a", "b"]));
    assert!(outcome.stderr.contains("not compared: --no-drain"), "{}", outcome.stderr);
    let options = ["replay", "test", "--output", "out.jsonl", "--late", "late.jsonl"];
    assert_eq!(project.tidemill(&options).code, Some(0));
    let read = |name| std::fs::read_to_string(project.folder().join(name)).expect("no file");
    assert_eq!(read("out.jsonl"), expected(&["a", "b"]));
    assert_eq!(read("late.jsonl"), "");
}

#[test]
fn a_line_without_a_partition_key_reaches_the_function_all_the_same() {
    let project = project(&["a"]);
    project.write("other.jsonl", "{\"key\":\"a\"}\nno json\n\n{\"key\":\"\"}\n");
    let outcome = project.tidemill(&["replay", "test", "--input", "other.jsonl"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("other.jsonl:2: not JSON: 2 lines have no partition key"));
    assert_eq!(delivered(&project), ["a,2,4", ""]);
}

#[test]
fn a_function_that_does_not_compile_is_refused_with_what_the_compiler_says() {
    let project = project(&["a"]);
    project.write("src/main.rs", "fn main() { nonsense() }\n");
    let outcome = project.tidemill(&["replay", "test"]);
    assert_eq!(outcome.code, Some(2));
    for part in ["cannot build `function`", "nonsense"] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
}

#[test]
fn a_run_is_kept_only_if_asked_for_and_replaces_the_one_before() {
    let project = project(&["a", "b"]);
    let kept = project.folder().join(".tidemill");
    assert_eq!(project.tidemill(&["replay", "test"]).code, Some(0));
    assert!(!kept.exists());

    let outcome = project.tidemill(&["replay", "test", "--keep"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("next: cargo tidemill state"), "{}", outcome.stdout);
    let sink = || std::fs::read_to_string(kept.join("runs/test/out.jsonl")).expect("no sink");
    let keys = |text: String| -> Vec<Value> {
        text.lines().map(|line| line.parse::<Value>().expect("no JSON")["data"]["data"]["key"].clone()).collect()
    };
    assert_eq!(keys(sink()), ["a", "b", "drained"]);

    project.write("events/test/input.jsonl", &lines(&["c"]));
    assert_eq!(project.tidemill(&["replay", "test", "--keep", "--no-drain"]).code, Some(0));
    assert_eq!(keys(sink()), ["c"]);
    let state = project.tidemill(&["state"]);
    assert!(
        state.stderr.contains("holds no journal yet") && state.stderr.contains("--keep --no-drain"),
        "{}",
        state.stderr
    );
    assert_eq!(std::fs::read_to_string(kept.join(".gitignore")).expect("no .gitignore"), "*\n");
}

#[test]
fn what_a_run_that_failed_left_is_kept_too() {
    let template = TEMPLATE.replace("Variables: {", "Variables: {REFUSE_TO_START: no, ");
    let project = project(&["a"]);
    project.write("template.yaml", &template);
    assert_eq!(project.tidemill(&["replay", "test", "--keep"]).code, Some(2));
    assert!(project.folder().join(".tidemill/runs/test/tables.sqlite").is_file());
}

#[test]
fn an_artifact_runs_in_place_of_what_would_be_built() {
    let project = project(&["a", "b"]);
    project.write("events/test/expected.jsonl", &expected(&["a", "b"]));
    assert_eq!(project.tidemill(&["replay", "test"]).code, Some(0));
    let built = project.folder().join("target/debug").join(format!("function{}", std::env::consts::EXE_SUFFIX));
    std::fs::rename(built, project.folder().join("bootstrap")).expect("nothing was built");
    project.write("src/main.rs", "fn main() { nonsense() }\n");
    let report = json(&project.tidemill(&["replay", "test", "--artifact", "bootstrap", "--json"]));
    assert_eq!((report["verdict"].as_str(), report["results"].as_u64()), (Some("holds"), Some(3)));
}

#[test]
fn what_limits_refused_is_told_where_there_are_limits() {
    let project = project(&["a", "b"]);
    let with = json(&project.tidemill(&["replay", "test", "--limits", "--json"]));
    assert_eq!((with["throttled"].as_u64(), with["results"].as_u64()), (Some(0), Some(3)));
    let without = json(&project.tidemill(&["replay", "test", "--json"]));
    assert_eq!(without.get("throttled"), None);
}

#[test]
fn the_longest_invocation_is_told() {
    let project = project(&["hang-1"]);
    let longest = json(&project.tidemill(&["replay", "test", "--json"]))["longest_invocation_ms"].as_u64();
    assert!(longest.is_some_and(|longest| (2_000..10_000).contains(&longest)), "{longest:?}");
}

#[test]
fn a_function_that_needs_more_memory_than_it_has_on_aws_is_told_of() {
    let project = project(&["large-9"]);
    let warned = |project: &Project| project.tidemill(&["replay", "test"]).stderr.contains("its MemorySize is 128 MB");
    assert!(warned(&project));
    project.write("template.yaml", &TEMPLATE.replace("Timeout: 2", "Timeout: 2\n      MemorySize: 512"));
    assert!(!warned(&project));
}

#[test]
fn a_kept_run_is_gone_on_from() {
    let project = project(&["a", "b"]);
    project.write("rest.jsonl", &lines(&["c"]));
    project.write("all.jsonl", &expected(&["a", "b", "c"]));
    let resume = ["replay", "test", "--resume", "--input", "rest.jsonl", "--expect", "all.jsonl"];
    let outcome = project.tidemill(&resume);
    assert_eq!(outcome.code, Some(2), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("`cargo tidemill replay test --keep --no-drain` keeps one"), "{}", outcome.stderr);

    assert_eq!(project.tidemill(&["replay", "test", "--keep", "--no-drain"]).code, Some(0));
    // What is kept stays as it is, so that it can be gone on from again.
    for _ in 0..2 {
        let outcome = project.tidemill(&resume);
        assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    }
}

#[test]
fn shards_that_get_nothing_more_are_gone_on_from_too() {
    let keys = ["a", "b", "c", "d", "e", "f"];
    let project = project(&keys);
    project.write("template.yaml", &TEMPLATE.replace("{Name: in}", "{Name: in, ShardCount: 2}"));
    project.write("rest.jsonl", &lines(&["a"]));
    let delivered_to_shards = |arguments: &[&str]| {
        let outcome = project.tidemill(&[&["replay", "test", "--json"], arguments].concat());
        json(&outcome)["records"].as_u64().expect("a number")
    };
    assert_eq!(delivered_to_shards(&["--keep", "--no-drain"]), 6);
    assert_eq!(delivered_to_shards(&["--resume", "--input", "rest.jsonl"]), 7);
}
