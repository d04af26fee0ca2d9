//! What a scenario can ask for, through a function that does as its records say.

mod support;

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use support::{Outcome, Project, SCENARIO, TEMPLATE};

/// A project whose scenario says `settings` too, with one record for each key.
fn project(settings: &str, keys: &[&str]) -> Project {
    let variables = "TIDEMILL_STREAM_ALERTS: !Ref Alerts, TIDEMILL_TABLE_LATEST: !Ref Latest, TIDEMILL_STREAM_OUT";
    let template = TEMPLATE
        .replace("TIDEMILL_STREAM_OUT", variables)
        .replace("  Journal:\n", "  Alerts: {Type: AWS::Kinesis::Stream}\n  Latest: *table\n  Journal: &table\n");
    let table = template.split("  Journal: &table\n").nth(1).and_then(|rest| rest.split("  Function:").next());
    let table = table.expect("a table").to_owned();
    let template = template.replace("  Latest: *table\n", &format!("  Latest:\n{table}")).replace(" &table", "");
    let project = Project::new(&template, &format!("{SCENARIO}{settings}"));
    project.write("Cargo.toml", include_str!("fixtures/function/Cargo.toml"));
    project.write("src/main.rs", include_str!("fixtures/function/src/main.rs"));
    let input: String = keys.iter().map(|key| format!("{{\"key\":\"{key}\"}}\n")).collect();
    project.write("events/test/input.jsonl", &input);
    project
}

#[track_caller]
fn assert_holds(outcome: &Outcome, what: &str) {
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.stderr, outcome.stdout);
    assert!(outcome.stdout.contains(&format!("as expected: {what}\n")), "{}", outcome.stdout);
}

fn gzip(project: &Project, name: &str, text: &str) {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("compressed");
    std::fs::write(project.folder().join(name), encoder.finish().expect("compressed")).expect("written");
}

#[test]
fn of_results_with_one_key_the_last_counts() {
    let project = project("final_by = [\"/key\"]\n", &["b.2", "a.1", "b.1", "b.3"]);
    project.write(
        "events/test/expected.jsonl",
        "{\"key\":\"a\",\"n\":\"1\"}\n{\"key\":\"b\",\"n\":\"3\"}\n{\"key\":\"drained\"}\n",
    );
    let outcome = project.tidemill(&["replay", "test"]);
    assert_holds(&outcome, "3 results (expected.jsonl)");
    assert!(outcome.stdout.contains("3 final, of 5"), "{}", outcome.stdout);

    project.write("own.jsonl", "{\"key\":\"c.2\"}\n{\"key\":\"c.9\"}\n{\"key\":\"a.0\"}\n");
    let options = ["replay", "test", "--input", "own.jsonl", "--no-drain", "--output", "-"];
    let outcome = project.tidemill(&options);
    assert_eq!(outcome.stdout, "{\"key\":\"a\",\"n\":\"0\"}\n{\"key\":\"c\",\"n\":\"9\"}\n", "{}", outcome.stderr);
    project.write("own-expected.jsonl", &outcome.stdout);
    let outcome =
        project.tidemill(&["replay", "test", "--input", "own.jsonl", "--no-drain", "--expect", "own-expected.jsonl"]);
    assert_holds(&outcome, "2 results (own-expected.jsonl)");
}

#[test]
fn order_counts_where_it_is_expected() {
    let project = project("expect_order = true\n", &["b", "a"]);
    project.write("events/test/expected.jsonl", "{\"key\":\"b\"}\n{\"key\":\"a\"}\n{\"key\":\"drained\"}\n");
    assert_holds(&project.tidemill(&["replay", "test"]), "3 results (expected.jsonl)");
    project.write("events/test/expected.jsonl", "{\"key\":\"a\"}\n{\"key\":\"b\"}\n{\"key\":\"drained\"}\n");
    let outcome = project.tidemill(&["replay", "test"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("in another order from line 1 on"), "{}", outcome.stdout);

    let options = ["replay", "test", "--shards", "2", "--expect", "events/test/expected.jsonl"];
    let outcome = project.tidemill(&options);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("which one shard alone gives"), "{}", outcome.stderr);
    project.write("events/test/scenario.toml", &format!("{SCENARIO}shards = 2\nexpect_order = true\n"));
    let outcome = project.tidemill(&["replay", "test"]);
    assert!(outcome.stderr.contains("scenario.toml:5: expect_order: the source has 2 shards"), "{}", outcome.stderr);
}

