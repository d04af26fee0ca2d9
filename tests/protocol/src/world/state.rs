//! What the checker's states are made of.

use crate::record::{Image, ImageId, Name, Output, Progress, Record};
use crate::rules::commit::Draft;
use crate::step::Cells;
use crate::table::Table;
use crate::view::View;
use crate::{Budget, Code, Violation};

/// Everything that there is: the table, what stands downstream, environments, event source, network.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(crate) tables: Vec<Table>,
    pub(crate) environments: Vec<Environment>,
    pub(crate) source: Vec<Deliveries>,
    pub(crate) network: Vec<Message>,
    pub(crate) budget: Budget,
    pub(crate) operator: Operator,
    /// The next incarnation that is drawn.
    pub(crate) next_incarnation: u8,
    /// The incarnations that any record 1 ever stood under, by bits.
    pub(crate) lives: u16,
    pub(crate) ghosts: Vec<Ghost>,
    pub(crate) broken: Vec<Violation>,
}

/// A Lambda environment. It keeps its views between invocations.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Environment {
    pub(crate) code: Code,
    pub(crate) views: Vec<Option<View>>,
    pub(crate) job: Option<Job>,
    /// The innermost last: to begin a child's journal is to seal its parents first.
    pub(crate) tasks: Vec<Task>,
    pub(crate) at: At,
}

/// What an environment was invoked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Job {
    pub(crate) shard: usize,
    /// The batch, if it is one.
    pub(crate) batch: Option<(u8, u8)>,
    /// Whether the event source still waits for its answer.
    pub(crate) is_live: bool,
}

/// What is to be done with one journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Task {
    pub(crate) journal: usize,
    pub(crate) goal: Goal,
    /// A load found no record 1.
    pub(crate) is_absent: bool,
    /// The source was asked: nothing lies behind the position.
    pub(crate) is_drained: bool,
    /// The view was brought up to what others committed before this task.
    pub(crate) has_followed: bool,
    /// The mark is to be asked for the due time first.
    pub(crate) asks_mark: bool,
    /// The parents were asked whether they are sealed.
    pub(crate) is_asked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Goal {
    Batch(u8, u8),
    Tick,
    /// To see whether it is sealed.
    Look,
    Seal,
    Upgrade,
}

/// The remote operation that an environment is at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum At {
    Idle,
    Load,
    LoadRecords {
        head: Record,
        got: Vec<Record>,
    },
    LoadImages {
        records: Vec<Record>,
        got: Vec<Image>,
        wanted: Vec<ImageId>,
    },
    CatchUp {
        after_conflict: bool,
        has_moved: bool,
    },
    AskMark,
    ReadMark,
    Send {
        acknowledged: u8,
    },
    WriteMark,
    /// No remote operation: which parts to renew is open.
    Plan(Record),
    LowerMark(Draft),
    WriteImages(Draft),
    Put(Draft),
    /// Only where a rule is broken: what should have been written before the put.
    WriteImagesLate(Draft),
    LookAtSource,
    Verify,
    Return {
        is_success: bool,
    },
}

/// What the event source still has to deliver of a shard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Deliveries {
    /// The first record never delivered.
    pub(crate) next: u8,
    /// Batches that failed, to be delivered first.
    pub(crate) again: Vec<(u8, u8)>,
}

/// A request under way that nobody waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Message {
    Put(usize, Record),
    Output { journal: usize, incarnation: u8, number: u8, index: u8 },
}

/// How far the operator is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operator {
    Before,
    Deleting(Restored),
    Forgetting(Restored),
    Writing(Restored),
    Done,
}

/// What the new life begins with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Restored {
    pub(crate) state: Option<(Progress, Cells)>,
    /// The record that it goes back to.
    pub(crate) number: u8,
    /// The outputs of that record that are not known to be sent.
    pub(crate) unsent: Vec<Output>,
    /// Only where a rule is broken: the names of the old life.
    pub(crate) names: Vec<Name>,
}

/// What really happened to a journal in its present life, which no environment can see. The invariants compare with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ghost {
    /// All records, in order.
    pub(crate) history: Vec<Record>,
    /// The cells that record 1 began with.
    pub(crate) origin: Cells,
    /// Which outputs of each record stand downstream.
    pub(crate) arrived: Vec<u8>,
}

impl Ghost {
    pub(crate) const NONE: Self = Self { history: Vec::new(), origin: [0; crate::step::CELLS], arrived: Vec::new() };

    pub(crate) fn incarnation(&self) -> Option<u8> {
        self.history.first().map(|record| record.incarnation)
    }

    /// The cells after record `number`.
    pub(crate) fn cells(&self, number: u8) -> Cells {
        let mut cells = self.origin;
        for record in self.history.iter().take(usize::from(number)) {
            record.changes.iter().for_each(|change| crate::step::apply(&mut cells, *change));
        }
        cells
    }

    /// Whether any record has the later format.
    fn has_later_format(&self) -> bool {
        self.history.iter().any(|record| record.format == 2)
    }

    /// Whether a record carries the outputs of the one before it along: an upgrade's.
    pub(crate) fn carries(before: &Record, record: &Record) -> bool {
        record.format > before.format && !record.outputs.is_empty() && record.outputs == before.outputs
    }

    /// Appends a record. Outputs that it carries along are its own from now on, as far as they have not arrived.
    pub(crate) fn append(&mut self, record: Record) {
        let is_carrying = self.history.last().is_some_and(|before| Self::carries(before, &record));
        let arrived = self.arrived.last_mut().filter(|_| is_carrying);
        let carried = arrived.map_or(0, |arrived| std::mem::replace(arrived, all_of(record.outputs.len())));
        self.arrived.push(carried);
        self.history.push(record);
    }

    /// Notes that an output stands downstream: also in a record that carries it along.
    pub(crate) fn note(&mut self, number: u8, index: u8) {
        let at = usize::from(number) - 1;
        self.arrived[at] |= 1 << index;
        let next = self.history.get(at + 1).is_some_and(|next| Self::carries(&self.history[at], next));
        if next {
            self.arrived[at + 1] |= 1 << index;
        }
    }

    /// Whether all outputs of records up to `number` stand downstream.
    pub(crate) fn are_sent(&self, number: u8) -> bool {
        let all = self.history.iter().zip(&self.arrived).take(usize::from(number));
        all.into_iter().all(|(record, arrived)| *arrived == all_of(record.outputs.len()))
    }
}

/// The bits of so many outputs.
pub(crate) const fn all_of(outputs: usize) -> u8 {
    (1 << outputs) - 1
}

impl State {
    /// Whether the operator had the journal upgraded.
    pub(crate) fn is_upgraded(&self, budget: Budget) -> bool {
        self.budget.upgrades < budget.upgrades && self.ghosts.iter().any(Ghost::has_later_format)
    }

    pub(crate) fn is_broken(&self) -> bool {
        !self.broken.is_empty()
    }

    pub(crate) fn breaks(&mut self, violation: Violation) {
        if !self.broken.contains(&violation) {
            self.broken.push(violation);
        }
    }
}
