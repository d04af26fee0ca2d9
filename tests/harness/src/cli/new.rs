//! `cargo tidemill new`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::error::Error;
use crate::new;

use super::style::Style;

const EXAMPLES: &str = "\
Examples:
  tidemill new page-views && cd page-views
  cargo tidemill replay                    the real function on emulated streams
  cargo test                               the pipeline alone

The project stands on tidemill by the path of the checkout that this program was built from, with the versions of its \
Cargo.lock. `cargo install --path tests/harness` in a checkout makes the command `tidemill` known everywhere.";

/// Options of `new`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct NewArguments {
    /// The project's name, and its function's: small letters, digits and hyphens
    name: String,

    /// Stand on the tidemill in this folder [default: the checkout that this program was built from]
    #[arg(long, value_name = "FOLDER")]
    checkout: Option<PathBuf>,
}

/// Writes the project, and says what to do next.
pub(super) fn run(arguments: &NewArguments) -> Result<ExitCode, Error> {
    let here = std::env::current_dir().map_err(|source| Error::system("tell the current folder", source))?;
    let NewArguments { name, checkout } = arguments;
    new::create(&here, name, checkout.as_deref())?;
    let style = Style::of_stderr();
    eprintln!("{} {name}: a pipeline, its template, a scenario and tests", style.green("created"));
    eprintln!("  cd {name}");
    eprintln!("  cargo tidemill replay    {}", style.dim("# the real function on emulated streams"));
    eprintln!("  cargo test               {}", style.dim("# the pipeline alone"));
    eprintln!("  next: {name}/README.md, functions/{name}/src/lib.rs");
    Ok(ExitCode::SUCCESS)
}
