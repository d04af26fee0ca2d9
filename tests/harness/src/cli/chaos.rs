//! `cargo tidemill replay --chaos`: what was injected, and whether it made a difference.

use std::fmt::Write;
use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::sync::Arc;

use crate::error::Error;
use crate::progress::Progress;
use crate::replay::{Chaos, Prepared, Report, Verdict};

use super::DIFFERS;
use super::outputs::Outputs;
use super::style::Style;
use super::summary::{self, grouped, many, seconds};
use super::terminal::Terminal;

/// Replays with the faults of each seed. Of several seeds each gets a line when it is done.
pub(super) async fn run(
    prepared: Prepared,
    seeds: RangeInclusive<u64>,
    outputs: &Outputs,
    terminal: &Arc<Terminal>,
) -> Result<ExitCode, Error> {
    let style = Style::of_stderr();
    let several = seeds.start() < seeds.end();
    let done = |chaos: &Chaos| {
        if several {
            terminal.line(&line(chaos, style));
        }
    };
    let progress = Arc::clone(terminal) as Arc<dyn Progress>;
    let all = prepared.chaos(seeds, &progress, done).await;
    terminal.pause();
    let all = all?;
    outputs.write_chaos(&all)?;
    Ok(if all.iter().all(Chaos::holds) { ExitCode::SUCCESS } else { ExitCode::from(DIFFERS) })
}

/// What came of the seeds, for a person: one in full, several as a sum, with all of those that failed.
pub(super) fn of(all: &[Chaos], style: Style) -> String {
    if let [one] = all {
        return in_full(one, style);
    }
    let failed: Vec<&Chaos> = all.iter().filter(|chaos| !chaos.holds()).collect();
    let mut out: String = failed.iter().map(|chaos| in_full(chaos, style)).collect();
    let faults = grouped(all.iter().map(Chaos::count).sum());
    let seeds = many(all.len() as u64, "seed", "seeds");
    // Writing to a string cannot fail.
    let _ = match failed.len() {
        0 => writeln!(out, "{} identical: {seeds}, {faults} faults, the results of none differ", style.green("✓")),
        some => writeln!(out, "{} {} of {seeds} failed, {faults} faults", style.red("✗"), grouped(some as u64)),
    };
    out
}

/// A seed in one line.
fn line(chaos: &Chaos, style: Style) -> String {
    let sign = if chaos.holds() { style.green("✓") } else { style.red("✗") };
    let said = if chaos.holds() { "identical" } else { "differs" };
    let Report { kills, retries, .. } = &chaos.disturbed;
    let faults = chaos.count();
    format!("{sign} seed {}: {faults} faults, {kills} of them kills, {retries} retries: {said}", chaos.seed)
}

fn in_full(chaos: &Chaos, style: Style) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{}", style.bold(&chaos.disturbed.title));
    for (label, value) in rows(chaos) {
        let _ = writeln!(out, "  {}{value}", style.dim(&format!("{label:<14}")));
    }
    out.push_str(&verdict(chaos, style));
    out
}

fn rows(chaos: &Chaos) -> Vec<(&'static str, String)> {
    let Report { scenario, function, records, batches, retries, wall_ms, .. } = &chaos.disturbed;
    let calm = &chaos.calm;
    let mut rows = vec![
        ("scenario", format!("{scenario} > {function}")),
        ("records", format!("{} in {}", grouped(*records), many(*batches, "batch", "batches"))),
    ];
    if let Some(environments) = chaos.environments {
        rows.push(("environments", format!("{environments}, taking turns")));
    }
    rows.push(("injected", format!("{} by seed {}", many(chaos.count(), "fault", "faults"), chaos.seed)));
    rows.extend(injected(chaos));
    rows.push(("retries", many(*retries, "invocation", "invocations")));
    rows.push(("time", format!("{} with faults, {} without", seconds(*wall_ms), seconds(calm.wall_ms))));
    rows
}

/// What was injected, kind by kind.
fn injected(chaos: &Chaos) -> Vec<(&'static str, String)> {
    let of = |name: &str| chaos.injected.get(name).copied().unwrap_or_default();
    let lines = [
        (
            "killed",
            [
                ("killed_in_flight", "within a batch"),
                ("killed_before_flush", "before flush"),
                ("killed_before_answer", "before its answer"),
            ]
            .as_slice(),
        ),
        ("timed out", &[("timed_out", "at a request that nobody answered")]),
        (
            "repeated",
            &[
                ("answer_lost", "batches whose answer was lost"),
                ("batch_repeated", "batches once more behind their end"),
            ],
        ),
        (
            "DynamoDB",
            &[
                ("dynamodb_throttled", "requests throttled"),
                ("dynamodb_unanswered", "done and said to have failed"),
                ("transaction_conflict", "in conflict"),
                ("stale_read", "stale reads"),
            ],
        ),
        (
            "Kinesis",
            &[("kinesis_throttled", "requests throttled"), ("kinesis_unanswered", "done and said to have failed")],
        ),
        ("PutRecords", &[("partly_put", "that failed in part")]),
        ("shards", &[("split", "splits"), ("merged", "merges")]),
    ];
    let told = lines.into_iter().map(|(label, kinds)| {
        let parts = kinds.iter().filter(|(name, _)| of(name) > 0).map(|(name, said)| format!("{} {said}", of(name)));
        (label, parts.collect::<Vec<_>>().join(", "))
    });
    told.filter(|(_, told)| !told.is_empty()).collect()
}

fn verdict(chaos: &Chaos, style: Style) -> String {
    let mut out = String::new();
    let collected = &chaos.calm.collected;
    let (results, late) = (grouped(collected.results.len() as u64), grouped(collected.late.len() as u64));
    // Writing to a string cannot fail.
    let _ = match &chaos.differences {
        None => {
            writeln!(out, "{} identical: {results} results and {late} late, with faults and without", style.green("✓"))
        }
        Some(_) => {
            writeln!(out, "{} not identical: with faults (+) something else comes out than without (-)", style.red("✗"))
        }
    };
    for (what, of) in chaos.differences.iter().flat_map(|differences| &differences.0) {
        out.push_str(&summary::difference(what, of, style));
    }
    let _ = match &chaos.calm.verdict {
        Verdict::Holds => writeln!(out, "{} as expected: {}", style.green("✓"), summary::compared(&chaos.calm)),
        Verdict::Differs(_) => writeln!(out, "{} without faults, too, not as expected", style.red("✗")),
        Verdict::NotCompared(why) => writeln!(out, "{} not compared with expectations: {why}", style.yellow("-")),
    };
    out
}
