//! Windows: which spans of event time a record belongs to.
//!
//! | kind | a record belongs to | state |
//! |---|---|---|
//! | [`Tumbling`], [`Calendar`] | one window ([`Assign`]) | one accumulator a window |
//! | [`Sliding`], [`Cumulative`] | several windows, which share slices ([`Slice`]) | one accumulator a slice, merged when a window closes |
//! | [`Session`] | a window that grows and merges with its neighbours | one accumulator a session, merged with it |
//! | [`Global`] | the one window of its key | one accumulator |

mod calendar;
mod cumulative;
mod global;
mod grid;
mod session;
mod sliding;
mod tumbling;
mod zone;

pub use calendar::Calendar;
pub use cumulative::Cumulative;
pub use global::Global;
pub use grid::MAX_SLICES;
/// A day of the week, for [`Calendar::starting`].
pub use jiff::civil::Weekday;
pub use session::Session;
pub use sliding::Sliding;
pub use tumbling::Tumbling;

use crate::aggregate::{Aggregate, Merge};
use crate::{EventTime, Reject, Span};

/// A kind of windows. Those of this crate alone: how the state of each lies in cells is the operators' matter.
pub trait Window: sealed::Sealed + Send + Sync + 'static {
    /// Everything that is wrong with the window's own numbers, each with the fix; none if it is sound.
    fn problems(&self) -> Vec<String>;

    /// The window in the operator's fingerprint. Stored state depends on it.
    fn describe(&self) -> String;
}

/// Windows that are known from the event's time alone, each with an accumulator of its own. They tile the time line.
pub trait Assign: Window {
    /// The window that an event at `time` (in the years 1 to 9999) belongs to.
    fn assign(&self, time: EventTime) -> Span;
}

/// Windows made of slices that they share. Slices tile the time line, and each window.
pub trait Slice: Window {
    /// The slice that an event at `time` (in the years 1 to 9999) belongs to.
    fn slice(&self, time: EventTime) -> Span;

    /// The windows that contain the slice, in order of their end. No two windows end together.
    fn windows(&self, slice: Span) -> Box<dyn Iterator<Item = Span> + '_>;

    /// The start of the first slice that windows ending after `window.end` still need. What starts before it is garbage
    /// once `window` and all that end earlier are gone.
    fn needed_from(&self, window: Span) -> EventTime;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Tumbling {}
    impl Sealed for super::Calendar {}
    impl Sealed for super::Sliding {}
    impl Sealed for super::Cumulative {}
    impl Sealed for super::Session {}
    impl Sealed for super::Global {}
}

