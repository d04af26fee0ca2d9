//! `cargo tidemill completions`.

use std::io::{Write, stdout};
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::error::Error;

use super::arguments::Arguments;
use super::outputs::unless_closed;

const EXAMPLES: &str = "\
Examples:
  tidemill completions bash > ~/.local/share/bash-completion/completions/tidemill
  tidemill completions zsh > ~/.zfunc/_tidemill
  tidemill completions fish > ~/.config/fish/completions/tidemill.fish

They complete the command `tidemill`, which `cargo install --path tests/harness` installs.";

/// Options of `completions`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CompletionsArguments {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub(super) fn run(arguments: &CompletionsArguments) -> Result<ExitCode, Error> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "tidemill", &mut script);
    let written = unless_closed(stdout().write_all(&script));
    written.map_err(|source| Error::writing(Path::new("standard output"), source))?;
    Ok(ExitCode::SUCCESS)
}
