//! What is wrong, or doubtful, in the files that a user wrote.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// One remark about a file, at a line where one is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file that the remark is about.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: Option<usize>,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", shown(&self.file).display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Problems and warnings, gathered so that a user sees all of them at once.
#[derive(Debug, Default)]
pub struct Findings {
    problems: Vec<Finding>,
    warnings: Vec<Finding>,
}

impl Findings {
    /// Notes something that keeps the harness from running.
    pub fn problem(&mut self, file: &Path, line: Option<usize>, message: impl Into<String>) {
        self.problems.push(finding(file, line, message.into()));
    }

    /// Notes something that runs, but otherwise than on AWS.
    pub fn warning(&mut self, file: &Path, line: Option<usize>, message: impl Into<String>) {
        self.warnings.push(finding(file, line, message.into()));
    }

    /// Takes over another collection's findings.
    pub fn append(&mut self, mut other: Self) {
        self.problems.append(&mut other.problems);
        self.warnings.append(&mut other.warnings);
    }

    /// The warnings if there is no problem, else all problems as one error.
    pub fn into_warnings(self) -> Result<Vec<Finding>, Error> {
        if self.problems.is_empty() { Ok(self.warnings) } else { Err(Error::Invalid(self.problems)) }
    }
}

fn finding(file: &Path, line: Option<usize>, message: String) -> Finding {
    Finding { file: file.to_path_buf(), line, message }
}

/// A path as the user would type it: relative to the current folder where it lies below it.
pub(crate) fn shown(path: &Path) -> &Path {
    std::env::current_dir().ok().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path)
}

/// "a, b and c", or what stands for an empty list.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match names.as_slice() {
        [] => String::from("none"),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
