//! Event time and half-open spans of it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant of event time: whole milliseconds since 1970-01-01T00:00:00Z.
///
/// Serialised as the bare number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventTime(i64);

impl EventTime {
    /// The first instant that a record may carry: 0001-01-01T00:00:00Z.
    pub const FIRST: Self = Self(-62_135_596_800_000);
    /// The last instant that a record may carry: 9999-12-31T23:59:59.999Z.
    pub const LAST: Self = Self(253_402_300_799_999);

    /// The instant `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whether the instant lies in the years 1 to 9999. Arithmetic on such instants and on durations up to that range
    /// cannot overflow.
    pub fn in_calendar(self) -> bool {
        (Self::FIRST..=Self::LAST).contains(&self)
    }

    /// The instant `millis` later (earlier if negative), held at the ends of the number range.
    pub const fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

impl fmt::Display for EventTime {
    /// RFC 3339 in UTC with milliseconds, `2013-01-01T05:00:00.000Z`; the bare number outside years 1 to 9999.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAY: i64 = 86_400_000;
        if !self.in_calendar() {
            return write!(f, "{}", self.0);
        }
        // By civil date: `jiff::Timestamp` ends a day early, to leave room for offsets.
        let days = jiff::Span::new().days(self.0.div_euclid(DAY));
        let date = jiff::civil::date(1970, 1, 1).checked_add(days).map_err(|_| fmt::Error)?;
        f.write_str(str::from_utf8(&rfc3339(date, self.0.rem_euclid(DAY))).expect("digits"))
    }
}

/// The instant `millis` into a day of the years 1 to 9999. Digit by digit: each result carries one.
fn rfc3339(date: jiff::civil::Date, millis: i64) -> [u8; 24] {
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let mut put = |place: usize, digits: usize, mut number: u32| {
        for digit in text[place..place + digits].iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
    };
    let millis = millis as u32;
    put(0, 4, u32::from(date.year().unsigned_abs()));
    put(5, 2, u32::from(date.month().unsigned_abs()));
    put(8, 2, u32::from(date.day().unsigned_abs()));
    put(11, 2, millis / 3_600_000);
    put(14, 2, millis / 60_000 % 60);
    put(17, 2, millis / 1_000 % 60);
    put(20, 3, millis % 1_000);
    text
}

/// A half-open span of event time `[start, end)`: the start belongs to it, the end does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// First instant inside.
    pub start: EventTime,
    /// First instant behind.
    pub end: EventTime,
}

/// Whole milliseconds of a duration, at most the span of the years 1 to 9999; `None` if it is longer.
pub fn millis(duration: Duration) -> Option<i64> {
    const LONGEST: i64 = EventTime::LAST.as_millis() - EventTime::FIRST.as_millis();
    i64::try_from(duration.as_millis()).ok().filter(|ms| *ms <= LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_as_rfc_3339_with_milliseconds() {
        assert_eq!(EventTime::from_millis(1_357_034_400_000).to_string(), "2013-01-01T10:00:00.000Z");
        assert_eq!(EventTime::FIRST.to_string(), "0001-01-01T00:00:00.000Z");
        assert_eq!(EventTime::LAST.to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(EventTime::from_millis(i64::MAX).to_string(), i64::MAX.to_string());
    }

    proptest::proptest! {
        #[test]
        fn it_reads_as_jiff_writes_it(millis in EventTime::FIRST.0..EventTime::LAST.0 - 86_400_000) {
            let instant = jiff::Timestamp::from_millisecond(millis).expect("an instant");
            proptest::prop_assert_eq!(EventTime(millis).to_string(), format!("{instant:.3}"));
        }
    }

    #[test]
    fn durations_beyond_the_calendar_are_refused() {
        assert_eq!(millis(Duration::from_secs(2)), Some(2_000));
        assert_eq!(millis(Duration::MAX), None);
    }
}
