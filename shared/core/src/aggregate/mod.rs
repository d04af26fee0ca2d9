//! Aggregates: what is kept of the records of a pane, and what result it gives.
//!
//! Three traits, so that windows which never merge do not ask for merging: [`Aggregate`] (empty, finish), [`Add`] (how an
//! event enters) and [`Merge`]. Tuples of up to twelve aggregates are aggregates. Pipelines make them through [`Over`],
//! which knows the event type, so that closures need no annotation:
//! `|over| (over.count(), over.sum(|f| f.delay_min))`.

mod count;
mod extremum;
mod mean;
mod over;
mod sum;
mod tuple;

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use count::Count;
pub use extremum::{Max, Min, Rank};
pub use mean::Mean;
pub use over::Over;
pub use sum::{Number, Sum, Total};

use crate::Reject;

/// What is kept of the records of one pane, and the result it gives.
///
/// The state is stored self-describing: give fields of your own states names (a struct, not a tuple), and new fields
/// `#[serde(default)]`.
pub trait Aggregate: Send + Sync + 'static {
    /// What is kept.
    type State: Clone + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// The result.
    type Output;

    /// The state of no records.
    fn empty(&self) -> Self::State;

    /// The result of a state that holds at least one record.
    fn finish(&self, state: &Self::State) -> Self::Output;

    /// What the state is, in the operator's fingerprint: a journal with another one is refused. Choose the text once;
    /// change it when old states no longer decode or mean something else.
    fn schema(&self) -> Cow<'static, str>;
}

/// How an event enters.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not aggregate events of type `{E}`",
    note = "make aggregates through `over`: `.aggregate(|over| over.sum(|e| e.price))`"
)]
pub trait Add<E>: Aggregate {
    /// Takes the event in. `state` is a copy: it is kept only on success.
    ///
    /// # Errors
    /// A [`Reject`] quarantines the record, for example [`Reason::Overflow`](crate::Reason::Overflow).
    fn add(&self, state: &mut Self::State, event: &E) -> Result<(), Reject>;
}

/// How two states become one. Associative: (a + b) + c = a + (b + c).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot merge, and this window shares or merges state",
    note = "implement `Merge`, or use a tumbling window"
)]
pub trait Merge: Aggregate {
    /// Takes the records behind `from`, which came later, into `into`.
    ///
    /// # Errors
    /// As for [`Add::add`].
    fn merge(&self, into: &mut Self::State, from: Self::State) -> Result<(), Reject>;
}
