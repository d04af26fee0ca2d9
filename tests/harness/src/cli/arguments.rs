//! Commands and options.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand};

use crate::chaos::FaultKind;
use crate::error::Error;
use crate::findings::listed;
use crate::near::did_you_mean;
use crate::replay::{Expect, Options};

use super::bench;
use super::completions::CompletionsArguments;
use super::cost::CostArguments;
use super::doctor::DoctorArguments;
use super::new::NewArguments;
use super::put::PutArguments;
use super::redrive::RedriveArguments;
use super::serve::ServeArguments;
use super::state::StateArguments;
use super::tail::TailArguments;
use super::watch::WatchArguments;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  cargo tidemill replay                  replay `departures` and compare its results
  cargo tidemill replay --chaos 7        with and without faults of every kind
  cargo tidemill cost departures         what that costs on AWS
  cargo tidemill replay --keep --no-drain && cargo tidemill state departures --key JFK
  cargo tidemill serve                   streams and tables for cargo lambda, the AWS CLI, any SDK
  cargo tidemill list                    what else there is to replay
  cargo tidemill replay --help           all that a replay can do

Exit codes: 0 as expected, 1 results differ, 2 could not run, 130 interrupted.";

const REPLAY_EXAMPLES: &str = "\
Examples:
  cargo tidemill replay departures --output -            the results, one JSON a line
  cargo tidemill replay --batch-size 1                   other batches, same results
  cargo tidemill replay --kill 10 --seed 7               ten kills at moments of that seed
  cargo tidemill replay --environments 3                 no environment sees a shard twice in a row
  cargo tidemill replay --fault transaction_conflict=5   one kind of fault; --chaos has them all
  cargo tidemill replay --recycle 10                     each begins cold after ten invocations
  cargo tidemill replay --input my.jsonl --quarantine -  own records; what could not be processed
  cargo tidemill replay w1 --input nexmark.jsonl.gz --expect expected.jsonl.gz
  cargo tidemill --template T replay w1 --input my.jsonl --output out.jsonl
  cargo tidemill replay --shards 4 --expect none         more shards, results not compared
  cargo tidemill replay rotations --reshard 5            shards split and merged meanwhile
  cargo tidemill replay --no-drain --ticks 90 --tick 60  windows close by the clock
  cargo tidemill replay --chaos 7                        faults of every kind, results compared
  cargo tidemill replay --chaos 1..50 --limit 3000       fifty seeds over the first records
  cargo tidemill replay --kill 10 --report run.html      a page with charts
  cargo tidemill replay --realtime=100000                flights as they landed, in half a minute
  cargo tidemill replay --limits                         sinks as slow as on AWS
  cargo tidemill replay --artifact target/lambda/departures/bootstrap

Results are compared as JSON values in any order. Options that change them \
(--input, --partition-key, --no-drain, another number of --shards) are compared \
with an --expect FILE only. Files may be gzipped (*.gz).

