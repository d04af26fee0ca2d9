//! The command line: `cargo tidemill`.
//!
//! The product goes to the standard output, everything else to the standard error. Exit codes: 0
//! done, and as expected where something is; 1 the results differ; 2 it could not run; 130
//! interrupted. `serve`, `watch` and `tail` are meant to be interrupted: that is their 0.

mod arguments;
mod bench;
mod chaos;
mod completions;
mod cost;
mod doctor;
mod duration;
mod list;
mod live;
mod new;
mod outputs;
mod place;
mod put;
mod redrive;
mod serve;
mod state;
mod style;
mod summary;
mod table;
mod tail;
mod terminal;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, Parser};

use crate::error::Error;
use crate::progress::Progress;
use crate::replay::{Options, Verdict, prepare};
use crate::scenario::Scenario;
use arguments::{Arguments, Command, ReplayArguments};
use outputs::Outputs;
use terminal::Terminal;

const DIFFERS: u8 = 1;
const FAILED: u8 = 2;
const INTERRUPTED: u8 = 130;

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Some(command) = arguments.command else {
        // Nobody to tell if the help cannot be printed.
        let _ = Arguments::command().print_help();
        return ExitCode::SUCCESS;
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(source) => return failed(&Error::system("start", source)),
    };
    // Leaving this block drops all that still runs, function processes included.
    let done = runtime.block_on(perform(command, arguments.template));
    done.unwrap_or_else(|error| failed(&error))
}

async fn perform(command: Command, template: Option<PathBuf>) -> Result<ExitCode, Error> {
    match command {
        Command::New(new) => new::run(&new),
        Command::Put(put) => unless_interrupted(put::run(put, template)).await,
        Command::Tail(tail) => tail::run(tail, template).await,
        Command::Watch(watch) => watch::run(watch, template).await,
        Command::Redrive(redrive) => unless_interrupted(redrive::run(redrive, template)).await,
        Command::Doctor(doctor) => unless_interrupted(doctor::run(&doctor, template.as_deref())).await,
        Command::Completions(completions) => completions::run(&completions),
        Command::Bench { arguments } => unless_interrupted(bench::run(arguments)).await,
        Command::List => list::run(template.as_deref()),
        Command::Replay(replay) => {
            let mut options = replay.options(template);
            if let Some(only) = Scenario::only(options.template.as_deref()).filter(|_| replay.scenario.is_none()) {
                options.scenario = only;
            }
            unless_interrupted(run(options, &replay)).await
        }
        Command::Cost(arguments) => unless_interrupted(cost::run(&arguments, template)).await,
        Command::State(state) => unless_interrupted(state::run(*state, template)).await,
        // Being interrupted is how it ends, and it has data to keep then.
        Command::Serve(serve) => serve::run(serve, template).await,
    }
}

async fn unless_interrupted(work: impl Future<Output = Result<ExitCode, Error>>) -> Result<ExitCode, Error> {
    let ended = serve::ended()?;
    let done = tokio::select! {
        done = work => Some(done),
        // Dropping the work ends the processes that it started.
        () = ended => None,
    };
    done.unwrap_or_else(|| {
        eprintln!("interrupted");
        Ok(ExitCode::from(INTERRUPTED))
    })
}

async fn run(options: Options, arguments: &ReplayArguments) -> Result<ExitCode, Error> {
    arguments.check()?;
    let outputs = Outputs::new(arguments)?;
    let prepared = prepare(options.clone())?;
    let terminal = Arc::new(Terminal::new());
    for warning in &prepared.warnings {
        terminal.warn(&warning.to_string());
    }
    if let Some(seeds) = arguments.seeds() {
        return chaos::run(prepared, seeds, &outputs, &terminal).await;
    }
    let report = prepared.run(Arc::clone(&terminal) as Arc<dyn Progress>).await;
    terminal.pause();
    let report = report?;
    outputs.write(&report)?;
    Ok(match report.verdict {
        Verdict::Differs(_) => ExitCode::from(DIFFERS),
        Verdict::Holds | Verdict::NotCompared(_) => ExitCode::SUCCESS,
    })
}

fn failed(error: &Error) -> ExitCode {
    let style = style::Style::of_stderr();
    eprintln!("{} {error}", style.red("error:"));
    ExitCode::from(FAILED)
}
