//! `cargo tidemill state diff`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::error::Error;
use crate::state::{Diff, Opened};

use super::super::style::Style;
use super::{Place, chosen, json, print, single, tell_where, text};

const NOTES: &str = "\
Examples:
  cargo tidemill state diff departures 40 41        what commit 41 changed
  cargo tidemill state diff departures 1 50 --json  all changes, in full
  cargo tidemill state diff rotations 7 9 --shard 2

Each cell that the commits behind A changed, up to B, is shown as B left it. One that came and went between them \
is shown as removed. The commits must still be in the journal's ring, which holds the last 1,024.";

/// Options of `state diff`.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct DiffArguments {
    /// The pipeline
    pipeline: String,

    /// The earlier commit
    #[arg(value_name = "A")]
    from: u64,

    /// The later commit
    #[arg(value_name = "B")]
    to: u64,

    /// One shard: its id, or its number
    #[arg(long, value_name = "S")]
    shard: Option<String>,

    /// Print one JSON object, with everything in full
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    place: Place,
}

/// Shows what changed.
pub(super) async fn run(arguments: &DiffArguments, template: Option<PathBuf>) -> Result<ExitCode, Error> {
    let opened = Opened::open(&arguments.place.options(template)).await?;
    let journals = chosen(opened.journals().await?, Some(&arguments.pipeline), arguments.shard.as_deref())?;
    if !arguments.json {
        tell_where(&opened);
    }
    let diff = Diff::read(&opened.store, single(&journals)?, arguments.from, arguments.to).await?;
    print(arguments.json, &json::diff(&diff), || text::diff(&diff, Style::of_stdout()))
}
