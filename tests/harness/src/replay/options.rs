//! What a replay can be asked for.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::chaos::FaultKind;
use crate::environment::Reuse;

/// How to replay a scenario. Whatever is `None` is as the scenario, else the template, says.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The template; the nearest one if `None`.
    pub template: Option<PathBuf>,
    /// The scenario's name.
    pub scenario: String,
    /// Other records than the scenario's.
    pub input: Option<PathBuf>,
    /// Another JSON pointer to the partition key.
    pub partition_key: Option<String>,
    /// So many of the records, the first ones; all if `None`.
    pub limit: Option<u64>,
    /// These records, counted from 1, leave the source stream before they are read.
    pub trim: Option<RangeInclusive<u64>>,
    /// What to compare the results with.
    pub expect: Expect,
    /// The number of shards of the source stream.
    pub shards: Option<u32>,
    /// The most records in a batch.
    pub batch_size: Option<u32>,
    /// So many environments, taking turns; `None` is as many as batches at once, the one that was used last first.
    pub environments: Option<u32>,
    /// Each shard keeps an environment of its own, where they do not take turns.
    pub sticky: bool,
    /// After so many invocations an environment ends, and the next one begins cold; never if `None`.
    pub recycle: Option<u32>,
    /// How often the function is killed.
    pub kills: u64,
    /// So many faults of these kinds, that no process has to die of.
    pub faults: Vec<(FaultKind, u64)>,
    /// How often the shards of each source stream are split or merged.
    pub reshards: u64,
    /// Chooses when it is killed, and what becomes of the shards when.
    pub seed: u64,
    /// How many scheduled events a function gets behind its input.
    pub ticks: u32,
    /// How far those are apart, in minutes; as the function's schedule says if `None`.
    pub tick_minutes: Option<u32>,
    /// Builds the function with the release profile.
    pub release: bool,
    /// Runs this executable; builds one if `None`.
    pub artifact: Option<PathBuf>,
    /// Shards take of the function as much as on AWS, and no more.
    pub limits: bool,
    /// A function whose time is up goes on for a while beside its successor.
    pub zombies: bool,
    /// So many times faster than they came, records come in their own rhythm; all at once if `None`.
    pub realtime: Option<f64>,
    /// Ends the input behind the last record, so that all windows close.
    pub drain: bool,
    /// Goes on from what was kept of the scenario: its tables and streams, the records behind theirs.
    pub resume: bool,
    /// Keeps the run's tables and sinks, for [`state`](crate::state) to look at.
    pub keep: bool,
}

/// What results are compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// What the scenario expects.
    Scenario,
    /// The lines of another file.
    File(PathBuf),
    /// Nothing.
    Nothing,
}

impl Options {
    /// Which environment takes an invocation.
    pub(super) fn reuse(&self) -> Reuse {
        match self.environments {
            Some(_) => Reuse::Turns,
            None if self.sticky => Reuse::Own,
            None => Reuse::Recent,
        }
    }

    /// A plain replay of a scenario.
    pub fn of(scenario: impl Into<String>) -> Self {
        Self {
            template: None,
            scenario: scenario.into(),
            input: None,
            partition_key: None,
            limit: None,
            trim: None,
            expect: Expect::Scenario,
            shards: None,
            batch_size: None,
            environments: None,
            sticky: false,
            recycle: None,
            kills: 0,
            faults: Vec::new(),
            reshards: 0,
            seed: 1,
            ticks: 0,
            tick_minutes: None,
            release: false,
            artifact: None,
            limits: false,
            zombies: false,
            realtime: None,
            drain: true,
            resume: false,
            keep: false,
        }
    }
}
