//! Beginning a shard's journal: empty, or where its parents ended.
//!
//! A shard that was split or merged into others is sealed by the first of its children that begins: what a firing in
//! progress still has to send goes out, then a Seal is committed, and nothing follows it (I6). The children's state is the
//! cut or union of their parents' states there. Parents may themselves never have had a record, or not have begun: then
//! they begin first, and theirs before them.

use std::future::Future;
use std::pin::Pin;

use tidemill_aws::ShardInfo;
use tidemill_core::{Fingerprint, HashRange, PartRange, Progress, Shard};
use tidemill_journal::{
    Beginning, Committed, Deadline, Draft, Expected, Format, JournalId, Kind, Schema, Sink, Store, View, commit, flush,
    init, load,
};

use super::shard::OpenShard;
use super::source::Source;
use super::{Handler, Work};
use crate::Error;

/// View and state of a journal.
pub(super) type Loaded = (View, Box<dyn Shard>);

impl<S: Store, K: Sink, P: Source> Handler<S, K, P> {
    /// View and state from the journal, if it has begun.
    pub(super) async fn find(&self, journal: &JournalId) -> Result<Option<Loaded>, Error> {
        // Without an answer the journal is read all the same: that the stream was recreated is then not noticed.
        let info = self.source.shard(&journal.stream, &journal.shard).await.unwrap_or_default();
        let schema = self.schema(journal, info.as_ref());
        let reads = |stored: &Fingerprint| self.pipeline.reads(stored);
        let expected = Expected { schema: &schema, reads: &reads };
        let loaded = load(&self.store, journal, Some(expected), || self.pipeline.open()).await?;
        let Some((view, mut state)) = loaded else { return Ok(None) };
        self.shards.check_not_restored(journal, &view)?;
        // As the journal says and not a listing, which may fail: what becomes of a record is the same every time.
        view.schema().hash_range.into_iter().for_each(|range| state.own(range));
        Ok(Some((view, state)))
    }

