//! The way of a batch: open the shard's journal, then flush, step and commit until everything is in, fired and flushed.

mod begin;
mod breaker;
mod cache;
mod done;
mod gap;
mod next;
mod relay;
mod shard;
mod source;
mod suspicion;
mod tally;
mod tick;

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_core::{Caps, Enriched, EventTime, HashRange, Record, Shard, Step};
use tidemill_journal::{
    CaughtUp, Committed, Deadline, Draft, Incarnation, JournalId, Kind, Ring, Sink, Store, View, commit, flush,
    still_holds,
};

use crate::outbox::Outbox;
use crate::{Error, Pipeline};
use breaker::Breaker;
use cache::Cache;
use next::{Next, behind, next};
use shard::OpenShard;
use suspicion::Suspicion;
use tally::{clocked, timed};
use tracing::{Span, debug_span};

pub use done::Done;
pub use relay::RelayHandler;
pub use source::{Source, Unwatched};
pub use tally::{Phases, Tally};
pub use tick::Ticked;
pub use tidemill_aws::ShardInfo;

/// How many records an asynchronous stage looks at before they are stepped and committed.
const ENRICHED_TOGETHER: usize = 500;

/// After how many conflicts behind which nobody has written anything a journal counts as damaged. One may be: requests of
/// others that were under way.
const CONFLICTS_IN_VAIN: usize = 50;

/// Draws the random number that names a new life of a journal.
pub type DrawIncarnation = Box<dyn Fn() -> Incarnation + Send + Sync>;

/// What is to be done with one shard.
#[derive(Clone, Copy, Debug)]
pub enum Work<'r> {
    /// Records in shard order, some of which may be in already.
    Records(&'r [Record<'r>]),
    /// A tick of the schedule, with the schedule's own time: event time goes on if the shard is quiet.
    Tick(EventTime),
    /// The end of input: everything closes, and the journal takes no more records.
    Drain,
}

/// What a handler may use and how much of it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// R of journals that it begins.
    pub ring: Ring,
    /// How much one commit holds.
    pub caps: Caps,
    /// Up to how many bytes of state, as stored, shards at rest are kept in memory. In memory they take several times as
    /// much. The shard at work is kept in any case.
    pub cache_bytes: usize,
}

impl Default for Limits {
    /// 1,024 slots, 500 outputs a commit, 64 MiB.
    fn default() -> Self {
        Self { ring: tidemill_journal::DEFAULT_RING, caps: Caps::default(), cache_bytes: 64 << 20 }
    }
}

/// Takes batches of any number of shards through a pipeline. One at a time: what is between two commits is nobody's.
pub struct Handler<S, K, P = Unwatched> {
    pipeline: Pipeline,
    outbox: Outbox,
    store: S,
    sink: K,
    source: P,
    draw_incarnation: DrawIncarnation,
    limits: Limits,
    shards: Cache,
    /// Journals that this process has worked on, with their bad records: a process that lives has not crashed on them.
    survived: BTreeMap<JournalId, Breaker>,
    tally: Tally,
}

impl<S: Store, K: Sink> Handler<S, K> {
    /// A handler of `pipeline`, which has a key, over this store and sink. ([`RelayHandler`] takes pipelines without.)
    pub fn new(pipeline: Pipeline, store: S, sink: K, limits: Limits, draw_incarnation: DrawIncarnation) -> Self {
        let outbox = Outbox::of(&pipeline);
        let shards = Cache::new(limits.cache_bytes);
        let source = Unwatched;
        let (survived, tally) = (BTreeMap::new(), Tally::default());
        Self { pipeline, outbox, store, sink, source, draw_incarnation, limits, shards, survived, tally }
    }

    /// Looks at the source stream for records that the event source left out.
    pub fn watching<P: Source>(self, source: P) -> Handler<S, K, P> {
        let Self { pipeline, outbox, store, sink, draw_incarnation, limits, shards, survived, tally, .. } = self;
        Handler { pipeline, outbox, store, sink, source, draw_incarnation, limits, shards, survived, tally }
    }
}

impl<S: Store, K: Sink, P: Source> Handler<S, K, P> {
    /// The pipeline.
    pub const fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// What was done since this was last asked.
    pub fn take_tally(&mut self) -> Tally {
        Tally { state_bytes: self.shards.used(), ..std::mem::take(&mut self.tally) }
    }

