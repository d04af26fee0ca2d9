//! The summary of a replay, for a person.

use std::fmt::Write;

use crate::environment::KillKind;
use crate::findings::{listed, shown};
use crate::replay::{Compared, Difference, Report, Share, Verdict};

use super::style::Style;

/// Width of the summary. Lines of results may be cut to it.
pub(super) const WIDTH: usize = 80;
const LABEL: usize = 14;

/// The summary, line by line.
pub(super) fn of(report: &Report, style: Style) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{}", style.bold(&report.title));
    for (label, value) in rows(report) {
        let _ = writeln!(out, "  {}{value}", style.dim(&format!("{label:<LABEL$}")));
    }
    out.push_str(&verdict(report, style));
    let _ = writeln!(out, "  {}", style.dim(&format!("next: {}", next(report))));
    out
}

fn rows(report: &Report) -> Vec<(&'static str, String)> {
    let mut rows = vec![("scenario", format!("{} > {}", report.scenario, report.function))];
    match report.functions.as_slice() {
        several @ [_, _, ..] => {
            rows.push(("records", grouped(report.records)));
            for share in several {
                rows.extend([("function", share.function.clone()), ("", what_it_did(share))]);
            }
        }
        _ => rows.push(("records", records(report.records, report.batches))),
    }
    rows.extend(shards(report));
    rows.extend(event_source(report));
    rows.extend(what_came_out(report));
    if report.kills > 0 {
        rows.push(("kills", kills(report)));
    }
    if report.retries > 0 {
        rows.push(("retries", retries(report)));
    }
    if report.ticks > 0 {
        rows.push(("ticks", many(report.ticks, "scheduled event", "scheduled events")));
    }
    if report.repeats > 0 {
        rows.push(("repeats", with(report.repeats, "sent again, dropped by source and id")));
    }
    if let Some(throttled) = report.throttled {
        rows.push(("throttled", with(throttled, "records refused over a shard's limits, sent again")));
    }
    rows.push(("write units", write_units(report)));
    rows.push(("requests", requests(report)));
    if let Some(cpu) = report.function_cpu_ms {
        rows.push(("function CPU", function_cpu(cpu, report.records)));
    }
    if report.cost.used.records > 0 {
        rows.push(("cost on AWS", super::cost::line(&report.cost)));
    }
    let longest = seconds(report.longest_invocation_ms);
    rows.push(("time", format!("{}, longest invocation {longest}", seconds(report.wall_ms))));
    if let Some(kept) = &report.kept {
        rows.push(("kept", shown(kept).display().to_string()));
    }
    rows
}

/// What event sources kept from functions.
fn event_source(report: &Report) -> Vec<(&'static str, String)> {
    let sum = |of: fn(&Share) -> u64| report.functions.iter().map(of).sum();
    let filtered = with(sum(|share| share.filtered), "records by FilterCriteria");
    let given_up = with(sum(|share| share.given_up), "records, behind the last retry or their age");
    [("filtered out", filtered), ("given up", given_up)].into_iter().filter(|(_, value)| value != "0").collect()
}

/// Results, and what pipelines set aside.
fn what_came_out(report: &Report) -> Vec<(&'static str, String)> {
    let results = match report.fired {
        Some(fired) => ("results", format!("{} final, of {}", grouped(report.results), grouped(fired))),
        None if report.collected.windowed => ("windows", format!("{} closed", grouped(report.results))),
        None if report.results == 0 && !report.pipelines => return Vec::new(),
        None => ("results", grouped(report.results)),
    };
    if !report.pipelines {
        return vec![results];
    }
    vec![results, ("late", with(report.late, "set aside")), ("quarantined", grouped(report.quarantined))]
}

/// What became of the source streams' shards, and what that does to a comparison.
fn shards(report: &Report) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    for of in &report.resharded {
        let (splits, merges) = (many(of.splits, "split", "splits"), many(of.merges, "merge", "merges"));
        let (all, open) = (grouped(of.shards.len() as u64), grouped(of.open() as u64));
        rows.push(("shards", format!("{all} of {}, {open} of them open: {splits}, {merges}", of.stream)));
    }
    let all: usize = report.resharded.iter().map(|of| of.shards.len()).sum();
    if all > 0 && !matches!(report.verdict, Verdict::NotCompared(_)) {
        rows.push(("", format!("{} shards: what is late may differ", grouped(all as u64))));
    }
    rows
}

