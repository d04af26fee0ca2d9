//! Tumbling windows: fixed size, without gap or overlap.

use std::time::Duration;

use super::grid::{Grid, length_millis, offset_millis, refuse_length, refuse_offset};
use super::{Assign, Window};
use crate::{EventTime, Span};

/// Windows `[start, start + size)` that tile the time line, aligned to the epoch plus an offset.
///
/// ```
/// use std::time::Duration;
/// use tidemill_core::{EventTime, window::{Assign, Tumbling}};
///
/// let hourly = Tumbling::every(Duration::from_hours(1));
/// let window = hourly.assign(EventTime::from_millis(-1));
/// assert_eq!((window.start.as_millis(), window.end.as_millis()), (-3_600_000, 0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tumbling {
    size: Duration,
    offset: Duration,
}

impl Tumbling {
    /// Windows of this size: whole milliseconds, more than zero, at most the span of the years 1 to 9999.
    pub const fn every(size: Duration) -> Self {
        Self { size, offset: Duration::ZERO }
    }

    /// Moves the alignment: starts lie at multiples of the size plus `offset`. Less than the size.
    pub const fn offset(self, offset: Duration) -> Self {
        Self { offset, ..self }
    }
}

impl Window for Tumbling {
    fn problems(&self) -> Vec<String> {
        refuse_length(("a tumbling window", "size"), self.size)
            .or_else(|| refuse_offset("a tumbling window", self.offset, ("size", self.size)))
            .into_iter()
            .collect()
    }

    fn describe(&self) -> String {
        format!("tumbling {} ms, offset {} ms", length_millis(self.size), offset_millis(self.offset))
    }
}

impl Assign for Tumbling {
    fn assign(&self, time: EventTime) -> Span {
        Grid::new(length_millis(self.size), self.offset).cell(time)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::window::tests::{any_offset, any_time, cases};

    fn window(size: u64, offset: u64, time: i64) -> (i64, i64) {
        let windows = Tumbling::every(Duration::from_millis(size)).offset(Duration::from_millis(offset));
        let span = windows.assign(EventTime::from_millis(time));
        (span.start.as_millis(), span.end.as_millis())
    }

    #[test]
    fn the_start_belongs_to_the_window_and_the_end_does_not() {
        assert_eq!(window(10, 0, 9), (0, 10));
        assert_eq!(window(10, 0, 10), (10, 20));
        assert_eq!(window(10, 3, 2), (-7, 3));
        assert_eq!(window(10, 3, 3), (3, 13));
    }

    #[test]
    fn unsound_numbers_are_named() {
        let problems = |size, offset| Tumbling::every(size).offset(offset).problems().join("\n");
        let hour = Duration::from_hours(1);
        assert_eq!(problems(hour, Duration::ZERO), "");
        let size = "must be whole milliseconds, at least one";
        assert!(problems(Duration::ZERO, Duration::ZERO).ends_with(size));
        assert!(problems(Duration::from_micros(1_500), Duration::ZERO).ends_with(size));
        assert!(problems(Duration::MAX, Duration::ZERO).ends_with(size));
        assert!(problems(hour, hour).contains("less than the size 3600s"));
        assert!(problems(hour, Duration::from_nanos(1)).contains("offset of 1ns"));
    }

    #[test]
    fn the_text_in_the_fingerprint_stays_what_it_is() {
        let windows = Tumbling::every(Duration::from_secs(60)).offset(Duration::from_secs(1));
        assert_eq!(windows.describe(), "tumbling 60000 ms, offset 1000 ms");
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn every_instant_lies_in_its_one_aligned_window(
            (size, offset) in any_offset(1..1_000_000_000_000_u64),
            time in any_time(),
        ) {
            let (start, end) = window(size, offset, time.as_millis());
            prop_assert!((start..end).contains(&time.as_millis()));
            prop_assert_eq!(end - start, size as i64);
            prop_assert_eq!((start - offset as i64).rem_euclid(size as i64), 0);
        }
    }
}
