//! Shards at rest, by how lately they were used.

use std::collections::BTreeMap;

use tidemill_journal::{Incarnation, JournalId, View};

use super::shard::OpenShard;
use crate::Error;

/// Shards at rest, up to so many bytes of state.
///
/// A shard at work is taken out, and put back only while view and state are exact: after a panic, a dropped future or a
/// catch-up that failed the next invocation reads the journal instead.
pub(super) struct Cache {
    bytes: usize,
    /// Counts uses: the clock of the least recent one.
    uses: u64,
    shards: BTreeMap<JournalId, (u64, OpenShard)>,
    /// The highest commit known of each journal: a lower one later means a restored table.
    known: BTreeMap<JournalId, (Incarnation, u64)>,
}

impl Cache {
    pub(super) const fn new(bytes: usize) -> Self {
        Self { bytes, uses: 0, shards: BTreeMap::new(), known: BTreeMap::new() }
    }

    pub(super) fn take(&mut self, journal: &JournalId) -> Option<OpenShard> {
        self.shards.remove(journal).map(|(_, open)| open)
    }

    /// The view of a shard at rest.
    pub(super) fn view(&self, journal: &JournalId) -> Option<&View> {
        self.shards.get(journal).map(|(_, open)| &open.view)
    }

    /// Puts a shard to rest; others go, the least recently used first, until all fit.
    pub(super) fn put(&mut self, journal: JournalId, open: OpenShard) {
        self.uses += 1;
        self.known.insert(journal.clone(), (open.view.incarnation(), open.view.number()));
        self.shards.insert(journal, (self.uses, open));
        while self.shards.len() > 1 && self.used() > self.bytes {
            let oldest = self.shards.iter().min_by_key(|(_, (used, _))| *used).map(|(journal, _)| journal.clone());
            oldest.and_then(|journal| self.shards.remove(&journal));
        }
    }

    /// About how many bytes all of them take as stored.
    pub(super) fn used(&self) -> usize {
        self.shards.values().map(|(_, open)| open.state.bytes()).sum()
    }

    pub(super) fn check_not_restored(&self, journal: &JournalId, view: &View) -> Result<(), Error> {
        match self.known.get(journal) {
            Some((incarnation, known)) if *incarnation == view.incarnation() && *known > view.number() => {
                let (journal, found, known) = (journal.clone(), view.number(), *known);
                Err(tidemill_journal::Error::Restored { journal, found, known }.into())
            }
            _ => Ok(()),
        }
    }
}
