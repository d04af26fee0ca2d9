//! `cargo tidemill state`.

mod bring;
mod columns;
mod diff;
mod drop;
mod export;
mod json;
mod json_cell;
mod keys;
mod producers;
mod sections;
mod steps;
mod sweep;
mod text;
mod upgrade;

use std::io::{self, BufWriter, Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;
use tidemill_journal::{JournalId, Kind};

use crate::error::Error;
use crate::findings::listed;
use crate::state::{Commit, KeyState, Opened, Options, ShardState, Source};

use super::outputs::unless_closed;
use super::style::Style;

const EXAMPLES: &str = "\
Examples:
  cargo tidemill replay --keep --no-drain       keep a run with its windows open
  cargo tidemill state                          its pipelines and shards
  cargo tidemill state departures               its keys: how much is kept for each
  cargo tidemill state departures --key JFK     all that is kept for one key
  cargo tidemill state departures --commit 7    what commit 7 changed and sent
  cargo tidemill state departures --at 7 --key JFK   what was kept when commit 7 was made
  cargo tidemill state diff departures 7 9      what changed between two commits
  cargo tidemill state --endpoint-url http://127.0.0.1:4600
  cargo tidemill state upgrade --aws --table T  move journals on to the newest format
  cargo tidemill state sweep --aws --table T    what of failed commits lies about
  cargo tidemill state export departures --to departures.state.zst
  cargo tidemill state import departures.state.zst --as departures-2
  cargo tidemill state restore departures.state.zst
  cargo tidemill state drop departures --keep before.state.zst
  cargo tidemill state --aws --table STACK-Journal-1ABC departures --key JFK

A tuple is written as JSON, '[\"JFK\",\"LAX\"]', or as results name it, JFK/LAX.
Only `upgrade`, `sweep --delete` and, with --yes, `import`, `restore` and `drop` write \
anything. Listing journals reads the whole table (on AWS: one read \
unit per 4 KB); a shard is read from its journal's oldest needed record on.";

/// Options of `state`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(super) struct StateArguments {
    #[command(subcommand)]
    action: Option<Action>,

    /// The pipeline; all of them if left out
    pipeline: Option<String>,

    /// One shard: its id, or its number
    #[arg(long, value_name = "S")]
    shard: Option<String>,

    /// Show what is kept for a key: windows, values, timers, events that wait
    #[arg(long, value_name = "K", requires = "pipeline", conflicts_with = "commit")]
    key: Option<String>,

    /// With --key: list all ids that are remembered to tell repeats, also if they are many
    #[arg(long, requires = "key")]
    ids: bool,

    /// Show a commit's record, if the ring still holds it
    #[arg(long, value_name = "N", requires = "pipeline")]
    commit: Option<u64>,

    /// Show the state as it was at commit N of a shard, if all of it is still there
    #[arg(long, value_name = "N", requires = "pipeline", conflicts_with = "commit")]
    at: Option<u64>,

    #[command(flatten)]
    place: Place,

    /// Print one JSON object, with everything in full
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show what changed between two commits
    Diff(diff::DiffArguments),
    /// Move journals on to the newest format
    Upgrade(upgrade::UpgradeArguments),
    /// Delete images and spills of commits that failed
    Sweep(sweep::SweepArguments),
    /// Write a pipeline's state to a file
    Export(export::ExportArguments),
    /// Begin journals from a file where there are none: under another name, or in another table
    Import(bring::ImportArguments),
    /// Put a file's state in the place of what is there, as a new life of its journals
    Restore(bring::RestoreArguments),
    /// Throw a pipeline's state away, so that it begins from nothing
    Drop(drop::DropArguments),
}

/// Which account.
#[derive(Debug, Args)]
struct Place {
    /// Look at the kept run of this scenario [default: what was kept last]
    #[arg(long, value_name = "SCENARIO", group = "source", help_heading = "Where to look")]
    run: Option<String>,

    /// Look at what `cargo tidemill serve` works on
    #[arg(long, group = "source", help_heading = "Where to look")]
    served: bool,

    /// Look at what answers at this URL
    #[arg(long, value_name = "URL", group = "source", help_heading = "Where to look")]
    endpoint_url: Option<String>,

    /// Look at AWS: account, region and credentials as in the environment
    #[arg(long, group = "source", help_heading = "Where to look")]
    aws: bool,

    /// The table [default: what TIDEMILL_JOURNAL_TABLE, the kept run or the template says]
    #[arg(long, value_name = "NAME", help_heading = "Where to look")]
    table: Option<String>,
}

/// Shows what is asked for.
pub(super) async fn run(arguments: StateArguments, template: Option<PathBuf>) -> Result<ExitCode, Error> {
    match arguments.action {
        Some(Action::Diff(diff)) => return diff::run(&diff, template).await,
        Some(Action::Upgrade(upgrade)) => return upgrade::run(&upgrade, template).await,
        Some(Action::Sweep(sweep)) => return sweep::run(&sweep, template).await,
        Some(Action::Export(export)) => return export::run(&export, template).await,
        Some(Action::Import(import)) => return bring::import(&import, template).await,
        Some(Action::Restore(restore)) => return bring::restore(&restore, template).await,
        Some(Action::Drop(drop)) => return drop::run(&drop, template).await,
        None => {}
    }
    let opened = Opened::open(&arguments.place.options(template)).await?;
    let journals = chosen(opened.journals().await?, arguments.pipeline.as_deref(), arguments.shard.as_deref())?;
    let style = Style::of_stdout();
    if !arguments.json {
        tell_where(&opened);
    }
    if let Some(number) = arguments.commit {
        let commit = Commit::read(&opened.store, single(&journals)?, number).await?;
        return print(arguments.json, &json::commit(&commit), || text::commit(&commit, style));
    }
    let (shards, failures) = match arguments.at {
        Some(number) => (vec![ShardState::read_at(&opened.store, single(&journals)?, number).await?], Vec::new()),
        None => read(&opened, &journals).await,
    };
    if let Some(written) = &arguments.key {
        let found = found(&shards, written);
        if found.is_empty() && failures.is_empty() {
            return Err(no_key(&shards, written));
        }
        print(arguments.json, &json::keys(&found), || keys::keys(&found, arguments.ids, style))?;
    } else {
        let with_keys = arguments.pipeline.is_some();
        print(arguments.json, &json::shards(&shards, with_keys), || text::shards(&shards, with_keys, style))?;
    }
    if failures.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    // Journals that cannot be read fail the command, after the others were shown.
    let failures: Vec<String> = failures.iter().map(Error::to_string).collect();
    Err(Error::NotFound(failures.join("\n")))
}

