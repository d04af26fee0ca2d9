//! Where a replay's results and its summary go.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::Error;
use crate::replay::{Chaos, Report};
use crate::report::page;

use super::arguments::ReplayArguments;
use super::style::Style;
use super::{chaos, summary};

/// The files asked for.
pub(super) struct Outputs {
    results: Option<PathBuf>,
    late: Option<PathBuf>,
    quarantine: Option<PathBuf>,
    report: Option<PathBuf>,
    json: bool,
}

impl Outputs {
    /// Checks, before anything runs, that the standard output has one use and files have a folder.
    pub(super) fn new(arguments: &ReplayArguments) -> Result<Self, Error> {
        let outputs = Self {
            results: arguments.output.clone(),
            late: arguments.late.clone(),
            quarantine: arguments.quarantine.clone(),
            report: arguments.report.clone(),
            json: arguments.json,
        };
        let to_stdout = outputs.files().into_iter().flatten().filter(|path| is_stdout(path)).count();
        if to_stdout + usize::from(outputs.json) > 1 {
            return Err(Error::Option(String::from(
                "the standard output takes one of --json and a `-`; give the others a file",
            )));
        }
        let files = outputs.files().into_iter().chain([outputs.report.as_ref()]).flatten();
        for path in files.filter(|path| !is_stdout(path)) {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
                let source =
                    io::Error::new(io::ErrorKind::NotFound, format!("there is no folder {}", folder.display()));
                return Err(Error::writing(path, source));
            }
        }
        Ok(outputs)
    }

    fn files(&self) -> [Option<&PathBuf>; 3] {
        [self.results.as_ref(), self.late.as_ref(), self.quarantine.as_ref()]
    }

    /// Writes the files, then the summary: to the standard error if a file has the standard
    /// output.
    pub(super) fn write(&self, report: &Report) -> Result<(), Error> {
        self.write_files(report)?;
        self.write_page(report)?;
        self.write_summary(report, |style| summary::of(report, style))
    }

    /// Writes what came of seeds: the files hold what came out without faults.
    pub(super) fn write_chaos(&self, all: &[Chaos]) -> Result<(), Error> {
        if let Some(last) = all.last() {
            self.write_files(&last.calm)?;
            self.write_page(&last.disturbed)?;
        }
        self.write_summary(&all, |style| chaos::of(all, style))
    }

    fn write_files(&self, report: &Report) -> Result<(), Error> {
        let collected = &report.collected;
        let lines = [&collected.results, &collected.late, &collected.quarantined];
        for (path, lines) in self.files().into_iter().zip(lines) {
            if let Some(path) = path {
                write_lines(path, lines)?;
            }
        }
        Ok(())
    }

    fn write_page(&self, report: &Report) -> Result<(), Error> {
        let Some(path) = &self.report else { return Ok(()) };
        std::fs::write(path, page(report)).map_err(|source| Error::writing(path, source))
    }

    fn write_summary(&self, data: &impl Serialize, text: impl Fn(Style) -> String) -> Result<(), Error> {
        let stdout_taken = self.files().into_iter().flatten().any(|path| is_stdout(path));
        let written = if self.json {
            // A report is plain data, which serialises.
            let json = serde_json::to_string(data).unwrap_or_default();
            writeln!(io::stdout(), "{json}")
        } else if stdout_taken {
            write!(io::stderr(), "{}", text(Style::of_stderr()))
        } else {
            write!(io::stdout(), "{}", text(Style::of_stdout()))
        };
        unless_closed(written).map_err(|source| Error::writing(Path::new("standard output"), source))
    }
}

fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn write_lines(path: &Path, lines: &[String]) -> Result<(), Error> {
    let failed = |source| Error::writing(path, source);
    let out: Box<dyn Write> =
        if is_stdout(path) { Box::new(io::stdout().lock()) } else { Box::new(File::create(path).map_err(failed)?) };
    let mut out = BufWriter::new(out);
    let written = lines.iter().try_for_each(|line| writeln!(out, "{line}")).and_then(|()| out.flush());
    unless_closed(written).map_err(failed)
}

/// A reader that has seen enough, `head` say, is no error.
pub(super) fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
