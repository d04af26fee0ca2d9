//! `cargo tidemill cost`: what a run would have cost on AWS.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use crate::cost::{Cost, Used, prices};
use crate::error::Error;
use crate::findings::shown;
use crate::kept::Kept;
use crate::progress::Progress;
use crate::replay::{Expect, Options, prepare};
use crate::template::Template;

use super::outputs::unless_closed;
use super::style::Style;
use super::summary::grouped;
use super::table::{Align, Table};
use super::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  cargo tidemill replay --keep && cargo tidemill cost     of the run that was kept last
  cargo tidemill cost departures                          replays it first
  cargo tidemill cost departures --rate 200               at 200 events a second
  cargo tidemill cost departures --batch-size 1           of a slow stream: one event a batch
  cargo tidemill cost --json

Measured: DynamoDB's units, requests, memory and time of invocations (this machine's), records \
put. A batch holds what it held in the run; a slow stream makes smaller ones, which cost more an \
event. Prices are list prices of us-east-1; free tiers and the source stream are left out.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CostArguments {
    /// Replay this scenario [default: the run that `replay --keep` kept last]
    scenario: Option<String>,

    /// Events a second [default: the stream's own, by its events' times]
    #[arg(long, value_name = "EVENTS_PER_SECOND", value_parser = rate)]
    rate: Option<f64>,

    /// Most records in a batch
    #[arg(long, value_name = "N", requires = "scenario", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch_size: Option<u32>,

    /// Build the functions with the release profile
    #[arg(long, requires = "scenario")]
    release: bool,

    /// Print it as one JSON object
    #[arg(long)]
    json: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 1e9 => Ok(rate),
        _ => Err(String::from("events a second, more than 0 and at most 1000000000")),
    }
}

pub(super) async fn run(arguments: &CostArguments, template: Option<PathBuf>) -> Result<ExitCode, Error> {
    let used = match &arguments.scenario {
        Some(scenario) => replayed(scenario, arguments, template).await?,
        None => kept(template.as_deref())?,
    };
    let cost = Cost::of(used, arguments.rate);
    // A cost is plain data, which serialises.
    let text = if arguments.json {
        format!("{}\n", serde_json::to_string(&cost).unwrap_or_default())
    } else {
        in_full(&cost, Style::of_stdout())
    };
    unless_closed(io::stdout().write_all(text.as_bytes()))
        .map_err(|source| Error::writing(Path::new("standard output"), source))?;
    Ok(ExitCode::SUCCESS)
}

async fn replayed(scenario: &str, arguments: &CostArguments, template: Option<PathBuf>) -> Result<Used, Error> {
    let CostArguments { batch_size, release, .. } = *arguments;
    let prepared =
        prepare(Options { template, batch_size, release, expect: Expect::Nothing, ..Options::of(scenario) })?;
    let terminal = Arc::new(Terminal::new());
    let report = prepared.run(Arc::clone(&terminal) as Arc<dyn Progress>).await;
    terminal.pause();
    Ok(report?.cost.used)
}

/// What the run used that was kept last.
fn kept(template: Option<&Path>) -> Result<Used, Error> {
    let here = std::env::current_dir().map_err(|source| Error::system("tell the current folder", source))?;
    let template = Template::locate(template, &here)?;
    let kept = Kept::beside(template.parent().unwrap_or(&here));
    let runs = kept.runs().into_iter().map(|scenario| kept.run(&scenario));
    let newest = runs.filter_map(|run| Some((run.since()?, run))).max_by_key(|(since, _)| *since);
    let Some((_, run)) = newest else {
        return Err(Error::NotFound(String::from(
            "no run is kept: `cargo tidemill replay --keep` keeps one, `cargo tidemill cost NAME` replays one",
        )));
    };
    run.used().map_err(|error| {
        let folder = shown(&run.folder).display();
        Error::NotFound(format!("{error}: the run kept in {folder} does not say what it used, replay it with --keep"))
    })
}

/// All of it, for a person.
fn in_full(cost: &Cost, style: Style) -> String {
    let Cost { used, parts, .. } = cost;
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{}", style.bold(&format!("{} on AWS, a million events", used.scenario)));
    let mut table = Table::new(&[("", Align::Left), ("used", Align::Right), ("US dollars", Align::Right)]);
    let per_million = |count: f64| grouped_fraction(count * 1e6 / as_float(used.records.max(1)));
    let mut row = |what: &str, used: String, usd: f64| table.row(vec![what.to_owned(), used, dollars(usd)]);
    row("Lambda requests", per_million(as_float(used.invocations)), parts.requests);
    row("Lambda GB-seconds", per_million(used.gb_seconds), parts.memory_and_time);
    row("DynamoDB write units", per_million(used.write_units - used.first_lap_units), parts.writes);
    row("DynamoDB read units", per_million(used.read_units), parts.reads);
    row("Kinesis payload units", per_million(as_float(used.put_units)), parts.puts);
    row("together", String::new(), cost.per_million);
    out.push_str(&lines(&table, style));
    if used.first_lap_units > 0.0 {
        let first = dollars(cost.per_million_at_first);
        let _ = writeln!(out, "  {first} while a journal is young: its first 1,024 commits cost double");
    }
    let each = as_float(used.records) / as_float(used.batches.max(1));
    let _ = writeln!(out, "  of {} records in batches of {}\n", grouped(used.records), grouped_fraction(each));
    out.push_str(&compared(cost, style));
    let pages: std::collections::BTreeSet<&str> = prices::ALL.iter().map(|price| price.page).collect();
    let _ = writeln!(out, "list prices of {} as of {}, without free tiers:", cost.region, cost.prices_as_of);
    for page in pages {
        let _ = writeln!(out, "  {}", style.dim(page));
    }
    out
}

