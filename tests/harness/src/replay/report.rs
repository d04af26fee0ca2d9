//! What a replay found.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use crate::chaos::FaultKind;
use crate::cost::{Cost, Used};
use crate::emulators::{Emulators, Usage};
use crate::environment::KillKind;
use crate::error::Error;
use crate::history::Told;
use crate::mapping::{Link, Mapping};
use crate::permission::Permission;
use crate::template::Function;

use super::prepare::{Prepared, file_name};
use super::resharded::Resharded;
use super::sinks::Collected;
use super::verdict::{Differences, Expectation, Verdict};

/// What a replay found, in numbers; written as one JSON object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's title.
    pub title: String,
    /// The logical ids of its functions, in the order of the flow.
    pub function: String,
    /// Records put on the source stream.
    pub records: u64,
    /// Batches delivered.
    pub batches: u64,
    /// Invocations, of whatever outcome.
    pub invocations: u64,
    /// Invocations that sent again what an earlier one did not get done.
    pub retries: u64,
    /// Scheduled events that functions took.
    #[serde(skip_serializing_if = "is_none")]
    pub ticks: u64,
    /// Kills that happened.
    pub kills: u64,
    /// Those, by what they interrupted.
    pub kills_by_kind: BTreeMap<KillKind, u64>,
    /// Other faults that happened, by kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub faults: BTreeMap<FaultKind, u64>,
    /// What each function did; the numbers above and below are their sums.
    pub functions: Vec<Share>,
    /// What became of the shards of source streams; empty if they were left alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resharded: Vec<Resharded>,
    /// Whether a function is a pipeline of tidemill's, which alone has late records and a quarantine.
    #[serde(skip)]
    pub pipelines: bool,
    /// Results, repeats dropped; where only final ones count, those alone.
    pub results: u64,
    /// Results, those included that are not final; `None` where all count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fired: Option<u64>,
    /// Events that stand in a stream again.
    pub repeats: u64,
    /// Late records.
    pub late: u64,
    /// Quarantined records.
    pub quarantined: u64,
    /// Records that a shard's limits refused, each as often as it was; `None` without limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttled: Option<u64>,
    /// Write capacity units of the function's requests.
    pub write_units: f64,
    /// Read capacity units of the function's requests.
    pub read_units: f64,
    /// The function's requests by kind.
    pub requests: BTreeMap<String, u64>,
    /// CPU time of all the function's processes; `None` where the system does not tell.
    pub function_cpu_ms: Option<u64>,
    /// The longest invocation, of whatever outcome.
    pub longest_invocation_ms: u64,
    /// Time from the first invocation to the last result read.
    pub wall_ms: u64,
    /// What it would have cost on AWS.
    pub cost: Cost,
    /// How it went, over time.
    #[serde(skip)]
    pub history: Told,
    /// The folder that the run is kept in, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<PathBuf>,
    /// How it compares with what was expected.
    pub verdict: Verdict,
    /// Where it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differences: Option<Differences>,
    /// What it was compared with.
    #[serde(skip)]
    pub compared: Vec<Compared>,
    /// All that came out.
    #[serde(skip)]
    pub collected: Collected,
}

/// What one function of a replay did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Share {
    /// Its logical id.
    pub function: String,
    /// Records of its stream that it is done with: delivered, given up or filtered out.
    pub records: u64,
    /// Batches delivered to it.
    pub batches: u64,
    /// Its invocations, of whatever outcome.
    pub invocations: u64,
    /// Its invocations that sent again what an earlier one did not get done.
    pub retries: u64,
    /// Scheduled events that it took.
    #[serde(skip_serializing_if = "is_none")]
    pub ticks: u64,
    /// Its kills that happened, by what they interrupted.
    pub kills_by_kind: BTreeMap<KillKind, u64>,
    /// Write capacity units of its requests.
    pub write_units: f64,
    /// Read capacity units of its requests.
    pub read_units: f64,
    /// Its requests by kind.
    pub requests: BTreeMap<String, u64>,
    /// What its requests need of IAM.
    pub permissions: BTreeSet<Permission>,
    /// CPU time of its processes; `None` where the system does not tell.
    pub cpu_ms: Option<u64>,
    /// Its longest invocation, of whatever outcome.
    pub longest_invocation_ms: u64,
    /// Its environments that were started.
    pub cold_starts: u64,
    /// The longest start of one, until it asked for its first invocation.
    pub longest_init_ms: u64,
    /// The most memory that one of its processes had; `None` where the system does not tell.
    pub peak_memory_mb: Option<u64>,
    /// Records that it did not get in the end, since its event source gave them up.
    #[serde(skip_serializing_if = "is_none")]
    pub given_up: u64,
    /// Records that its event source filtered out.
    #[serde(skip_serializing_if = "is_none")]
    pub filtered: u64,
}

/// Lines that were compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// How many are expected.
    pub lines: u64,
    /// `results`, `late`, or in which stream or table.
    pub what: String,
    /// The name of the file that they stand in.
    pub file: String,
}

