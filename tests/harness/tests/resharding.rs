//! Replays while shards are split and merged, through a function that tells which shard a record
//! came from (`fixtures/function`).

mod support;

use std::collections::BTreeSet;

use serde_json::Value;
use support::{Outcome, Project, SCENARIO, TEMPLATE};

/// A project with the function, and one record for each key.
fn project(template: &str, keys: &[String]) -> Project {
    let project = Project::new(template, SCENARIO);
    project.write("Cargo.toml", include_str!("fixtures/function/Cargo.toml"));
    project.write("src/main.rs", include_str!("fixtures/function/src/main.rs"));
    project.write("events/test/input.jsonl", &lines(keys));
    project
}

fn lines(keys: &[String]) -> String {
    keys.iter().map(|key| format!("{{\"key\":\"{key}\"}}\n")).collect()
}

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("key{number}")).collect()
}

#[track_caller]
fn json(outcome: &Outcome) -> Value {
    assert_ne!(outcome.code, Some(2), "{}", outcome.stderr);
    outcome.stdout.parse().expect("no JSON")
}

/// A shard of a report.
struct Shard {
    id: String,
    parents: Vec<String>,
    open: bool,
    records: u64,
}

/// The shards of the stream at that place of the report, and its splits and merges.
fn shards(report: &Value, place: usize) -> (Vec<Shard>, u64, u64) {
    let of = &report["resharded"][place];
    let text = |value: &Value| value.as_str().expect("no text").to_owned();
    let shard = |shard: &Value| Shard {
        id: text(&shard["shard"]),
        parents: shard["parents"].as_array().expect("no parents").iter().map(text).collect(),
        open: shard["open"].as_bool().expect("no state"),
        records: shard["records"].as_u64().expect("no records"),
    };
    let count = |name: &str| of[name].as_u64().expect("no number");
    (of["shards"].as_array().expect("no shards").iter().map(shard).collect(), count("splits"), count("merges"))
}

/// What happened when: `begin` or `done`, the shard, and the keys.
fn deliveries(project: &Project) -> Vec<(String, String, String)> {
    let text = std::fs::read_to_string(project.folder().join("deliveries")).expect("no delivery");
    let line = |line: &str| {
        let mut words = line.splitn(3, ' ').map(str::to_owned);
        (words.next().unwrap_or_default(), words.next().unwrap_or_default(), words.next().unwrap_or_default())
    };
    text.lines().map(line).collect()
}

/// No delivery of a child began before the last one of each of its forebears was done.
#[track_caller]
fn assert_parents_first(project: &Project, shards: &[Shard]) {
    let deliveries = deliveries(project);
    let mut forebears: Vec<BTreeSet<&str>> = Vec::new();
    for shard in shards {
        let mut all = BTreeSet::new();
        for (older, of_older) in shards.iter().zip(&forebears) {
            if shard.parents.contains(&older.id) {
                all.insert(older.id.as_str());
                all.extend(of_older);
            }
        }
        let begun = deliveries.iter().position(|(what, of, _)| what == "begin" && *of == shard.id);
        let done = deliveries.iter().rposition(|(_, of, _)| all.contains(of.as_str()));
        if let (Some(begun), Some(done)) = (begun, done) {
            assert!(done < begun, "{} began before {:?} were done", shard.id, all);
        }
        forebears.push(all);
    }
}

/// The end of the input of each open shard comes out once.
fn expected(keys: &[String], shards: &[Shard]) -> String {
    let ends = shards.iter().filter(|shard| shard.open).map(|_| String::from("drained"));
    lines(&keys.iter().cloned().chain(ends).collect::<Vec<_>>())
}

/// Replays twice with these options, the second time with all that is to come out as expectation.
#[track_caller]
fn replayed(project: &Project, keys: &[String], options: &[&str]) -> (Value, Vec<Shard>) {
    let options = [&["replay", "test", "--json"], options].concat();
    let (known, ..) = shards(&json(&project.tidemill(&options)), 0);
    for file in ["deliveries", "invocations"] {
        std::fs::remove_file(project.folder().join(file)).expect("nothing was delivered");
    }
    for key in keys.iter().filter(|key| key.contains('-')) {
        std::fs::remove_file(project.folder().join(format!("attempts-{key}"))).expect("no attempt");
    }
    project.write("events/test/expected.jsonl", &expected(keys, &known));
    let report = json(&project.tidemill(&options));
    assert_eq!(report["verdict"], "holds", "{report:#}");
    let (shards, ..) = shards(&report, 0);
    (report, shards)
}

