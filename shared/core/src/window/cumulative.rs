//! Cumulative windows: a running total in steps, beginning anew with each period.

use std::time::Duration;

use super::grid::{Grid, MAX_SLICES, length_millis, offset_millis, refuse_length, refuse_offset};
use super::{Slice, Window};
use crate::{EventTime, Span};

/// Windows that grow by a step until the period is full: `[base, base + step)`, `[base, base + 2 step)`, … up to
/// `[base, base + size)`, with a base at every multiple of the size plus an offset. (The CUMULATE of Flink's SQL.)
///
/// ```
/// use std::time::Duration;
/// use tidemill_core::{EventTime, window::{Cumulative, Slice}};
///
/// let today_so_far = Cumulative::of(Duration::from_hours(24), Duration::from_hours(8));
/// let slice = today_so_far.slice(EventTime::from_millis(9 * 3_600_000));
/// let windows = today_so_far.windows(slice).map(|w| [w.start, w.end].map(|t| t.as_millis() / 3_600_000));
/// assert_eq!(windows.collect::<Vec<_>>(), [[0, 16], [0, 24]]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cumulative {
    size: Duration,
    step: Duration,
    offset: Duration,
}

impl Cumulative {
    /// Periods of this size, with a result every `step`: whole milliseconds, more than zero, at most the span of the
    /// years 1 to 9999. The size is a multiple of the step, at most [`MAX_SLICES`] times.
    pub const fn of(size: Duration, step: Duration) -> Self {
        Self { size, step, offset: Duration::ZERO }
    }

    /// Moves the alignment: periods begin at multiples of the size plus `offset`. Less than the size.
    pub const fn offset(self, offset: Duration) -> Self {
        Self { offset, ..self }
    }

    fn period(&self, time: EventTime) -> Span {
        Grid::new(length_millis(self.size), self.offset).cell(time)
    }

    fn refuse_steps(&self) -> Option<String> {
        let [size, step] = [self.size, self.step].map(length_millis);
        let it = format!("a cumulative window of {:?} in steps of {:?}", self.size, self.step);
        if size % step != 0 {
            let whole = Duration::from_millis((size / step).max(1).unsigned_abs() * step.unsigned_abs());
            Some(format!("{it}: the size must be a multiple of the step, such as {whole:?}"))
        } else if size / step > MAX_SLICES {
            Some(format!("{it} has {} steps, and at most {MAX_SLICES} are allowed: take longer steps", size / step))
        } else {
            None
        }
    }
}

impl Window for Cumulative {
    fn problems(&self) -> Vec<String> {
        let lengths = [
            refuse_length(("a cumulative window", "size"), self.size),
            refuse_length(("a cumulative window's step", "step"), self.step),
        ];
        let mut problems: Vec<String> = lengths.into_iter().flatten().collect();
        if problems.is_empty() {
            problems.extend(self.refuse_steps());
            problems.extend(refuse_offset("a cumulative window", self.offset, ("size", self.size)));
        }
        problems
    }

    fn describe(&self) -> String {
        let [size, step] = [self.size, self.step].map(length_millis);
        format!("cumulative {size} ms in steps of {step} ms, offset {} ms", offset_millis(self.offset))
    }
}

impl Slice for Cumulative {
    fn slice(&self, time: EventTime) -> Span {
        Grid::new(length_millis(self.step), self.offset).cell(time)
    }

