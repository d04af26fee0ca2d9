//! `cargo tidemill doctor`.

use std::io::{Write, stdout};
use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use crate::doctor::ask::ask;
use crate::doctor::deployed::examine_deployed;
use crate::doctor::{Diagnosis, Level, Place, examine};
use crate::error::Error;
use crate::findings::{Findings, listed, shown};
use crate::progress::Progress;
use crate::template::Template;

use super::outputs::unless_closed;
use super::style::Style;
use super::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  cargo tidemill doctor                     the template here or in a folder above
  cargo tidemill doctor --no-build          what the template alone tells, at once
  cargo tidemill --template T doctor --json
  cargo tidemill doctor && sam deploy
  cargo tidemill doctor --aws               the functions that are deployed in account and region of the environment
  cargo tidemill doctor --aws STACK-DeparturesFunction-1ABC

Looks for what AWS would accept and run, and lose records by: event sources that retry too little, filter or run in \
parallel, tables with other keys or a TTL, permissions that are missing, variables that are unset, sizes that are too \
small, a release that aborts at a panic. What a replay cannot read in the template is told as well.
Each function is built and asked what its pipeline reads, which takes minutes the first time: that finds variables that it \
lacks, that are misspelt or that nothing reads, scenarios that put records under other partition keys than it takes, and \
functions chained through a stream that no scenario plays together. It is given the template's variables, and the way to AWS \
is shut. --no-build leaves this out.
With --aws the same is looked for in what is deployed, and that streams and tables are there, retention, concurrency, and \
by a simulation of IAM's what the role allows. It reads: lambda:ListFunctions, ListEventSourceMappings, \
GetFunctionConcurrency and GetAccountSettings, kinesis:DescribeStreamSummary, dynamodb:DescribeTable and \
DescribeTimeToLive, iam:SimulatePrincipalPolicy. No program is asked then: a pipeline says at start which variables it \
lacks.
Exit codes: 0 in order (warnings included), 1 errors, 2 it could not look.";

/// Options of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DoctorArguments {
    /// Print the findings as one JSON array
    #[arg(long)]
    json: bool,

    /// Look at the template alone: build no function, and ask none what it reads
    #[arg(long, conflicts_with = "aws")]
    no_build: bool,

    /// Look at what is deployed: account, region and credentials as in the environment
    #[arg(long)]
    aws: bool,

    /// With --aws: these functions alone, by their names [default: all that have a variable of tidemill's]
    #[arg(value_name = "FUNCTION", requires = "aws")]
    functions: Vec<String>,
}

/// Examines the template, and says what is wrong.
pub(super) async fn run(arguments: &DoctorArguments, template: Option<&Path>) -> Result<ExitCode, Error> {
    if arguments.aws {
        let (deployed, found) = examine_deployed(&arguments.functions).await?;
        let names: Vec<&str> = deployed.iter().map(|of| of.name.as_str()).collect();
        if names.is_empty() {
            return Err(Error::NotFound(String::from("no function here has a variable of tidemill's")));
        }
        return tell(arguments, &found, &listed(names));
    }
    let here = std::env::current_dir().map_err(|source| Error::system("tell the current folder", source))?;
    let path = Template::locate(template, &here)?;
    let mut findings = Findings::default();
    let Some(template) = Template::load(&path, &mut findings)? else {
        return findings.into_warnings().map(|_| ExitCode::SUCCESS);
    };
    // What cannot be resolved or read comes first: it hides more.
    template.given(&mut findings);
    findings.into_warnings()?;
    let asked = if arguments.no_build {
        Vec::new()
    } else {
        let terminal = Terminal::new();
        let asked = ask(&template, &terminal).await;
        terminal.pause();
        asked?
    };
    let found = examine(&template, &asked);
    tell(arguments, &found, &shown(&path).display().to_string())
}

/// Prints what was found of something.
fn tell(arguments: &DoctorArguments, found: &[Diagnosis], of: &str) -> Result<ExitCode, Error> {
    let text = if arguments.json { json(found) } else { text(found, of) };
    let written = unless_closed(stdout().write_all(text.as_bytes()));
    written.map_err(|source| Error::writing(Path::new("standard output"), source))?;
    Ok(ExitCode::from(u8::from(found.iter().any(|found| found.level == Level::Error))))
}

fn json(found: &[Diagnosis]) -> String {
    let shortened = |place: &Place| Place { file: shown(&place.file).to_path_buf(), ..*place };
    let shortened: Vec<Diagnosis> =
        found.iter().map(|found| Diagnosis { place: found.place.as_ref().map(shortened), ..found.clone() }).collect();
    // Plain data, which serialises.
    serde_json::to_string(&shortened).unwrap_or_default() + "\n"
}

fn text(found: &[Diagnosis], of: &str) -> String {
    let style = Style::of_stdout();
    let mut text = String::new();
    for Diagnosis { level, of, place, what, why, fix } in found {
        let level = match level {
            Level::Error => style.red("error:"),
            Level::Warning => style.yellow("warning:"),
        };
        let place = place.as_ref().map(|Place { file, line }| format!("{}:{line}: ", shown(file).display()));
        text.push_str(&format!("{}{level} {of}: {}\n", place.unwrap_or_default(), style.bold(what)));
        text.push_str(&format!("  {} {why}\n  {} {fix}\n", style.dim("why"), style.dim("fix")));
    }
    let count = |level| found.iter().filter(|found| found.level == level).count();
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    match (count(Level::Error), count(Level::Warning)) {
        (0, 0) => text.push_str(&format!("{} {of}: in order\n", style.green("✓"))),
        (errors, warnings) => {
            text.push_str(&format!("{}, {}\n", plural(errors, "error"), plural(warnings, "warning")));
        }
    }
    text
}