#[test]
fn parents_are_done_before_their_children_begin_and_nothing_is_lost() {
    let keys = keys(120);
    let project = project(TEMPLATE, &keys);
    for seed in ["1", "2", "3"] {
        let (report, all) = replayed(&project, &keys, &["--reshard", "6", "--seed", seed, "--batch-size", "4"]);
        let (_, splits, merges) = shards(&report, 0);
        assert_eq!((splits, merges), (4, 2), "seed {seed}");
        assert_eq!(all.len() as u64, 1 + 2 * splits + merges);
        assert_eq!(all.iter().map(|shard| shard.records).sum::<u64>(), 120);
        assert_eq!(report["records"].as_u64(), Some(120));
        assert_parents_first(&project, &all);
        let done = deliveries(&project).into_iter().filter(|(what, ..)| what == "done");
        let mut delivered: Vec<String> =
            done.flat_map(|(_, _, keys)| keys.split(',').map(str::to_owned).collect::<Vec<_>>()).collect();
        delivered.sort();
        let mut once = keys.clone();
        once.sort();
        assert_eq!(delivered, once);
        std::fs::remove_file(project.folder().join("deliveries")).expect("no delivery");
    }
}

#[test]
fn the_same_seed_gives_the_same_shards_with_the_same_records() {
    let keys = keys(60);
    let project = project(TEMPLATE, &keys);
    let of = |seed| {
        let report = json(&project.tidemill(&["replay", "test", "--json", "--reshard", "5", "--seed", seed]));
        report["resharded"].clone()
    };
    assert_eq!(of("7"), of("7"));
    assert_ne!(of("7"), of("8"));
}

#[test]
fn a_merged_shard_waits_for_both_of_its_parents() {
    let keys: Vec<String> =
        (0..60).map(|number| format!("{}{number}", if number % 7 == 0 { "slow" } else { "key" })).collect();
    let project = project(TEMPLATE, &keys);
    let options = ["--shards", "2", "--reshard", "3", "--seed", "4", "--batch-size", "5"];
    let report = json(&project.tidemill(&[&["replay", "test", "--json"], &options[..]].concat()));
    let (all, _, merges) = shards(&report, 0);
    assert_eq!(merges, 1);
    let merged = all.iter().find(|shard| shard.parents.len() == 2).expect("nothing was merged");
    let with = |id: &String| all.iter().any(|shard| shard.id == *id && shard.records > 0);
    assert!(merged.records > 0 && merged.parents.iter().all(with), "this seed shows nothing: take another");
    assert_parents_first(&project, &all);
}

#[test]
fn siblings_are_delivered_side_by_side() {
    let keys: Vec<String> = (0..24).map(|number| format!("slow{number}")).collect();
    let project = project(TEMPLATE, &keys);
    let report = json(&project.tidemill(&["replay", "test", "--json", "--reshard", "1", "--batch-size", "1"]));
    let (all, ..) = shards(&report, 0);
    assert_eq!(all.iter().map(|shard| shard.records > 0).collect::<Vec<_>>(), [true; 3], "take another seed");
    let mut running: BTreeSet<String> = BTreeSet::new();
    let mut together = BTreeSet::new();
    for (what, shard, _) in deliveries(&project) {
        match what.as_str() {
            "begin" => drop(running.insert(shard)),
            _ => drop(running.remove(&shard)),
        }
        if running.len() > 1 {
            together.extend(running.iter().cloned());
        }
    }
    assert_eq!(together.into_iter().collect::<Vec<_>>(), [all[1].id.clone(), all[2].id.clone()]);
}

#[test]
fn failing_batches_and_kills_lose_nothing_and_keep_parents_first() {
    let mut keys = keys(60);
    for (place, deed) in [(10, "fail-2"), (25, "error-1"), (40, "crash-1"), (55, "fail-1")] {
        keys[place] = deed.to_owned();
    }
    let project = project(TEMPLATE, &keys);
    let options = ["--reshard", "4", "--seed", "5", "--batch-size", "3", "--kill", "6", "--environments", "3"];
    let (report, all) = replayed(&project, &keys, &options);
    assert_eq!(report["kills"].as_u64(), Some(6));
    // Five failures and six kills; a kill may meet an invocation that fails anyway.
    assert!((6..=11).contains(&report["retries"].as_u64().expect("a number")), "{report:#}");
    assert_parents_first(&project, &all);
}

#[test]
fn a_quiet_child_is_drained_as_any_open_shard_is() {
    // All records come under one key: of two siblings one gets nothing.
    let keys = vec![String::from("one"); 20];
    let project = project(TEMPLATE, &keys);
    let (_, all) = replayed(&project, &keys, &["--reshard", "3", "--batch-size", "2"]);
    assert!(all.iter().any(|shard| shard.open && shard.records == 0));
    let events = std::fs::read_to_string(project.folder().join("invocations")).expect("no invocation");
    let drained = events.lines().filter(|line| line.ends_with(' ')).count();
    assert_eq!(drained, all.iter().filter(|shard| shard.open).count());
    assert_parents_first(&project, &all);
}