/// The ways to do it side by side.
fn compared(cost: &Cost, style: Style) -> String {
    let month = cost.month;
    let title =
        month.map_or_else(String::new, |month| format!("a month at {}/s", grouped_fraction(month.events_per_second)));
    let mut table =
        Table::new(&[("", Align::Left), ("a million events", Align::Right), (title.as_str(), Align::Right)]);
    let monthly =
        |of: fn(&crate::cost::Month) -> f64| month.as_ref().map_or_else(String::new, |month| dollars(of(month)));
    table.row(vec![String::from("tidemill"), dollars(cost.per_million), monthly(|month| month.tidemill)]);
    table.row(vec![
        String::from("UpdateItem a record, by hand"),
        dollars(cost.by_hand_per_million),
        monthly(|month| month.by_hand),
    ]);
    let flink = dollars(cost.flink_month);
    table.row(vec![
        String::from("smallest Managed Flink"),
        String::new(),
        month.map_or_else(|| format!("{flink} a month"), |_| flink.clone()),
    ]);
    let mut out = lines(&table, style);
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "  as much as the smallest Managed Flink from {} events a second on",
        rounded(cost.break_even_per_second)
    );
    if month.is_none() {
        let _ = writeln!(out, "  {}", style.dim("--rate EVENTS_PER_SECOND tells a month"));
    }
    out.push('\n');
    out
}

fn lines(table: &Table, style: Style) -> String {
    table.lines(2, style).into_iter().map(|line| format!("{line}\n")).collect()
}

/// The cost in one line of a replay's summary.
pub(super) fn line(cost: &Cost) -> String {
    let (own, by_hand) = (dollars(cost.per_million), dollars(cost.by_hand_per_million));
    format!("{own} a million events, {by_hand} by hand; Flink from {}/s", rounded(cost.break_even_per_second))
}

/// US dollars with at least two digits that say something.
pub(super) fn dollars(usd: f64) -> String {
    match usd {
        100.0.. => format!("${}", rounded(usd)),
        0.1.. => format!("${usd:.2}"),
        0.01.. => format!("${usd:.3}"),
        0.000_05.. => format!("${usd:.4}"),
        _ => String::from("$0"),
    }
}

/// A number with three digits that say something.
fn rounded(number: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive number, shown")]
    let whole = |number: f64| number.round() as u64;
    match number {
        1e15.. => String::from("∞"),
        1_000.0.. => {
            let unit = 10_f64.powi(number.log10().floor().min(15.0) as i32 - 2);
            grouped(whole((number / unit).round() * unit))
        }
        100.0.. => grouped(whole(number)),
        _ => grouped_fraction(number),
    }
}

fn grouped_fraction(number: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive number, shown")]
    let whole = number.round() as u64;
    match number {
        100.0.. => grouped(whole),
        1.0.. => format!("{number:.1}"),
        _ => format!("{number:.3}"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
fn as_float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(rate: Option<f64>) -> Cost {
        let used = Used {
            scenario: String::from("departures"),
            records: 26_080,
            batches: 53,
            invocations: 54,
            gb_seconds: 0.4,
            write_units: 736.0,
            first_lap_units: 360.0,
            read_units: 8.0,
            put_requests: 100,
            put_units: 1_804,
            events_per_second: None,
        };
        Cost::of(used, rate)
    }

    #[test]
    fn the_whole_fits_a_terminal_and_says_where_prices_come_from() {
        for rate in [None, Some(0.0097), Some(123_456.0)] {
            let text = in_full(&cost(rate), Style::plain());
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
            for part in
                ["together", "by hand", "smallest Managed Flink", "$166", "https://aws.amazon.com/lambda/pricing/"]
            {
                assert!(text.contains(part), "no {part:?} in:\n{text}");
            }
        }
        assert!(in_full(&cost(Some(200.0)), Style::plain()).contains("a month at 200/s"));
    }

    #[test]
    fn the_line_fits_a_summary() {
        let line = line(&cost(None));
        assert!(line.chars().count() <= 64, "{line}");
        assert!(line.contains(" a million events, $0.63 by hand; Flink from "), "{line}");
    }

    #[test]
    fn amounts_are_told_with_the_digits_that_matter() {
        assert_eq!(
            [dollars(165.6), dollars(1.234), dollars(0.0123), dollars(0.0001), dollars(0.0)],
            ["$166", "$1.23", "$0.012", "$0.0001", "$0"]
        );
        assert_eq!(
            [rounded(5_467.8), rounded(123.4), rounded(12.34), rounded(f64::INFINITY)],
            ["5,470", "123", "12.3", "∞"]
        );
    }

    #[test]
    fn rates_are_positive() {
        assert_eq!(rate("0.5"), Ok(0.5));
        for text in ["0", "-1", "NaN", "inf", "many"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
