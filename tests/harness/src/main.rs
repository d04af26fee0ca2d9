//! `tidemill`, the command of the local harness.

use std::process::ExitCode;

fn main() -> ExitCode {
    tidemill_harness::cli::main()
}
