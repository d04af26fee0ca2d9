//! Aggregates: what is kept of the records of a pane, and what result it gives.
//!
//! Three traits, so that windows which never merge do not ask for merging: [`Aggregate`] (empty, finish), [`Add`] (how an
//! event enters) and [`Merge`]. Tuples of up to twelve aggregates are aggregates. Pipelines make them through [`Over`],
//! which knows the event type, so that closures need no annotation:
//! `|over| (over.count(), over.sum(|f| f.delay_min))`.
//!
//! Stored states do not depend on when they were encoded or merged, and mean the same on every platform.

mod collect;
mod count;
mod ddsketch;
mod distinct;
mod distinct_approx;
mod extremum;
mod first;
mod fold;
mod hyperloglog;
mod mean;
mod on;
mod over;
mod quantiles;
mod rank;
mod reduce;
mod sides;
mod sum;
mod top;
mod tuple;
mod when;

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use collect::Collect;
pub use count::Count;
pub use ddsketch::DdSketch;
pub use distinct::Distinct;
pub use distinct_approx::DistinctApprox;
pub use extremum::{Max, Min};
pub use first::{Dated, First, Last};
pub use fold::{Fold, Merging};
pub use hyperloglog::HyperLogLog;
pub use mean::{Mean, MeanState};
pub use on::On;
pub use over::Over;
pub use quantiles::Quantiles;
pub use rank::{Rank, Ranked};
pub use reduce::{Reduce, Reduced};
pub use sides::{Sides, SidesState};
pub use sum::{Number, Sum, Total};
pub use top::Top;
pub use when::{Filtered, When};

use crate::{EventTime, Reject};

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

    /// What is wrong with the aggregate's own numbers, each with the fix; none if it is sound. `build()` reports them.
    fn problems(&self) -> Vec<String> {
        Vec::new()
    }
}

/// How an event enters.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not aggregate events of type `{E}`",
    note = "make aggregates through `over`: `.aggregate(|over| over.sum(|e| e.price))`"
)]
pub trait Add<E>: Aggregate {
    /// Takes the event in, with its event time. `state` is a copy: it is kept only on success.
    ///
    /// # Errors
    /// A [`Reject`] quarantines the record, for example [`Reason::Overflow`](crate::Reason::Overflow).
    fn add(&self, state: &mut Self::State, event: &E, time: EventTime) -> Result<(), Reject>;
}

/// How two states become one. Associative: (a + b) + c = a + (b + c).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot merge, and this window shares or merges state",
    note = "a fold merges once told how: `over.fold(init, step).merging(|a, b| ..)`; for an aggregate of your own \
            implement `Merge`; or use a tumbling window"
)]
pub trait Merge: Aggregate {
    /// Takes the records behind `from`, which came later, into `into`.
    ///
    /// # Errors
    /// As for [`Add::add`].
    fn merge(&self, into: &mut Self::State, from: Self::State) -> Result<(), Reject>;
}

/// A value that state can hold as it is: whatever can be cloned, and stored and read by serde.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept in state",
    note = "return an owned value that is Clone, Serialize, DeserializeOwned, Send and Sync: \
            `#[derive(Clone, Serialize, Deserialize)]`"
)]
pub trait Kept: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> Kept for T {}
