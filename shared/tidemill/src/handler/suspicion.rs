//! Records that kill the process: out of memory, an endless loop, an abort.
//!
//! No code of ours runs when they do. What is left is a note, written before an environment's first batch of a shard: how
//! often someone began at this position. At the third time records are committed one by one, so that the position moves
//! up to the culprit; a lone record that ends two environments is quarantined unseen. An error that is reported, a
//! throttled table for example, is no crash and clears the note.

use tidemill_core::{Caps, Reason, Reject, Shard, Step};
use tidemill_journal::{Attempt, JournalId, Store, View};

use super::next::Next;
use crate::Error;

/// From this attempt on records are committed one by one.
const ALONE_FROM: u32 = 3;
/// From this attempt on the next record is the culprit: it was alone twice.
const CULPRIT_FROM: u32 = 5;

/// What the environments before this one left to suspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suspicion {
    /// Nothing.
    None,
    /// Some record at or behind the position kills: commit one by one.
    Alone,
    /// The next record does: it was alone when two environments ended.
    Culprit,
}

impl Suspicion {
    /// Notes one more attempt at the view's position, before the first batch.
    pub(super) async fn raise<S: Store>(store: &S, journal: &JournalId, view: &View) -> Result<Self, Error> {
        let position = view.position().cloned();
        let before = store.read_attempt(journal).await.map_err(tidemill_journal::Error::from)?;
        let count =
            before.filter(|attempt| attempt.position == position).map_or(0, |attempt| attempt.count).saturating_add(1);
        write(store, journal, Attempt { position, count }).await?;
        Ok(match count {
            CULPRIT_FROM.. => Self::Culprit,
            ALONE_FROM.. => Self::Alone,
            _ => Self::None,
        })
    }

    /// What one commit may hold under this suspicion.
    pub(super) fn caps(self, caps: Caps) -> Caps {
        match self {
            Self::None => caps,
            Self::Alone | Self::Culprit => Caps { records: 1, ..caps },
        }
    }

    /// The step; the culprit goes to the quarantine without being looked at.
    pub(super) fn step(self, state: &mut dyn Shard, next: &Next<'_>, caps: Caps) -> Step {
        match (self, next.records.first()) {
            (Self::Culprit, Some(culprit)) => {
                let message = "every environment that took this record ended without a word: out of memory, out of \
                               time, or aborted. The function's log shows how";
                state.refuse(&next.progress, culprit, Reject::new(Reason::Crashed, message))
            }
            _ => state.step(&next.progress, next.records, caps),
        }
    }

    /// After a commit: a note at the new position, so that one more environment finds its record alone at once.
    pub(super) async fn move_on<S: Store>(&mut self, store: &S, journal: &JournalId, view: &View) -> Result<(), Error> {
        if matches!(self, Self::Alone | Self::Culprit) {
            *self = Self::Alone;
            let count = ALONE_FROM;
            write(store, journal, Attempt { position: view.position().cloned(), count }).await?;
        }
        Ok(())
    }

    /// After an invocation that ended by itself.
    pub(super) async fn clear<S: Store>(&mut self, store: &S, journal: &JournalId, view: &View) -> Result<(), Error> {
        let before = std::mem::replace(self, Self::None);
        if matches!(before, Self::Alone | Self::Culprit) {
            write(store, journal, Attempt { position: view.position().cloned(), count: 0 }).await?;
        }
        Ok(())
    }
}

async fn write<S: Store>(store: &S, journal: &JournalId, attempt: Attempt) -> Result<(), Error> {
    Ok(store.write_attempt(journal, &attempt).await.map_err(tidemill_journal::Error::from)?)
}