impl Prepared {
    /// What came of a run; `cpu` is that of each link's function.
    pub(super) fn report(
        &self,
        links: &[Link],
        emulators: &Emulators,
        collected: Collected,
        cpu: &[Option<Duration>],
        wall: Duration,
        history: Told,
    ) -> Result<Report, Error> {
        let cost = Cost::of(self.used(links, history.events_per_second), None);
        let functions: Vec<Share> = links.iter().zip(cpu).map(|(link, cpu)| share(&link.mapping, *cpu)).collect();
        let verdict = self.expectation.judge(&collected)?;
        let sum = |of: fn(&Share) -> u64| functions.iter().map(of).sum();
        Ok(Report {
            scenario: self.scenario.name.clone(),
            title: self.scenario.title.clone(),
            function: self.scenario.functions.join(" > "),
            records: functions.first().map_or(0, |first| first.records),
            batches: sum(|share| share.batches),
            invocations: sum(|share| share.invocations),
            retries: sum(|share| share.retries),
            ticks: sum(|share| share.ticks),
            kills: sum(|share| share.kills_by_kind.values().sum()),
            kills_by_kind: added(functions.iter().flat_map(|share| share.kills_by_kind.clone())),
            faults: emulators.faults.happened(),
            pipelines: self.chain.functions.iter().any(Function::is_pipeline),
            results: collected.results.len() as u64,
            fired: (!self.scenario.final_by.is_empty()).then_some(collected.fired),
            repeats: collected.repeats,
            late: collected.late.len() as u64,
            quarantined: collected.quarantined.len() as u64,
            throttled: emulators.limits.as_ref().map(|limits| limits.throttled()),
            write_units: functions.iter().map(|share| share.write_units).sum(),
            read_units: functions.iter().map(|share| share.read_units).sum(),
            requests: added(functions.iter().flat_map(|share| share.requests.clone())),
            function_cpu_ms: functions.iter().map(|share| share.cpu_ms).sum(),
            longest_invocation_ms: functions.iter().map(|share| share.longest_invocation_ms).max().unwrap_or(0),
            wall_ms: millis(wall),
            cost,
            history,
            kept: None,
            resharded: Vec::new(),
            differences: match &verdict {
                Verdict::Differs(differences) => Some(differences.clone()),
                Verdict::Holds | Verdict::NotCompared(_) => None,
            },
            verdict,
            compared: self.expectation.compared(),
            functions,
            collected,
        })
    }
}

impl Prepared {
    /// What all functions of a run used.
    fn used(&self, links: &[Link], events_per_second: Option<f64>) -> Used {
        let mut used = Used { scenario: self.scenario.name.clone(), events_per_second, ..Used::default() };
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        for (place, Link { mapping, .. }) in links.iter().enumerate() {
            let (tally, deployment) = (&mapping.tally, mapping.pool.deployment());
            let usage = deployment.meter.total();
            used.records += if place == 0 { of(&tally.records) } else { 0 };
            used.batches += of(&tally.batches);
            used.invocations += of(&tally.invocations);
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of a run are exact in 53 bits")]
            let seconds = usage.billed_ms as f64 / 1_000.0;
            used.gb_seconds += seconds * f64::from(deployment.function.memory) / 1_024.0;
            used.write_units += usage.write_units;
            used.first_lap_units += usage.transaction_units / 2.0;
            used.read_units += usage.read_units;
            used.put_requests += usage.put_requests;
            used.put_units += usage.put_units;
        }
        used
    }
}

fn share(mapping: &Mapping, cpu: Option<Duration>) -> Share {
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (tally, deployment) = (&mapping.tally, mapping.pool.deployment());
    let Usage { requests, write_units, read_units, permissions, .. } = deployment.meter.total();
    Share {
        function: deployment.function.id.clone(),
        records: of(&tally.records),
        batches: of(&tally.batches),
        invocations: of(&tally.invocations),
        retries: of(&tally.retries),
        ticks: of(&tally.ticks),
        kills_by_kind: mapping.pool.plan(|plan| plan.kills()),
        write_units,
        read_units,
        requests,
        permissions,
        cpu_ms: cpu.map(millis),
        longest_invocation_ms: of(&deployment.longest_ms),
        cold_starts: of(&deployment.started),
        longest_init_ms: of(&deployment.observed.longest_init_ms),
        peak_memory_mb: Some(of(&deployment.observed.peak_memory) >> 20).filter(|peak| *peak > 0),
        given_up: of(&tally.given_up),
        filtered: of(&tally.filtered),
    }
}

/// Counts of the same kind, added.
fn added<K: Ord>(counts: impl Iterator<Item = (K, u64)>) -> BTreeMap<K, u64> {
    let mut sums = BTreeMap::new();
    for (kind, count) in counts {
        *sums.entry(kind).or_default() += count;
    }
    sums
}

impl Expectation {
    fn compared(&self) -> Vec<Compared> {
        let Self::Lines(parts) = self else {
            return Vec::new();
        };
        let compared = parts.iter().map(|(part, expected)| Compared {
            lines: expected.len() as u64,
            what: part.to_string(),
            file: file_name(&expected.path),
        });
        compared.collect()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
