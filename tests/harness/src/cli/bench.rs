//! `bench`: the measuring program, built with optimisation whatever this one was built with.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use tokio::process::Command;

use super::FAILED;
use super::terminal::Terminal;
use crate::cargo::Binary;
use crate::error::Error;
use crate::progress::Progress;

pub(super) const EXAMPLES: &str = "\
Examples:
  cargo tidemill bench                  all workloads, a line each
  cargo tidemill bench departures       one of w1, w2, w3 (Nexmark) and departures
  cargo tidemill bench gate             against what was accepted: instructions, allocations, requests, write units
  cargo tidemill bench -- --help        all that the measuring program can do

It is built with optimisation first, which takes minutes the first time.";

pub(super) async fn run(arguments: Vec<OsString>) -> Result<ExitCode, Error> {
    let terminal = Terminal::new();
    let program = Binary { folder: Path::new("."), name: "tidemill-bench", release: true }.build(&terminal).await?;
    terminal.pause();
    let status = Command::new(program).args(arguments).kill_on_drop(true).status().await;
    let code = status.map_err(|source| Error::system("run tidemill-bench", source))?.code();
    Ok(code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::from(FAILED), ExitCode::from))
}
