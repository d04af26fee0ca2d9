//! Why the harness could not do what it was asked.

use std::io;
use std::path::{Path, PathBuf};

use crate::findings::{Finding, shown};

/// An error of the harness itself, or of a function that cannot go on.
///
/// A replay whose results differ from the expected ones is no error: see
/// [`Verdict`](crate::replay::Verdict).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Files, or options, that cannot be used as they are.
    #[error("{}", lines(.0))]
    Invalid(Vec<Finding>),

    /// An option that cannot be used, or not together with another one.
    #[error("{0}")]
    Option(String),

    /// No template was found.
    #[error(
        "no template.yaml in {} or a folder above it: go to a tidemill project, or give --template FILE",
        .0.display()
    )]
    NoTemplate(PathBuf),

    /// No scenario of that name.
    #[error("no scenario `{name}` in {}: there {found}", shown(.folder).display())]
    NoScenario {
        /// The name asked for.
        name: String,
        /// Where scenarios lie.
        folder: PathBuf,
        /// The scenarios that exist, in words.
        found: String,
    },

    /// A file could not be read or written.
    #[error("cannot {verb} {}: {source}", shown(.path).display())]
    File {
        /// `read` or `write`.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// Cargo could not build the function.
    #[error("cannot build `{binary}`: {why}")]
    Build {
        /// The binary that was wanted.
        binary: String,
        /// What happened, with Cargo's own output.
        why: String,
    },

    /// A process or a socket of the harness itself failed.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },

    /// An emulator refused what the harness asked of it.
    #[error("the emulated {service} refused to {what}: {why}")]
    Emulator {
        /// `Kinesis` or `DynamoDB`.
        service: &'static str,
        /// What was asked.
        what: String,
        /// The answer.
        why: String,
    },

    /// What was asked for is not there.
    #[error("{0}")]
    NotFound(String),

    /// A port that is taken.
    #[error(
        "port {0} is in use: perhaps by another `cargo tidemill serve`. End that one, or give this one another --port"
    )]
    PortInUse(u16),

    /// A journal cannot be read.
    #[error(transparent)]
    Journal(#[from] tidemill_journal::Error),

    /// The function did not get on with a batch however often it was tried.
    #[error("{0}")]
    Stuck(Box<Stuck>),

    /// The same, with a way to see it again.
    #[error("{stuck}\nthe event stands in {}. To see it again: `cargo tidemill serve`, in another terminal\n  . .tidemill/serve/env && cargo lambda watch\nand in a third one\n  cargo lambda invoke {binary} --data-file {}", shown(.event).display(), shown(.event).display())]
    Reproducible {
        /// What happened.
        stuck: Box<Stuck>,
        /// The binary of the function.
        binary: String,
        /// The file with the event at which it failed last.
        event: PathBuf,
    },
}

/// A shard that makes no progress.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{function}` makes no progress on {shard}: {what} failed {attempts} times in a row\nlast failure: {last}{}",
    tail(.log)
)]
pub struct Stuck {
    /// The function's logical id.
    pub function: String,
    /// The shard that stands still.
    pub shard: String,
    /// What is tried again and again.
    pub what: String,
    /// How often it failed.
    pub attempts: u32,
    /// The last failure.
    pub last: String,
    /// The last lines that the function wrote.
    pub log: Vec<String>,
}

impl Error {
    /// A file that could not be read.
    pub fn reading(path: &Path, source: io::Error) -> Self {
        let (verb, path) = ("read", path.to_path_buf());
        Self::File { verb, path, source }
    }

    /// A file that could not be written.
    pub fn writing(path: &Path, source: io::Error) -> Self {
        let (verb, path) = ("write", path.to_path_buf());
        Self::File { verb, path, source }
    }

    /// Something of the operating system that failed.
    pub fn system(what: impl Into<String>, source: io::Error) -> Self {
        let what = what.into();
        Self::System { what, source }
    }
}

fn lines(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    lines.join("\n")
}

fn tail(log: &[String]) -> String {
    if log.is_empty() {
        return String::from("\nthe function wrote nothing to its log");
    }
    let lines: String = log.iter().map(|line| format!("\n  | {line}")).collect();
    format!("\nthe end of its log:{lines}")
}
