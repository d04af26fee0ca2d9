//! Reading all that a replay needs, before anything is built or started.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::chaos::Plan;
use crate::error::Error;
use crate::findings::{Finding, Findings, listed, shown};
use crate::input::{self, PartitionKey, Record, check_pointer};
use crate::mapping::Ticks;
use crate::scenario::{Named, Scenario};
use crate::template::Template;

use super::chain::Chain;
use super::options::Options;
use super::pace::Pace;
use super::verdict::Expectation;
use super::{artifact, expectation, ticks};

/// A replay that can be run. Clones share what was read.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// How it was asked for.
    pub options: Options,
    /// The template.
    pub template: Arc<Template>,
    /// The scenario.
    pub scenario: Scenario,
    /// Its functions.
    pub chain: Chain,
    /// What would differ from AWS, and other doubts.
    pub warnings: Vec<Finding>,
    /// The executable to run in place of one that is built.
    pub(super) artifact: Option<PathBuf>,
    pub(super) records: Arc<[Record]>,
    /// How many shards the source has.
    pub(super) shards: u32,
    pub(super) expectation: Arc<Expectation>,
    /// The rhythm in which records come, if not all at once.
    pub(super) pace: Option<Pace>,
    /// The faults of the run at hand, if it has some.
    pub(super) disturbance: Option<Plan>,
    /// The scheduled events that each function gets.
    pub(super) ticks: Vec<Option<Ticks>>,
    /// The streams, tables and queues that are looked at one by one: physical names, with logical ones.
    pub(super) streams: BTreeMap<String, String>,
    pub(super) tables: BTreeMap<String, String>,
    pub(super) queues: BTreeMap<String, String>,
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
    let chain = Chain::read(&template, &scenario, &mut findings);
    let records = records(&options, &scenario, &mut findings)?;
    let stream = chain.as_ref().and_then(|chain| template.stream(chain.fed()));
    let own = stream.map_or(1, |stream| stream.shards);
    let usual = scenario.shards.unwrap_or(own);
    let shards = options.shards.unwrap_or(usual);
    let expectation = expectation::read(&options, &scenario, usual, &mut findings)?;
    let Some(chain) = chain else {
        return Err(invalid(findings));
    };
    let mut note = |line, message: String| findings.problem(&scenario.file, Some(line), message);
    let (streams, tables, queues) = (&scenario.expect_streams, &scenario.expect_tables, &scenario.expect_queues);
    let streams = physical(streams, "expect_streams", |name| chain.stream_named(name, &template), &mut note);
    let tables = physical(tables, "expect_tables", |name| chain.table_named(name, &template), &mut note);
    let queues = physical(queues, "expect_queues", |name| queue_named(name, &template), &mut note);
    let artifact = artifact(&options, &chain)?;
    let ticks = ticks::of(&options, &chain)?;
    let pace = pace(&options, &scenario, &records)?;
    Ok(Prepared {
        artifact,
        warnings: findings.into_warnings()?,
        shards,
        records: records.into(),
        expectation: Arc::new(expectation),
        pace,
        disturbance: None,
        ticks,
        streams,
        tables,
        queues,
        chain,
        scenario,
        template: Arc::new(template),
        options,
    })
}

/// The queue of that name or logical id, or why there is none.
fn queue_named<'a>(name: &str, template: &'a Template) -> Result<&'a str, String> {
    let found = template.queues().find(|(id, queue)| [*id, *queue].contains(&name)).map(|(_, queue)| queue);
    found.ok_or_else(|| {
        let known = listed(template.queues().map(|(id, _)| id));
        format!("no queue of {} has this name or logical id; there are {known}", shown(&template.path).display())
    })
}

/// Finds the streams, tables or queues of which something is expected; what is not there is a problem.
fn physical<'a>(
    expected: &[Named],
    key: &str,
    find: impl Fn(&str) -> Result<&'a str, String>,
    problem: &mut impl FnMut(usize, String),
) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for Named { name, line, .. } in expected {
        match find(name) {
            Ok(physical) => drop(found.insert(physical.to_owned(), name.clone())),
            Err(why) => problem(*line, format!("{key}.{name}: {why}")),
        }
    }
    found
}

/// The executable that is given. One takes the place of one binary.
fn artifact(options: &Options, chain: &Chain) -> Result<Option<PathBuf>, Error> {
    let Some(path) = &options.artifact else {
        return Ok(None);
    };
    let programs: BTreeSet<String> = chain.functions.iter().map(|function| function.code.name()).collect();
    match programs.iter().collect::<Vec<_>>().as_slice() {
        [program] => artifact::find(path, program).map(Some),
        _ => Err(Error::Option(format!(
            "--artifact takes the place of one binary; the scenario runs {}",
            listed(programs.iter().map(String::as_str))
        ))),
    }
}

/// The rhythm that is asked for.
fn pace(options: &Options, scenario: &Scenario, records: &[Record]) -> Result<Option<Pace>, Error> {
    let Some(factor) = options.realtime else {
        return Ok(None);
    };
    match &scenario.arrival {
        Some(pointer) => Pace::of(records, pointer, factor).map(Some),
        None => Err(Error::Option(format!(
            "--realtime: {} does not say when records come; arrival = \"/landed_at\" names the time in each",
            shown(&scenario.file).display()
        ))),
    }
}

/// The findings as an error, where something could not be read because of them.
fn invalid(findings: Findings) -> Error {
    match findings.into_warnings() {
        Err(error) => error,
        Ok(warnings) => Error::Invalid(warnings),
    }
}

fn records(options: &Options, scenario: &Scenario, findings: &mut Findings) -> Result<Vec<Record>, Error> {
    if let Some(pointer) = &options.partition_key {
        check_pointer(pointer).map_err(|why| Error::Option(format!("--partition-key: {why}")))?;
    }
    let input = options.input.as_ref().unwrap_or(&scenario.input);
    let given = options.partition_key.as_ref().map(|pointer| PartitionKey::At(vec![pointer.clone()]));
    if options.input.is_none() && !input.is_file() {
        // The scenario's own findings say so.
        return Ok(Vec::new());
    }
    let mut records = input::read(input, given.as_ref().unwrap_or(&scenario.partition_key), findings)?;
    records.truncate(options.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)));
    Ok(records)
}

/// The last part of a path.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
