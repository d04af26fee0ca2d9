//! `cargo tidemill serve`.

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::error::Error;
use crate::findings::{listed, shown};
use crate::scenario::Scenario;
use crate::serve::{Options, Serving, start};

use super::outputs::unless_closed;
use super::style::Style;
use super::summary::grouped;

const EXAMPLES: &str = "\
Examples:
  cargo tidemill serve                     until Ctrl-C, which ends it with exit code 0
  . .tidemill/serve/env                    in another terminal: the variables it prints
  cargo lambda watch                       there, and in a third one likewise
  cargo lambda invoke departures --data-file events/departures/lambda-batch.json
  aws kinesis list-streams                 the AWS CLI and any SDK work too
  cargo tidemill state                     the journals in it

Tables and streams are kept in .tidemill/serve/ beside the template. A server \
that is killed (kill -9) forgets what came to its streams since it began. \
No function runs here: `cargo tidemill watch` does the same and runs them. \
Not emulated: enhanced fan-out, limits and throttling.";

/// Options of `serve`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ServeArguments {
    /// The port on loopback, for both services; 0 is any free one
    #[arg(long, value_name = "N", default_value_t = 4600)]
    port: u16,

    /// Begin anew: forget what earlier servers kept
    #[arg(long)]
    fresh: bool,

    /// Export this function's variables only, where functions want different values
    #[arg(long, value_name = "ID")]
    function: Option<String>,
}

/// Serves until the user or the system asks it to end.
pub(super) async fn run(arguments: ServeArguments, template: Option<PathBuf>) -> Result<ExitCode, Error> {
    let ServeArguments { port, fresh, function } = arguments;
    let ended = ended()?;
    let serving = start(&Options { template, port, fresh, function }).await?;
    let style = Style::of_stderr();
    for warning in &serving.warnings {
        eprintln!("{} {warning}", style.yellow("note:"));
    }
    let written = write!(stdout(), "{}", serving.exports.script()).and_then(|()| stdout().flush());
    unless_closed(written).map_err(|source| Error::writing(Path::new("standard output"), source))?;
    eprint!("{}", greeting(&serving, style));
    ended.await;
    let folder = shown(&serving.account.folder).display().to_string();
    let usage = serving.end().await?;
    eprintln!("\nended after {} requests; kept in {folder}", grouped(usage.requests.values().sum()));
    Ok(ExitCode::SUCCESS)
}

/// Resolves when the process is asked to end. Asked before it is awaited: a signal that comes while
/// the account is brought up counts.
#[cfg(unix)]
pub(super) fn ended() -> Result<impl Future<Output = ()>, Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let on = |kind| signal(kind).map_err(|source| Error::system("wait for signals", source));
    let (mut interrupt, mut terminate) = (on(SignalKind::interrupt())?, on(SignalKind::terminate())?);
    let mut hang_up = on(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}

#[cfg(not(unix))]
pub(super) fn ended() -> Result<impl Future<Output = ()>, Error> {
    Ok(async {
        // Without a handler, the process just ends.
        let _ = tokio::signal::ctrl_c().await;
    })
}

/// What is up, and how to use it.
fn greeting(serving: &Serving, style: Style) -> String {
    let Serving { address, template, account, .. } = serving;
    let streams: Vec<String> = template
        .streams
        .iter()
        .map(|stream| match stream.shards {
            1 => stream.name.clone(),
            shards => format!("{} ({shards} shards)", stream.name),
        })
        .collect();
    let tables = listed(template.tables.iter().map(|table| table.name.as_str()));
    let folder = shown(&account.folder).display().to_string();
    let mut text = format!("{} http://{address} until Ctrl-C\n", style.green("serving"));
    let rows = [("streams", listed(streams.iter().map(String::as_str))), ("tables", tables), ("data", folder.clone())];
    for (label, value) in rows {
        text.push_str(&format!("  {}{value}\n", style.dim(&format!("{label:<9}"))));
    }
    text.push_str("in other terminals:\n");
    for line in [format!(". {folder}/env"), String::from("cargo lambda watch")].into_iter().chain(invocations(serving))
    {
        text.push_str(&format!("  {line}\n"));
    }
    text.push_str("  aws kinesis list-streams\n  cargo tidemill state\n");
    text
}

/// A way to invoke each function, with an event file where there is one.
fn invocations(serving: &Serving) -> Vec<String> {
    let folder = serving.template.folder();
    let event = event_file(folder);
    let event = event.as_ref().map_or_else(|| String::from("EVENT.json"), |path| shown(path).display().to_string());
    let binaries = serving.functions.iter().filter_map(|given| given.binary.as_ref());
    binaries.map(|binary| format!("cargo lambda invoke {binary} --data-file {event}")).collect()
}

/// The file `lambda*.json` of a scenario with the shortest name: an event as Lambda hands it out.
fn event_file(folder: &Path) -> Option<PathBuf> {
    let is_event = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("lambda") && name.ends_with(".json")
    };
    let scenarios = Scenario::names(folder).into_iter().map(|name| folder.join("events").join(name));
    let files = scenarios.flat_map(|scenario| std::fs::read_dir(scenario).into_iter().flatten().flatten());
    let files = files.map(|file| file.path()).filter(is_event);
    files.min_by_key(|path| (path.as_os_str().len(), path.clone()))
}