#[test]
fn what_came_of_a_shard_without_records_begins_too() {
    // The iterator of a closed shard that holds nothing ends a read later.
    let keys = vec![String::from("one"); 6];
    let project = project(&TEMPLATE.replace("{Name: in}", "{Name: in, ShardCount: 4}"), &keys);
    for seed in ["1", "2"] {
        let (_, all) = replayed(&project, &keys, &["--reshard", "4", "--seed", seed]);
        let quiet = all.iter().filter(|shard| !shard.open && shard.parents.is_empty() && shard.records == 0);
        assert!(quiet.count() > 0, "take another seed than {seed}");
    }
}

#[test]
fn streams_between_functions_are_resharded_too() {
    let keys = keys(80);
    let template = TEMPLATE
        .replace("  Out:", "  Mid: {Type: AWS::Kinesis::Stream, Properties: {Name: mid}}\n  Out:")
        .replace("TIDEMILL_STREAM_OUT: !Ref Out", "TIDEMILL_STREAM_OUT: !Ref Mid");
    let template = format!(
        "{template}  Second:
    Type: AWS::Serverless::Function
    Metadata: {{BuildProperties: {{Binary: function}}}}
    Properties:
      Timeout: 2
      Environment: {{Variables: {{ID_BY_KEY: 1, TIDEMILL_STREAM_OUT: !Ref Out, TIDEMILL_JOURNAL_TABLE: !Ref Journal}}}}
      Events:
        In:
          Type: Kinesis
          Properties: {{Stream: !GetAtt Mid.Arn, StartingPosition: LATEST, FunctionResponseTypes: [ReportBatchItemFailures]}}
"
    );
    let project = project(&template, &keys);
    let scenario = SCENARIO.replace("function = \"Function\"", "functions = [\"Function\", \"Second\"]");
    project.write("events/test/scenario.toml", &scenario);
    for options in [&["--kill", "4"][..], &["--limits"]] {
        let options = [&["replay", "test", "--json", "--reshard", "3", "--batch-size", "2"], options].concat();
        let report = json(&project.tidemill(&options));
        assert_eq!(report["resharded"][1]["stream"], "mid");
        let (first, splits, merges) = shards(&report, 0);
        assert_eq!((splits, merges), (2, 1));
        let (second, splits, merges) = shards(&report, 1);
        assert_eq!((splits, merges), (2, 1));
        assert_eq!(first.iter().map(|shard| shard.records).sum::<u64>(), 80);
        let between: u64 = second.iter().map(|shard| shard.records).sum();
        assert_eq!(report["functions"][1]["records"].as_u64(), Some(between));
        // Each key once, the ends of the first one's shards as one event, and the ends of the second one's.
        let ends = second.iter().filter(|shard| shard.open).count() as u64;
        assert_eq!(report["results"].as_u64(), Some(81 + ends), "{report:#}");
    }
}

#[test]
fn shards_and_what_late_records_are_is_told() {
    let keys = keys(10);
    let project = project(TEMPLATE, &keys);
    let options = ["replay", "test", "--reshard", "1"];
    let (known, ..) = shards(&json(&project.tidemill(&[&options[..], &["--json"]].concat())), 0);
    let summary = project.tidemill(&options).stdout;
    assert!(summary.contains("  shards        3 of in, 2 of them open: 1 split, 0 merges\n"), "{summary}");
    assert!(!summary.contains("may differ"), "{summary}");
    project.write("events/test/expected.jsonl", &expected(&keys, &known));
    let summary = project.tidemill(&options).stdout;
    assert!(summary.contains("3 shards: what is late may differ\n"), "{summary}");
    assert!(summary.contains("as expected: 12 results"), "{summary}");
}

#[test]
fn an_order_that_is_expected_counts_only_while_there_is_one() {
    let keys = keys(20);
    let project = project(TEMPLATE, &keys);
    project.write("events/test/scenario.toml", &format!("{SCENARIO}expect_order = true\n"));
    let backwards: Vec<String> = keys.iter().rev().cloned().collect();
    let expected = |ends: usize| lines(&[backwards.as_slice(), &vec![String::from("drained"); ends]].concat());
    project.write("events/test/expected.jsonl", &expected(1));
    assert_eq!(json(&project.tidemill(&["replay", "test", "--json"]))["verdict"], "differs");
    project.write("events/test/expected.jsonl", &expected(2));
    assert_eq!(json(&project.tidemill(&["replay", "test", "--json", "--reshard", "1"]))["verdict"], "holds");
}
