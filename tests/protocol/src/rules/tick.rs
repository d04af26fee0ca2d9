//! Letting event time run on in quiet shards.

use crate::Mutant;
use crate::step::{self, Event};
use crate::view::View;

/// The watermark that a tick at `now` may raise a shard to, if anything is due there and it is caught up: records that
/// wait in the stream must not become late.
pub(crate) fn raises_to(
    view: &View,
    now: u8,
    is_caught_up: bool,
    events: &[Event],
    mutant: Option<Mutant>,
) -> Option<u8> {
    let may = is_caught_up || mutant == Some(Mutant::TickIgnoresBacklog);
    let raised = view.progress.watermark.max(now);
    (may && raised > view.progress.watermark && step::is_due(&view.cells, raised, events, mutant)).then_some(raised)
}
