//! Which windows a time belongs to, by definition.

use jiff::Timestamp;
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZoneDatabase;

use super::Span;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Day,
    /// From Sunday.
    Week,
    Month,
}

/// A kind of windows. Lengths are milliseconds.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Tumbling { size: i64, offset: i64 },
    Sliding { size: i64, slide: i64, offset: i64 },
    Cumulative { size: i64, step: i64, offset: i64 },
    Calendar { unit: Unit, zone: &'static str },
    Session { gap: i64 },
    Global { count: usize, running: bool },
}

/// The last multiple of `every`, plus `offset`, that is not behind `time`.
fn floor(time: i64, every: i64, offset: i64) -> i64 {
    (time - offset).div_euclid(every) * every + offset
}

impl Kind {
    /// All windows that `time` belongs to, in order of their end. Of a session: the one that it opens on its own.
    pub(crate) fn windows(&self, time: i64) -> Vec<Span> {
        match *self {
            Self::Tumbling { size, offset } => {
                let start = floor(time, size, offset);
                vec![(start, start + size)]
            }
            Self::Sliding { size, slide, offset } => {
                let starts = (0..=size / slide).rev().map(|back| floor(time, slide, offset) - back * slide);
                starts.map(|start| (start, start + size)).filter(|(_, end)| time < *end).collect()
            }
            Self::Cumulative { size, step, offset } => {
                let start = floor(time, size, offset);
                (1..=size / step).map(|steps| (start, start + steps * step)).filter(|(_, end)| time < *end).collect()
            }
            Self::Calendar { unit, zone } => vec![calendar(unit, zone, time)],
            Self::Session { gap } => vec![(time, time + gap)],
            Self::Global { .. } => vec![(i64::MIN, i64::MAX)],
        }
    }

    /// Where windows share slices, the start of the slice of a time: values of a window lie in the order of slices.
    pub(crate) fn slice(&self, time: i64) -> i64 {
        match *self {
            Self::Sliding { size, slide, offset } => {
                let common = (1..=slide).rev().find(|n| size % n == 0 && slide % n == 0).expect("one divides all");
                floor(time, common, offset)
            }
            Self::Cumulative { step, offset, .. } => floor(time, step, offset),
            _ => i64::MIN,
        }
    }
}

/// From the beginning of the local day, week or month to that of the next.
fn calendar(unit: Unit, zone: &str, time: i64) -> Span {
    let zone = TimeZoneDatabase::bundled().get(zone).expect("a zone");
    let date = zone.to_datetime(Timestamp::from_millisecond(time).expect("a time")).date();
    let (first, next) = match unit {
        Unit::Day => (date, date + 1.day()),
        Unit::Week => {
            let sunday = date - i64::from(date.weekday().to_sunday_zero_offset()).days();
            (sunday, sunday + 7.days())
        }
        Unit::Month => (date.first_of_month(), date.first_of_month() + 1.month()),
    };
    // Where clocks skip midnight this is the first instant after the gap, where they show it twice the first of both.
    let beginning = |date: Date| zone.to_timestamp(date.at(0, 0, 0, 0)).expect("a time").as_millisecond();
    (beginning(first), beginning(next))
}
