//! Sliding windows: fixed size, a new one every slide, overlapping.

use std::time::Duration;

use super::grid::{Grid, MAX_SLICES, length_millis, offset_millis, refuse_length, refuse_offset};
use super::{Slice, Window};
use crate::{EventTime, Span};

/// Windows `[start, start + size)` with a start at every multiple of the slide plus an offset. They are made of slices
/// of the greatest common divisor of size and slide, which windows share. (Flink's sliding event-time windows, and the
/// HOP of its SQL.)
///
/// ```
/// use std::time::Duration;
/// use tidemill_core::{EventTime, window::{Slice, Sliding}};
///
/// let minutes = |n| Duration::from_mins(n);
/// let last_hour = Sliding::of(minutes(60), minutes(20));
/// let slice = last_hour.slice(EventTime::from_millis(0));
/// assert_eq!(slice.end.as_millis(), 20 * 60_000);
/// let ends: Vec<i64> = last_hour.windows(slice).map(|window| window.end.as_millis() / 60_000).collect();
/// assert_eq!(ends, [20, 40, 60]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sliding {
    size: Duration,
    slide: Duration,
    offset: Duration,
}

impl Sliding {
    /// Windows of this size, one every `slide`: whole milliseconds, more than zero, at most the span of the years 1 to
    /// 9999. The slide is at most the size, and their greatest common divisor fits into the size at most
    /// [`MAX_SLICES`] times.
    pub const fn of(size: Duration, slide: Duration) -> Self {
        Self { size, slide, offset: Duration::ZERO }
    }

    /// Moves the alignment: starts lie at multiples of the slide plus `offset`. Less than the slide.
    pub const fn offset(self, offset: Duration) -> Self {
        Self { offset, ..self }
    }

    fn slice_millis(&self) -> i64 {
        gcd(length_millis(self.size), length_millis(self.slide))
    }

    fn refuse_slices(&self) -> Option<String> {
        let slices = length_millis(self.size) / self.slice_millis();
        (slices > MAX_SLICES).then(|| {
            format!(
                "a sliding window of {:?} every {:?} is made of {slices} slices of {} ms, and at most {MAX_SLICES} are \
                 allowed: let it slide by more, or by a part of the size without remainder",
                self.size,
                self.slide,
                self.slice_millis()
            )
        })
    }

    fn refuse_slide(&self) -> Option<String> {
        (self.slide > self.size).then(|| {
            format!(
                "a sliding window of {:?} every {:?}: records between the windows would belong to none; let it slide \
                 by the size at most",
                self.size, self.slide
            )
        })
    }
}

impl Window for Sliding {
    fn problems(&self) -> Vec<String> {
        let lengths = [
            refuse_length(("a sliding window", "size"), self.size),
            refuse_length(("a sliding window's slide", "slide"), self.slide),
        ];
        let mut problems: Vec<String> = lengths.into_iter().flatten().collect();
        if problems.is_empty() {
            problems.extend(self.refuse_slide().or_else(|| self.refuse_slices()));
            problems.extend(refuse_offset("a sliding window", self.offset, ("slide", self.slide)));
        }
        problems
    }

    fn describe(&self) -> String {
        let [size, slide] = [self.size, self.slide].map(length_millis);
        format!("sliding {size} ms every {slide} ms, offset {} ms", offset_millis(self.offset))
    }
}

impl Slice for Sliding {
    fn slice(&self, time: EventTime) -> Span {
        Grid::new(self.slice_millis(), self.offset).cell(time)
    }

