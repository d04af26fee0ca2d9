//! Sending the outputs of the last commit until each is acknowledged.

use crate::mark::mark_of;
use crate::{Deadline, Error, JournalId, Kind, Sink, Store, View};

/// The flush mark of a journal that one environment serves alone is written this often: it spares a newcomer some
/// repeats and some reads, and is not worth a write a commit.
const LAZY_EVERY: u64 = 64;

/// A view whose outputs are all acknowledged: what a commit demands (I3). Only [`flush`] makes one.
#[derive(Debug)]
pub struct Flushed<'v>(&'v mut View);

impl<'v> Flushed<'v> {
    /// The view.
    pub const fn view(&self) -> &View {
        self.0
    }

    pub(crate) const fn into_view(self) -> &'v mut View {
        self.0
    }
}

/// Sends the outputs of the view's last record, from the journal's own bytes, unless they are known to be acknowledged.
///
/// Only the last record can be unflushed: each commit was preceded by a flush of the one before. Called before every
/// commit, after every catch-up, and before an invocation reports success.
///
/// # Errors
/// [`Error::Sink`] if any output is not acknowledged by the deadline: nothing is lost, the next flush sends all again.
pub async fn flush<'v, S: Store, K: Sink>(
    store: &S,
    sink: &K,
    journal: &JournalId,
    view: &'v mut View,
    deadline: Deadline,
) -> Result<Flushed<'v>, Error> {
    if view.flushed || (!view.own && is_marked(store, journal, view).await) {
        view.flushed = true;
        return Ok(Flushed(view));
    }
    let failed = |source| Error::Sink { journal: journal.clone(), number: view.number, source };
    sink.send(&view.outputs, deadline).await.map_err(failed)?;
    view.flushed = true;
    // A Seal has outputs where a restore carried them along: what its journal holds is freed once they are marked.
    if view.contended || view.kind == Kind::Seal || view.number.is_multiple_of(LAZY_EVERY) {
        // A hint: absent or behind, it costs repeats, which their ids make harmless (I9).
        let _ = store.write_mark(journal, &mark_of(view)).await;
    }
    Ok(Flushed(view))
}

/// Whether the flush mark says that this record is flushed. A mark that cannot be read says nothing.
pub(crate) async fn is_marked<S: Store>(store: &S, journal: &JournalId, view: &View) -> bool {
    let mark = store.read_mark(journal).await.ok().flatten();
    mark.is_some_and(|mark| mark.incarnation == view.incarnation && mark.number >= view.number)
}