/// Which aggregates a window accepts: where windows merge or share slices, the aggregate must be [`Merge`].
///
/// ```
/// use tidemill_core::{aggregate::{Aggregate, Merge}, window::{Accepts, Session, Sliding, Tumbling}};
///
/// fn accepted<W: Accepts<A>, A: Aggregate>() {}
/// fn any<A: Aggregate>() {
///     accepted::<Tumbling, A>();
/// }
/// fn mergeable<A: Merge>() {
///     accepted::<Sliding, A>();
///     accepted::<Session, A>();
/// }
/// ```
///
/// ```compile_fail,E0277
/// # use tidemill_core::{aggregate::Aggregate, window::{Accepts, Sliding}};
/// # fn accepted<W: Accepts<A>, A: Aggregate>() {}
/// fn any<A: Aggregate>() {
///     accepted::<Sliding, A>();
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` windows do not accept this aggregate",
    note = "where windows merge or share slices, the aggregate must implement `Merge`"
)]
pub trait Accepts<A: Aggregate>: Window {
    /// How the accumulators of such windows are kept.
    fn keeping(&self) -> Keeping<'_, A>;
}

/// How the accumulators of a kind of windows are kept.
pub enum Keeping<'w, A: Aggregate> {
    /// One a window.
    Each(&'w dyn Assign),
    /// One a slice, merged when a window fires.
    Slices(&'w dyn Slice, MergeFn<A>),
    /// One a session; those of sessions that meet are merged.
    Sessions(&'w Session, MergeFn<A>),
    /// One a key.
    Whole(&'w Global),
}

/// [`Merge::merge`] of an aggregate that has it.
pub type MergeFn<A> = fn(&A, &mut <A as Aggregate>::State, <A as Aggregate>::State) -> Result<(), Reject>;

macro_rules! accepts {
    ($($window:ident, $bound:ident: $self:ident => $keeping:expr;)*) => {$(
        impl<A: $bound> Accepts<A> for $window {
            fn keeping(&$self) -> Keeping<'_, A> {
                $keeping
            }
        }
    )*};
}
accepts! {
    Tumbling, Aggregate: self => Keeping::Each(self);
    Calendar, Aggregate: self => Keeping::Each(self);
    Global, Aggregate: self => Keeping::Whole(self);
    Sliding, Merge: self => Keeping::Slices(self, A::merge);
    Cumulative, Merge: self => Keeping::Slices(self, A::merge);
    Session, Merge: self => Keeping::Sessions(self, A::merge);
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use proptest::prelude::*;
    use proptest::test_runner::TestCaseResult;

    use super::*;

    /// A thousand cases; `PROPTEST_CASES` raises it.
    pub(super) fn cases() -> ProptestConfig {
        let asked = ProptestConfig::default();
        ProptestConfig { cases: asked.cases.max(1_000), ..asked }
    }

    /// Any time that a record may carry: mostly about the epoch, on both sides, and at both ends.
    pub(super) fn any_time() -> impl Strategy<Value = EventTime> {
        let (first, last) = (EventTime::FIRST.as_millis(), EventTime::LAST.as_millis());
        prop_oneof![first..=last, -1_000..1_000_i64, first..first + 1_000, last - 1_000..=last]
            .prop_map(EventTime::from_millis)
    }

    /// A length, and an offset below it.
    pub(super) fn any_offset(lengths: Range<u64>) -> impl Strategy<Value = (u64, u64)> {
        (lengths, 0.0..1.0_f64).prop_map(|(length, part)| (length, (length as f64 * part) as u64))
    }

    fn slices(windows: &impl Slice, from: EventTime, to: EventTime) -> impl Iterator<Item = Span> {
        std::iter::successors(Some(windows.slice(from)), |slice| Some(windows.slice(slice.end)))
            .take_while(move |slice| slice.start < to)
    }

    pub(super) fn windows_at(windows: &impl Slice, time: i64) -> Vec<(i64, i64)> {
        let slice = windows.slice(EventTime::from_millis(time));
        windows.windows(slice).map(|window| (window.start.as_millis(), window.end.as_millis())).collect()
    }

    /// The slices from a window's start to its end are exactly those that name it.
    pub(super) fn check_tiled(windows: &impl Slice, time: EventTime) -> TestCaseResult {
        for window in windows.windows(windows.slice(time)) {
            let (mut at, around) = (window.start, window.end.plus(1));
            for slice in slices(windows, window.start.plus(-1), around) {
                let within = window.start <= slice.start && slice.end <= window.end;
                prop_assert_eq!(windows.windows(slice).any(|named| named == window), within);
                if within {
                    prop_assert_eq!(slice.start, at);
                    at = slice.end;
                }
            }
            prop_assert_eq!(at, window.end);
        }
        Ok(())
    }

    /// Compares `needed_from` with the first of all slices that any window needs which ends later.
    pub(super) fn check_needed_from(windows: &impl Slice, time: EventTime, size: i64) -> TestCaseResult {
        let near: Vec<Span> = slices(windows, time.plus(-2 * size), time.plus(2 * size)).collect();
        for window in windows.windows(windows.slice(time)) {
            let needed =
                near.iter().find(|slice| windows.windows(**slice).any(|later| later.end > window.end)).expect("one");
            prop_assert_eq!(windows.needed_from(window), needed.start);
        }
        Ok(())
    }
}
