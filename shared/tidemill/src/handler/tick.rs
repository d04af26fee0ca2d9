//! A scheduled tick: event time goes on in shards that have gone quiet, and children that got no record yet begin.

use std::future::Future;
use std::pin::Pin;

use tidemill_core::{EventTime, Watermark, millis, part_hash};
use tidemill_journal::{Deadline, JournalId, Kind, Sink, Store, View, tell_due};

use super::source::Source;
use super::{Handler, ShardInfo, Work};
use crate::Error;

/// What a tick did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ticked {
    /// Shards looked at.
    pub shards: usize,
    /// Shards whose mark said that nothing is due, so that nothing else was read.
    pub passed: usize,
    /// Shards whose event time went on.
    pub moved: usize,
    /// Results that went out.
    pub outputs: usize,
    /// Shards that were left for the next tick, because time was up.
    pub left: usize,
}

/// At one tick in so many, on average, a shard's journal is read although its mark says that nothing is due: a mark may be
/// of code or of a life of before, and it does not tell what a crash left unsent. At one tick a minute no shard in a
/// thousand waits for two hours.
const READ_ONE_IN: u64 = 16;

/// Whether a tick reads this journal whatever its mark says: as random as a hash, and the same when the tick comes twice.
fn is_read_anyway(journal: &JournalId, now: EventTime) -> bool {
    let of = [journal.shard.as_bytes(), &now.as_millis().to_be_bytes()].concat();
    part_hash(&of).is_multiple_of(READ_ONE_IN)
}

/// What became of a shard at a tick.
enum Shard {
    /// Its mark said that nothing is due.
    Passed,
    /// It was looked at, and stays where it is.
    Still,
    /// Its event time went on, and so many outputs went out.
    Moved(usize),
}

/// How far the parents of a shard have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// One of them may still have records to take.
    Open,
    /// They never had a record: there is nothing to go on from.
    Nothing,
    /// They are through.
    Through,
}

