//! Why a journal operation failed. None of them leaves a view or the journal half changed.

use tidemill_core::EventTime;

use crate::{JournalId, Kind, SinkError, StoreError};

/// Why a journal operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store did not answer, or refused. The same operation may be tried again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sink did not acknowledge all outputs. They stand in the journal; the next invocation sends them again.
    #[error("outputs of commit {number} of {journal} are not all acknowledged: {source}")]
    Sink {
        /// The journal.
        journal: JournalId,
        /// The commit.
        number: u64,
        /// Why.
        source: SinkError,
    },
    /// A stored item cannot be read. Nothing is overwritten.
    #[error("{item} of journal {journal} cannot be read: {why}")]
    Damaged {
        /// The journal.
        journal: JournalId,
        /// Which item.
        item: String,
        /// What is wrong.
        why: String,
    },
    /// The journal holds the state of something else. Nothing is overwritten.
    #[error(
        "journal {journal} is not of this pipeline as it is now: {}. Deploy the code that wrote it, say how \
         its state becomes that of now (`.migrate_from(..)` with `.version(..)`, where the aggregate alone has changed), \
         give the pipeline a new name, or drop the state", differences.join("; ")
    )]
    Foreign {
        /// The journal.
        journal: JournalId,
        /// What differs: stored against expected.
        differences: Vec<String>,
    },
    /// The journal is older than what this process knows to be committed: the table was restored.
    #[error(
        "journal {journal} stands at commit {found}, but commit {known} of it was acknowledged: the table was restored to \
         an earlier time. Drop the state or import it under a new incarnation"
    )]
    Restored {
        /// The journal.
        journal: JournalId,
        /// Its highest commit now.
        found: u64,
        /// A commit that was there.
        known: u64,
    },
    /// Nothing follows the last record.
    #[error("journal {journal} ended with a {kind:?} at commit {number} and takes no more records")]
    Closed {
        /// The journal.
        journal: JournalId,
        /// Its last kind.
        kind: Kind,
        /// Its last commit.
        number: u64,
    },
    /// What the journal held is deleted: nothing begins from it.
    #[error(
        "{child} cannot begin from journal {journal}: what that held was freed by `state sweep` at {freed}, when all shards \
         that came of it had begun. Restore this pipeline's state from an export, or drop it"
    )]
    Freed {
        /// The sealed journal.
        journal: JournalId,
        /// The shard that was to begin.
        child: String,
        /// When.
        freed: EventTime,
    },
    /// The journal changed under every attempt to read it.
    #[error("journal {journal} changed during each of {attempts} attempts to read it: {why}")]
    Unsettled {
        /// The journal.
        journal: JournalId,
        /// How often it was tried.
        attempts: u32,
        /// What did not fit, at the last attempt.
        why: String,
    },
    /// A journal that is to be begun is there.
    #[error(
        "journal {journal} is there already, at commit {number}: restore in place of it, take another name, or drop it \
         first"
    )]
    Occupied {
        /// The journal.
        journal: JournalId,
        /// A commit of it.
        number: u64,
    },
    /// Functions begin the journal again as often as it is deleted.
    #[error(
        "journal {journal} was begun anew by a function each of {attempts} times that it was deleted: see that none runs \
         any more, and run this again"
    )]
    Contested {
        /// The journal.
        journal: JournalId,
        /// How often it was deleted.
        attempts: u32,
    },
    /// The state or the record does not encode.
    #[error("commit {number} of journal {journal} cannot be encoded: {why}")]
    Encode {
        /// The journal.
        journal: JournalId,
        /// The commit.
        number: u64,
        /// Why.
        why: String,
    },
}

impl Error {
    pub(crate) fn damaged(journal: &JournalId, item: impl Into<String>, why: impl ToString) -> Self {
        Self::Damaged { journal: journal.clone(), item: item.into(), why: why.to_string() }
    }

    pub(crate) fn encode(journal: &JournalId, number: u64, why: String) -> Self {
        Self::Encode { journal: journal.clone(), number, why }
    }
}
