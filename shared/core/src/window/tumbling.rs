//! Tumbling windows: fixed size, without gap or overlap.

use std::time::Duration;

use super::Window;
use crate::{EventTime, Span, millis};

/// Windows `[start, start + size)` that tile the time line, aligned to the epoch plus an offset.
///
/// ```
/// use std::time::Duration;
/// use tidemill_core::{EventTime, window::{Tumbling, Window}};
///
/// let hourly = Tumbling::every(Duration::from_hours(1));
/// let window = hourly.assign(EventTime::from_millis(-1)).next().unwrap();
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

    /// Milliseconds, at least 1 so that assignment is total; `problems` refuses what this would bend.
    fn size_millis(&self) -> i64 {
        millis(self.size).unwrap_or(i64::MAX).max(1)
    }

    fn offset_millis(&self) -> i64 {
        millis(self.offset).unwrap_or(0)
    }
}

impl Window for Tumbling {
    fn assign(&self, time: EventTime) -> impl Iterator<Item = Span> {
        let size = self.size_millis();
        let into = time.plus(-self.offset_millis()).as_millis().rem_euclid(size);
        let start = time.plus(-into);
        std::iter::once(Span { start, end: start.plus(size) })
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let whole = |d: Duration| d.subsec_nanos().is_multiple_of(1_000_000) && millis(d).is_some();
        if self.size.is_zero() || !whole(self.size) {
            problems.push(format!(
                "a tumbling window of {:?}: the size must be whole milliseconds, at least one",
                self.size
            ));
        } else if self.offset >= self.size || !whole(self.offset) {
            problems.push(format!(
                "a tumbling window's offset of {:?}: it must be whole milliseconds and less than the size {:?}",
                self.offset, self.size
            ));
        }
        problems
    }

    fn describe(&self) -> String {
        format!("tumbling {} ms, offset {} ms", self.size_millis(), self.offset_millis())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window(size: u64, offset: u64, time: i64) -> (i64, i64) {
        let windows = Tumbling::every(Duration::from_millis(size)).offset(Duration::from_millis(offset));
        let span = windows.assign(EventTime::from_millis(time)).next().expect("one window");
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
        let problems = |size, offset| Tumbling::every(size).offset(offset).problems();
        let hour = Duration::from_hours(1);
        assert!(problems(hour, Duration::ZERO).is_empty());
        assert_eq!(problems(Duration::ZERO, Duration::ZERO).len(), 1);
        assert_eq!(problems(hour, hour).len(), 1);
        assert_eq!(problems(Duration::from_micros(1_500), Duration::ZERO).len(), 1);
        assert_eq!(problems(Duration::MAX, Duration::ZERO).len(), 1);
    }

    proptest! {
        #[test]
        fn every_instant_lies_in_its_one_aligned_window(
            size in 1_u64..1_000_000_000_000,
            offset_part in 0.0..1.0_f64,
            time in EventTime::FIRST.as_millis()..=EventTime::LAST.as_millis(),
        ) {
            let offset = (size as f64 * offset_part) as u64;
            let (start, end) = window(size, offset, time);
            prop_assert!(start <= time && time < end);
            prop_assert_eq!(end - start, size as i64);
            prop_assert_eq!((start - offset as i64).rem_euclid(size as i64), 0);
        }
    }
}