fn records(records: u64, batches: u64) -> String {
    format!("{} in {}", grouped(records), many(batches, "batch", "batches"))
}

/// One function's part in a replay of several.
fn what_it_did(share: &Share) -> String {
    let mut line = records(share.records, share.batches);
    match share.kills_by_kind.values().sum() {
        0 => {}
        kills => line.push_str(&format!(", {}", many(kills, "kill", "kills"))),
    }
    if share.write_units > 0.0 {
        line.push_str(&format!(", {} write units", fraction(share.write_units)));
    }
    if let Some(cpu) = share.cpu_ms {
        line.push_str(&format!(", {} CPU", seconds(cpu)));
    }
    line
}

fn kills(report: &Report) -> String {
    let of = |kind| report.kills_by_kind.get(&kind).copied().unwrap_or_default();
    format!(
        "{}: {} within a batch, {} before flush, {} before its answer",
        grouped(report.kills),
        of(KillKind::InFlight),
        of(KillKind::BeforeFlush),
        of(KillKind::BeforeAnswer)
    )
}

/// Invocations that sent again what an earlier one left: it came to nothing, or its answer asked for the rest of its batch
/// again, as a pipeline of tidemill's does that takes smaller steps behind a crash.
fn retries(report: &Report) -> String {
    let failed = report.history.samples.last().map_or(0, |last| last.failed);
    let all = many(report.retries, "invocation", "invocations");
    match report.retries.saturating_sub(failed) {
        0 => all,
        partly => format!("{all}: {} behind a failure, {} as an answer asked for", grouped(failed), grouped(partly)),
    }
}

fn write_units(report: &Report) -> String {
    let total = report.write_units;
    let reads = match report.read_units {
        0.0 => String::new(),
        reads => format!(", and {} read", fraction(reads)),
    };
    match report.batches {
        0 => format!("{}{reads}", fraction(total)),
        #[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
        batches => format!("{} a batch ({}{reads})", fraction(total / batches as f64), fraction(total)),
    }
}

/// The total and the most frequent kinds, as many as the line holds.
fn requests(report: &Report) -> String {
    let mut kinds: Vec<_> = report.requests.iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let total: u64 = kinds.iter().map(|(_, count)| **count).sum();
    let mut line = grouped(total);
    for (index, (kind, count)) in kinds.iter().enumerate() {
        let part = format!("{}{} {kind}", if index == 0 { ": " } else { ", " }, grouped(**count));
        if line.chars().count() + part.chars().count() + ", …".len() + LABEL + 2 > WIDTH {
            line.push_str(", …");
            break;
        }
        line.push_str(&part);
    }
    line
}

fn function_cpu(cpu: u64, records: u64) -> String {
    match (cpu * 1_000).checked_div(records) {
        Some(each) => format!("{}, {} µs a record", seconds(cpu), grouped(each)),
        None => seconds(cpu),
    }
}

fn verdict(report: &Report, style: Style) -> String {
    match &report.verdict {
        Verdict::Holds => format!("{} as expected: {}\n", style.green("✓"), compared(report)),
        Verdict::NotCompared(why) => format!("{} not compared: {why}\n", style.yellow("-")),
        Verdict::Differs(differences) => {
            let mut out = format!("{} differs from {}\n", style.red("✗"), compared(report));
            for (what, of) in &differences.0 {
                out.push_str(&difference(what, of, style));
            }
            out
        }
    }
}

/// What was compared: "1,744 results (expected.jsonl) and 60 late (expected-late.jsonl)".
pub(super) fn compared(report: &Report) -> String {
    let part = |of: &Compared| format!("{} {} ({})", grouped(of.lines), of.what, of.file);
    let parts: Vec<String> = report.compared.iter().map(part).collect();
    listed(parts.iter().map(String::as_str))
}

