//! What each function's role allows is what the function does, over all that can happen to it: no action is missing, and
//! none is spare.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tidemill_harness::findings::Findings;
use tidemill_harness::permission::Permission;
use tidemill_harness::progress::Silent;
use tidemill_harness::replay::{Expect, Options, prepare};
use tidemill_harness::template::Template;

type Permissions = BTreeMap<String, BTreeSet<Permission>>;

/// What Lambda itself does by a function's role, at the function's source.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html>
const OF_EVENT_SOURCE: [&str; 5] =
    ["DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards"];
/// What it does to write logs and traces.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html>
const OF_LOGS: [(&str, &str); 4] = [
    ("logs:CreateLogStream", "Logs.Arn"),
    ("logs:PutLogEvents", "Logs.Arn"),
    ("xray:PutTelemetryRecords", "*"),
    ("xray:PutTraceSegments", "*"),
];

/// As many commits as take a journal round its ring, so that parts are renewed and the old ones deleted.
const SHORT: usize = 2_200;

fn template() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml")
}

/// All that functions asked for in a replay.
fn used(options: Options) -> Permissions {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let prepared =
        prepare(Options { template: Some(template()), expect: Expect::Nothing, ..options }).expect("prepared");
    let report = runtime.block_on(prepared.run(Arc::new(Silent))).expect("it runs");
    report.functions.into_iter().map(|share| (share.function, share.permissions)).collect()
}

/// Every scenario with ticks, kills, shards that are split and merged, and a record for the quarantine; and once more with
/// so many commits that parts of the state are written and deleted.
fn used_on_all_paths() -> Permissions {
    let folder = TempDir::new().expect("a folder");
    let mut used_by = Permissions::new();
    for (scenario, input) in [
        ("departures", "departures"),
        ("routes", "departures"),
        ("alerts", "departures"),
        ("by-tail", "departures"),
        ("rotations", "departures"),
        ("relay", "relay"),
    ] {
        let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events").join(input).join("input.jsonl");
        let lines = fs::read_to_string(events).expect("the events");
        let first = |count: usize| lines.lines().take(count).collect::<Vec<_>>().join("\n");
        let file = |name: &str, text: &[u8]| {
            let path = folder.path().join(format!("{scenario}-{name}"));
            fs::write(&path, text).expect("written");
            Some(path)
        };
        let input = file("all", &[b"\xff\xfe no text\n", first(2_000).as_bytes()].concat());
        // A function without key takes no ticks.
        let ticks = if scenario == "relay" { 0 } else { 3 };
        let all = Options { input, ticks, kills: 5, reshards: 3, seed: 7, ..Options::of(scenario) };
        let input = file("short", first(SHORT).as_bytes());
        let short = Options { input, batch_size: Some(1), ..Options::of(scenario) };
        let has_journal = !["by-tail", "relay"].contains(&scenario);
        for (function, permissions) in [Some(all), has_journal.then_some(short)].into_iter().flatten().flat_map(used) {
            used_by.entry(function).or_default().extend(permissions);
        }
    }
    used_by
}

/// What a function may and must be allowed: what it did, and what Lambda does for it.
fn needed(template: &Template, function: &str, used: &BTreeSet<Permission>) -> BTreeSet<Permission> {
    let mut findings = Findings::default();
    let source = template.function(function, &BTreeMap::new(), &mut findings).expect("the function").source.stream;
    let source = format!("arn:aws:kinesis:us-east-1:000000000000:stream/{source}");
    let permission =
        |action: &str, resource: &str| Permission { action: action.to_owned(), resource: resource.to_owned() };
    let of_source = OF_EVENT_SOURCE.map(|action| permission(&format!("kinesis:{action}"), &source));
    let of_logs = OF_LOGS.map(|(action, resource)| permission(action, resource));
    used.iter().cloned().chain(of_source).chain(of_logs).collect()
}

/// What is missing and what is spare in the roles of a template, function by function.
fn differences(text: &str, used_by: &Permissions) -> Vec<String> {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("template.yaml");
    fs::write(&path, text).expect("written");
    let mut findings = Findings::default();
    let template = Template::load(&path, &mut findings).expect("a file").expect("a template");
    let mut differences = Vec::new();
    for (function, used) in used_by {
        let (needed, granted) = (needed(&template, function, used), template.grants(function, &mut findings));
        differences.extend(needed.difference(&granted).map(|missing| format!("{function} lacks {missing}")));
        differences.extend(granted.difference(&needed).map(|spare| format!("{function} does not need {spare}")));
    }
    differences
}

#[test]
fn roles_allow_what_functions_do_and_nothing_else() {
    let used_by = used_on_all_paths();
    assert_eq!(used_by.len(), 6, "all functions of the template");
    let text = fs::read_to_string(template()).expect("the template");
    assert_eq!(differences(&text, &used_by), [""; 0]);

    // It would be noticed.
    let changed = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        differences(&text.replace(from, to), &used_by)
    };
    let lacking = changed("dynamodb:DeleteItem, ", "");
    assert_eq!(lacking.len(), 4, "every function with a journal: {lacking:?}");
    assert!(lacking[0].contains("lacks dynamodb:DeleteItem on"), "{lacking:?}");
    let spare = changed("dynamodb:DeleteItem, ", "dynamodb:DeleteItem, dynamodb:Scan, ");
    assert!(spare.len() == 4 && spare[0].contains("does not need dynamodb:Scan on"), "{spare:?}");
    let elsewhere = changed(
        "Resource: [!GetAtt Relayed.Arn, !GetAtt Quarantine.Arn]",
        "Resource: [!GetAtt Relayed.Arn, !GetAtt Alerts.Arn]",
    );
    assert_eq!(elsewhere.len(), 4, "two missing, two spare: {elsewhere:?}");
    let blind =
        changed("ManagedPolicyArns: [!Ref TellPolicy, !Ref ReadLinesPolicy]", "ManagedPolicyArns: [!Ref TellPolicy]");
    assert_eq!(blind.len(), 5, "what Lambda reads the source by: {blind:?}");
}
