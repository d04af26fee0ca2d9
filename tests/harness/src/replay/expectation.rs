//! What a replay is compared with: what its scenario expects, unless its options say otherwise.

use std::path::Path;

use crate::error::Error;
use crate::findings::Findings;
use crate::scenario::Scenario;

use super::options::{Expect, Options};
use super::verdict::{Expectation, Expected, Part};

/// Reads what is expected. `usual_shards` is the number of the source's shards without options.
pub(super) fn read(
    options: &Options,
    scenario: &Scenario,
    usual_shards: u32,
    findings: &mut Findings,
) -> Result<Expectation, Error> {
    check_order(options, scenario, usual_shards, findings)?;
    let changed = changes_results(options, usual_shards);
    let given = match (&options.expect, &changed) {
        (Expect::Nothing, _) => return Ok(Expectation::Nothing(String::from("--expect none"))),
        (Expect::Scenario, Some(option)) => {
            let why = format!("{option} changes the results (give --expect FILE)");
            return Ok(Expectation::Nothing(why));
        }
        (Expect::File(path), _) => Some(path),
        (Expect::Scenario, None) => None,
    };
    let mut parts = Vec::new();
    // Shards that are split are delivered side by side.
    let ordered = scenario.expect_order.is_some() && options.reshards == 0;
    if let Some(path) = given {
        parts.push((Part::Results { ordered }, Expected::read(path, findings)?));
    }
    for (part, path) in of_scenario(scenario, ordered) {
        let replaced = given.is_some() && matches!(part, Part::Results { .. });
        // The scenario's own findings say what is missing.
        if changed.is_none() && !replaced && path.is_file() {
            parts.push((part, Expected::read(path, findings)?));
        }
    }
    Ok(if parts.is_empty() {
        Expectation::Nothing(String::from("the scenario expects nothing"))
    } else {
        Expectation::Lines(parts)
    })
}

/// Everything that a scenario expects.
fn of_scenario(scenario: &Scenario, ordered: bool) -> impl Iterator<Item = (Part, &Path)> {
    let results = scenario.expect.iter().map(move |path| (Part::Results { ordered }, path));
    let late = || Part::Late { fields: scenario.late_fields.clone() };
    let late = scenario.expect_late.iter().map(move |path| (late(), path));
    let streams = scenario.expect_streams.iter().map(|named| (Part::Stream(named.name.clone()), &named.path));
    let tables = scenario.expect_tables.iter().map(|named| (Part::Table(named.name.clone()), &named.path));
    let queue = |name: &String| Part::Queue { name: name.clone(), fields: scenario.queue_fields.clone() };
    let queues = scenario.expect_queues.iter().map(move |named| (queue(&named.name), &named.path));
    results.chain(late).chain(streams).chain(tables).chain(queues).map(|(part, path)| (part, path.as_path()))
}

/// Shards are delivered at once, each in its own order.
fn check_order(
    options: &Options,
    scenario: &Scenario,
    usual_shards: u32,
    findings: &mut Findings,
) -> Result<(), Error> {
    let Some(line) = scenario.expect_order else {
        return Ok(());
    };
    if usual_shards > 1 {
        let message = format!(
            "expect_order: the source has {usual_shards} shards, whose results have no one order; set shards = 1"
        );
        findings.problem(&scenario.file, Some(line), message);
    }
    match (options.shards, &options.expect) {
        (Some(shards), Expect::File(_)) if shards > 1 => Err(Error::Option(format!(
            "--shards {shards} with --expect: the scenario compares results in their order, which one shard alone gives"
        ))),
        _ => Ok(()),
    }
}

/// The first option that makes results other than the scenario expects.
fn changes_results(options: &Options, usual_shards: u32) -> Option<String> {
    if options.input.is_some() {
        return Some(String::from("--input"));
    }
    if options.partition_key.is_some() {
        return Some(String::from("--partition-key"));
    }
    if options.trim.is_some() {
        return Some(String::from("--trim"));
    }
    if options.limit.is_some() {
        return Some(String::from("--limit"));
    }
    if !options.drain {
        return Some(String::from("--no-drain"));
    }
    match options.shards {
        Some(shards) if shards != usual_shards => Some(format!("--shards {shards}")),
        _ => None,
    }
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
            options.reshards = 9;
        });
        assert_eq!(unchanged, None);
    }
}