    /// Does the work. If it is done ([`Done::is_complete`]), every record is in, everything due is fired, and all outputs
    /// are acknowledged (I8). Otherwise, and after an error, the rest or the same is to be sent again: nothing of it is
    /// lost or done twice.
    ///
    /// # Errors
    /// [`Error::Journal`]; [`Error::BadRecords`] if too many records cannot be processed.
    pub async fn handle(
        &mut self,
        stream: &str,
        shard: &str,
        work: Work<'_>,
        deadline: Deadline,
    ) -> Result<Done, Error> {
        let journal = self.pipeline.journal(stream, shard);
        let loaded = usize::from(self.shards.view(&journal).is_none());
        // A tick follows first: nobody else may come to send what a crash left unsent of a batch that was given up.
        let follows = matches!(work, Work::Tick(_));
        let mut load = Duration::ZERO;
        let opened = timed(&mut load, debug_span!("load"), self.open(&journal, follows, deadline)).await;
        self.tally.phases.load += load;
        let mut open = opened?;
        let result = self.work(&journal, &mut open, work, deadline).await;
        // An error is no crash: this process lives to tell.
        let cleared = open.suspicion.clear(&self.store, &journal, &open.view).await;
        self.survived.insert(journal.clone(), open.breaker);
        self.tally.add_shard(&mut open);
        // A failed flush or put leaves the view what it was; what the step touched goes.
        open.state.discard();
        if open.is_exact {
            self.shards.put(journal, open);
        }
        let mut done = result?;
        done.loads += loaded;
        self.tally.add_done(&done);
        cleared.map(|()| done)
    }

    /// Which partition keys the shard owns, if that can be told: records that a producer packed with others and that went
    /// to the wrong shard are to be left out of a batch, since the producer sends them again.
    pub async fn hash_range(&self, stream: &str, shard: &str) -> Option<HashRange> {
        let at_rest = self.shards.view(&self.pipeline.journal(stream, shard)).and_then(|view| view.schema().hash_range);
        match at_rest {
            Some(range) => Some(range),
            None => self.source.shard(stream, shard).await.ok().flatten().map(|info| info.hash_range),
        }
    }

    /// The shard as it was left, or read from its journal. It `follows` what others committed meanwhile, also if it did not
    /// meet others lately.
    async fn open(&mut self, journal: &JournalId, follows: bool, deadline: Deadline) -> Result<OpenShard, Error> {
        let Some(mut open) = self.shards.take(journal) else {
            let (view, state) = self.load(journal, deadline).await?;
            let suspicion = match self.survived.contains_key(journal) {
                true => Suspicion::None,
                false => Suspicion::raise(&self.store, journal, &view).await?,
            };
            let breaker = self.survived.get(journal).copied().unwrap_or_default();
            return Ok(OpenShard { suspicion, breaker, ..OpenShard::found(view, state) });
        };
        open.is_current = false;
        if follows || open.view.is_wary() {
            match open.follow(&self.store, journal).await? {
                CaughtUp::Advanced => open.is_current = true,
                // Nothing follows, but neither does it in a journal that was dropped: the last record may stand no more.
                CaughtUp::Current => {}
                CaughtUp::Lost => {
                    (open.view, open.state) = self.load(journal, deadline).await?;
                    open.view.meet_others();
                    open.is_current = true;
                }
            }
        }
        Ok(open)
    }

    /// Brings a view that proved to be stale up to the journal. Stale but nothing to catch up with means that the journal
    /// was begun anew: load it. Whether it had to be.
    async fn renew(&self, journal: &JournalId, open: &mut OpenShard, deadline: Deadline) -> Result<bool, Error> {
        let is_lost = open.follow(&self.store, journal).await? != CaughtUp::Advanced;
        if is_lost {
            open.is_exact = false;
            (open.view, open.state) = self.load(journal, deadline).await?;
            open.is_exact = true;
            open.view.meet_others();
        }
        open.is_current = true;
        Ok(is_lost)
    }

    /// The work, in stretches where an asynchronous stage looks at the records first: those that are in already it is
    /// spared.
    async fn work(
        &self,
        journal: &JournalId,
        open: &mut OpenShard,
        work: Work<'_>,
        deadline: Deadline,
    ) -> Result<Done, Error> {
        let (Some(enricher), Work::Records(records)) = (self.pipeline.enricher(), work) else {
            return self.run(journal, open, work, deadline).await;
        };
        let mut done = Done::default();
        let fresh = behind(records, open.view.position());
        // One stretch at least, also an empty one: it flushes what is left of the batch before.
        for stretch in fresh.chunks(ENRICHED_TOGETHER).chain(fresh.is_empty().then_some(records)) {
            if done.commits > 0 && deadline.has_passed() {
                return Ok(done.unfinished(work, open.view.position()));
            }
            let enriched = match fresh.is_empty() {
                true => Vec::new(),
                false => timed(&mut open.phases.enrich, debug_span!("enrich"), enricher.enrich(stretch)).await,
            };
            let stretch: Vec<Record<'_>> = with_enriched(stretch, &enriched);
            done.absorb(self.run(journal, open, Work::Records(&stretch), deadline).await?);
            if !done.is_complete() {
                return Ok(done.unfinished(work, open.view.position()));
            }
        }
        Ok(done.complete(work))
    }