    fn windows(&self, slice: Span) -> Box<dyn Iterator<Item = Span> + '_> {
        let step = length_millis(self.step);
        let Span { start, end } = self.period(slice.start);
        let after = (end.as_millis() - slice.end.as_millis()) / step;
        Box::new((0..=after).map(move |steps| Span { start, end: slice.end.plus(steps * step) }))
    }

    fn needed_from(&self, window: Span) -> EventTime {
        let is_last = window.end >= self.period(window.start).end;
        if is_last { window.end } else { window.start }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::window::tests::{any_time, cases, check_needed_from, check_tiled, windows_at};

    fn cumulative(size: u64, step: u64, offset: u64) -> Cumulative {
        let [size, step, offset] = [size, step, offset].map(Duration::from_millis);
        Cumulative::of(size, step).offset(offset)
    }

    /// A step, a number of steps, and an offset below their product.
    fn any_windows(steps: std::ops::Range<u64>, longest: u64) -> impl Strategy<Value = (u64, u64, u64)> {
        (1..longest, steps, 0.0..1.0_f64)
            .prop_map(|(step, steps, part)| (step, steps, ((step * steps) as f64 * part) as u64))
    }

    #[test]
    fn unsound_numbers_are_named() {
        let problems = |size, step, offset| Cumulative::of(size, step).offset(offset).problems().join("\n");
        let (zero, second, hour) = (Duration::ZERO, Duration::from_secs(1), Duration::from_hours(1));
        assert_eq!(problems(hour, second, hour - second), "");
        assert_eq!(problems(hour, hour, zero), "");
        assert_eq!(Cumulative::of(zero, zero).problems().len(), 2, "both lengths are reported at once");
        assert!(problems(zero, second, zero).contains("the size must be whole milliseconds"));
        assert!(problems(hour, Duration::MAX, zero).contains("the step must be whole milliseconds"));
        assert!(problems(hour, second * 7, zero).contains("a multiple of the step, such as 3598s"));
        assert!(problems(second, hour, zero).contains("a multiple of the step, such as 3600s"));
        assert!(problems(hour, second, hour).contains("less than the size 3600s"));
        assert!(problems(hour, Duration::from_millis(1), zero).contains("has 3600000 steps, and at most 10000"));
        assert_eq!(problems(second * 10, Duration::from_millis(1), zero), "");
    }

    #[test]
    fn unsound_numbers_still_give_an_end() {
        for windows in [cumulative(0, 0, 0), cumulative(10, 3, 9), Cumulative::of(Duration::MAX, Duration::MAX)] {
            for time in [EventTime::FIRST, EventTime::LAST] {
                windows.windows(windows.slice(time)).take(3).for_each(drop);
            }
        }
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn windows_are_those_that_naive_enumeration_gives(
            (step, steps, offset) in any_windows(1..30, 20), time in any_time(),
        ) {
            let (size, step, offset, time) = (step * steps, step as i64, offset as i64, time.as_millis());
            let windows = windows_at(&cumulative(size, step as u64, offset as u64), time);
            let base = (time - size as i64 + 1..=time).find(|base| (base - offset).rem_euclid(size as i64) == 0);
            let naive: Vec<(i64, i64)> = (1..=steps as i64)
                .map(|k| (base.unwrap(), base.unwrap() + k * step))
                .filter(|(start, end)| (*start..*end).contains(&time))
                .collect();
            prop_assert_eq!(windows, naive);
        }

        #[test]
        fn slices_tile_each_window((step, steps, offset) in any_windows(1..30, 20), time in any_time()) {
            check_tiled(&cumulative(step * steps, step, offset), time)?;
        }

        #[test]
        fn what_later_windows_need_begins_where_it_says(
            (step, steps, offset) in any_windows(1..20, 8), time in any_time(),
        ) {
            check_needed_from(&cumulative(step * steps, step, offset), time, (step * steps) as i64)?;
        }

        #[test]
        fn a_slice_lies_within_its_aligned_windows_at_any_size(
            (step, steps, offset) in any_windows(1..50, 1_000_000_000_000), time in any_time(),
        ) {
            let windows = cumulative(step * steps, step, offset);
            let slice = windows.slice(time);
            prop_assert!(slice.start <= time && time < slice.end);
            for window in windows.windows(slice) {
                prop_assert!(window.start <= slice.start && slice.end <= window.end);
                prop_assert_eq!((window.start.as_millis() - offset as i64).rem_euclid((step * steps) as i64), 0);
            }
        }
    }
}