/// Counts and the first lines of a difference, in as little room as makes them useful.
pub(super) fn difference(what: &str, difference: &Difference, style: Style) -> String {
    let mut out = String::new();
    if difference.is_none() {
        return out;
    }
    // Writing to a string cannot fail.
    if let Some(order) = &difference.order {
        let _ = writeln!(out, "  {what}: all there, but in another order from line {} on", grouped(order.line as u64));
        let _ = writeln!(out, "    {}", style.red(&cut(&format!("- {}", order.expected))));
        let _ = writeln!(out, "    {}", style.green(&cut(&format!("+ {}", order.actual))));
        return out;
    }
    let (missing, unexpected) = (grouped(difference.missing), grouped(difference.unexpected));
    let _ = writeln!(out, "  {what}: {missing} missing, {unexpected} unexpected");
    let missing = difference.missing_lines.iter().map(|line| style.red(&cut(&format!("- {line}"))));
    let unexpected = difference.unexpected_lines.iter().map(|line| style.green(&cut(&format!("+ {line}"))));
    for line in missing.take(3).chain(unexpected.take(3)) {
        let _ = writeln!(out, "    {line}");
    }
    out
}

fn next(report: &Report) -> String {
    let scenario = &report.scenario;
    match &report.verdict {
        Verdict::Differs(_) => format!("cargo tidemill replay {scenario} --output results.jsonl"),
        _ if report.kept.is_some() => String::from("cargo tidemill state"),
        _ if report.kills == 0 => format!("cargo tidemill replay {scenario} --kill 10"),
        _ => format!("cargo tidemill replay {scenario} --batch-size 1"),
    }
}

fn cut(line: &str) -> String {
    const ROOM: usize = WIDTH - 4;
    if line.chars().count() <= ROOM {
        return line.to_owned();
    }
    line.chars().take(ROOM - 1).chain(['…']).collect()
}

fn with(count: u64, what: &str) -> String {
    match count {
        0 => String::from("0"),
        _ => format!("{} {what}", grouped(count)),
    }
}

pub(super) fn many(count: u64, one: &str, more: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { more })
}

