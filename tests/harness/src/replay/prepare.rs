//! Reading all that a replay needs, before anything is built or started.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::findings::{Finding, Findings, shown};
use crate::input::{self, Record, check_pointer};
use crate::scenario::Scenario;
use crate::template::{Function, Template};

use super::artifact;
use super::options::{Expect, Options};
use super::verdict::{Expectation, Expected};

/// A replay that can be run.
#[derive(Debug)]
pub struct Prepared {
    /// How it was asked for.
    pub options: Options,
    /// The template.
    pub template: Template,
    /// The scenario.
    pub scenario: Scenario,
    /// Its function.
    pub function: Function,
    /// What would differ from AWS, and other doubts.
    pub warnings: Vec<Finding>,
    /// The executable to run in place of one that is built.
    pub(super) artifact: Option<PathBuf>,
    pub(super) records: Vec<Record>,
    pub(super) shards: u32,
    pub(super) batch_size: u32,
    pub(super) expectation: Expectation,
}

/// Reads template, scenario, records and expectations. All that is wrong with them is one error.
pub fn prepare(options: Options) -> Result<Prepared, Error> {
    let here = std::env::current_dir().map_err(|source| Error::system("tell the current folder", source))?;
    let path = Template::locate(options.template.as_deref(), &here)?;
    let mut findings = Findings::default();
    let Some(template) = Template::load(&path, &mut findings)? else {
        return Err(invalid(findings));
    };
    let Some(scenario) = Scenario::load(template.folder(), &options.scenario, &mut findings)? else {
        return Err(invalid(findings));
    };
    let function = function(&template, &scenario, &mut findings);
    let records = records(&options, &scenario, &mut findings)?;
    let stream = function.as_ref().and_then(|function| template.stream(&function.source.stream));
    let own = stream.map_or(1, |stream| stream.shards);
    let usual = scenario.shards.unwrap_or(own);
    let shards = options.shards.unwrap_or(usual);
    let expectation = expectation(&options, &scenario, usual, &mut findings)?;
    let Some(function) = function else {
        return Err(invalid(findings));
    };
    let batch_size = options.batch_size.or(scenario.batch_size);
    let artifact = options.artifact.as_deref().map(|path| artifact::find(path, &function.binary)).transpose()?;
    Ok(Prepared {
        artifact,
        warnings: findings.into_warnings()?,
        batch_size: batch_size.unwrap_or(function.source.batch_size),
        shards,
        records,
        expectation,
        function,
        scenario,
        template,
        options,
    })
}

/// The findings as an error, where something could not be read because of them.
fn invalid(findings: Findings) -> Error {
    match findings.into_warnings() {
        Err(error) => error,
        Ok(warnings) => Error::Invalid(warnings),
    }
}

fn function(template: &Template, scenario: &Scenario, findings: &mut Findings) -> Option<Function> {
    let id = &scenario.function;
    if !template.has(id) {
        let message = format!(
            "`{id}` is no resource of {}; its functions are {}",
            shown(&template.path).display(),
            template.functions()
        );
        findings.problem(&scenario.file, Some(scenario.function_line), message);
        return None;
    }
    template.function(id, findings)
}

fn records(options: &Options, scenario: &Scenario, findings: &mut Findings) -> Result<Vec<Record>, Error> {
    if let Some(pointer) = &options.partition_key {
        check_pointer(pointer).map_err(|why| Error::Option(format!("--partition-key: {why}")))?;
    }
    let input = options.input.as_ref().unwrap_or(&scenario.input);
    let pointer = options.partition_key.as_ref().unwrap_or(&scenario.partition_key);
    if options.input.is_none() && !input.is_file() {
        // The scenario's own findings say so.
        return Ok(Vec::new());
    }
    input::read(input, pointer, findings)
}

fn expectation(
    options: &Options,
    scenario: &Scenario,
    usual_shards: u32,
    findings: &mut Findings,
) -> Result<Expectation, Error> {
    let changed = changes_results(options, usual_shards);
    let results = match (&options.expect, &changed) {
        (Expect::Nothing, _) => return Ok(Expectation::Nothing(String::from("--expect none"))),
        (Expect::File(path), _) => Some(path),
        (Expect::Scenario, Some(option)) => {
            let why = format!("{option} changes the results (give --expect FILE)");
            return Ok(Expectation::Nothing(why));
        }
        (Expect::Scenario, None) => scenario.expect.as_ref(),
    };
    let late = scenario.expect_late.as_ref().filter(|_| changed.is_none());
    if results.is_none() && late.is_none() {
        let why = String::from("the scenario expects nothing");
        return Ok(Expectation::Nothing(why));
    }
    let mut read = |path: Option<&PathBuf>| match path {
        // The scenario's own findings say what is missing.
        Some(path) if !path.is_file() && options.expect == Expect::Scenario => Ok(None),
        Some(path) => Expected::read(path, findings).map(Some),
        None => Ok(None),
    };
    Ok(Expectation::Lines { results: read(results)?, late: read(late)? })
}

/// The first option that makes results other than the scenario expects.
fn changes_results(options: &Options, usual_shards: u32) -> Option<String> {
    if options.input.is_some() {
        return Some(String::from("--input"));
    }
    if options.partition_key.is_some() {
        return Some(String::from("--partition-key"));
    }
    if !options.drain {
        return Some(String::from("--no-drain"));
    }
    match options.shards {
        Some(shards) if shards != usual_shards => Some(format!("--shards {shards}")),
        _ => None,
    }
}

/// The last part of a path.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(change: impl Fn(&mut Options)) -> Option<String> {
        let mut options = Options::of("s");
        change(&mut options);
        changes_results(&options, 2)
    }

    #[test]
    fn some_options_change_what_comes_out() {
        assert_eq!(changed(|options| options.drain = false).as_deref(), Some("--no-drain"));
        assert_eq!(changed(|options| options.shards = Some(4)).as_deref(), Some("--shards 4"));
        assert_eq!(changed(|options| options.input = Some("x".into())).as_deref(), Some("--input"));
    }

    #[test]
    fn how_batches_are_made_and_retried_never_does() {
        let unchanged = changed(|options| {
            options.shards = Some(2);
            options.batch_size = Some(1);
            options.environments = Some(3);
            options.kills = 9;
        });
        assert_eq!(unchanged, None);
    }
}
