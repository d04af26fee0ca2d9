//! Which functions a scenario runs, and what flows between them.

use std::collections::{BTreeMap, BTreeSet};

use crate::findings::{Findings, listed, shown};
use crate::scenario::Scenario;
use crate::template::{Function, Roles, Template, logical_name};

/// The functions of a scenario, chained through streams: each stands behind those that feed it.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The functions. The first is fed with the scenario's records.
    pub functions: Vec<Function>,
}

impl Chain {
    /// Reads the functions that a scenario names. `None` if one cannot be read or is fed by nothing;
    /// what is wrong stands in `findings`.
    pub(crate) fn read(template: &Template, scenario: &Scenario, findings: &mut Findings) -> Option<Self> {
        let mut functions: Vec<Function> = Vec::new();
        let mut complete = true;
        for id in &scenario.functions {
            let Some(function) = function(template, scenario, id, findings) else {
                complete = false;
                continue;
            };
            // Behind one that could not be read, nothing is sure to be misplaced.
            if let Some(why) = misplaced(&functions, &function).filter(|_| complete) {
                findings.problem(&scenario.file, Some(scenario.functions_line), why);
                return None;
            }
            functions.push(function);
        }
        (complete && !functions.is_empty()).then_some(Self { functions })
    }

    /// The stream that the scenario's records are put on.
    pub fn fed(&self) -> &str {
        self.functions.first().map_or("", |function| &function.source.stream)
    }

    /// The places of the functions that write to what the function at `place` reads.
    pub(super) fn upstream(&self, place: usize) -> Vec<usize> {
        let stream = self.functions[place].source.stream.as_str();
        (0..place).filter(|before| self.functions[*before].roles.sinks().contains(stream)).collect()
    }

    /// How many functions read a stream.
    pub(super) fn readers(&self, stream: &str) -> usize {
        self.functions.iter().filter(|function| function.source.stream == stream).count()
    }

    /// Every stream that a function reads.
    pub(super) fn read_streams(&self) -> BTreeSet<&str> {
        self.functions.iter().map(|function| function.source.stream.as_str()).collect()
    }

    /// Every stream that a function sends to.
    pub(super) fn written_streams(&self) -> BTreeSet<&str> {
        self.functions.iter().flat_map(|function| function.roles.all_streams()).collect()
    }

    /// The streams of quarantines that are nothing else.
    pub(super) fn quarantines(&self) -> BTreeSet<&str> {
        let sinks: BTreeSet<&str> = self.functions.iter().flat_map(|function| function.roles.sinks()).collect();
        let quarantines = self.functions.iter().filter_map(|function| function.roles.quarantine.as_deref());
        quarantines.filter(|stream| !sinks.contains(stream)).collect()
    }

    /// Every table that a function writes results to. Of one that is not tidemill's it is any table but for journals'.
    pub(super) fn result_tables(&self, template: &Template) -> BTreeSet<String> {
        let sinks = self.functions.iter().flat_map(|function| function.roles.tables.values().cloned());
        let any = self.functions.iter().any(|function| !function.is_pipeline());
        let journals = self.journal_tables();
        let others = template.tables.iter().map(|table| &table.name).filter(|name| any && !journals.contains(name));
        sinks.chain(others.cloned()).collect()
    }

    /// Every table that a function keeps journals in.
    pub(super) fn journal_tables(&self) -> Vec<String> {
        let tables: BTreeSet<&str> = self.functions.iter().filter_map(Function::journal_table).collect();
        tables.into_iter().map(str::to_owned).collect()
    }

    /// The stream that pipelines, or else the template, call so, or why there is none.
    pub(super) fn stream_named<'a>(&'a self, name: &str, template: &'a Template) -> Result<&'a str, String> {
        let streams = template.streams.iter().map(|stream| (stream.id.as_str(), stream.name.as_str()));
        self.named(name, "TIDEMILL_STREAM_", |roles| &roles.streams, streams)
    }

    /// The table that pipelines, or else the template, call so, or why there is none.
    pub(super) fn table_named<'a>(&'a self, name: &str, template: &'a Template) -> Result<&'a str, String> {
        let tables = template.tables.iter().map(|table| (table.id.as_str(), table.name.as_str()));
        self.named(name, "TIDEMILL_TABLE_", |roles| &roles.tables, tables)
    }

    fn named<'a>(
        &'a self,
        given: &str,
        prefix: &str,
        of: impl Fn(&'a Roles) -> &'a BTreeMap<String, String>,
        resources: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<&'a str, String> {
        let all = || self.functions.iter().flat_map(|function| of(&function.roles));
        let name = logical_name(given);
        let found: BTreeSet<&str> =
            all().filter(|(known, _)| **known == name).map(|(_, found)| found.as_str()).collect();
        match found.iter().collect::<Vec<_>>().as_slice() {
            [one] => Ok(one),
            [] => {
                let resources: Vec<_> = resources.collect();
                let called = |(id, physical): &&(_, _)| [*id, *physical].contains(&given);
                if let Some((_, physical)) = resources.iter().find(called) {
                    return Ok(physical);
                }
                let logical: BTreeSet<&str> = all().map(|(known, _)| known.as_str()).collect();
                let known = logical.into_iter().chain(resources.iter().map(|(id, _)| *id));
                Err(format!(
                    "no variable {prefix}… of its functions, and no resource, has this name; there are {}",
                    listed(known)
                ))
            }
            _ => Err(format!("its functions mean different ones by this name: {}", listed(found))),
        }
    }
}

fn function(template: &Template, scenario: &Scenario, id: &str, findings: &mut Findings) -> Option<Function> {
    if template.has(id) {
        return template.function(id, &scenario.environment, findings);
    }
    let message = format!(
        "`{id}` is no resource of {}; its functions are {}{}",
        shown(&template.path).display(),
        template.functions(),
        template.function_like(id)
    );
    findings.problem(&scenario.file, Some(scenario.functions_line), message);
    None
}

/// Why a function cannot stand behind these.
fn misplaced(before: &[Function], function: &Function) -> Option<String> {
    let Function { id, source, .. } = function;
    let (first, stream) = (before.first()?, &source.stream);
    if before.iter().any(|other| other.id == *id) {
        return Some(format!("functions has `{id}` twice"));
    }
    let fed = *stream == first.source.stream;
    if fed || before.iter().any(|other| other.roles.sinks().contains(stream.as_str())) {
        // A loop would have no end, and an input that ends in no order.
        let back = |other: &&Function| function.roles.sinks().contains(other.source.stream.as_str());
        let other = before.iter().find(back)?;
        return Some(format!(
            "`{id}` writes to `{}`, which `{}` before it reads: a loop",
            other.source.stream, other.id
        ));
    }
    let written: BTreeSet<&str> = before.iter().flat_map(|other| other.roles.sinks()).collect();
    Some(format!(
        "`{id}` reads the stream `{stream}`, which no function before it in `functions` writes to; they write to {}",
        listed(written)
    ))
}
