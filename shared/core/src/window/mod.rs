//! Windows: which spans of event time a record belongs to.

mod tumbling;

pub use tumbling::Tumbling;

use crate::aggregate::Aggregate;
use crate::{EventTime, Span};

/// Assigns records to windows by their event time. The windows of this crate alone: what the step needs of one is not
/// settled.
pub trait Window: sealed::Sealed + Send + Sync + 'static {
    /// The windows that an event at `time` (in the years 1 to 9999) belongs to, in order of their end.
    fn assign(&self, time: EventTime) -> impl Iterator<Item = Span>;

    /// What is wrong with the window's own numbers, each with the fix; none if it is sound.
    fn problems(&self) -> Vec<String>;

    /// The window in the operator's fingerprint. Stored state depends on it.
    fn describe(&self) -> String;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Tumbling {}
}

/// Which aggregates a window accepts: where windows merge or share slices, the aggregate must be
/// [`Merge`](crate::aggregate::Merge).
#[diagnostic::on_unimplemented(
    message = "`{Self}` windows do not accept this aggregate",
    note = "where windows merge or share slices, the aggregate must implement `Merge`"
)]
pub trait Accepts<A>: Window {}

impl<A: Aggregate> Accepts<A> for Tumbling {}
