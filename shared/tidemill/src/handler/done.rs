//! What an invocation did.

use tidemill_core::{Output, Position, SequenceNumber, Step};

use super::Work;
use super::next::behind;

/// What an invocation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Records taken.
    pub taken: usize,
    /// Records that were in already.
    pub repeats: usize,
    /// Records that repeat what their producer sent before, and were dropped.
    pub sent_twice: usize,
    /// Commits written.
    pub commits: usize,
    /// Outputs committed: results, late records and quarantine entries.
    pub outputs: usize,
    /// Results among them.
    pub results: usize,
    /// Records late for every window.
    pub late: usize,
    /// Entries for the quarantine.
    pub quarantined: usize,
    /// Races lost to another environment.
    pub conflicts: usize,
    /// How often the shard's journal was read from nothing.
    pub loads: usize,
    /// Behind which position records are missing: the event source left them out.
    pub gap: Option<Position>,
    /// Where the batch is to be sent again from, because time was up. What lies before is done.
    pub again_from: Option<SequenceNumber>,
    /// Whether time was up.
    pub is_unfinished: bool,
}

impl Done {
    /// Whether all of the work is done.
    pub const fn is_complete(&self) -> bool {
        !self.is_unfinished
    }

    /// Whether there were records, and all of them were in before.
    pub const fn is_repeat(&self) -> bool {
        self.taken == 0 && self.repeats > 0
    }

    pub(super) fn add(&mut self, step: &Step) {
        self.taken += step.taken;
        self.outputs += step.outputs.len();
        self.results += step.outputs.iter().filter(|output| matches!(output, Output::Result(_))).count();
        self.late += step.late;
        self.sent_twice += step.repeats;
        self.quarantined += step.outputs.iter().filter(|output| matches!(output, Output::Quarantined(_))).count();
        self.commits += 1;
    }

    /// Adds what was done with a later stretch of the same batch.
    pub(super) fn absorb(&mut self, later: Self) {
        self.taken += later.taken;
        self.commits += later.commits;
        self.outputs += later.outputs;
        self.results += later.results;
        self.late += later.late;
        self.sent_twice += later.sent_twice;
        self.quarantined += later.quarantined;
        self.conflicts += later.conflicts;
        self.loads += later.loads;
        self.gap = self.gap.take().or(later.gap);
        self.is_unfinished = later.is_unfinished;
    }

    pub(super) fn complete(self, work: Work<'_>) -> Self {
        let given = match work {
            Work::Records(records) => records.len(),
            Work::Tick(_) | Work::Drain => 0,
        };
        Self { repeats: given.saturating_sub(self.taken), ..self }
    }

    /// Of a batch whose records up to `position` are in. If all are, but not all that they made due is fired, the last one
    /// is to be sent again, so that the rest is.
    pub(super) fn unfinished(self, work: Work<'_>, position: Option<&Position>) -> Self {
        let again = match work {
            Work::Records(records) => behind(records, position).first().or(records.last()),
            Work::Tick(_) | Work::Drain => None,
        };
        Self { again_from: again.map(|record| record.position.sequence.clone()), is_unfinished: true, ..self }
    }
}
