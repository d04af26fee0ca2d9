//! What each function's role allows is what the function does, over all that can happen to it: no action is missing, and
//! none is spare. Compared is what SAM makes of the template, as `tests/template/lint.py` keeps it in `translated.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

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

const TEMPLATE: &str = "template.yaml";
const TRANSLATED: &str = "tests/template/translated.json";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// All that functions asked for in a replay.
fn used(options: Options) -> Permissions {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let prepared =
        prepare(Options { template: Some(path(TEMPLATE)), expect: Expect::Nothing, ..options }).expect("prepared");
    let report = runtime.block_on(prepared.run(Arc::new(Silent))).expect("it runs");
    report.functions.into_iter().map(|share| (share.function, share.permissions)).collect()
}

/// A scenario with ticks, kills, shards that are split and merged, and a record for the quarantine; and one with a journal
/// once more, with so many commits that parts of the state are written and deleted.
fn runs(folder: &Path, scenario: &str) -> Vec<Options> {
    let events = if scenario == "relay" { "relay" } else { "departures" };
    let lines = read_file(&format!("events/{events}/input.jsonl"));
    let first = |count: usize| lines.lines().take(count).collect::<Vec<_>>().join("\n");
    let file = |name: &str, text: &[u8]| {
        let path = folder.join(format!("{scenario}-{name}"));
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
    [Some(all), has_journal.then_some(short)].into_iter().flatten().collect()
}

/// All runs of all scenarios, at once: each by itself waits much.
fn used_on_all_paths() -> Permissions {
    let folder = TempDir::new().expect("a folder");
    let scenarios = ["departures", "routes", "alerts", "by-tail", "rotations", "relay"];
    let runs = scenarios.into_iter().flat_map(|scenario| runs(folder.path(), scenario));
    let mut used_by = Permissions::new();
    thread::scope(|scope| {
        let threads: Vec<_> = runs.map(|options| scope.spawn(move || used(options))).collect();
        for (function, permissions) in threads.into_iter().flat_map(|thread| thread.join().expect("it ran")) {
            used_by.entry(function).or_default().extend(permissions);
        }
    });
    used_by
}

/// What functions may and must be allowed: what they did, and what Lambda does for them.
fn needed(used_by: Permissions) -> Permissions {
    let template = read(&read_file(TEMPLATE));
    let permission = |action: &str, resource: &str| Permission { action: action.into(), resource: resource.into() };
    let of_logs = OF_LOGS.map(|(action, resource)| permission(action, resource));
    let of_source = |function: &str| {
        let mut findings = Findings::default();
        let function = template.function(function, &BTreeMap::new(), &mut findings).expect("the function");
        let source = format!("arn:aws:kinesis:us-east-1:000000000000:stream/{}", function.source.stream);
        OF_EVENT_SOURCE.map(|action| permission(&format!("kinesis:{action}"), &source))
    };
    let with_lambdas = |(function, used): (String, BTreeSet<Permission>)| {
        let all = used.into_iter().chain(of_source(&function)).chain(of_logs.clone());
        (function, all.collect())
    };
    used_by.into_iter().map(with_lambdas).collect()
}

fn read_file(name: &str) -> String {
    fs::read_to_string(path(name)).expect("a file of the project")
}

fn read(text: &str) -> Template {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("template");
    fs::write(&path, text).expect("written");
    let template = Template::load(&path, &mut Findings::default()).expect("a file");
    template.expect("a template")
}

/// What the roles of a template grant to functions.
fn granted<'f>(text: &str, functions: impl IntoIterator<Item = &'f String>) -> Permissions {
    let template = read(text);
    let mut findings = Findings::default();
    let of = |function: &String| (function.clone(), template.grants(function, &mut findings));
    let granted = functions.into_iter().map(of).collect();
    assert_eq!(findings.into_warnings().expect("no problem").len(), 0, "a statement that is not understood");
    granted
}

/// What is missing and what is spare in the roles of a template, function by function.
fn differences(text: &str, needed: &Permissions) -> Vec<String> {
    let mut differences = Vec::new();
    for (function, granted) in granted(text, needed.keys()) {
        let needed = &needed[&function];
        differences.extend(needed.difference(&granted).map(|missing| format!("{function} lacks {missing}")));
        differences.extend(granted.difference(needed).map(|spare| format!("{function} does not need {spare}")));
    }
    differences
}

#[test]
fn roles_allow_what_functions_do_and_nothing_else() {
    let needed = needed(used_on_all_paths());
    assert_eq!(needed.len(), 6, "all functions of the template");
    let text = read_file(TRANSLATED);
    assert_eq!(differences(&text, &needed), [""; 0]);

    // It would be noticed.
    let changed = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        differences(&text.replace(from, to), &needed)
    };
    let lacking = changed(r#""dynamodb:DeleteItem", "#, "");
    assert_eq!(lacking.len(), 4, "every function with a journal: {lacking:?}");
    assert!(lacking[0].contains("lacks dynamodb:DeleteItem on"), "{lacking:?}");
    let spare = changed(r#""dynamodb:DeleteItem", "#, r#""dynamodb:DeleteItem", "dynamodb:Scan", "#);
    assert!(spare.len() == 4 && spare[0].contains("does not need dynamodb:Scan on"), "{spare:?}");
    let elsewhere = changed(
        r#"[{"Fn::GetAtt": ["Relayed", "Arn"]}, {"Fn::GetAtt": ["Quarantine", "Arn"]}]"#,
        r#"[{"Fn::GetAtt": ["Relayed", "Arn"]}, {"Fn::GetAtt": ["Alerts", "Arn"]}]"#,
    );
    assert_eq!(elsewhere.len(), 4, "two missing, two spare: {elsewhere:?}");
    let blind = changed(r#", {"Ref": "ReadLinesPolicy"}"#, "");
    assert_eq!(blind.len(), 5, "what Lambda reads the source by: {blind:?}");
}

/// Without SAM's translator: CI's lint, which has it, holds the whole file to the template.
#[test]
fn the_translated_roles_are_those_of_the_template() {
    let ours = read_file(TEMPLATE);
    let functions: Vec<String> =
        read(&ours).given(&mut Findings::default()).into_iter().map(|given| given.id).collect();
    let [ours, translated] = [ours, read_file(TRANSLATED)].map(|text| granted(&text, &functions));
    assert!(ours == translated, "`tests/template/lint.py --write` translates the template anew");
}