    fn windows(&self, slice: Span) -> Box<dyn Iterator<Item = Span> + '_> {
        let [size, slide] = [self.size, self.slide].map(length_millis);
        let last = Grid::new(slide, self.offset).cell(slice.start).start;
        let into_last = slice.start.as_millis() - last.as_millis();
        let before_last = (size - 1 - into_last) / slide;
        Box::new((0..=before_last).rev().map(move |back| {
            let start = last.plus(-back * slide);
            Span { start, end: start.plus(size) }
        }))
    }

    fn needed_from(&self, window: Span) -> EventTime {
        window.start.plus(length_millis(self.slide))
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::window::tests::{any_offset, any_time, cases, check_needed_from, check_tiled, windows_at};

    fn sliding(size: u64, slide: u64, offset: u64) -> Sliding {
        let [size, slide, offset] = [size, slide, offset].map(Duration::from_millis);
        Sliding::of(size, slide).offset(offset)
    }

    #[test]
    fn unsound_numbers_are_named() {
        let problems = |size, slide, offset| Sliding::of(size, slide).offset(offset).problems().join("\n");
        let (zero, second, hour) = (Duration::ZERO, Duration::from_secs(1), Duration::from_hours(1));
        assert_eq!(problems(hour, second, zero), "");
        assert_eq!(problems(hour, hour, zero), "");
        assert_eq!(Sliding::of(zero, zero).problems().len(), 2, "both lengths are reported at once");
        assert!(problems(zero, second, zero).contains("the size must be whole milliseconds"));
        assert!(problems(Duration::MAX, second, zero).contains("the size must be whole milliseconds"));
        assert!(problems(hour, Duration::from_nanos(5), zero).contains("the slide must be whole milliseconds"));
        assert!(problems(second, hour, zero).contains("let it slide by the size at most"));
        assert!(problems(hour, second, second).contains("less than the slide 1s"));
        assert!(problems(hour, second, Duration::from_micros(1)).contains("offset of 1µs"));
    }

    #[test]
    fn the_number_of_slices_is_bounded() {
        assert!(sliding(10_000, 1, 0).problems().is_empty());
        let problems = sliding(10_001, 2, 0).problems().join("\n");
        assert!(problems.contains("made of 10001 slices of 1 ms, and at most 10000"), "{problems}");
    }

    #[test]
    fn unsound_numbers_still_give_an_end() {
        for windows in [sliding(0, 0, 0), sliding(1, u64::MAX, 1), Sliding::of(Duration::MAX, Duration::MAX)] {
            for time in [EventTime::FIRST, EventTime::LAST] {
                assert!(windows.windows(windows.slice(time)).take(3).count() > 0);
            }
        }
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn windows_are_those_that_naive_enumeration_gives(
            (slide, offset) in any_offset(1..60_u64), more in 0..200_u64, time in any_time(),
        ) {
            let (size, time) = ((slide + more) as i64, time.as_millis());
            let windows = windows_at(&sliding(slide + more, slide, offset), time);
            let naive: Vec<(i64, i64)> = (time - size - 1..=time)
                .filter(|start| (start - offset as i64).rem_euclid(slide as i64) == 0)
                .map(|start| (start, start + size))
                .filter(|(start, end)| (*start..*end).contains(&time))
                .collect();
            prop_assert_eq!(windows, naive);
        }

        #[test]
        fn slices_tile_each_window((slide, offset) in any_offset(1..60_u64), more in 0..200_u64, time in any_time()) {
            check_tiled(&sliding(slide + more, slide, offset), time)?;
        }

        #[test]
        fn what_later_windows_need_begins_where_it_says(
            (slide, offset) in any_offset(1..20_u64), more in 0..60_u64, time in any_time(),
        ) {
            check_needed_from(&sliding(slide + more, slide, offset), time, (slide + more) as i64)?;
        }

        #[test]
        fn a_slice_lies_within_its_aligned_windows_at_any_size(
            (slide, offset) in any_offset(1..1_000_000_000_000_u64), times in 1..50_u64, time in any_time(),
        ) {
            let windows = sliding(slide * times, slide, offset);
            let slice = windows.slice(time);
            prop_assert!(slice.start <= time && time < slice.end);
            prop_assert_eq!(windows.windows(slice).count() as u64, times);
            for window in windows.windows(slice) {
                prop_assert!(window.start <= slice.start && slice.end <= window.end);
                prop_assert_eq!((window.start.as_millis() - offset as i64).rem_euclid(slide as i64), 0);
            }
        }
    }
}
