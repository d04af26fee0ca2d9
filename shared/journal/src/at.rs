//! Reading a journal as it was at an earlier commit.

use crate::load::assemble;
use crate::{Error, JournalId, Record, State, Store, View};

/// The view and state of a journal as of `record`, which was read from its slot: what [`load`](crate::load()) gave when that
/// was its last commit.
///
/// What is read is what stands there: the records behind the record's `oldest`, and the images that were named then. The
/// inner error says what of that is gone, since a later lap wrote over it or a later commit renewed an image. What is there
/// as of n is there as of n + 1 too.
///
/// # Errors
/// An item is damaged, or the store fails.
pub async fn load_at<S: Store, T: State + ?Sized>(
    store: &S,
    journal: &JournalId,
    record: &Record,
    open: impl Fn() -> Box<T>,
) -> Result<Result<(View, Box<T>), String>, Error> {
    let mut state = open();
    let view = assemble(store, journal, record, None, state.as_mut()).await?;
    Ok(view.map(|view| (view, state)))
}
