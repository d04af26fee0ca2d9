//! The real function binary, over the wire, on real flights: however batches are cut, whoever takes them, and whatever
//! is killed, the results are Flink's.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::GzDecoder;
use serde_json::Value;
use tempfile::TempDir;
use tidemill_harness::progress::{Progress, Silent};
use tidemill_harness::replay::{Expect, Options, Report, Verdict, prepare};

/// Windows and late flights of January 2013.
const WINDOWS: u64 = 1_744;
const LATE: u64 = 60;

fn events(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/departures").join(file)
}

fn departures() -> Options {
    scenario("template.yaml", "departures")
}

fn scenario(template: &str, name: &str) -> Options {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(template);
    Options { template: Some(template), ..Options::of(name) }
}

fn replay(options: Options) -> Report {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let prepared = prepare(options).expect("it can be replayed");
    runtime.block_on(prepared.run(Arc::new(Silent))).expect("it runs")
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

fn expected(file: &str) -> Vec<String> {
    sorted(fs::read_to_string(events(file)).expect("the file").lines().map(str::to_owned).collect())
}

/// The very bytes of results and late records are those expected, in any order.
fn assert_identical(report: &Report) {
    assert_eq!((report.results, report.late), (WINDOWS, LATE), "{:?}", report.verdict);
    assert!(sorted(report.collected.results.clone()) == expected("expected.jsonl"), "results differ");
    assert!(sorted(report.collected.late.clone()) == expected("expected-late.jsonl"), "late flights differ");
}

fn requests(report: &Report, kind: impl Fn(&str) -> bool) -> u64 {
    report.requests.iter().filter(|(name, _)| kind(name)).map(|(_, count)| count).sum()
}

/// One environment takes every batch with one write and no read, by the emulator's own count; parts and flush marks apart.
#[test]
fn a_batch_costs_one_write_request_and_no_read() {
    let report = replay(departures());
    assert_identical(&report);
    assert_eq!(report.verdict, Verdict::Holds);
    assert_eq!(report.batches, 53);
    // Every batch, the journal's first record, and the end of the input.
    assert_eq!(requests(&report, |kind| kind.ends_with(" slot") && !kind.starts_with(['G', 'Q'])), 53 + 2);
    assert_eq!(requests(&report, |kind| kind == "PutItem part"), 0, "{:?}", report.requests);
    // Slot 1 before and after the journal is begun, the load, and the look for a head behind it: all for the first batch.
    assert!(requests(&report, |kind| kind.starts_with("GetItem") || kind.starts_with("Query")) <= 8);

    let twice = replay(Options { batch_size: Some(250), ..departures() });
    let reads = |report: &Report| requests(report, |kind| kind.starts_with("GetItem") || kind.starts_with("Query"));
    assert_eq!(twice.batches, 105);
    assert_eq!(reads(&twice), reads(&report), "twice the batches, not one read more");
}

#[test]
fn the_size_of_batches_does_not_matter() {
    for batch_size in [7, 10_000] {
        assert_identical(&replay(Options { batch_size: Some(batch_size), ..departures() }));
    }
}

#[test]
fn single_records_give_what_batches_give() {
    let folder = TempDir::new().expect("a folder");
    let input = folder.path().join("input.jsonl");
    let flights = fs::read_to_string(events("input.jsonl")).expect("the file");
    let first: Vec<&str> = flights.lines().take(2_000).collect();
    fs::write(&input, first.join("\n")).expect("written");
    let part = || Options { input: Some(input.clone()), expect: Expect::Nothing, ..departures() };
    let one = replay(Options { batch_size: Some(1), ..part() });
    let all = replay(part());
    assert_eq!(one.batches, 2_000);
    assert_eq!(sorted(one.collected.results), sorted(all.collected.results));
    assert_eq!(sorted(one.collected.late), sorted(all.collected.late));
}

#[test]
fn shards_do_not_matter() {
    assert_identical(&replay(Options { shards: Some(3), ..departures() }));
}

#[test]
fn environments_do_not_matter() {
    assert_identical(&replay(Options { environments: Some(2), ..departures() }));
}

#[test]
fn kills_do_not_matter() {
    for (seed, environments, batch_size) in [(1, None, 500), (2, Some(2), 100), (3, Some(3), 500)] {
        let options = Options { kills: 20, seed, environments, batch_size: Some(batch_size), ..departures() };
        let report = replay(options);
        assert_identical(&report);
        assert_eq!(report.kills, 20);
        assert_eq!(report.kills_by_kind.len(), 3, "within a batch, before its flush, before its answer");
    }
}

/// Fifty seeds of faults of every kind, over the first thousand flights each.
#[test]
fn fifty_seeds_of_faults_do_not_matter() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let prepared = prepare(Options { limit: Some(1_000), ..departures() }).expect("it can be replayed");
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    let all = runtime.block_on(prepared.chaos(1..=50, &progress, |_| {})).expect("they run");
    assert_eq!(all.len(), 50);
    for seed in &all {
        assert!(seed.identical && seed.count() > 0, "seed {}: {:?}", seed.seed, seed.differences);
    }
}