A scenario is a folder events/NAME/ with input.jsonl, expected.jsonl, \
expected-late.jsonl and scenario.toml:
  title = \"Bids by auction\"
  function = \"F\"                  or functions = [\"F\", \"G\"], G behind F's results
  partition_key = \"/auction\"      or [\"/bid/auction\", \"/id\"]: the first that exists,
                                  or { constant = \"all\" }
and, where need be:
  input = \"bids.jsonl.gz\"; expect, expect_late, shards, batch_size alike
  final_by = [\"/auction\"]         only the last result of each auction counts
  expect_order = true             results are compared in order, of one shard
  arrival = \"/landed_at\"          when a record came, for --realtime
  late_fields = { seq = \"/seq\" }  what is compared of a late record
  [environment]                   variables in place of the template's
  [expect_streams]                alerts = \"expected-alerts.jsonl\": a single sink
  [expect_tables]                 latest = \"expected-latest.jsonl\": a table's items
  [expect_queues]                 Failed = \"failed.jsonl\": messages, of given-up records say
  queue_fields = { n = \"/KinesisBatchInfo/batchSize\" }   what is compared of a message

TIDEMILL_LOG=debug shows the function's log.";

/// What is replayed where nothing is named and there are several.
const DEFAULT_SCENARIO: &str = "departures";

const LIST_EXAMPLES: &str = "\
Examples:
  cargo tidemill list
  cargo tidemill --template other/template.yaml list";

/// Replays events through the functions of a SAM template, on this machine alone.
///
/// Streams and tables are emulated in this process; the functions are the real binaries, built
/// with Cargo. No Docker, no AWS account.
#[derive(Debug, Parser)]
#[command(name = "tidemill", bin_name = "cargo tidemill", version, styles = STYLES, after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The SAM template [default: template.yaml here or in a folder above]
    #[arg(long, global = true, value_name = "FILE", display_order = 900)]
    pub(super) template: Option<PathBuf>,

    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Begin a project: a function, its template, a scenario and tests
    New(NewArguments),
    /// Replay a scenario through its functions and compare the results
    Replay(Box<ReplayArguments>),
    /// Tell what a run would have cost on AWS, beside other ways to do it
    Cost(CostArguments),
    /// Bring the template's streams and tables up for `cargo lambda`, the AWS CLI and any SDK
    Serve(ServeArguments),
    /// Serve, run the functions, and build them again when their source changes
    Watch(WatchArguments),
    /// Put JSON lines on a stream
    Put(PutArguments),
    /// Follow a stream
    Tail(TailArguments),
    /// Look at the state of pipelines: shards, what is kept for a key, a commit
    State(Box<StateArguments>),
    /// Measure what a record costs, in an optimised build: events a CPU-second, by phase
    #[command(after_help = bench::EXAMPLES)]
    Bench {
        /// What to measure; none: all workloads
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
        arguments: Vec<OsString>,
    },
    /// Put quarantined records back on the streams that they came from
    Redrive(RedriveArguments),
    /// Find what in the template would lose records, or not work, on AWS
    Doctor(DoctorArguments),
    /// Print a shell's completions of this command
    Completions(CompletionsArguments),
    /// List the scenarios: the folders in events/ beside the template
    #[command(after_help = LIST_EXAMPLES)]
    List,
}

#[derive(Debug, Args)]
#[command(after_help = REPLAY_EXAMPLES)]
pub(super) struct ReplayArguments {
    /// The scenario [default: the only one there is, else `departures`]
    pub(super) scenario: Option<String>,

    /// Replay these records, one payload a line, instead of the scenario's
    #[arg(long, value_name = "FILE", help_heading = "Records")]
    input: Option<PathBuf>,

    /// JSON pointer to the partition key in a payload, such as /origin
    #[arg(long, value_name = "POINTER", help_heading = "Records")]
    partition_key: Option<String>,

    /// Replay the first N records only
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Records")]
    limit: Option<u64>,

    /// Let the records A to B leave the stream before they are read, as if an outage had lasted too long
    #[arg(long, value_name = "A..B", value_parser = trim, help_heading = "Records")]
    trim: Option<Numbers>,

    /// Leave the input open: windows that no record closed stay open
    #[arg(long, help_heading = "Records")]
    no_drain: bool,

    /// Send N scheduled events behind the last record, before the input ends: windows of quiet shards close
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        hide_default_value = true,
        value_parser = clap::value_parser!(u32).range(0..=100_000),
        help_heading = "Records"
    )]
    ticks: u32,

    /// How far scheduled events are apart [default: auto, as the template's Schedule says]
    #[arg(long, value_name = "MINUTES|auto", value_parser = minutes, help_heading = "Records")]
    tick: Option<Tick>,

    /// Write the results, one JSON a line, in order of arrival (final ones sorted); `-` is the
    /// standard output
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(super) output: Option<PathBuf>,

    /// Write the late records, one JSON a line
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(super) late: Option<PathBuf>,

    /// Write the quarantined records with reasons, one JSON a line
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(super) quarantine: Option<PathBuf>,

    /// Compare the results with this file's lines, or with nothing
    #[arg(long, value_name = "FILE|none", help_heading = "Results")]
    expect: Option<PathBuf>,

    /// Write a page with charts of the run (with --chaos, of the last seed's run with faults)
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(super) report: Option<PathBuf>,

    /// Print the summary as one JSON object
    #[arg(long, help_heading = "Results")]
    pub(super) json: bool,

    /// Shards of the source stream
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000), help_heading = "Delivery")]
    shards: Option<u32>,

    /// Most records in a batch
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000), help_heading = "Delivery")]
    batch_size: Option<u32>,

    /// So many environments of each function, taking turns on every shard [default: as many as batches come at
    /// once, the one that was used last first]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100), help_heading = "Delivery")]
    environments: Option<u32>,

    /// Let each shard keep an environment of its own, for runs that ask the same in the same order
    #[arg(long, conflicts_with = "environments", help_heading = "Delivery")]
    sticky: bool,

    /// End an environment after N invocations, as Lambda does after some hours: the next one begins cold
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Delivery")]
    recycle: Option<u32>,

    /// Kill the functions N times in all, at their worst moments: within a batch, between a commit
    /// and its flush, between a flush and its answer
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, help_heading = "Delivery")]
    kill: u64,

    /// Let this go wrong N times, once if left out: answer_lost, batch_repeated, dynamodb_throttled,
    /// dynamodb_unanswered, kinesis_throttled, kinesis_unanswered, partly_put, stale_read, transaction_conflict
    #[arg(long, value_name = "KIND[=N]", value_parser = fault, conflicts_with = "chaos", help_heading = "Delivery")]
    fault: Vec<(FaultKind, u64)>,

    /// Split or merge shards of each source stream N times while records come
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        hide_default_value = true,
        value_parser = clap::value_parser!(u64).range(0..=500),
        help_heading = "Delivery"
    )]
    reshard: u64,

    /// Replay with the faults of a seed, and without, and compare: kills, timeouts, batches that come again,
    /// throttling, answers that are lost, PutRecords that fail in part, reshards. A..B is all seeds from A to B
    #[arg(long, value_name = "SEED|A..B", value_parser = seeds, conflicts_with = "seed", help_heading = "Delivery")]
    chaos: Option<Numbers>,

    /// Choose the moments of the kills, and what becomes of shards when
    #[arg(long, value_name = "S", default_value_t = 1, help_heading = "Delivery")]
    seed: u64,

    /// Keep the run's tables and sinks in .tidemill/runs/<scenario>/, for `cargo tidemill state`
    #[arg(long, help_heading = "Results")]
    keep: bool,

    /// Go on from the kept run: its tables and streams, with these records behind its own. The function
    /// gets all of them again, from the stream's start
    #[arg(long, conflicts_with_all = ["shards", "reshard"], help_heading = "Records")]
    resume: bool,

    /// Build the functions with the release profile
    #[arg(long, conflicts_with = "artifact", help_heading = "Delivery")]
    release: bool,

    /// Run this executable, for example one of `cargo lambda build`, in place of building one
    #[arg(long, value_name = "FILE", help_heading = "Delivery")]
    artifact: Option<PathBuf>,

    /// Let records come in their own rhythm, FACTOR times as fast, so that batches are those of a live stream
    #[arg(
        long,
        value_name = "FACTOR",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "1",
        value_parser = factor,
        help_heading = "Delivery"
    )]
    realtime: Option<f64>,

    /// Let shards take of the function what they take on AWS: 1,000 records and 1 MiB a second; and give it what they
    /// give: five reads and 2 MiB a second
    #[arg(long, help_heading = "Delivery")]
    limits: bool,

    /// Let a function whose Timeout is up go on for a while beside its successor, as on Managed Instances
    #[arg(long, help_heading = "Delivery")]
    zombies: bool,
}

