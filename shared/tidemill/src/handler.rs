//! The way of a batch: open the shard's journal, then flush, step and commit until everything is in, fired and flushed.

use std::collections::BTreeMap;

use tidemill_core::{Caps, Output, Position, Progress, Record, Shard, Step, Watermark};
use tidemill_journal::{
    CaughtUp, Committed, Deadline, Draft, Incarnation, JournalId, Kind, Ring, Schema, Sink, Store, View, catch_up,
    commit, flush, init, load, still_holds,
};

use crate::outbox::Outbox;
use crate::{Error, Pipeline};

/// Draws the random number that names a new life of a journal.
pub type DrawIncarnation = Box<dyn Fn() -> Incarnation + Send + Sync>;

/// What is to be done with one shard.
#[derive(Clone, Copy, Debug)]
pub enum Work<'r> {
    /// Records in shard order, some of which may be in already.
    Records(&'r [Record<'r>]),
    /// The end of input: everything closes, and the journal takes no more records.
    Drain,
}

/// What an invocation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Records taken.
    pub taken: usize,
    /// Records that were in already.
    pub repeats: usize,
    /// Commits written.
    pub commits: usize,
    /// Outputs committed: results, late records and quarantine entries.
    pub outputs: usize,
    /// Records late for every window.
    pub late: usize,
    /// Entries for the quarantine.
    pub quarantined: usize,
    /// Races lost to another environment.
    pub conflicts: usize,
}

/// Takes batches of any number of shards through a pipeline. One at a time: what is between two commits is nobody's.
pub struct Handler<S, K> {
    pipeline: Pipeline,
    outbox: Outbox,
    store: S,
    sink: K,
    draw_incarnation: DrawIncarnation,
    ring: Ring,
    caps: Caps,
    /// Shards at rest. A shard at work is taken out, and put back only when its work succeeded: after an error, a panic
    /// or a dropped future the next invocation reads the journal instead.
    shards: BTreeMap<JournalId, OpenShard>,
    /// The highest commit known of each journal: a lower one later means a restored table.
    known: BTreeMap<JournalId, (Incarnation, u64)>,
}

/// A shard's journal as far as it was read, and the keyed state there.
struct OpenShard {
    view: View,
    state: Box<dyn Shard>,
}

/// What the next step is to do, decided on a flushed view.
struct Next<'r> {
    kind: Kind,
    progress: Progress,
    records: &'r [Record<'r>],
}

impl<S: Store, K: Sink> Handler<S, K> {
    /// A handler of `pipeline` over this store and sink.
    pub fn new(pipeline: Pipeline, store: S, sink: K, ring: Ring, draw_incarnation: DrawIncarnation) -> Self {
        let outbox = Outbox::of(&pipeline);
        Self {
            pipeline,
            outbox,
            store,
            sink,
            draw_incarnation,
            ring,
            caps: Caps::default(),
            shards: BTreeMap::new(),
            known: BTreeMap::new(),
        }
    }

    /// The pipeline.
    pub const fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Does the work. Success means that every record is in, everything due is fired, and all outputs are acknowledged
    /// (I8). After an error the same work is to be sent again: nothing of it is lost or done twice.
    ///
    /// # Errors
    /// [`Error::Journal`].
    pub async fn handle(
        &mut self,
        stream: &str,
        shard: &str,
        work: Work<'_>,
        deadline: Deadline,
    ) -> Result<Done, Error> {
        let journal =
            JournalId { pipeline: self.pipeline.name().to_owned(), stream: stream.to_owned(), shard: shard.to_owned() };
        let (mut open, fresh) = self.open(&journal).await?;
        let done = self.run(&journal, &mut open, work, fresh, deadline).await?;
        self.known.insert(journal.clone(), (open.view.incarnation(), open.view.number()));
        self.shards.insert(journal, open);
        Ok(done)
    }

    /// The shard as it was left, or read from its journal. `true` if it reflects every commit acknowledged before.
    async fn open(&mut self, journal: &JournalId) -> Result<(OpenShard, bool), Error> {
        match self.shards.remove(journal) {
            Some(mut open) if open.view.is_wary() => {
                if self.follow(journal, &mut open).await? == CaughtUp::Lost {
                    open = self.load(journal).await?;
                }
                Ok((open, true))
            }
            Some(open) => Ok((open, false)),
            None => Ok((self.load(journal).await?, true)),
        }
    }

    /// The shard from its journal, which is begun if there is none.
    async fn load(&self, journal: &JournalId) -> Result<OpenShard, Error> {
        let schema =
            Schema { journal: journal.clone(), fingerprint: self.pipeline.fingerprint(), starting_sequence: None };
        loop {
            let loaded = load(&self.store, journal, Some(&schema), || self.pipeline.open()).await?;
            if let Some((view, state)) = loaded {
                self.check_not_restored(journal, &view)?;
                return Ok(OpenShard { view, state });
            }
            init(&self.store, journal, (self.draw_incarnation)(), self.ring, schema.clone()).await?;
        }
    }

    fn check_not_restored(&self, journal: &JournalId, view: &View) -> Result<(), Error> {
        match self.known.get(journal) {
            Some((incarnation, known)) if *incarnation == view.incarnation() && *known > view.number() => {
                let (journal, found, known) = (journal.clone(), view.number(), *known);
                Err(tidemill_journal::Error::Restored { journal, found, known }.into())
            }
            _ => Ok(()),
        }
    }