#[test]
fn late_records_streams_and_tables_are_compared_each_for_itself() {
    let settings = "late_fields = { number = \"/n\" }\n[expect_streams]\nalerts = \"alerts.jsonl\"\n[expect_tables]\nlatest = \"latest.jsonl\"\n";
    let project = project(settings, &["a.1", "late.7", "alert.5", "a.2"]);
    project.write(
        "events/test/expected.jsonl",
        "{\"key\":\"a\",\"n\":\"1\"}\n{\"key\":\"a\",\"n\":\"2\"}\n{\"key\":\"drained\"}\n",
    );
    project.write("events/test/expected-late.jsonl", "{\"number\":\"7\"}\n");
    project.write("events/test/alerts.jsonl", "{\"key\":\"alert\",\"n\":\"5\"}\n");
    let latest = "{\"key\":\"a\",\"n\":\"2\"}\n{\"key\":\"alert\",\"n\":\"5\"}\n{\"key\":\"drained\"}\n{\"key\":\"late\",\"n\":\"7\"}\n";
    project.write("events/test/latest.jsonl", latest);
    let what = "3 results (expected.jsonl), 1 late (expected-late.jsonl), 1 in stream alerts (alerts.jsonl) and 4 in table latest (latest.jsonl)";
    assert_holds(&project.tidemill(&["replay", "test"]), what);
    assert_holds(&project.tidemill(&["replay", "test", "--batch-size", "1", "--kill", "6"]), what);

    project.write("events/test/latest.jsonl", "{\"key\":\"a\",\"n\":\"1\"}\n");
    let outcome = project.tidemill(&["replay", "test"]);
    assert!(outcome.stdout.contains("in table latest: 1 missing, 4 unexpected"), "{}", outcome.stdout);
    project.write("events/test/scenario.toml", &format!("{SCENARIO}{}", settings.replace("latest =", "newest =")));
    let outcome = project.tidemill(&["replay", "test"]);
    let why = ":8: expect_tables.newest: no variable TIDEMILL_TABLE_… of its functions, and no resource, has this name; there are latest";
    assert!(outcome.stderr.contains(why), "{}", outcome.stderr);
}

#[test]
fn input_and_expectations_may_be_gzipped_under_any_name_and_its_default() {
    let project = project("", &["a"]);
    std::fs::remove_file(project.folder().join("events/test/input.jsonl")).expect("it was there");
    gzip(&project, "events/test/input.jsonl.gz", "{\"key\":\"x\"}\n{\"key\":\"y\"}\n");
    gzip(&project, "events/test/expected.jsonl.gz", "{\"key\":\"x\"}\n{\"key\":\"y\"}\n{\"key\":\"drained\"}\n");
    assert_holds(&project.tidemill(&["replay", "test"]), "3 results (expected.jsonl.gz)");
    assert!(project.tidemill(&["list"]).stdout.contains("2 records"));
    gzip(&project, "own.gz", "{\"key\":\"z\"}\n");
    gzip(&project, "own-expected.gz", "{\"key\":\"z\"}\n{\"key\":\"drained\"}\n");
    let outcome = project.tidemill(&["replay", "test", "--input", "own.gz", "--expect", "own-expected.gz"]);
    assert_holds(&outcome, "2 results (own-expected.gz)");
}

