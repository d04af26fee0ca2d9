//! Deleting images and spills that no commit ever named: those of puts that were lost or met a conflict. And freeing what
//! sealed journals hold (`free.rs`).
//!
//! A writer stores an image before the commit that names it. If that commit fails the image is an orphan, but whether it
//! failed is known to its writer alone, and not even to it if the answer got lost. So an orphan is what
//!
//! 1. no view names that was read **after** the item was found: to be named ever again it must be written again, or be
//!    named by a put that is under way;
//! 2. is older than any environment can live ([`LONGEST_LIFE`]): then no such put is under way;
//! 3. was not written again since it was found: a deletion is conditional on the item's [`Stamp`]. An image's id is a
//!    function of history and content, so a later writer may well make the same one.
//!
//! Items of earlier code have no time of writing. The first sweep that meets such an orphan stamps it with its own time, and
//! a later one deletes it.
//!
//! Clocks of writers and of the sweep are trusted to a few minutes; AWS refuses requests signed by one that is further off.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use tidemill_core::EventTime;

use crate::load::{self, Survey};
use crate::{Error, JournalId, Kind, Schema, Store, StoreError, free};

/// Longer than an environment of Lambda lives, and by far than an invocation, which is what a writer takes at most between
/// an image and its commit.
pub const LONGEST_LIFE: Duration = Duration::from_hours(24);

/// When an item beside the ring was written, or was met first by a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// Its writer wrote it then.
    Written(EventTime),
    /// It has no time of writing, and was there then.
    Seen(EventTime),
}

impl Stamp {
    const fn time(self) -> EventTime {
        match self {
            Self::Written(time) | Self::Seen(time) => time,
        }
    }
}

/// An item beside the ring: an image or a spill, or a chunk of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    /// Whose it is.
    pub journal: JournalId,
    /// What records name it by: [`PartId::id`](crate::PartId::id).
    pub id: String,
    /// Which chunk.
    pub chunk: u32,
    /// Its bytes; 0 if the item does not say.
    pub bytes: u64,
    /// Since when it is there, as far as that is known.
    pub stamp: Option<Stamp>,
}

/// What lies in a store.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// Journals that have begun, and perhaps others.
    pub journals: BTreeSet<JournalId>,
    /// What lies beside the rings.
    pub beside: Vec<Beside>,
}

/// A store that can list what lies in it, for tools.
pub trait Sweepable: Store {
    /// All journals and all items beside the rings. *Law:* every one whose record 1, or which itself, was acknowledged
    /// before the call and is not deleted during it.
    fn list(&self) -> impl Future<Output = Result<Listed, StoreError>> + Send;

    /// Stamps the item as seen. *Law:* only if it is there and has no stamp; writing it anew takes the stamp away.
    fn stamp(&self, item: &Beside, seen: EventTime) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Deletes the item if it has its stamp still. *Law:* check and deletion are one atomic act. Whether it did.
    fn delete_beside(&self, item: &Beside) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// Items and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many items.
    pub items: u64,
    /// Their bytes, as far as they say.
    pub bytes: u64,
}

impl Count {
    pub(crate) const fn add(&mut self, other: Self) {
        self.items += other.items;
        self.bytes += other.bytes;
    }

    const fn of(item: &Beside) -> Self {
        Self { items: 1, bytes: item.bytes }
    }
}

/// What a sweep found.
#[derive(Debug, Default)]
pub struct Swept {
    /// Items that a journal needs.
    pub named: Count,
    /// Orphans that a writer may name yet.
    pub young: Count,
    /// Orphans without a time, which were stamped now: they are deleted when the bound has passed again.
    pub stamped: Count,
    /// Orphans that were deleted, or would be. What only a sealed journal held that is freed is among them.
    pub deleted: Count,
    /// Slots of sealed journals that were freed of what they held, or would be, and bytes that they lose.
    pub freed: Count,
    /// Sealed journals that are freed when the bound has passed since a sweep found all their children begun.
    pub waiting: u64,
    /// Journals that cannot be read, of which everything was left alone.
    pub unread: Vec<Error>,
}