#[test]
fn damaged_lines_are_set_aside_and_change_nothing() {
    let folder = TempDir::new().expect("a folder");
    let input = folder.path().join("input.jsonl");
    let damaged = [
        r#"{"origin":"JFK","departed_at":"#,
        "no JSON",
        "[]",
        r#"{"departed_at":1357037940000,"delay_min":1}"#,
        r#"{"origin":"JFK","departed_at":"noon","delay_min":1}"#,
        r#"{"origin":"JFK","delay_min":1}"#,
        r#"{"origin":"JFK","departed_at":99999999999999999,"delay_min":1}"#,
        r#"{"origin":"JFK","departed_at":4102444800000,"delay_min":1}"#,
        r#"{"origin":"","departed_at":1357037940000,"delay_min":1}"#,
        r#"{"origin":7,"departed_at":1357037940000,"delay_min":1}"#,
    ];
    let mut lines: Vec<String> =
        fs::read_to_string(events("input.jsonl")).expect("the file").lines().map(str::to_owned).collect();
    for number in 0..100 {
        lines.insert(number * 260, damaged[number % 10].to_owned());
    }
    fs::write(&input, lines.join("\n")).expect("written");

    let report = replay(Options { input: Some(input), ..departures() });
    assert_identical(&report);
    assert_eq!(report.quarantined, 100);
    for entry in &report.collected.quarantined {
        let entry: Value = serde_json::from_str(entry).expect("JSON");
        let payload = entry["payload"].as_str().expect("the payload");
        assert!(damaged.contains(&payload), "{payload}");
        assert!(!entry["reason"].as_str().expect("a reason").is_empty());
        assert!(!entry["message"].as_str().expect("a message").is_empty());
        assert!(entry["sequence"].is_string() && entry["shard"].is_string());
    }
}

/// A routing function, whose stream a keyed one reads; either may be killed at any moment.
#[test]
fn two_functions_in_a_row_give_flinks_sessions_whatever_is_killed() {
    let report = replay(Options { kills: 20, seed: 3, ..scenario("template.yaml", "by-tail") });
    assert_eq!((report.verdict, report.results), (Verdict::Holds, 13_666));
    assert!(report.repeats > 0, "what was sent twice on the way to the second function was dropped by it");
}

/// A process function with a timer, and a table that holds the last alert of each key.
#[test]
fn alerts_and_the_table_of_the_latest_are_those_of_a_plain_script() {
    let report = replay(Options { kills: 10, seed: 5, ..scenario("template.yaml", "alerts") });
    assert_eq!((report.verdict, report.results), (Verdict::Holds, 94));
}

/// Lines of text in, lines of text out.
#[test]
fn a_relay_relays() {
    assert_eq!(replay(scenario("template.yaml", "relay")).verdict, Verdict::Holds);
}

/// Sliding windows with lateness, and the final state of a ranking, by the benchmark's function.
#[test]
fn late_firings_and_rankings_come_over_the_wire_as_flink_has_them() {
    for name in ["allowed-hop-60000", "q19"] {
        let report = replay(Options { kills: 5, seed: 7, ..scenario("tests/nexmark/template.yaml", name) });
        assert_eq!(report.verdict, Verdict::Holds, "{name}");
    }
}

