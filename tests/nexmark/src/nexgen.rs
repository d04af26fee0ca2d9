//! Writes Nexmark events, one JSON a line.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tidemill_nexmark::generate::{Order, Plan};

const EXAMPLES: &str = "\
Examples:
  nexgen 10000 --rate 100                     as inputs/in-order.jsonl.gz, to the terminal
  nexgen 10000 --rate 100 --order late        as inputs/late.jsonl.gz
  nexgen 1000000 --output events.jsonl        323 MB, to measure with

Exit codes: 0 written, 1 could not be written, 2 wrong arguments.";

/// Writes Nexmark events, one JSON a line. The same arguments always give the same bytes (on 64-bit machines).
#[derive(Parser)]
#[command(name = "nexgen", version, after_help = EXAMPLES)]
struct Arguments {
    /// How many events: of fifty, one is a person, three are auctions, the others bids
    #[arg(value_name = "EVENTS", value_parser = clap::value_parser!(u64).range(1..))]
    events: u64,

    /// Events a second of event time
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: u32,

    /// In which order they arrive
    #[arg(long, value_enum, default_value = "in-order")]
    order: Order,

    /// Which of the many such orders; the events stay the same
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Where to, in place of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let target =
        arguments.output.as_ref().map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
    match write(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has had enough, `head` for one.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {target} cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(arguments: &Arguments) -> io::Result<()> {
    let Arguments { events, rate, order, seed, ref output } = *arguments;
    let sink: Box<dyn Write> = match output {
        Some(path) => Box::new(File::create(path)?),
        None => Box::new(io::stdout().lock()),
    };
    let mut sink = BufWriter::with_capacity(1 << 16, sink);
    for line in (Plan { events, rate, order, seed }).lines() {
        writeln!(sink, "{}", line?)?;
    }
    sink.flush()
}