#[test]
fn partition_keys_come_from_the_first_pointer_or_are_one() {
    let project = project("", &[]);
    project.write("events/test/input.jsonl", "{\"bid\":{\"k\":7}}\n{\"bid\":null,\"key\":\"a\"}\n");
    let list = SCENARIO.replace("\"/key\"", "[\"/bid/k\", \"/key\"]");
    project.write("events/test/scenario.toml", &list);
    project.write("events/test/expected.jsonl", "{\"key\":\"7\"}\n{\"key\":\"a\"}\n{\"key\":\"drained\"}\n");
    assert_holds(&project.tidemill(&["replay", "test"]), "3 results (expected.jsonl)");
    project.write("events/test/scenario.toml", &SCENARIO.replace("\"/key\"", "{ constant = \"all\" }"));
    project.write("events/test/expected.jsonl", "{\"key\":\"all\"}\n{\"key\":\"all\"}\n{\"key\":\"drained\"}\n");
    assert_holds(&project.tidemill(&["replay", "test"]), "3 results (expected.jsonl)");
}

#[test]
fn a_scenario_sets_variables_of_its_function() {
    let project = project("[environment]\nSUFFIX = \"!\"\nTIDEMILL_STREAM_OUT = \"Alerts\"\n", &["a"]);
    project.write("events/test/expected.jsonl", "{\"key\":\"a!\"}\n{\"key\":\"drained!\"}\n");
    assert_holds(&project.tidemill(&["replay", "test"]), "2 results (expected.jsonl)");
    let wrong = "[environment]\nTIDEMILL_STREAM_OUT = \"Nowhere\"\n";
    project.write("events/test/scenario.toml", &format!("{SCENARIO}{wrong}"));
    let outcome = project.tidemill(&["replay", "test"]);
    assert!(
        outcome.stderr.contains("scenario.toml:5: TIDEMILL_STREAM_OUT is `Nowhere`, no stream"),
        "{}",
        outcome.stderr
    );
}

/// What is filtered out lies behind the checkpoint: were it not, no more would be put once 32 MB are ahead of the function.
#[test]
fn a_long_run_of_filtered_records_does_not_stall_the_feed() {
    const PATIENCE: Duration = Duration::from_secs(120);
    let project = project("", &[]);
    let variables = TEMPLATE.lines().find(|line| line.contains("Environment:")).expect("variables");
    let filter = "            FilterCriteria: {Filters: [{Pattern: '{\"data\":{\"keep\":[true]}}'}]}\n";
    let template = TEMPLATE
        .replace(&format!("{variables}\n"), "")
        .replace("            BatchSize: 10\n", &format!("            BatchSize: 10\n{filter}"));
    project.write("template.yaml", &template);
    let filler = "x".repeat(1_000_000);
    let dropped = format!("{{\"key\":\"quiet\",\"keep\":false,\"filler\":\"{filler}\"}}\n");
    let kept = "{\"key\":\"quiet\",\"keep\":true}\n";
    project.write("events/test/input.jsonl", &(dropped.repeat(80) + kept));
    // Built before the time counts.
    project.write("one.jsonl", kept);
    let built = project.tidemill(&["replay", "test", "--input", "one.jsonl"]);
    assert_eq!(built.code, Some(0), "{}{}", built.stderr, built.stdout);

    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(["replay", "test"]).current_dir(project.folder()).env_remove("CARGO_TARGET_DIR");
    let mut replay = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
    let begun = Instant::now();
    while replay.try_wait().expect("its state").is_none() {
        if begun.elapsed() > PATIENCE {
            replay.kill().expect("it ends");
            panic!("the replay stands still");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let Output { status, stdout, .. } = replay.wait_with_output().expect("its output");
    let summary = String::from_utf8_lossy(&stdout);
    assert!(status.success() && summary.contains("80 records by FilterCriteria"), "{summary}");
    let deliveries = std::fs::read_to_string(project.folder().join("deliveries")).expect("deliveries");
    assert_eq!(deliveries.lines().filter(|line| line.starts_with("done")).count(), 2, "{deliveries}");
}
