//! What was ever written and what arrived: the invariants that can be seen from there, by number.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tidemill_core::{Change, Corrupt, PartRange, Position, Reject, SequenceNumber};
use tidemill_journal::{
    Incarnation, JournalId, Kind, Mark, MemoryStore, Output, Record, SlotItem, State, Store as _, load,
};

use super::world::at_once;
use crate::Pipeline;

/// One record as it was stored.
#[derive(Clone)]
pub(crate) struct Commit {
    pub(crate) record: Record,
    pub(crate) sender: Sender,
}

/// Whose a commit is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sender {
    /// The first record of the batch that the writer had: none before was taken by it.
    pub(crate) batch_first: Option<SequenceNumber>,
    /// A look at the source failed in the invocation: a gap may go untold.
    pub(crate) is_blind: bool,
}

/// All records that were ever stored, and all outputs that ever arrived.
pub(crate) struct Ledger {
    pipeline: Pipeline,
    pub(crate) journals: BTreeMap<JournalId, Vec<Commit>>,
    /// Where the present life of a journal begins among its commits, if it goes on from another.
    lives: BTreeMap<JournalId, usize>,
    /// The commit that an output is of, by its place among those of its journal.
    outputs: BTreeMap<Bytes, (JournalId, usize)>,
    arrived: BTreeSet<Bytes>,
    /// How many commits of each journal have all their outputs downstream.
    through: BTreeMap<JournalId, usize>,
    /// Outputs of lives, or ends of lives, that do not count any more.
    dropped: BTreeSet<Bytes>,
    /// An operator is at work on the journals.
    is_operated: bool,
    /// All that stands downstream, in order.
    pub(crate) downstream: Vec<Output>,
}

impl Ledger {
    pub(crate) fn of(pipeline: Pipeline) -> Self {
        Self {
            pipeline,
            journals: BTreeMap::new(),
            lives: BTreeMap::new(),
            is_operated: false,
            outputs: BTreeMap::new(),
            arrived: BTreeSet::new(),
            through: BTreeMap::new(),
            dropped: BTreeSet::new(),
            downstream: Vec::new(),
        }
    }

    /// The pipeline has journals: all outputs are of commits.
    pub(crate) fn is_keyed(&self) -> bool {
        self.pipeline.is_keyed()
    }

    /// A record is stored.
    pub(crate) fn store(
        &mut self,
        items: &MemoryStore,
        journal: &JournalId,
        item: &SlotItem,
        sender: Sender,
    ) -> Result<(), String> {
        let mut record = Record::decode(&item.body)?;
        record.changes = Vec::new();
        if self.is_operated {
            self.dropped.extend(record.outputs.into_iter().map(|output| output.data));
            return Ok(());
        }
        self.i1_i2_exact_prefix(journal, &record)?;
        self.i3_outputs_before_are_acknowledged(journal, &record)?;
        self.i6_nothing_follows_a_seal(journal, &record)?;
        i7_record_1_is_init(journal, &record)?;
        i5_is_loadable(items, journal, &record)?;
        i9_due_is_not_later_than_true(items, journal, &self.pipeline)?;
        self.push(journal, Commit { record, sender });
        Ok(())
    }

    /// A record is stored again under its own number, without what it held.
    pub(crate) fn free(
        &mut self,
        items: &MemoryStore,
        journal: &JournalId,
        item: &SlotItem,
        children: &[JournalId],
    ) -> Result<(), String> {
        let record = Record::decode(&item.body)?;
        if self.is_operated {
            return Ok(());
        }
        let commits = self.journals.get(journal).map_or(&[][..], Vec::as_slice);
        let Some(seal) = commits.last().map(|last| last.record.clone()).filter(|last| last.kind == Kind::Seal) else {
            return Err(format!("I6: {journal}: {} is freed, and no Seal stands behind it", record.number));
        };
        let known = commits.len();
        if let Some(child) = children.iter().find(|child| self.journals.get(*child).is_none_or(Vec::is_empty)) {
            return Err(format!("I6: {journal}: {} is freed before {} has begun", record.number, child.shard));
        }
        if !self.is_through(journal, known) {
            return Err(format!("I3: {journal}: {} is freed before all was sent", record.number));
        }
        i5_is_loadable(items, journal, &seal)
    }

    fn push(&mut self, journal: &JournalId, commit: Commit) {
        let commits = self.journals.entry(journal.clone()).or_default();
        for output in &commit.record.outputs {
            self.dropped.remove(&output.data);
            self.outputs.entry(output.data.clone()).or_insert_with(|| (journal.clone(), commits.len()));
        }
        commits.push(commit);
    }

    /// An output stands downstream.
    pub(crate) fn arrive(&mut self, output: &Output) -> Result<(), String> {
        self.downstream.push(output.clone());
        if !(self.dropped.contains(&output.data) || !self.is_keyed() || self.is_operated) {
            self.i4_behind_all_before(output)?;
        }
        self.arrived.insert(output.data.clone());
        Ok(())
    }