impl<S: Store, K: Sink, P: Source> Handler<S, K, P> {
    /// Lets the quiet shards of a stream go on, as of `now`: the schedule's own time, never a clock, so that a tick that
    /// comes twice does the same twice. What is not done by the deadline is done by the next tick.
    ///
    /// # Errors
    /// As for [`handle`](Self::handle); of several shards the first error, after all were looked at.
    pub async fn tick(&mut self, stream: &str, now: EventTime, deadline: Deadline) -> Result<Ticked, Error> {
        let journal = |shard: &str| self.pipeline.journal(stream, shard);
        let told = self.source.shards(stream).await;
        let shards = told.map_err(|why| Error::Source { journal: journal("all shards"), why })?;
        let journals: Vec<JournalId> = shards.iter().map(|info| journal(&info.shard)).collect();
        let (mut ticked, mut failed) = (Ticked::default(), None);
        for (journal, info) in journals.iter().zip(&shards) {
            if ticked.shards > 0 && deadline.has_passed() {
                ticked.left += 1;
                continue;
            }
            ticked.shards += 1;
            match self.tick_shard(journal, info, &shards, now, deadline).await {
                Ok(Shard::Passed) => ticked.passed += 1,
                Ok(Shard::Still) => {}
                Ok(Shard::Moved(outputs)) => {
                    ticked.moved += 1;
                    ticked.outputs += outputs;
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(ticked), Err)
    }

    /// A shard that is quiet for long costs one small read: of its mark.
    ///
    /// A shard that was split or merged stays where it is: records that came before the tick may wait in its children,
    /// which go on from here. (The clock of a parent would make them late.) `shards` was listed after the tick's time, so
    /// no record that arrived before it lies in a child that is not listed.
    async fn tick_shard(
        &mut self,
        journal: &JournalId,
        info: &ShardInfo,
        shards: &[ShardInfo],
        now: EventTime,
        deadline: Deadline,
    ) -> Result<Shard, Error> {
        if info.is_closed {
            return Ok(Shard::Still);
        }
        let limit = self.limit(now);
        let mark = match limit {
            Some(_) => self.store.read_mark(journal).await.map_err(tidemill_journal::Error::from)?,
            None => None,
        };
        let is_after = |due: EventTime| limit.is_some_and(|limit| due > limit);
        if mark.and_then(|mark| mark.due).is_some_and(is_after) && !is_read_anyway(journal, now) {
            return Ok(Shard::Passed);
        }
        // Slot 1 is never empty once a journal has begun. Asked of the table also for what is cached, which may have been
        // dropped: to begin it again is for its parents to allow, as at first.
        let first = self.store.read_slot(journal, 1).await.map_err(tidemill_journal::Error::from)?;
        let has_begun = first.is_some();
        if !has_begun && self.end(journal, info, shards).await? != End::Through {
            return Ok(Shard::Still);
        }
        let done = self.handle(&journal.stream, &journal.shard, Work::Tick(now), deadline).await?;
        if let (Some(limit), Some(view), true) = (limit, self.shards.view(journal), done.is_complete()) {
            tell_due(&self.store, journal, view, mark.as_ref(), limit).await;
        }
        Ok(if done.commits > 0 { Shard::Moved(done.outputs) } else { Shard::Still })
    }

    /// No tick at `now` lets a watermark go beyond it; `None` if ticks let none go on at all.
    fn limit(&self, now: EventTime) -> Option<EventTime> {
        let (bound, idle) = self.held_back()?;
        Some(now.plus(bound.saturating_neg()).plus(idle.saturating_neg()))
    }

    /// The bound and the idleness by which the watermark of a quiet shard stays behind the clock, in milliseconds.
    fn held_back(&self) -> Option<(i64, i64)> {
        let out_of_order = self.pipeline.out_of_order()?;
        let ms = |duration| millis(duration).unwrap_or(i64::MAX);
        Some((ms(out_of_order.bound()), ms(out_of_order.idle()?)))
    }

    /// Whether the parents of a shard that has not begun are through, so that it may go on from them although it has no
    /// record: each is sealed, or closed without a record behind its position, and so are its own parents if it has not
    /// begun either. Unlike for a child that has a record, nothing vouches here for what the event source delivered.
    fn end<'f>(
        &'f self,
        child: &'f JournalId,
        info: &'f ShardInfo,
        shards: &'f [ShardInfo],
    ) -> Pin<Box<dyn Future<Output = Result<End, Error>> + Send + 'f>> {
        Box::pin(async move {
            let mut end = End::Nothing;
            for parent in &info.parents {
                let journal = JournalId { shard: parent.clone(), ..child.clone() };
                let listed = shards.iter().find(|info| info.shard == *parent);
                let view = self.find(&journal).await?.map(|(view, _)| view);
                end = match (&view, listed) {
                    (Some(view), _) if view.kind() == Kind::Seal => End::Through,
                    (None, None) => end,
                    (_, Some(listed)) if !listed.is_closed => return Ok(End::Open),
                    (view, listed) => {
                        if self.has_next(&journal, view.as_ref()).await? {
                            return Ok(End::Open);
                        }
                        match (view, listed) {
                            (None, Some(listed)) => match self.end(&journal, listed, shards).await? {
                                End::Open => return Ok(End::Open),
                                End::Nothing => end,
                                End::Through => End::Through,
                            },
                            _ => End::Through,
                        }
                    }
                };
            }
            Ok(end)
        })
    }

    /// Whether the shard holds a record behind the view's position.
    async fn has_next(&self, journal: &JournalId, view: Option<&View>) -> Result<bool, Error> {
        let position = view.and_then(View::position).map(|position| &position.sequence);
        let next = self.source.next_after(&journal.stream, &journal.shard, position).await;
        Ok(next.map_err(|why| Error::Source { journal: journal.clone(), why })?.is_some())
    }

    /// Where event time has come to in a shard that is quiet at `now` and has no records waiting; `None` otherwise.
    pub(super) async fn quiet_watermark(
        &self,
        journal: &JournalId,
        view: &View,
        now: EventTime,
    ) -> Result<Option<Watermark>, Error> {
        let Some((bound, idle)) = self.held_back() else { return Ok(None) };
        let is_open = !matches!(view.kind(), Kind::Seal | Kind::Drain);
        let quiet = view.progress().quiet_watermark(now, bound, idle).filter(|_| is_open);
        let Some(watermark) = quiet else { return Ok(None) };
        Ok((!self.has_next(journal, Some(view)).await?).then_some(watermark))
    }
}
