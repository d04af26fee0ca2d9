//! `cargo tidemill state drop`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tidemill_journal::JournalId;

use crate::error::Error;
use crate::findings::shown;
use crate::state::Opened;
use crate::state::moving::{Dropped, check_quiet, drop_journal, export, plan_drop, standings};

use super::bring::{only_told, streams};
use super::steps::{Begin, Confirmation};
use super::{Place, chosen, tell_where};

const NOTES: &str = "\
Examples:
  cargo tidemill state drop departures --keep before.state.zst               told only
  cargo tidemill state drop departures --keep before.state.zst --yes
  cargo tidemill state drop departures --discard --yes --aws --table STACK-Journal-1ABC

The pipeline begins from nothing, with whatever its event source then delivers, under a
new incarnation: what it sends is new to whoever drops repeats by ids. To process a
stream again beside what there is, a new name does without a drop.";

/// Options of `state drop`.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct DropArguments {
    /// The pipeline
    pipeline: String,

    /// Export the state into this file first
    #[arg(long, value_name = "FILE", required_unless_present = "discard")]
    keep: Option<PathBuf>,

    /// Keep nothing: what is dropped is gone
    #[arg(long, conflicts_with = "keep")]
    discard: bool,

    #[command(flatten)]
    confirmation: Confirmation,

    #[command(flatten)]
    place: Place,
}

/// Tells what becomes of each shard, and does it if so asked.
pub(super) async fn run(arguments: &DropArguments, template: Option<PathBuf>) -> Result<ExitCode, Error> {
    let DropArguments { pipeline, keep, confirmation, place, .. } = arguments;
    let opened = Opened::open_to_change(&place.options(template)).await?;
    tell_where(&opened);
    let journals = chosen(opened.journals().await?, Some(pipeline), None)?;
    let streams = streams(&journals);
    confirmation.before(&streams).iter().for_each(|line| println!("{line}"));
    let standing = standings(&opened.store, &journals).await?;
    let plan = plan_drop(&opened.store, &journals).await?;
    for (journal, becomes) in &plan {
        println!("{}", told(journal, *becomes));
    }
    let behind = confirmation.behind(&streams, Begin::TrimHorizon, false);
    if !confirmation.is_given() {
        return Ok(only_told(&behind));
    }
    check_quiet(&opened.store, &standing, confirmation.apart(opened.is_kept())).await?;
    if let Some(file) = keep {
        export(&opened.store, &journals, file, |_| ()).await?;
        println!("kept in {}", shown(file).display());
    }
    for (journal, becomes) in &plan {
        drop_journal(&opened.store, journal, *becomes).await?;
        println!("dropped {}", journal.shard);
    }
    behind.iter().for_each(|line| println!("{line}"));
    Ok(ExitCode::SUCCESS)
}

fn told(journal: &JournalId, becomes: Dropped) -> String {
    let becomes = match becomes {
        Dropped::Begun => "deleted, begins empty",
        Dropped::Left => "deleted, begins when its parents are through",
    };
    format!("{}  {becomes}", journal.shard)
}