    /// An operator begins to work on the journals: what is committed from now on does not count.
    pub(crate) const fn begin_operation(&mut self) {
        self.is_operated = true;
    }

    /// The operator is done: each journal goes on behind the commits that are kept of it, with what stands in the table.
    pub(crate) fn end_operation(
        &mut self,
        items: &MemoryStore,
        kept: BTreeMap<JournalId, Vec<Commit>>,
    ) -> Result<(), String> {
        self.is_operated = false;
        self.dropped.extend(std::mem::take(&mut self.outputs).into_keys());
        let all: BTreeSet<JournalId> = self.journals.keys().chain(kept.keys()).cloned().collect();
        self.journals.clear();
        self.through.clear();
        self.lives.clear();
        for (journal, commits) in kept {
            self.lives.insert(journal.clone(), commits.len());
            commits.into_iter().for_each(|commit| self.push(&journal, commit));
        }
        for journal in all {
            for (_, item) in at_once(items.read_slots(&journal, 0..=u32::MAX, usize::MAX)).map_err(|e| e.to_string())? {
                let record = Record::decode(&item.body)?;
                self.push(&journal, Commit { record, sender: Sender::default() });
            }
        }
        Ok(())
    }

    /// The commits up to `number` of a journal's present life, with those that it goes on from.
    pub(crate) fn prefix(&self, journal: &JournalId, number: u64) -> Vec<Commit> {
        let begins = self.lives.get(journal).copied().unwrap_or(0);
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        self.journals.get(journal).into_iter().flatten().take(begins + number).cloned().collect()
    }

    /// Whether an output does not count any more.
    pub(crate) fn is_dropped(&self, output: &Output) -> bool {
        self.dropped.contains(&output.data)
    }

    /// The flush mark is written.
    pub(crate) fn mark(&mut self, journal: &JournalId, mark: &Mark) -> Result<(), String> {
        self.i9_what_is_marked_is_acknowledged(journal, mark)
    }

    /// How far everything before the `number`-th commit, counted from 0, is downstream.
    fn is_through(&mut self, journal: &JournalId, number: usize) -> bool {
        let commits = self.journals.get(journal).map_or(&[][..], Vec::as_slice);
        let through = self.through.entry(journal.clone()).or_default();
        let has_arrived = |commit: &Commit| commit.record.outputs.iter().all(|o| self.arrived.contains(&o.data));
        while commits.get(*through).is_some_and(has_arrived) {
            *through += 1;
        }
        *through >= number
    }

    /// I1, I2: one record a number, one incarnation a journal, each number behind the one before, positions grow.
    fn i1_i2_exact_prefix(&self, journal: &JournalId, record: &Record) -> Result<(), String> {
        let Some(Commit { record: before, .. }) = self.journals.get(journal).and_then(|commits| commits.last()) else {
            return if record.number == 1 { Ok(()) } else { Err(format!("I1: {journal} begins at {}", record.number)) };
        };
        if record.number != before.number + 1 || record.incarnation != before.incarnation {
            let (Incarnation(life), Incarnation(other)) = (record.incarnation, before.incarnation);
            let (number, known) = (record.number, before.number);
            return Err(format!("I1: {journal}: {number} of life {life} is stored behind {known} of life {other}"));
        }
        if record.position < before.position || record.progress.watermark < before.progress.watermark {
            return Err(format!("I2: {journal}: record {} goes back", record.number));
        }
        Ok(())
    }

    /// I3: a commit of n+1 implies that the outputs of 1..n are acknowledged. An upgrade carries them along instead.
    fn i3_outputs_before_are_acknowledged(&mut self, journal: &JournalId, record: &Record) -> Result<(), String> {
        let known = self.journals.get(journal).map_or(0, Vec::len);
        if self.is_through(journal, known) {
            return Ok(());
        }
        let carried: BTreeSet<&Bytes> = record.outputs.iter().map(|output| &output.data).collect();
        let commits = self.journals.get(journal).into_iter().flatten();
        let missing = commits
            .flat_map(|commit| &commit.record.outputs)
            .find(|output| !self.arrived.contains(&output.data) && !carried.contains(&output.data));
        missing.map_or(Ok(()), |missing| {
            let text = String::from_utf8_lossy(&missing.data);
            Err(format!("I3: {journal}: {} is stored before an output has arrived: {text}", record.number))
        })
    }

    /// I4: outputs of n+1 stand downstream only behind all of n; and none stands there that no commit has.
    fn i4_behind_all_before(&mut self, output: &Output) -> Result<(), String> {
        let text = || String::from_utf8_lossy(&output.data).into_owned();
        let Some((journal, number)) = self.outputs.get(&output.data).cloned() else {
            return Err(format!("I4: an output of no commit has arrived: {}", text()));
        };
        if self.is_through(&journal, number) {
            return Ok(());
        }
        Err(format!("I4: {journal}: an output of its {number} has arrived before all of those before: {}", text()))
    }

