//! One shard at work.

use tidemill_core::Shard;
use tidemill_journal::{CaughtUp, JournalId, Store, View, catch_up};

use super::breaker::Breaker;
use super::suspicion::Suspicion;
use super::tally::Phases;
use crate::Error;

/// A shard's journal as far as it was read, and the keyed state there.
pub(super) struct OpenShard {
    pub(super) view: View,
    pub(super) state: Box<dyn Shard>,
    /// Whether view and state are the exact prefix: all the time but while a catch-up is under way.
    pub(super) is_exact: bool,
    /// Whether the view reflects every commit acknowledged before this invocation.
    pub(super) is_current: bool,
    /// Whether this process has not committed any record to it yet.
    pub(super) is_new: bool,
    pub(super) suspicion: Suspicion,
    pub(super) breaker: Breaker,
    pub(super) phases: Phases,
    /// How often it was read what others committed.
    pub(super) catch_ups: usize,
}

impl OpenShard {
    /// As it was found in its journal.
    pub(super) fn found(view: View, state: Box<dyn Shard>) -> Self {
        let (suspicion, breaker) = (Suspicion::None, Breaker::default());
        let (phases, catch_ups) = (Phases::default(), 0);
        Self { view, state, is_exact: true, is_current: true, is_new: true, suspicion, breaker, phases, catch_ups }
    }

    /// Takes in what others committed.
    pub(super) async fn follow<S: Store>(&mut self, store: &S, journal: &JournalId) -> Result<CaughtUp, Error> {
        self.state.discard();
        self.catch_ups += 1;
        // View and state move together or are lost together.
        self.is_exact = false;
        let caught_up = catch_up(store, journal, &mut self.view, self.state.as_mut()).await?;
        self.is_exact = true;
        Ok(caught_up)
    }
}
