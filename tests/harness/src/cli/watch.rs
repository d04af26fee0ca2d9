//! `cargo tidemill watch`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use crate::error::Error;
use crate::findings::{listed, shown};
use crate::progress::Progress;
use crate::serve::{self, Serving};
use crate::watch;

use super::serve::ended;
use super::style::Style;
use super::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  cargo tidemill watch                                        all functions, until Ctrl-C
  cargo tidemill tail departures                              in another terminal: what comes out
  cargo tidemill put flights < events/departures/input.jsonl  in a third one: what goes in
  cargo tidemill watch by-tail                                the functions of a scenario
  cargo tidemill watch DeparturesFunction --fresh             one function, and nothing of before

It does what `serve` does, and runs the functions besides: their real binaries, fed by the streams that the template \
names, ticked by its schedules. When a source file of the workspace changes, they are built again and replaced; while \
the compiler complains, what ran before goes on. Each function reads its stream from the first record on whenever \
`watch` begins: one with a journal passes over what it has taken, one without takes it again (--fresh forgets it).
TIDEMILL_LOG=info shows the functions' logs. `serve` alone is for functions that run elsewhere: under `cargo lambda \
watch`, in a debugger, in a test.";

/// Options of `watch`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct WatchArguments {
    /// A scenario, whose functions run, or one function's logical id [default: all functions]
    name: Option<String>,

    /// The port on loopback, for both services; 0 is any free one
    #[arg(long, value_name = "N", default_value_t = 4600)]
    port: u16,

    /// Begin anew: forget what earlier servers kept
    #[arg(long)]
    fresh: bool,

    /// Build the functions with the release profile
    #[arg(long)]
    release: bool,
}

/// Serves and runs until the user or the system asks it to end.
pub(super) async fn run(arguments: WatchArguments, template: Option<PathBuf>) -> Result<ExitCode, Error> {
    let WatchArguments { name, port, fresh, release } = arguments;
    let ended = ended()?;
    let serving = serve::start(&serve::Options { template, port, fresh, function: None }).await?;
    let (functions, doubts) = watch::choose(&serving.template, name.as_deref())?;
    let terminal = Arc::new(Terminal::new());
    // Variables that functions share are a matter of `serve`'s exports only, so those doubts are left out.
    for doubt in doubts {
        terminal.warn(&doubt.to_string());
    }
    for function in &functions {
        if let Some(schedule) = function.schedule.as_ref().filter(|schedule| schedule.every.is_none()) {
            let (id, expression) = (&function.id, &schedule.expression);
            terminal.warn(&format!("{id} gets no ticks here: of schedules only rate(…) is followed, not {expression}"));
        }
    }
    let ids: Vec<&str> = functions.iter().map(|function| function.id.as_str()).collect();
    eprint!("{}", greeting(&serving, &ids));
    let running = watch::run(&serving, functions, release, Arc::clone(&terminal) as Arc<dyn Progress>);
    let ran = tokio::select! {
        ran = running => ran,
        () = ended => Ok(()),
    };
    terminal.pause();
    let folder = shown(&serving.account.folder).display().to_string();
    serving.end().await?;
    ran?;
    eprintln!("\nended; kept in {folder}");
    Ok(ExitCode::SUCCESS)
}

fn greeting(serving: &Serving, functions: &[&str]) -> String {
    let style = Style::of_stderr();
    let streams = listed(serving.template.streams.iter().map(|stream| stream.name.as_str()));
    let rows = [("functions", listed(functions.iter().copied())), ("streams", streams)];
    let mut text = format!("{} http://{} until Ctrl-C\n", style.green("serving"), serving.address);
    for (label, value) in rows {
        text.push_str(&format!("  {}{value}\n", style.dim(&format!("{label:<11}"))));
    }
    text.push_str(
        "in other terminals: cargo tidemill put STREAM < FILE, cargo tidemill tail STREAM, cargo tidemill state\n",
    );
    text
}