    /// I6: nothing follows a Seal.
    fn i6_nothing_follows_a_seal(&self, journal: &JournalId, record: &Record) -> Result<(), String> {
        let last = self.journals.get(journal).and_then(|commits| commits.last());
        match last.map(|commit| commit.record.kind) {
            Some(Kind::Seal) => Err(format!("I6: {journal}: {} is stored behind a Seal", record.number)),
            Some(Kind::Drain) if record.kind != Kind::Drain => {
                Err(format!("I6: {journal}: {} is stored behind the end", record.number))
            }
            _ => Ok(()),
        }
    }

    /// I8: success implies that every record of the batch is in, and what came of it is downstream. (That everything due
    /// is fired shows at the end.)
    pub(crate) fn i8_success_means_done(&mut self, journal: &JournalId, last: &Position) -> Result<(), String> {
        if !self.is_keyed() {
            return Ok(());
        }
        let commits = self.journals.get(journal).map_or(&[][..], Vec::as_slice);
        let Some(at) = commits.iter().position(|commit| commit.record.position.as_ref() >= Some(last)) else {
            return Err(format!("I8: {journal}: success, but {last} is not in"));
        };
        if self.is_through(journal, at + 1) {
            Ok(())
        } else {
            Err(format!("I8: {journal}: success before all was sent"))
        }
    }

    /// I9: the mark implies that outputs up to its number are acknowledged.
    fn i9_what_is_marked_is_acknowledged(&mut self, journal: &JournalId, mark: &Mark) -> Result<(), String> {
        let begins = self.lives.get(journal).copied().unwrap_or(0);
        let life =
            self.journals.get(journal).and_then(|commits| commits.get(begins)).map(|commit| commit.record.incarnation);
        let number = begins + usize::try_from(mark.number).unwrap_or(usize::MAX / 2);
        if self.is_operated || life != Some(mark.incarnation) || self.is_through(journal, number) {
            return Ok(());
        }
        Err(format!("I9: {journal} is marked at {} before all was sent", mark.number))
    }

    /// What is committed and has not arrived.
    pub(crate) fn missing(&self) -> Option<String> {
        let missing = self.outputs.keys().find(|data| !self.arrived.contains(*data));
        missing.map(|data| String::from_utf8_lossy(data).into_owned())
    }

    /// All outputs of a journal in the order of its commits, each once.
    pub(crate) fn outputs_of(&self, journal: &JournalId) -> Vec<&Output> {
        let mut seen = BTreeSet::new();
        let commits = self.journals.get(journal).into_iter().flatten();
        commits.flat_map(|commit| &commit.record.outputs).filter(|output| seen.insert(&output.data)).collect()
    }
}

/// I7: record 1 is Init, and no other is.
fn i7_record_1_is_init(journal: &JournalId, record: &Record) -> Result<(), String> {
    if (record.number == 1) == (record.kind == Kind::Init) {
        return Ok(());
    }
    Err(format!("I7: {journal}: record {} is {:?}", record.number, record.kind))
}

/// I5: the journal can be read, at exactly this record; every part is named as of one that is in the ring.
fn i5_is_loadable(items: &MemoryStore, journal: &JournalId, record: &Record) -> Result<(), String> {
    let loaded = at_once(load(items, journal, None, || Box::new(Blind))).map_err(|error| format!("I5: {error}"))?;
    let Some((view, _)) = loaded else { return Err(format!("I5: {journal} is not there")) };
    if view.number() != record.number {
        return Err(format!("I5: {journal} reads as {} and not {}", view.number(), record.number));
    }
    let slots = u64::from(record.ring.slots());
    match view.parts().find(|part| part.as_of + slots <= record.number || part.as_of < record.oldest) {
        Some(part) => Err(format!("I5: {journal}: at {} a part is as of {}", record.number, part.as_of)),
        None => Ok(()),
    }
}

/// I9: a mark of the present life says nothing later than true of when something is due next.
fn i9_due_is_not_later_than_true(items: &MemoryStore, journal: &JournalId, pipeline: &Pipeline) -> Result<(), String> {
    let mark = at_once(items.read_mark(journal)).map_err(|error| format!("I9: {error}"))?;
    let Some((mark, told)) = mark.and_then(|mark| Some((mark, mark.due?))) else { return Ok(()) };
    let loaded = at_once(load(items, journal, None, || pipeline.empty_state().expect("keyed")));
    let Some((view, state)) = loaded.map_err(|error| format!("I5: {error}"))? else { return Ok(()) };
    match tidemill_core::Shard::next_due(state.as_ref()) {
        Some(due) if view.incarnation() == mark.incarnation && told > due => {
            Err(format!("I9: {journal}: its mark says that something is due at {told}, but it is at {due}"))
        }
        _ => Ok(()),
    }
}

/// A state that is read and not kept.
struct Blind;

impl State for Blind {
    fn restore(&mut self, _: &Change) -> Result<(), Corrupt> {
        Ok(())
    }

    fn image(&self, _: &PartRange) -> Result<Vec<Change>, Reject> {
        Ok(Vec::new())
    }

    fn bytes(&self) -> usize {
        0
    }
}