    /// Takes in what others committed.
    async fn follow(&self, journal: &JournalId, open: &mut OpenShard) -> Result<CaughtUp, Error> {
        open.state.discard();
        Ok(catch_up(&self.store, journal, &mut open.view, open.state.as_mut()).await?)
    }

    /// Brings a view that proved to be stale up to the journal. Stale but nothing to catch up with means that the journal
    /// was begun anew: load it.
    async fn renew(&self, journal: &JournalId, open: &mut OpenShard) -> Result<(), Error> {
        if self.follow(journal, open).await? != CaughtUp::Advanced {
            *open = self.load(journal).await?;
        }
        Ok(())
    }

    /// Flush, then step and commit what is next, until nothing is. `current` says that the view needs no confirmation.
    async fn run(
        &self,
        journal: &JournalId,
        open: &mut OpenShard,
        work: Work<'_>,
        mut current: bool,
        deadline: Deadline,
    ) -> Result<Done, Error> {
        let mut done = Done::default();
        let mut caps = self.caps;
        loop {
            let flushed = flush(&self.store, &self.sink, journal, &mut open.view, deadline).await?;
            let view = flushed.view();
            let Some(next) = next(view, open.state.as_ref(), work) else {
                if current || still_holds(&self.store, journal, &open.view).await? {
                    return Ok(finish(done, work));
                }
                self.renew(journal, open).await?;
                current = true;
                continue;
            };
            let step = open.state.step(&next.progress, next.records, caps);
            let draft = self.draft(journal, view, &next, &step, open.state.as_mut())?;
            let counts = Counts::of(&step, draft.outputs.len());
            match commit(&self.store, journal, flushed, draft, open.state.as_ref(), deadline).await? {
                Committed::Done => {
                    open.state.install();
                    done.add(counts);
                    (caps, current) = (self.caps, true);
                }
                Committed::Conflict => {
                    done.conflicts += 1;
                    self.renew(journal, open).await?;
                    current = true;
                }
                Committed::TooLarge { bytes } => {
                    open.state.discard();
                    caps = halved(journal, &open.view, caps, &step, bytes)?;
                }
            }
        }
    }

    fn draft(
        &self,
        journal: &JournalId,
        view: &View,
        next: &Next<'_>,
        step: &Step,
        state: &mut dyn Shard,
    ) -> Result<Draft, Error> {
        let encode = |why| tidemill_journal::Error::Encode { journal: journal.clone(), number: view.number() + 1, why };
        let position = match step.taken {
            0 => view.position().cloned(),
            taken => next.records.get(taken - 1).map(|record| record.position.clone()),
        };
        Ok(Draft {
            kind: next.kind,
            position,
            progress: step.progress.clone(),
            changes: state.changes().map_err(|reject| encode(reject.message))?,
            outputs: self.outbox.pack(journal, view, step, &self.sink),
            gap: None,
            tick: None,
            may_spill: false,
        })
    }
}

/// What to do next on a flushed view: the rest of a firing first, before any record is taken.
fn next<'r>(view: &View, state: &dyn Shard, work: Work<'r>) -> Option<Next<'r>> {
    let drained = view.kind() == Kind::Drain;
    if state.is_due(view.progress().watermark) {
        let kind = if drained { Kind::Drain } else { Kind::Data };
        return Some(Next { kind, progress: view.progress().clone(), records: &[] });
    }
    match work {
        Work::Records(records) => {
            let records = behind(records, view.position());
            (!records.is_empty()).then(|| Next { kind: Kind::Data, progress: view.progress().clone(), records })
        }
        Work::Drain if drained => None,
        Work::Drain => {
            let progress = Progress { watermark: Watermark::END, ..view.progress().clone() };
            Some(Next { kind: Kind::Drain, progress, records: &[] })
        }
    }
}

/// The records that are not in yet. They come in shard order.
fn behind<'r>(records: &'r [Record<'r>], position: Option<&Position>) -> &'r [Record<'r>] {
    let known = position.map_or(0, |position| records.partition_point(|record| record.position <= *position));
    &records[known..]
}

/// What one step adds to [`Done`] once it is committed.
struct Counts {
    taken: usize,
    outputs: usize,
    late: usize,
    quarantined: usize,
}

impl Counts {
    fn of(step: &Step, outputs: usize) -> Self {
        let quarantined = step.outputs.iter().filter(|output| matches!(output, Output::Quarantined(_))).count();
        Self { taken: step.taken, outputs, late: step.late, quarantined }
    }
}

impl Done {
    const fn add(&mut self, counts: Counts) {
        self.taken += counts.taken;
        self.outputs += counts.outputs;
        self.late += counts.late;
        self.quarantined += counts.quarantined;
        self.commits += 1;
    }
}

fn finish(done: Done, work: Work<'_>) -> Done {
    let given = match work {
        Work::Records(records) => records.len(),
        Work::Drain => 0,
    };
    Done { repeats: given - done.taken, ..done }
}

/// Less for a commit whose record did not fit its item.
fn halved(journal: &JournalId, view: &View, caps: Caps, step: &Step, bytes: usize) -> Result<Caps, Error> {
    caps.halved(step).ok_or_else(|| {
        let (journal, number) = (journal.clone(), view.number() + 1);
        tidemill_journal::Error::TooLarge { journal, number, bytes }.into()
    })
}
