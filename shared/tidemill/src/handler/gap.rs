//! Records that the event source left out: a mapping made anew at LATEST, a stream whose retention was shorter than an
//! outage. Nothing can bring them back, but a gap is written into the journal and told.

use tidemill_core::{Position, Record};
use tidemill_journal::{JournalId, View};

use super::source::Source;

/// Records that arrived further apart than this are looked between even by a process that is warm, in milliseconds. To
/// delete a mapping and to make it anew takes longer, as a rule: what arrived meanwhile is missing in between. It makes two
/// looks a minute at most.
const PAUSE_MS: i64 = 30_000;

/// The view's position, if the stream has records between it and `first`, the first one that was delivered behind it.
///
/// Looked for when the process is new to the shard, and after a pause of arrivals: else the batch goes on where the last
/// one ended, or the records left out arrived within half a minute, which nothing tells. A look that fails finds nothing.
pub(super) async fn find<P: Source>(
    source: &P,
    journal: &JournalId,
    view: &View,
    first: &Record<'_>,
    is_new: bool,
) -> Option<Position> {
    let position = view.position().filter(|position| position.sequence < first.position.sequence)?;
    let arrival = view.progress().arrival?;
    if !is_new && first.arrival <= arrival.plus(PAUSE_MS) {
        return None;
    }
    match source.next_after(&journal.stream, &journal.shard, Some(&position.sequence)).await {
        Ok(next) => next.filter(|next| *next < first.position.sequence).map(|_| position.clone()),
        Err(why) => {
            tracing::warn!(%journal, why, "cannot look for records that were left out");
            None
        }
    }
}
