//! Session windows: as long as records follow each other closely enough.

use std::time::Duration;

use super::Window;
use super::grid::{length_millis, refuse_length};
use crate::{EventTime, Span};

/// Windows that a gap of silence ends. A record at t opens `[t, t + gap)`; windows that overlap or touch are one, so
/// records exactly the gap apart are one session. (Flink's event-time session windows with a fixed gap.)
///
/// ```
/// use std::time::Duration;
/// use tidemill_core::{EventTime, window::Session};
///
/// let visits = Session::gap(Duration::from_mins(30));
/// let [first, second, third] = [0, 30, 61].map(|minute| visits.span(EventTime::from_millis(minute * 60_000)));
/// assert!(Session::touches(first, second));
/// assert!(!Session::touches(second, third));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    gap: Duration,
}

impl Session {
    /// Sessions that end when no record came for this long: whole milliseconds, more than zero, at most the span of the
    /// years 1 to 9999.
    pub const fn gap(gap: Duration) -> Self {
        Self { gap }
    }

    /// The window that an event at `time` opens on its own.
    pub fn span(&self, time: EventTime) -> Span {
        Span { start: time, end: time.plus(length_millis(self.gap)) }
    }

    /// Whether two windows are one session: they overlap, or one begins where the other ends.
    pub fn touches(a: Span, b: Span) -> bool {
        a.start <= b.end && b.start <= a.end
    }
}

impl Window for Session {
    fn problems(&self) -> Vec<String> {
        refuse_length(("a session's gap", "gap"), self.gap).into_iter().collect()
    }

    fn describe(&self) -> String {
        format!("session, gap {} ms", length_millis(self.gap))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::window::tests::{any_time, cases};

    #[test]
    fn unsound_numbers_are_named() {
        assert!(Session::gap(Duration::from_millis(1)).problems().is_empty());
        for gap in [Duration::ZERO, Duration::from_micros(1_500), Duration::MAX] {
            let problems = Session::gap(gap).problems().join("\n");
            assert!(problems.contains("the gap must be whole milliseconds, at least one"), "{problems}");
        }
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn records_up_to_the_gap_apart_are_one_session(
            gap in 1..1_000_i64, time in any_time(), apart in -2_000..2_000_i64,
        ) {
            let sessions = Session::gap(Duration::from_millis(gap.unsigned_abs()));
            let [a, b] = [time, time.plus(apart)].map(|time| sessions.span(time));
            prop_assert!(a.start == time && a.end == time.plus(gap));
            prop_assert_eq!(Session::touches(a, b), apart.abs() <= gap);
            prop_assert_eq!(Session::touches(b, a), apart.abs() <= gap);
        }

        #[test]
        fn spans_touch_unless_an_instant_lies_between_them(
            a in 0..50_i64, long in 1..20_i64, b in 0..50_i64, short in 1..20_i64,
        ) {
            let span = |start, length| Span {
                start: EventTime::from_millis(start),
                end: EventTime::from_millis(start + length),
            };
            let covered = |t: i64| (a..a + long).contains(&t) || (b..b + short).contains(&t);
            let one = (a.min(b)..(a + long).max(b + short)).all(covered);
            prop_assert_eq!(Session::touches(span(a, long), span(b, short)), one);
        }
    }
}
