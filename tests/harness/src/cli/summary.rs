//! The summary of a replay, for a person.

use std::fmt::Write;

use crate::environment::KillKind;
use crate::findings::shown;
use crate::replay::{Compared, Difference, Report, Verdict};

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
    let batches = many(report.batches, "batch", "batches");
    let mut rows = vec![
        ("scenario", format!("{} > {}", report.scenario, report.function)),
        ("records", format!("{} in {batches}", grouped(report.records))),
    ];
    rows.push(if report.collected.windowed {
        ("windows", format!("{} closed", grouped(report.results)))
    } else {
        ("results", grouped(report.results))
    });
    rows.push(("late", with(report.late, "set aside")));
    rows.push(("quarantined", grouped(report.quarantined)));
    if report.kills > 0 {
        rows.push(("kills", kills(report)));
    }
    if report.retries > 0 {
        rows.push(("retries", many(report.retries, "invocation", "invocations")));
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
    let longest = seconds(report.longest_invocation_ms);
    rows.push(("time", format!("{}, longest invocation {longest}", seconds(report.wall_ms))));
    if let Some(kept) = &report.kept {
        rows.push(("kept", shown(kept).display().to_string()));
    }
    rows
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

fn write_units(report: &Report) -> String {
    let total = report.write_units;
    let reads = match report.read_units {
        0.0 => String::new(),
        reads => format!(", and {} read", fraction(reads)),
    };
    match report.batches {
        0 => fraction(total),
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
            out.push_str(&difference("results", &differences.results, style));
            out.push_str(&difference("late", &differences.late, style));
            out
        }
    }
}

/// What was compared: "1,744 results (expected.jsonl) and 60 late (expected-late.jsonl)".
fn compared(report: &Report) -> String {
    let part = |of: &Compared| format!("{} {} ({})", grouped(of.lines), of.what, of.file);
    report.compared.iter().map(part).collect::<Vec<_>>().join(" and ")
}

/// Counts and the first lines of a difference, in as little room as makes them useful.
fn difference(what: &str, difference: &Difference, style: Style) -> String {
    let mut out = String::new();
    if difference.is_none() {
        return out;
    }
    let (missing, unexpected) = (grouped(difference.missing), grouped(difference.unexpected));
    // Writing to a string cannot fail.
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

fn seconds(millis: u64) -> String {
    match millis {
        0..=9_999 => format!("{}.{:02} s", millis / 1_000, millis % 1_000 / 10),
        _ => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::replay::{Collected, Differences};

    use super::*;

    fn compared(lines: u64, what: &'static str, file: &str) -> Compared {
        let file = file.to_owned();
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
            kills: 10,
            kills_by_kind: BTreeMap::from([
                (KillKind::InFlight, 4),
                (KillKind::BeforeFlush, 3),
                (KillKind::BeforeAnswer, 3),
            ]),
            results: 1_744,
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
        };
        let differences = Differences { results: difference, late: Difference::default() };
        let report = report(Verdict::Differs(Box::new(differences)));
        let summary = of(&report, Style::plain());
        assert!(summary.lines().all(|line| line.chars().count() <= WIDTH), "{summary}");
        assert!(summary.contains("1,000 missing, 1,000 unexpected"));
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
