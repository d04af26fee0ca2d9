//! `cargo tidemill state export`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::error::Error;
use crate::findings::shown;
use crate::state::Opened;
use crate::state::archive::Summary;
use crate::state::moving::export;

use super::super::summary::grouped;
use super::{Place, chosen, tell_where};

const NOTES: &str = "\
Examples:
  cargo tidemill state export departures --to departures.state.zst
  cargo tidemill state export departures --to now.state.zst --aws --table STACK-Journal-1ABC
  zstdcat departures.state.zst | head -2        what a file is of

Each shard is read as of one commit, which is told; functions may run meanwhile. A
file that is to replace the pipeline is best taken while none does: what is committed
behind it is done again when it is restored. Outputs that are not known to be sent go
into the file and are sent, under their ids, by whoever goes on from it.";

/// Options of `state export`.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct ExportArguments {
    /// The pipeline
    pipeline: String,

    /// The file, which must not be there
    #[arg(long, value_name = "FILE")]
    to: PathBuf,

    #[command(flatten)]
    place: Place,
}

/// Exports, and tells of each shard.
pub(super) async fn run(arguments: &ExportArguments, template: Option<PathBuf>) -> Result<ExitCode, Error> {
    let opened = Opened::open(&arguments.place.options(template)).await?;
    tell_where(&opened);
    let journals = chosen(opened.journals().await?, Some(&arguments.pipeline), None)?;
    let bytes = export(&opened.store, &journals, &arguments.to, |summary| println!("{}", line(summary))).await?;
    println!("{}: {} bytes", shown(&arguments.to).display(), grouped(bytes));
    Ok(ExitCode::SUCCESS)
}

/// A shard in a file, in words.
pub(super) fn line(summary: &Summary) -> String {
    let (cells, bytes) = (grouped(summary.cells as u64), grouped(summary.bytes as u64));
    let unsent = match summary.snapshot.outputs.len() {
        0 => String::new(),
        outputs => format!(", {} outputs perhaps unsent", grouped(outputs as u64)),
    };
    let shard = &summary.snapshot.schema.journal.shard;
    format!("{shard}  commit {}: {cells} cells, {bytes} bytes{unsent}", summary.commit)
}