/// Shards are split and merged while it runs, and the function killed: their children go on where they ended.
#[test]
fn resharding_does_not_matter() {
    let resharded = |options| Options { reshards: 3, kills: 10, seed: 1, ..options };
    assert_identical(&replay(resharded(departures())));
    let report = replay(resharded(scenario("template.yaml", "rotations")));
    assert_eq!((report.verdict, report.results), (Verdict::Holds, 13_666));
    let folder = TempDir::new().expect("a folder");
    let report = replay(resharded(punctual_routes(folder.path())));
    assert_eq!((report.verdict, report.results), (Verdict::Holds, 70_755));
}

/// Who is late is judged shard by shard. Flights to Honolulu land so long after they left that other flights of their shard
/// have closed their windows. A child of a split may have heard of fewer flights, and have them open. Flink, with one
/// watermark for all, has not, so it has fewer windows; but none that differs or that is missing here.
#[test]
fn resharding_moves_only_what_is_late() {
    let report =
        replay(Options { reshards: 3, seed: 1, expect: Expect::Nothing, ..scenario("template.yaml", "routes") });
    let (results, flink) = (sorted(report.collected.results), sorted(routes_of_flink()));
    let missing = flink.iter().filter(|line| results.binary_search(line).is_err()).count();
    assert_eq!((missing, results.len() > flink.len()), (0, true));
    let nobody_late = windows_to_honolulu();
    let more = results.iter().filter(|line| flink.binary_search(line).is_err());
    for line in more {
        assert!(nobody_late.contains(&serde_json::from_str(line).expect("JSON")), "{line}");
    }
}

/// January's flights without those to Honolulu, of which all others are in time, and Flink's results without theirs.
fn punctual_routes(folder: &Path) -> Options {
    let without = |name: &str, lines: &mut dyn Iterator<Item = String>| {
        let path = folder.join(name);
        let kept: Vec<String> = lines.filter(|line| !is_to_honolulu(line)).collect();
        fs::write(&path, kept.join("\n")).expect("a file");
        path
    };
    let flights = fs::read_to_string(events("input.jsonl")).expect("the flights");
    let input = without("input.jsonl", &mut flights.lines().map(str::to_owned));
    let expected = without("expected.jsonl", &mut routes_of_flink().into_iter());
    Options { input: Some(input), expect: Expect::File(expected), ..scenario("template.yaml", "routes") }
}

fn routes_of_flink() -> Vec<String> {
    let file = fs::File::open(events("../routes/expected.jsonl.gz")).expect("Flink's results");
    BufReader::new(GzDecoder::new(file)).lines().collect::<Result<_, _>>().expect("lines")
}

fn is_to_honolulu(line: &str) -> bool {
    line.contains("\"dest\":\"HNL\"")
}

/// The windows of six hours, each hour, that the flights to Honolulu have if none of them is late.
fn windows_to_honolulu() -> Vec<Value> {
    const HOUR: i64 = 3_600_000;
    let mut windows = BTreeMap::<(String, i64), (u64, i64)>::new();
    for line in fs::read_to_string(events("input.jsonl")).expect("the flights").lines().filter(|l| is_to_honolulu(l)) {
        let flight: routes::Flight = serde_json::from_str(line).expect("a flight");
        let hour = flight.departed_at / HOUR;
        for start in hour - 5..=hour {
            let (flights, delay) = windows.entry((flight.origin.clone(), start)).or_default();
            (*flights, *delay) = (*flights + 1, *delay + flight.delay_min);
        }
    }
    let result = |((origin, start), (flights, delay_min_total))| {
        serde_json::json!({
            "origin": origin, "dest": "HNL", "window_start": start * HOUR, "window_end": (start + 6) * HOUR,
            "flights": flights, "delay_min_total": delay_min_total,
        })
    };
    windows.into_iter().map(result).collect()
}

/// No record comes any more: the schedule's ticks close the windows that the last ones left open, one after the other.
#[test]
fn ticks_close_the_windows_of_a_quiet_shard() {
    let options = |ticks| Options {
        ticks,
        tick_minutes: (ticks > 0).then_some(60),
        drain: false,
        expect: Expect::Nothing,
        ..departures()
    };
    let (without, some, all) = (replay(options(0)), replay(options(4)), replay(options(20)));
    assert!(without.results < some.results && some.results < all.results, "{} {}", without.results, some.results);
    assert_eq!(all.results, WINDOWS);
}