/// Digits in groups of three.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn fraction(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(super) fn seconds(millis: u64) -> String {
    match millis {
        0..=9_999 => format!("{}.{:02} s", millis / 1_000, millis % 1_000 / 10),
        _ => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::cost::{Cost, Used};
    use crate::history::Told;
    use crate::replay::{Collected, Differences, OutOfOrder, Resharded, ShardOf};

    use super::*;

    fn compared(lines: u64, what: &str, file: &str) -> Compared {
        let (what, file) = (what.to_owned(), file.to_owned());
        Compared { lines, what, file }
    }

    fn report(verdict: Verdict) -> Report {
        Report {
            scenario: String::from("departures"),
            title: String::from("Departures from New York's airports by the hour, January 2013"),
            function: String::from("DeparturesFunction"),
            records: 26_080,
            batches: 53,
            invocations: 65,
            retries: 11,
            ticks: 0,
            kills: 10,
            kills_by_kind: BTreeMap::from([
                (KillKind::InFlight, 4),
                (KillKind::BeforeFlush, 3),
                (KillKind::BeforeAnswer, 3),
            ]),
            faults: BTreeMap::new(),
            pipelines: true,
            functions: Vec::new(),
            resharded: Vec::new(),
            results: 1_744,
            fired: None,
            repeats: 12,
            late: 60,
            quarantined: 0,
            throttled: Some(1_200),
            write_units: 112.5,
            read_units: 3.0,
            requests: BTreeMap::from([
                (String::from("PutItem slot"), 60),
                (String::from("PutRecords"), 58),
                (String::from("GetItem mark"), 11),
                (String::from("TransactWriteItems slot"), 5),
                (String::from("DescribeStreamSummary"), 5),
            ]),
            function_cpu_ms: Some(1_312),
            longest_invocation_ms: 234,
            wall_ms: 2_345,
            cost: Cost::of(Used { records: 26_080, invocations: 65, write_units: 112.5, ..Used::default() }, None),
            history: Told::default(),
            kept: Some("/p/.tidemill/runs/departures".into()),
            verdict,
            differences: None,
            compared: vec![compared(1_744, "results", "expected.jsonl"), compared(60, "late", "expected-late.jsonl")],
            collected: Collected::default(),
        }
    }

    fn fits(summary: &str) -> bool {
        summary.lines().count() <= 20 && summary.lines().all(|line| line.chars().count() <= WIDTH)
    }

    #[test]
    fn a_summary_fits_a_screen() {
        let summary = of(&report(Verdict::Holds), Style::plain());
        assert!(fits(&summary), "{summary}");
    }

    #[test]
    fn differences_fit_too() {
        let difference = Difference {
            missing: 1_000,
            unexpected: 1_000,
            missing_lines: vec!["x".repeat(200); 5],
            unexpected_lines: vec!["y".repeat(200); 5],
            order: None,
        };
        let report = report(differing("results", difference));
        let summary = of(&report, Style::plain());
        assert!(summary.lines().all(|line| line.chars().count() <= WIDTH), "{summary}");
        assert!(summary.contains("1,000 missing, 1,000 unexpected"));
    }

    fn differing(what: &str, difference: Difference) -> Verdict {
        Verdict::Differs(Differences(vec![(what.to_owned(), difference)]))
    }

    #[test]
    fn another_order_is_shown_where_it_begins() {
        let order = Some(OutOfOrder { line: 1_200, expected: "1".into(), actual: "2".into() });
        let difference = Difference { order, ..Difference::default() };
        let summary = of(&report(differing("results", difference)), Style::plain());
        let shown = "  results: all there, but in another order from line 1,200 on\n    - 1\n    + 2\n";
        assert!(summary.contains(shown), "{summary}");
    }

    #[test]
    fn several_functions_are_told_apart() {
        let share = |function: &str, records, kills: u64| Share {
            function: function.to_owned(),
            records,
            batches: 53,
            invocations: 60,
            retries: 5,
            ticks: 0,
            kills_by_kind: BTreeMap::from([(KillKind::InFlight, kills)]),
            write_units: 100.5,
            read_units: 1.0,
            requests: BTreeMap::new(),
            permissions: Default::default(),
            cpu_ms: Some(700),
            longest_invocation_ms: 30,
            cold_starts: 2,
            longest_init_ms: 9,
            peak_memory_mb: Some(20),
            given_up: 0,
            filtered: 0,
        };
        let functions = vec![share("ByTailFunction", 26_080, 5), share("RotationsFunction", 3_000, 1)];
        let report = Report { functions, fired: Some(9_000), ..report(Verdict::Holds) };
        let summary = of(&report, Style::plain());
        for line in [
            "  records       26,080\n",
            "  function      ByTailFunction\n",
            "                26,080 in 53 batches, 5 kills, 100.5 write units, 0.70 s CPU\n",
            "  function      RotationsFunction\n",
            "                3,000 in 53 batches, 1 kill, 100.5 write units, 0.70 s CPU\n",
            "  results       1,744 final, of 9,000\n",
        ] {
            assert!(summary.contains(line), "no {line:?} in:\n{summary}");
        }
        assert!(summary.lines().all(|line| line.chars().count() <= WIDTH), "{summary}");
    }

    #[test]
    fn what_became_of_shards_is_told_and_what_it_does_to_a_comparison() {
        let shard = |number: u32, open| ShardOf {
            shard: format!("shardId-{number:012}"),
            parents: Vec::new(),
            open,
            records: 1,
        };
        let shards = vec![shard(0, false), shard(1, true), shard(2, true)];
        let resharded = vec![Resharded { stream: String::from("Flights"), splits: 1, merges: 0, shards }];
        let report = Report { resharded, ..report(Verdict::Holds) };
        let summary = of(&report, Style::plain());
        let rows = "  shards        3 of Flights, 2 of them open: 1 split, 0 merges\n                \
                    3 shards: what is late may differ\n";
        assert!(summary.contains(rows), "{summary}");
        let unjudged = Report { verdict: Verdict::NotCompared(String::from("--expect none")), ..report };
        assert!(!of(&unjudged, Style::plain()).contains("may differ"));
    }

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(999), "999");
        assert_eq!(fraction(2.10), "2.1");
        assert_eq!(fraction(2.0), "2");
        assert_eq!(seconds(1_239), "1.23 s");
        assert_eq!(seconds(61_250), "61.2 s");
    }
}
