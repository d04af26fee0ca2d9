//! Which functions run.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::findings::{Finding, Findings, listed};
use crate::near::did_you_mean;
use crate::scenario::Scenario;
use crate::template::{Function, Template, Variable};

/// The functions that a name stands for: those of a scenario, with its variables, or one by its logical id; without a
/// name, all that a Kinesis stream feeds. Doubts come along.
///
/// # Errors
/// A name that is neither, and what is wrong with the functions.
pub fn choose(template: &Template, name: Option<&str>) -> Result<(Vec<Function>, Vec<Finding>), Error> {
    let mut findings = Findings::default();
    let (ids, variables) = match name {
        None => (fed(template), BTreeMap::new()),
        Some(name) => named(template, name, &mut findings)?,
    };
    let read = |id: &String| template.function(id, &variables, &mut findings);
    let functions: Vec<Function> = ids.iter().filter_map(read).collect();
    let warnings = findings.into_warnings()?;
    if functions.is_empty() {
        return Err(Error::NotFound(String::from("no function of the template is fed by a Kinesis stream")));
    }
    Ok((functions, warnings))
}

fn named(
    template: &Template,
    name: &str,
    findings: &mut Findings,
) -> Result<(Vec<String>, BTreeMap<String, Variable>), Error> {
    let (scenarios, functions) = (Scenario::names(template.folder()), fed(template));
    if functions.iter().any(|id| id == name) {
        return Ok((vec![name.to_owned()], BTreeMap::new()));
    }
    if scenarios.iter().any(|scenario| scenario == name) {
        let scenario = Scenario::load(template.folder(), name, findings)?;
        return Ok(scenario.map(|scenario| (scenario.functions, scenario.environment)).unwrap_or_default());
    }
    let all = || scenarios.iter().chain(&functions).map(String::as_str);
    let near = did_you_mean(name, all());
    Err(Error::NotFound(format!(
        "`{name}` is no scenario and no function that a stream feeds; there are {}{near}",
        listed(all())
    )))
}

/// The functions with a Kinesis event.
fn fed(template: &Template) -> Vec<String> {
    let mut unread = Findings::default();
    let given = template.given(&mut unread).into_iter();
    given.map(|given| given.id).filter(|id| template.is_fed(id)).collect()
}
