//! `cargo tidemill state upgrade`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tidemill_journal::{Format, JournalId, Kind, Upgraded};

use crate::error::Error;
use crate::state::Opened;
use crate::state::maintenance::{Done, upgrade_journal};

use super::{Place, chosen, tell_where};

const NOTES: &str = "\
A journal goes on in the format in which it was begun until it is upgraded, by one
commit; what was written before stays readable. Upgrade when every function of the
table runs code that reads the new format, and is not to go back to code that does
not: that refuses the journal, and overwrites nothing. Functions may run meanwhile.
It reads the whole state of each journal; once upgraded, a journal is left alone.";

/// Options of `state upgrade`.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct UpgradeArguments {
    /// The pipeline; all of them if left out
    pipeline: Option<String>,

    #[command(flatten)]
    place: Place,
}

/// Upgrades journal after journal, and tells of each. One that cannot be upgraded does not keep the others from it.
pub(super) async fn run(arguments: &UpgradeArguments, template: Option<PathBuf>) -> Result<ExitCode, Error> {
    let opened = Opened::open_to_change(&arguments.place.options(template)).await?;
    tell_where(&opened);
    let mut failures = Vec::new();
    for journal in chosen(opened.journals().await?, arguments.pipeline.as_deref(), None)? {
        match upgrade_journal(&opened.store, &journal).await {
            Ok(done) => println!("{}", line(&journal, done)),
            Err(failure) => failures.push(failure.to_string()),
        }
    }
    if failures.is_empty() { Ok(ExitCode::SUCCESS) } else { Err(Error::NotFound(failures.join("\n"))) }
}

fn line(journal: &JournalId, Done { upgraded, number }: Done) -> String {
    let newest = Format::NEWEST;
    let done = match upgraded {
        Upgraded::Done { from, carried: 0 } => format!("format {from} -> {newest} by commit {number}"),
        Upgraded::Done { from, carried } => {
            format!("format {from} -> {newest} by commit {number}, with {carried} unsent")
        }
        Upgraded::Ended(Kind::Seal) => String::from("sealed: nothing follows"),
        Upgraded::Ended(_) => String::from("drained: nothing follows"),
        Upgraded::Already | Upgraded::Outrun => format!("format {newest} already"),
    };
    format!("{}  {}  {done}", journal.pipeline, journal.shard)
}
