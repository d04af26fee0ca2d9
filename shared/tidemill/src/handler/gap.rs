//! Records that the event source left out: a mapping made anew at LATEST, a stream whose retention was shorter than an
//! outage. Nothing can bring them back, but a gap is written into the journal and told.

use std::future::Future;

use tidemill_core::{Position, Record, SequenceNumber};
use tidemill_journal::{JournalId, View};

/// A position older than this, by the arrival of records, is looked behind even by a process that is warm.
const LONG_MS: i64 = 3_600_000;

/// The source stream, as far as a handler looks at it.
pub trait Source: Send + Sync {
    /// The sequence number of the record that follows `position` in the shard, or `None` if there is none now.
    fn next_after(
        &self,
        stream: &str,
        shard: &str,
        position: &SequenceNumber,
    ) -> impl Future<Output = Result<Option<SequenceNumber>, String>> + Send;
}

/// No source to look at: gaps are not noticed.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

impl Source for Unwatched {
    async fn next_after(&self, _: &str, _: &str, _: &SequenceNumber) -> Result<Option<SequenceNumber>, String> {
        Ok(None)
    }
}

impl Source for tidemill_aws::KinesisSource {
    async fn next_after(
        &self,
        stream: &str,
        shard: &str,
        position: &SequenceNumber,
    ) -> Result<Option<SequenceNumber>, String> {
        Self::next_after(self, stream, shard, position).await
    }
}

/// The view's position, if the stream has records between it and `first`, the first one that was delivered behind it.
///
/// Looked for when the process is new to the shard, since only then may the mapping be new, and after a long pause. A look
/// that fails finds nothing.
pub(super) async fn find<P: Source>(
    source: &P,
    journal: &JournalId,
    view: &View,
    first: &Record<'_>,
    is_new: bool,
) -> Option<Position> {
    let position = view.position().filter(|position| position.sequence < first.position.sequence)?;
    let arrival = view.progress().arrival?;
    if !is_new && first.arrival <= arrival.plus(LONG_MS) {
        return None;
    }
    match source.next_after(&journal.stream, &journal.shard, &position.sequence).await {
        Ok(next) => next.filter(|next| *next < first.position.sequence).map(|_| position.clone()),
        Err(why) => {
            tracing::warn!(%journal, why, "cannot look for records that were left out");
            None
        }
    }
}