/// Deletes the orphans of the journals that `chosen` accepts which are there for `older_than`, at least [`LONGEST_LIFE`], at
/// the time `now`; and frees what sealed journals hold whose children have begun for so long. A journal's children must be
/// chosen with it. A rehearsal writes nothing.
///
/// # Errors
/// If the store fails. What was done until then is right, and a further sweep does the rest.
pub async fn sweep<S: Sweepable>(
    store: &S,
    chosen: impl Fn(&JournalId) -> bool,
    now: EventTime,
    older_than: Duration,
    rehearsal: bool,
) -> Result<Swept, StoreError> {
    let older_than = i64::try_from(older_than.max(LONGEST_LIFE).as_millis()).unwrap_or(i64::MAX);
    let latest = EventTime::from_millis(now.as_millis().saturating_sub(older_than));
    let mut sweep = Sweep { store, now, latest, rehearsal, swept: Swept::default() };
    let Listed { journals, beside } = store.list().await?;
    let mut by_journal: BTreeMap<JournalId, Vec<Beside>> = BTreeMap::new();
    by_journal.extend(journals.into_iter().filter(&chosen).map(|journal| (journal, Vec::new())));
    for item in beside.into_iter().filter(|item| chosen(&item.journal)) {
        by_journal.entry(item.journal.clone()).or_default().push(item);
    }
    // Behind the listing, see above.
    let mut surveys = BTreeMap::new();
    for journal in by_journal.keys() {
        surveys.extend(sweep.read(load::survey(store, journal).await)?.map(|survey| (journal, survey)));
    }
    let begun: Vec<&Schema> = surveys.values().flatten().map(|survey| &survey.view.schema).collect();
    for (journal, items) in &by_journal {
        let Some(survey) = surveys.get(journal) else { continue };
        match survey {
            Some(survey) => sweep.journal(journal, survey, &begun, items).await?,
            None => sweep.beside(items, &BTreeSet::new()).await?,
        }
    }
    Ok(sweep.swept)
}

struct Sweep<'s, S> {
    store: &'s S,
    now: EventTime,
    /// What is there since then has been there for long enough.
    latest: EventTime,
    rehearsal: bool,
    swept: Swept,
}

impl<S: Sweepable> Sweep<'_, S> {
    /// What was read, or `None` if it cannot be: its journal is left alone.
    fn read<T>(&mut self, read: Result<T, Error>) -> Result<Option<T>, StoreError> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(Error::Store(error)) => Err(error),
            Err(unread) => {
                self.swept.unread.push(unread);
                Ok(None)
            }
        }
    }

    async fn journal(
        &mut self,
        journal: &JournalId,
        survey: &Survey,
        begun: &[&Schema],
        items: &[Beside],
    ) -> Result<(), StoreError> {
        let mut named: BTreeSet<&str> = survey.named().map(|id| id.id.as_str()).collect();
        let note = free::note(&survey.view);
        let (noted, items): (Vec<Beside>, Vec<Beside>) =
            items.iter().cloned().partition(|item| survey.head.kind == Kind::Seal && item.id == note.id.id);
        if survey.head.kind == Kind::Seal && self.goes(journal, survey, begun, noted.first()).await? {
            let freed = free::free(self.store, journal, survey, self.now, self.rehearsal).await;
            // Begun anew meanwhile, or with results that may have to be sent: left alone.
            let Some(count) = self.read(freed)?.flatten() else { return Ok(()) };
            self.swept.freed.add(count);
            named.clear();
        }
        self.beside(&items, &named).await
    }

    /// Whether what a sealed journal holds is to be freed now. If its children have begun, a note says since when.
    async fn goes(
        &mut self,
        journal: &JournalId,
        seal: &Survey,
        begun: &[&Schema],
        noted: Option<&Beside>,
    ) -> Result<bool, StoreError> {
        if seal.head.freed().is_some() {
            // The note goes last: where there is one, a sweep broke off.
            return Ok(noted.is_some());
        }
        let note = free::note(&seal.view);
        let is_taken_over = free::is_taken_over(&seal.view.schema, begun);
        if is_taken_over && noted.and_then(|note| note.stamp).is_some_and(|stamp| stamp.time() <= self.latest) {
            return Ok(true);
        }
        self.swept.waiting += u64::from(is_taken_over);
        if !self.rehearsal {
            match noted {
                // A child was dropped: it is to begin again.
                Some(_) if !is_taken_over => self.store.delete_part(journal, &note.id).await?,
                Some(item) => self.store.stamp(item, self.now).await?,
                None if is_taken_over => self.store.write_part(journal, &note.id, &note.chunks).await?,
                None => {}
            }
        }
        Ok(false)
    }

    /// Keeps, stamps or deletes items beside a ring.
    async fn beside(&mut self, items: &[Beside], named: &BTreeSet<&str>) -> Result<(), StoreError> {
        for item in items {
            let found = match item.stamp {
                _ if named.contains(item.id.as_str()) => &mut self.swept.named,
                None => {
                    if !self.rehearsal {
                        self.store.stamp(item, self.now).await?;
                    }
                    &mut self.swept.stamped
                }
                Some(stamp) if stamp.time() > self.latest => &mut self.swept.young,
                Some(_) if self.rehearsal || self.store.delete_beside(item).await? => &mut self.swept.deleted,
                Some(_) => &mut self.swept.young,
            };
            found.add(Count::of(item));
        }
        Ok(())
    }
}