/// How far scheduled events are apart: `None` is as the template says.
#[derive(Debug, Clone, Copy)]
struct Tick(Option<u32>);

fn minutes(text: &str) -> Result<Tick, String> {
    match text.parse::<u32>() {
        _ if text == "auto" => Ok(Tick(None)),
        Ok(minutes) if (1..=525_600).contains(&minutes) => Ok(Tick(Some(minutes))),
        _ => Err(String::from("minutes, from 1 to 525600, or auto")),
    }
}

/// Numbers, the last one among them.
#[derive(Debug, Clone)]
struct Numbers(RangeInclusive<u64>);

fn seeds(text: &str) -> Result<Numbers, String> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    match (first.parse(), last.trim_start_matches('=').parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok(Numbers(first..=last)),
        _ => Err(String::from("a number such as 7, or two such as 1..50, of which the second is not the smaller one")),
    }
}

fn trim(text: &str) -> Result<Numbers, String> {
    let Numbers(range) = seeds(text)?;
    if *range.start() == 0 { Err(String::from("records are counted from 1")) } else { Ok(Numbers(range)) }
}

/// A kind of fault, and how many there are of it.
fn fault(text: &str) -> Result<(FaultKind, u64), String> {
    let (name, count) = text.split_once('=').unwrap_or((text, "1"));
    let known = || {
        let near = did_you_mean(name, FaultKind::ALL.map(FaultKind::name));
        format!("there are {}{near}", listed(FaultKind::ALL.map(FaultKind::name)))
    };
    let kind = FaultKind::named(name).ok_or_else(known)?;
    let count = count.parse().map_err(|_| String::from("a number behind the equals sign"))?;
    Ok((kind, count))
}

