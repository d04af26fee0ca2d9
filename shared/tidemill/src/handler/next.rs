//! What to do next.

use tidemill_core::{Position, Progress, Record, Shard, Watermark};
use tidemill_journal::{Kind, View};

use super::Work;

/// What the next step is to do.
pub(super) struct Next<'r> {
    pub(super) kind: Kind,
    pub(super) progress: Progress,
    pub(super) records: &'r [Record<'r>],
}

/// What to do next on a flushed view: the rest of a firing first, before any record is taken. `None` when all is done.
///
/// `quiet` is where a tick may move event time to.
pub(super) fn next<'r>(view: &View, state: &dyn Shard, work: Work<'r>, quiet: Option<Watermark>) -> Option<Next<'r>> {
    let is_drained = view.kind() == Kind::Drain;
    if state.is_due(view.progress().watermark) {
        let kind = if is_drained { Kind::Drain } else { Kind::Data };
        return Some(Next { kind, progress: view.progress().clone(), records: &[] });
    }
    match work {
        Work::Records(records) => {
            let records = behind(records, view.position());
            (!records.is_empty()).then(|| Next { kind: Kind::Data, progress: view.progress().clone(), records })
        }
        // Only if something comes of it: a commit that moves nothing but time costs as much as one that does.
        Work::Tick(_) => quiet.filter(|watermark| state.is_due(*watermark)).map(|watermark| {
            let mut progress = view.progress().clone();
            progress.advance_to(watermark);
            Next { kind: Kind::Tick, progress, records: &[] }
        }),
        // Its children go on.
        Work::Drain if is_drained || view.kind() == Kind::Seal => None,
        Work::Drain => {
            let mut progress = view.progress().clone();
            progress.advance_to(Watermark::END);
            Some(Next { kind: Kind::Drain, progress, records: &[] })
        }
    }
}

/// The records that are not in yet. They come in shard order.
pub(super) fn behind<'r>(records: &'r [Record<'r>], position: Option<&Position>) -> &'r [Record<'r>] {
    let known = position.map_or(0, |position| records.partition_point(|record| record.position <= *position));
    &records[known..]
}
