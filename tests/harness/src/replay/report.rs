//! What a replay found.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::environment::KillKind;

use super::sinks::Collected;
use super::verdict::{Differences, Verdict};

/// What a replay found, in numbers; written as one JSON object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's title.
    pub title: String,
    /// The function's logical id.
    pub function: String,
    /// Records put on the source stream.
    pub records: u64,
    /// Batches delivered.
    pub batches: u64,
    /// Invocations, of whatever outcome.
    pub invocations: u64,
    /// Invocations that sent again what an earlier one did not get done.
    pub retries: u64,
    /// Kills that happened.
    pub kills: u64,
    /// Those, by what they interrupted.
    pub kills_by_kind: BTreeMap<KillKind, u64>,
    /// Results, repeats dropped.
    pub results: u64,
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

/// Lines that were compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// How many are expected.
    pub lines: u64,
    /// `results` or `late`.
    pub what: &'static str,
    /// The name of the file that they stand in.
    pub file: String,
}
