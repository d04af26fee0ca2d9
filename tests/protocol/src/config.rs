//! What a configuration fixes: the stream, the environments, and how much may go wrong.

use crate::rules::renewal::Freedom;
use crate::step::Event;
use crate::{Code, Mutant};

/// One shard of the source stream.
#[derive(Clone, Debug)]
pub struct Shard {
    pub(crate) parents: Vec<usize>,
    /// The first and the last cell that it owns.
    pub(crate) cells: (u8, u8),
    /// The ids of its records: `first..=last`, none if `last < first`.
    pub(crate) first: u8,
    pub(crate) last: u8,
}

impl Shard {
    pub(crate) const fn owns(&self, cell: u8) -> bool {
        self.cells.0 <= cell && cell <= self.cells.1
    }
}

/// How often each fault may happen in one run. What is exhausted at 1 or 2 is where the flaws of two rounds of models
/// were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// An environment ends without a word; its memory is lost.
    pub(crate) crashes: u8,
    /// An invocation is given up by the event source and goes on all the same.
    pub(crate) zombies: u8,
    /// A put that gets no answer ends in an error; the environment's memory is kept.
    pub(crate) errors: u8,
    /// The answer of a write is lost.
    pub(crate) lost: u8,
    /// A write stays in the network and lands any time later.
    pub(crate) late: u8,
    /// The event source gives a batch up after a failure.
    pub(crate) give_ups: u8,
    /// Ticks.
    pub(crate) ticks: u8,
    /// `state upgrade`.
    pub(crate) upgrades: u8,
    /// `state sweep`, which frees what a sealed parent holds.
    pub(crate) sweeps: u8,
}

/// What an operator does once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Throws the journal away; the stream is processed from its start.
    Drop,
    /// Begins a new life with the state as of an earlier commit.
    Restore,
}

/// A configuration of the [`World`](crate::World).
#[derive(Clone, Debug)]
pub struct Config {
    /// What it is called in the table of the crate's documentation.
    pub name: &'static str,
    pub(crate) events: Vec<Event>,
    pub(crate) shards: Vec<Shard>,
    /// R.
    pub(crate) ring: u8,
    /// The environments, by the code that they run.
    pub(crate) environments: Vec<Code>,
    /// Records a batch.
    pub(crate) batch: u8,
    /// Outputs a commit.
    pub(crate) cap: usize,
    pub(crate) budget: Budget,
    pub(crate) freedom: Freedom,
    /// A load reads slot by slot and image by image, from any record found.
    pub(crate) torn_loads: bool,
    /// Any batch may go to any environment at any time: no order, no one at a time. More than a zombie can do.
    pub(crate) wild_source: bool,
    /// Children are delivered before their parents are done; initialisers look whether the parent is drained.
    pub(crate) early_children: bool,
    /// Flush marks are written and read.
    pub(crate) marks: bool,
    /// Marks carry due times, and ticks rest on them.
    pub(crate) due_times: bool,
    /// The time that a tick says.
    pub(crate) now: u8,
    pub(crate) operation: Option<Operation>,
    /// The operator waits until every invocation has ended.
    pub(crate) operator_waits: bool,
    /// No journal is followed beyond this record.
    pub(crate) commits: u8,
    /// The rule that is broken.
    pub(crate) mutant: Option<Mutant>,
}

impl Config {
    /// The same with a rule broken.
    pub fn breaking(self, mutant: Mutant) -> Self {
        Self { mutant: Some(mutant), ..self }
    }

    /// One shard without faults.
    pub(crate) fn of(name: &'static str, events: Vec<Event>) -> Self {
        let last = events.len() as u8;
        Self {
            name,
            events,
            shards: vec![Shard { parents: Vec::new(), cells: (0, crate::step::CELLS as u8 - 1), first: 1, last }],
            ring: 2,
            environments: vec![Code::Old; 2],
            batch: 2,
            cap: 2,
            budget: Budget::default(),
            freedom: Freedom { early: false, reshape: false, again: false },
            torn_loads: false,
            wild_source: false,
            early_children: false,
            marks: false,
            due_times: false,
            now: 9,
            operation: None,
            operator_waits: false,
            commits: 9,
            mutant: None,
        }
    }
}
