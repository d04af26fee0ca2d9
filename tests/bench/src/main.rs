//! What a record costs, from the invocation's bytes to the encoded commit.

mod cpu;
mod environment;
mod event;
mod gate;
mod growth;
mod hand;
mod load;
mod report;
mod run;
mod valgrind;
mod workload;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use run::{Way, run};
use workload::{Query, Workload};

const EXAMPLES: &str = "\
Examples:
  cargo tidemill bench                       all workloads, a million events each
  cargo tidemill bench w1 --events 100000    one of them, shorter
  cargo tidemill bench --sweeps              keys, batches, windows, sessions, payloads, cold loads
  cargo tidemill bench run w1 whole          one measurement, as a line of JSON

CPU time is that of one thread, so other work on the machine disturbs it little. AWS is left out:
commits go to memory, results are counted.";

/// Measures what a record costs in one process, without HTTP: the invocation's bytes, decoded, stepped, committed.
#[derive(Parser)]
#[command(name = "tidemill-bench", bin_name = "cargo tidemill bench", version, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// Workloads: w1, w2, w3 (of Nexmark), departures [default: all]
    #[arg(value_name = "WORKLOAD", value_parser = workload)]
    workloads: Vec<Workload>,

    #[command(flatten)]
    size: Size,

    /// Vary keys, batches, windows, sessions and payloads instead
    #[arg(long, conflicts_with = "workloads")]
    sweeps: bool,
}

#[derive(Args, Clone, Copy)]
struct Size {
    /// How many events
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    events: u64,

    /// How many records an invocation has
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = batch)]
    batch: usize,
}

#[derive(Subcommand)]
enum Command {
    /// Compare instructions, allocations, requests and write units with those that were accepted (takes valgrind)
    Gate,
    /// Show how cost grows with events, as lines of JSON for plot.py
    Growth {
        /// How many keys have an open window and no events
        #[arg(long, value_name = "KEYS", default_value_t = 0)]
        idle: u64,
        /// How many events
        #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(10..))]
        events: u64,
    },
    /// Measure what a new environment does to read a state of so many keys
    Load {
        /// How many keys have an open window, about
        #[arg(value_name = "KEYS", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
        keys: u64,
    },
    /// Measure once and print a line of JSON
    Run {
        /// The workload
        #[arg(value_parser = workload)]
        workload: Workload,
        /// How far events are taken
        way: Way,
        #[command(flatten)]
        size: Size,
        /// Take the events of Nexmark from this file, one JSON a line
        #[arg(long, value_name = "FILE")]
        input: Option<PathBuf>,
    },
}

fn workload(name: &str) -> Result<Workload, String> {
    match name {
        "w1" => Ok(Workload::Nexmark(Query::W1, None)),
        "w2" => Ok(Workload::Nexmark(Query::W2, None)),
        "w3" => Ok(Workload::Nexmark(Query::W3, None)),
        "departures" => Ok(Workload::Departures),
        _ => Err("w1, w2, w3 or departures".to_owned()),
    }
}

fn all() -> Vec<Workload> {
    ["w1", "w2", "w3", "departures"].into_iter().filter_map(|name| workload(name).ok()).collect()
}

fn gate() -> ExitCode {
    match gate::check(&all()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(2)
        }
    }
}

fn batch(text: &str) -> Result<usize, String> {
    let size = text.parse().ok().filter(|size| (1..=10_000).contains(size));
    size.ok_or_else(|| "1 to 10,000 records, as Lambda takes them".to_owned())
}

/// What the first large event does to a function's process: glibc keeps freed memory up to twice the largest block that it
/// took from the system and gave back. Before, it gives back what a batch takes, and asks for it anew page by page.
fn settle_heap() {
    const LARGEST_EVENT: usize = 6 << 20;
    drop(std::hint::black_box(vec![0_u8; LARGEST_EVENT]));
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if cfg!(debug_assertions) {
        eprintln!(
            "error: this build is not optimised, so its figures would say nothing. Run\n  cargo run --release --bin \
             tidemill-bench"
        );
        return ExitCode::from(2);
    }
    settle_heap();
    match arguments.command {
        Some(Command::Run { workload, way, size, input }) => {
            let workload = workload.of_file(input);
            report::line(&run(&workload, way, size.events, size.batch));
        }
        Some(Command::Gate) => return gate(),
        Some(Command::Growth { idle, events }) => report::lines(&growth::growth(idle, events)),
        Some(Command::Load { keys }) => report::loads(&[keys]),
        None if arguments.sweeps => {
            report::sweeps(arguments.size.events);
            report::loads(&[1_000, 10_000, 100_000, 1_000_000]);
        }
        None => {
            let workloads = if arguments.workloads.is_empty() { all() } else { arguments.workloads };
            report::table(&workloads, arguments.size.events, arguments.size.batch);
        }
    }
    ExitCode::SUCCESS
}
