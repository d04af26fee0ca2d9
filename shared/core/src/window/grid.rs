//! The lengths that windows are made of, and the grids that they lie on.

use std::time::Duration;

use crate::{EventTime, Span, millis};

/// The most slices that a window may be made of: so many states are merged when it closes, and so many windows at most
/// belong to a record.
pub const MAX_SLICES: i64 = 10_000;

/// Cells `[start, start + every)` that tile the time line: starts lie at multiples of `every` plus `offset`.
pub(super) struct Grid {
    every: i64,
    offset: i64,
}

impl Grid {
    /// `every` is at least 1.
    pub(super) fn new(every: i64, offset: Duration) -> Self {
        Self { every, offset: offset_millis(offset) }
    }

    /// The cell that `time` lies in.
    pub(super) fn cell(&self, time: EventTime) -> Span {
        let into = time.plus(-self.offset).as_millis().rem_euclid(self.every);
        let start = time.plus(-into);
        Span { start, end: start.plus(self.every) }
    }
}

/// Milliseconds, at least 1 so that all arithmetic is total; [`refuse_length`] refuses what this would bend.
pub(super) fn length_millis(length: Duration) -> i64 {
    millis(length).unwrap_or(i64::MAX).max(1)
}

/// Milliseconds; [`refuse_offset`] refuses what this would bend.
pub(super) fn offset_millis(offset: Duration) -> i64 {
    millis(offset).unwrap_or(0)
}

/// What is wrong with a length. `of` says whose it is: "a tumbling window", "size".
pub(super) fn refuse_length(of: (&str, &str), length: Duration) -> Option<String> {
    let sound = !length.is_zero() && is_whole(length);
    (!sound).then(|| format!("{} of {length:?}: the {} must be whole milliseconds, at least one", of.0, of.1))
}

/// What is wrong with an offset, which must be less than the length that the windows repeat at.
pub(super) fn refuse_offset(of: &str, offset: Duration, length: (&str, Duration)) -> Option<String> {
    let (name, length) = length;
    let sound = offset < length && is_whole(offset);
    (!sound).then(|| {
        format!("{of}'s offset of {offset:?}: it must be whole milliseconds and less than the {name} {length:?}")
    })
}

/// Whole milliseconds within the span of the years 1 to 9999.
fn is_whole(duration: Duration) -> bool {
    duration.subsec_nanos().is_multiple_of(1_000_000) && millis(duration).is_some()
}
