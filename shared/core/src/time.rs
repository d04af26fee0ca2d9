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
        // By civil time: `jiff::Timestamp` ends a day early, to leave room for offsets.
        let epoch = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0);
        match epoch.checked_add(jiff::SignedDuration::from_millis(self.0)) {
            Ok(utc) if self.in_calendar() => write!(f, "{utc:.3}Z"),
            _ => write!(f, "{}", self.0),
        }
    }
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

    #[test]
    fn durations_beyond_the_calendar_are_refused() {
        assert_eq!(millis(Duration::from_secs(2)), Some(2_000));
        assert_eq!(millis(Duration::MAX), None);
    }
}