    /// View and state from the journal, which is begun if it has not.
    pub(super) fn load<'f>(
        &'f self,
        journal: &'f JournalId,
        deadline: Deadline,
    ) -> Pin<Box<dyn Future<Output = Result<Loaded, Error>> + Send + 'f>> {
        Box::pin(async move {
            loop {
                if let Some(loaded) = self.find(journal).await? {
                    return Ok(loaded);
                }
                self.begin(journal, deadline).await?;
            }
        })
    }

    /// Writes the first record of a journal, unless somebody else does.
    async fn begin(&self, journal: &JournalId, deadline: Deadline) -> Result<(), Error> {
        let told = self.source.shard(&journal.stream, &journal.shard).await;
        let info = told.map_err(|why| Error::Source { journal: journal.clone(), why })?;
        let mut parents = Vec::new();
        for parent in info.iter().flat_map(|info| &info.parents) {
            parents.extend(self.end_of(journal, parent, deadline).await?);
        }
        let own = info.as_ref().map_or(HashRange::ALL, |info| info.hash_range);
        let mut state = self.pipeline.open();
        for (range, _, parent) in &parents {
            self.inherit(journal, state.as_mut(), parent.as_ref(), *range, own)?;
        }
        // Older code may still be at work on the parents, and must be able to go on here.
        let format = parents.iter().map(|(_, view, _)| view.format()).min().unwrap_or(Format::NEWEST);
        let ended: Vec<(HashRange, Progress)> =
            parents.into_iter().map(|(range, view, _)| (range, view.progress().clone())).collect();
        let schema = self.schema(journal, info.as_ref());
        let progress = Progress::inherited(&ended, own);
        let beginning =
            Beginning { progress, format, ..Beginning::empty((self.draw_incarnation)(), self.limits.ring, schema) };
        init(&self.store, journal, beginning, state.as_ref()).await?;
        Ok(())
    }

    /// The sealed end of a parent, with the range that it owned; `None` if there is none and never will be: it left the
    /// stream before this pipeline began.
    async fn end_of(
        &self,
        child: &JournalId,
        parent: &str,
        deadline: Deadline,
    ) -> Result<Option<(HashRange, View, Box<dyn Shard>)>, Error> {
        let journal = JournalId { shard: parent.to_owned(), ..child.clone() };
        let (view, state) = match self.find(&journal).await? {
            Some(loaded) => loaded,
            None => {
                let told = self.source.shard(&journal.stream, parent).await;
                if told.map_err(|why| Error::Source { journal: journal.clone(), why })?.is_none() {
                    return Ok(None);
                }
                self.load(&journal, deadline).await?
            }
        };
        let mut open = OpenShard::found(view, state);
        self.seal(child, &journal, &mut open, deadline).await?;
        if let Some(freed) = open.view.freed() {
            return Err(tidemill_journal::Error::Freed { journal, child: child.shard.clone(), freed }.into());
        }
        let range = open.view.schema().hash_range.unwrap_or(HashRange::ALL);
        Ok(Some((range, open.view, open.state)))
    }

    /// Ends a journal whose shard was split or merged.
    async fn seal(
        &self,
        child: &JournalId,
        journal: &JournalId,
        open: &mut OpenShard,
        deadline: Deadline,
    ) -> Result<(), Error> {
        while open.view.kind() != Kind::Seal {
            self.check_drained(child, journal, &open.view).await?;
            // What a firing in progress still has to send.
            self.run(journal, open, Work::Records(&[]), deadline).await?;
            let flushed = flush(&self.store, &self.sink, journal, &mut open.view, deadline).await?;
            let view = flushed.view();
            if view.kind() == Kind::Seal || open.state.is_due(view.progress().watermark) {
                continue;
            }
            let draft = Draft {
                kind: Kind::Seal,
                position: view.position().cloned(),
                progress: view.progress().clone(),
                changes: Vec::new(),
                outputs: Vec::new(),
                gap: None,
                tick: None,
                may_spill: false,
            };
            match commit(&self.store, journal, flushed, draft, open.state.as_ref(), deadline).await? {
                Committed::Done => tracing::info!(%journal, %child, "sealed: its shard was split or merged"),
                Committed::Conflict | Committed::TooLarge { .. } => drop(self.renew(journal, open, deadline).await?),
            }
        }
        // Outputs of a Seal there are none, but those of the commit before it may wait.
        flush(&self.store, &self.sink, journal, &mut open.view, deadline).await?;
        Ok(())
    }

    /// A child's records come only when its parents are through. Should the parent hold records behind its position, they
    /// would be lost behind the Seal: the child waits. Where nothing of parent and ancestors was ever taken, the event
    /// source began behind those records, and they are only told.
    async fn check_drained(&self, child: &JournalId, journal: &JournalId, view: &View) -> Result<(), Error> {
        let position = view.position().map(|position| &position.sequence);
        let next = self.source.next_after(&journal.stream, &journal.shard, position).await;
        let Some(next) = next.map_err(|why| Error::Source { journal: journal.clone(), why })? else { return Ok(()) };
        let progress = view.progress();
        if position.is_none() && progress.arrival.is_none() && progress.floors.is_empty() {
            tracing::warn!(%journal, %next, "the event source began behind records of this shard: they are not counted");
            return Ok(());
        }
        Err(Error::NotDrained { journal: journal.clone(), child: child.shard.clone(), next: Box::new(next) })
    }

    fn inherit(
        &self,
        journal: &JournalId,
        state: &mut dyn Shard,
        parent: &dyn Shard,
        parents: HashRange,
        own: HashRange,
    ) -> Result<(), Error> {
        let damaged = |why: String| tidemill_journal::Error::Damaged {
            journal: journal.clone(),
            item: format!("the state of a parent that owned {:032x} to {:032x}", parents.first, parents.last),
            why,
        };
        for cell in parent.image(&PartRange::ALL).map_err(|reject| damaged(reject.message))? {
            state.inherit(&cell, own).map_err(|corrupt| damaged(corrupt.to_string()))?;
        }
        Ok(())
    }

    fn schema(&self, journal: &JournalId, info: Option<&ShardInfo>) -> Schema {
        Schema {
            journal: journal.clone(),
            fingerprint: self.pipeline.fingerprint(),
            starting_sequence: info.map(|info| info.starting_sequence.clone()),
            hash_range: info.map(|info| info.hash_range),
        }
    }
}
