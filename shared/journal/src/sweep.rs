//! Deleting images and spills that no commit ever named: those of puts that were lost or met a conflict.
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

use crate::{Error, JournalId, PartId, Store, StoreError, load};

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
    /// What records name it by: [`PartId::id`].
    pub id: String,
    /// Which chunk.
    pub chunk: u32,
    /// Its bytes; 0 if the item does not say.
    pub bytes: u64,
    /// Since when it is there, as far as that is known.
    pub stamp: Option<Stamp>,
}

/// A store that can list what lies beside the rings, for tools.
pub trait Sweepable: Store {
    /// All such items. *Law:* every item that was acknowledged before the call and is not deleted during it.
    fn list_beside(&self) -> impl Future<Output = Result<Vec<Beside>, StoreError>> + Send;

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
    const fn add(&mut self, item: &Beside) {
        self.items += 1;
        self.bytes += item.bytes;
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
    /// Orphans that were deleted, or would be.
    pub deleted: Count,
    /// Journals that cannot be read, of which everything was left alone.
    pub unread: Vec<Error>,
}

/// Deletes the orphans of the journals that `chosen` accepts which are there for `older_than`, at least [`LONGEST_LIFE`], at
/// the time `now`. A rehearsal writes nothing.
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
    let latest = now.as_millis().saturating_sub(older_than);
    let mut by_journal: BTreeMap<JournalId, Vec<Beside>> = BTreeMap::new();
    for item in store.list_beside().await?.into_iter().filter(|item| chosen(&item.journal)) {
        by_journal.entry(item.journal.clone()).or_default().push(item);
    }
    let mut swept = Swept::default();
    for (journal, items) in by_journal {
        // Behind the listing, see above.
        let named = match load::named(store, &journal).await {
            Ok(named) => named.into_iter().map(|PartId { id, .. }| id).collect::<BTreeSet<_>>(),
            Err(Error::Store(error)) => return Err(error),
            Err(unread) => {
                swept.unread.push(unread);
                continue;
            }
        };
        for item in &items {
            match item.stamp {
                _ if named.contains(&item.id) => swept.named.add(item),
                None => {
                    swept.stamped.add(item);
                    if !rehearsal {
                        store.stamp(item, now).await?;
                    }
                }
                Some(stamp) if stamp.time().as_millis() > latest => swept.young.add(item),
                Some(_) if rehearsal || store.delete_beside(item).await? => swept.deleted.add(item),
                Some(_) => swept.young.add(item),
            }
        }
    }
    Ok(swept)
}
