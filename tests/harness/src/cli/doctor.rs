//! `cargo tidemill doctor`.

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::doctor::{Diagnosis, Level, examine};
use crate::error::Error;
use crate::findings::{Findings, shown};
use crate::template::Template;

use super::outputs::unless_closed;
use super::style::Style;

const EXAMPLES: &str = "\
Examples:
  cargo tidemill doctor                     the template here or in a folder above
  cargo tidemill --template T doctor --json
  cargo tidemill doctor && sam deploy

Looks for what AWS would accept and run, and lose records by: event sources that retry too little, filter or run in \
parallel, tables with other keys or a TTL, permissions that are missing, variables that are unset, sizes that are too \
small, a release that aborts at a panic. What a replay cannot read in the template is told as well.
Exit codes: 0 in order (warnings included), 1 errors, 2 it could not look.";

/// Options of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DoctorArguments {
    /// Print the findings as one JSON array
    #[arg(long)]
    json: bool,
}

/// Examines the template, and says what is wrong.
pub(super) fn run(arguments: &DoctorArguments, template: Option<&Path>) -> Result<ExitCode, Error> {
    let here = std::env::current_dir().map_err(|source| Error::system("tell the current folder", source))?;
    let path = Template::locate(template, &here)?;
    let mut findings = Findings::default();
    let Some(template) = Template::load(&path, &mut findings)? else {
        return findings.into_warnings().map(|_| ExitCode::SUCCESS);
    };
    // What cannot be resolved or read comes first: it hides more.
    template.given(&mut findings);
    findings.into_warnings()?;
    let found = examine(&template);
    let text = if arguments.json { json(&found) } else { text(&found, &path) };
    let written = unless_closed(stdout().write_all(text.as_bytes()));
    written.map_err(|source| Error::writing(Path::new("standard output"), source))?;
    Ok(ExitCode::from(u8::from(found.iter().any(|found| found.level == Level::Error))))
}

fn json(found: &[Diagnosis]) -> String {
    let shortened: Vec<Diagnosis> =
        found.iter().map(|found| Diagnosis { file: shown(&found.file).to_path_buf(), ..found.clone() }).collect();
    // Plain data, which serialises.
    serde_json::to_string(&shortened).unwrap_or_default() + "\n"
}

fn text(found: &[Diagnosis], template: &Path) -> String {
    let style = Style::of_stdout();
    let mut text = String::new();
    for Diagnosis { level, of, file, line, what, why, fix } in found {
        let level = match level {
            Level::Error => style.red("error:"),
            Level::Warning => style.yellow("warning:"),
        };
        let file: PathBuf = shown(file).to_path_buf();
        text.push_str(&format!("{}:{line}: {level} {of}: {}\n", file.display(), style.bold(what)));
        text.push_str(&format!("  {} {why}\n  {} {fix}\n", style.dim("why"), style.dim("fix")));
    }
    let count = |level| found.iter().filter(|found| found.level == level).count();
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    match (count(Level::Error), count(Level::Warning)) {
        (0, 0) => text.push_str(&format!("{} {} is in order\n", style.green("✓"), shown(template).display())),
        (errors, warnings) => {
            text.push_str(&format!("{}, {}\n", plural(errors, "error"), plural(warnings, "warning")));
        }
    }
    text
}