/// Prints one or the other, as asked for.
fn print(as_json: bool, json: &impl Serialize, text: impl FnOnce() -> String) -> Result<ExitCode, Error> {
    let mut out = BufWriter::new(stdout().lock());
    let written = if as_json {
        serde_json::to_writer(&mut out, json).map_err(io::Error::from).and_then(|()| writeln!(out))
    } else {
        out.write_all(text().as_bytes())
    };
    let written = unless_closed(written.and_then(|()| out.flush()));
    written.map_err(|source| Error::writing(Path::new("standard output"), source))?;
    Ok(ExitCode::SUCCESS)
}

impl Place {
    fn options(&self, template: Option<PathBuf>) -> Options {
        let source = match (&self.run, &self.endpoint_url) {
            (Some(scenario), _) => Source::Run(scenario.clone()),
            (_, Some(url)) => Source::Endpoint(url.clone()),
            _ if self.served => Source::Served,
            _ if self.aws => Source::Aws,
            _ => Source::Newest,
        };
        Options { template, source, table: self.table.clone() }
    }
}

fn tell_where(opened: &Opened) {
    let from = format!("table {} in {}", opened.table, opened.from);
    eprintln!("{}", Style::of_stderr().dim(&super::table::cut(&from)));
}

/// The journals of the pipeline and shard asked for; an error says what there is.
fn chosen(journals: Vec<JournalId>, pipeline: Option<&str>, shard: Option<&str>) -> Result<Vec<JournalId>, Error> {
    let mut chosen = journals;
    if let Some(pipeline) = pipeline {
        let there = names(&chosen, |journal| &journal.pipeline);
        chosen.retain(|journal| journal.pipeline == *pipeline);
        if chosen.is_empty() {
            return Err(Error::NotFound(format!("no journal of pipeline `{pipeline}`; there are those of {there}")));
        }
    }
    if let Some(shard) = shard {
        let there = names(&chosen, |journal| &journal.shard);
        chosen.retain(|journal| is_shard(&journal.shard, shard));
        if chosen.is_empty() {
            return Err(Error::NotFound(format!("no journal of shard `{shard}`; there are those of {there}")));
        }
    }
    Ok(chosen)
}

fn names(journals: &[JournalId], of: fn(&JournalId) -> &String) -> String {
    let mut names: Vec<&str> = journals.iter().map(|journal| of(journal).as_str()).collect();
    names.sort_unstable();
    names.dedup();
    listed(names)
}

/// Whether a shard is meant by its id, or by the number in it.
fn is_shard(id: &str, written: &str) -> bool {
    let number = || id.rsplit_once('-')?.1.parse::<u64>().ok();
    id == written || written.parse().is_ok_and(|written: u64| number() == Some(written))
}

fn single(journals: &[JournalId]) -> Result<&JournalId, Error> {
    match journals {
        [one] => Ok(one),
        several => {
            let there = names(several, |journal| &journal.shard);
            Err(Error::Option(format!("which shard's commit? There are {there}: give --shard")))
        }
    }
}

/// All shards that can be read, and why others cannot.
async fn read(opened: &Opened, journals: &[JournalId]) -> (Vec<ShardState>, Vec<Error>) {
    let (mut shards, mut failures) = (Vec::new(), Vec::new());
    for journal in journals {
        match ShardState::read(&opened.store, journal).await {
            Ok(shard) => shards.push(shard),
            Err(failure) => failures.push(failure),
        }
    }
    (shards, failures)
}

fn found<'a>(shards: &'a [ShardState], written: &str) -> Vec<(&'a ShardState, KeyState)> {
    shards.iter().flat_map(|shard| shard.find(written).into_iter().map(move |key| (shard, key))).collect()
}

fn no_key(shards: &[ShardState], written: &str) -> Error {
    const SHOWN: usize = 10;
    let all: usize = shards.iter().map(ShardState::open_keys).sum();
    let mut keys: Vec<String> = shards.iter().flat_map(ShardState::summaries).take(SHOWN).map(|key| key.text).collect();
    if all > keys.len() {
        keys.push(format!("{} more", super::summary::grouped((all - keys.len()) as u64)));
    }
    let there = match all {
        0 if shards.iter().any(|shard| shard.view.kind() == Kind::Drain) => {
            String::from("the input has ended, which closed all windows (a replay with --no-drain leaves them open)")
        }
        0 => String::from("nothing is kept for any key"),
        _ => format!("there are keys {}", listed(keys.iter().map(String::as_str))),
    };
    Error::NotFound(format!("nothing is kept for key `{written}`: {there}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_meant_by_its_id_or_its_number() {
        let id = "shardId-000000000012";
        assert!(is_shard(id, id) && is_shard(id, "12") && is_shard(id, "000000000012"));
        assert!(!is_shard(id, "2") && !is_shard(id, "shardId-0") && !is_shard("odd", "0"));
    }
}