fn factor(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor > 0.0 && factor <= 1e9 => Ok(factor),
        _ => Err(String::from("a number over 0 and at most 1000000000")),
    }
}

impl ReplayArguments {
    /// The seeds whose faults are asked for.
    pub(super) fn seeds(&self) -> Option<RangeInclusive<u64>> {
        self.chaos.as_ref().map(|Numbers(seeds)| seeds.clone())
    }

    /// An error where a factor stands in the place of the scenario.
    pub(super) fn check(&self) -> Result<(), Error> {
        match (self.realtime, self.scenario.as_deref()) {
            (Some(_), Some(number)) if factor(number).is_ok() => {
                Err(Error::Option(format!("`{number}` is no scenario: write --realtime={number}")))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn options(&self, template: Option<PathBuf>) -> Options {
        Options {
            template,
            scenario: self.scenario.clone().unwrap_or_else(|| String::from(DEFAULT_SCENARIO)),
            input: self.input.clone(),
            partition_key: self.partition_key.clone(),
            limit: self.limit,
            trim: self.trim.as_ref().map(|Numbers(range)| range.clone()),
            expect: match &self.expect {
                None => Expect::Scenario,
                Some(path) if path.as_os_str() == "none" => Expect::Nothing,
                Some(path) => Expect::File(path.clone()),
            },
            shards: self.shards,
            batch_size: self.batch_size,
            environments: self.environments,
            sticky: self.sticky,
            recycle: self.recycle,
            kills: self.kill,
            faults: self.fault.clone(),
            reshards: self.reshard,
            seed: self.seed,
            ticks: self.ticks,
            tick_minutes: self.tick.and_then(|Tick(minutes)| minutes),
            release: self.release,
            artifact: self.artifact.clone(),
            limits: self.limits,
            zombies: self.zombies,
            realtime: self.realtime,
            drain: !self.no_drain,
            resume: self.resume,
            keep: self.keep,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_bare_replay_is_that_of_departures() {
        let arguments = Arguments::parse_from(["tidemill", "replay"]);
        let Some(Command::Replay(replay)) = arguments.command else {
            panic!("no replay");
        };
        assert_eq!(replay.options(None), Options::of("departures"));
    }
}