    /// Flush, then step and commit what is next, until nothing is or time is up.
    async fn run(
        &self,
        journal: &JournalId,
        open: &mut OpenShard,
        work: Work<'_>,
        deadline: Deadline,
    ) -> Result<Done, Error> {
        let mut done = Done::default();
        let mut caps = open.suspicion.caps(self.limits.caps);
        let mut may_spill = false;
        let mut in_vain = 0;
        loop {
            // A conflict means that another environment is at work: the shard is not quiet.
            let quiet = match work {
                Work::Tick(now) if done.conflicts == 0 => self.quiet_watermark(journal, &open.view, now).await?,
                _ => None,
            };
            let sent = flush(&self.store, &self.sink, journal, &mut open.view, deadline);
            let flushed = timed(&mut open.phases.flush, debug_span!("flush"), sent).await?;
            let view = flushed.view();
            let Some(next) = next(view, open.state.as_ref(), work, quiet) else {
                if open.is_current || still_holds(&self.store, journal, &open.view).await? {
                    return Ok(done.complete(work));
                }
                done.loads += usize::from(self.renew(journal, open, deadline).await?);
                continue;
            };
            // At least one commit each time, however late it is: a shard must not stand still.
            if done.commits > 0 && deadline.has_passed() {
                return Ok(done.unfinished(work, view.position()));
            }
            let suspicion = open.suspicion;
            let step = clocked(&mut open.phases.step, debug_span!("step"), || {
                suspicion.step(open.state.as_mut(), &next, caps)
            });
            open.breaker.check(&self.pipeline, &step)?;
            // A batch has no gaps, but one may lie before it.
            let gap = match next.records.first().filter(|_| done.taken == 0) {
                Some(first) => gap::find(&self.source, journal, view, first, open.is_new).await,
                None => None,
            };
            let mut draft = self.draft(journal, view, &next, &step, open.state.as_mut())?;
            (draft.gap, draft.tick, draft.may_spill) = (gap.clone(), tick_time(work, next.kind), may_spill);
            let written = commit(&self.store, journal, flushed, draft, open.state.as_ref(), deadline);
            match timed(&mut open.phases.commit, debug_span!("commit"), written).await? {
                Committed::Done => {
                    Span::current().record("commit", open.view.number());
                    open.state.install();
                    open.is_current = true;
                    open.is_new &= step.taken == 0;
                    done.gap = done.gap.or(gap);
                    open.breaker.count(&step);
                    open.suspicion.move_on(&self.store, journal, &open.view).await?;
                    done.add(&step);
                    // What had to be made smaller grows again step by step: the next record may be as large.
                    (caps, may_spill) = (caps.doubled(open.suspicion.caps(self.limits.caps)), false);
                }
                Committed::Conflict => {
                    done.conflicts += 1;
                    let before = (open.view.incarnation(), open.view.number());
                    done.loads += usize::from(self.renew(journal, open, deadline).await?);
                    in_vain = if (open.view.incarnation(), open.view.number()) == before { in_vain + 1 } else { 0 };
                    if in_vain > CONFLICTS_IN_VAIN {
                        return Err(nothing_can_follow(journal, &open.view));
                    }
                }
                Committed::TooLarge { .. } => {
                    open.state.discard();
                    let less = caps.halved(&step);
                    may_spill = less.is_none();
                    caps = less.unwrap_or(caps);
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
            outputs: self.outbox.pack((journal, view.incarnation()), view.number() + 1, &step.outputs, &self.sink),
            gap: None,
            tick: None,
            may_spill: false,
        })
    }
}

/// The records with what an asynchronous stage made of them.
pub(crate) fn with_enriched<'r>(records: &'r [Record<'r>], enriched: &'r [Enriched]) -> Vec<Record<'r>> {
    let with = |(record, enriched): (&Record<'r>, &'r Enriched)| Record { enriched: Some(enriched), ..record.clone() };
    if enriched.is_empty() { records.to_vec() } else { records.iter().zip(enriched).map(with).collect() }
}

/// Something stands where the next record belongs that no writer has put there.
fn nothing_can_follow(journal: &JournalId, view: &View) -> Error {
    let next = view.number() + 1;
    let why = "an item stands where it belongs that is neither it nor the one that it replaces, so nothing can be \
               committed. Restore the journal from an export or the table from a backup";
    let (journal, why) = (journal.clone(), why.to_owned());
    tidemill_journal::Error::Damaged { journal, item: format!("the slot of record {next}"), why }.into()
}

/// The time of the tick that a commit is of, if it is one's.
fn tick_time(work: Work<'_>, kind: Kind) -> Option<EventTime> {
    match (work, kind) {
        (Work::Tick(now), Kind::Tick) => Some(now),
        _ => None,
    }
}
