//! Calendar windows: the days, weeks and months of a time zone.

use jiff::civil::{Date, Weekday};
use jiff::{SignedDuration, ToSpan};

use super::zone::Zone;
use super::{Assign, Window};
use crate::{EventTime, Span};

/// Days in 400 years. The calendar repeats after them.
const CYCLE: i64 = 146_097;

/// The days, weeks or months of a time zone, from local midnight to local midnight.
///
/// A day of 23 or 25 hours is one window. Where clocks skip midnight (America/Sao_Paulo until 2018, Asia/Beirut,
/// Africa/Cairo), a day begins with its first instant; where they show midnight twice, with the first. Windows tile the
/// time line.
///
/// The rules are those of the IANA time zone database in the binary, never the machine's. Stored windows follow from
/// them, so the operator's fingerprint holds a digest of the zone's offsets in the years 1970 to 2099: a new release of
/// the database that changes the zone is noticed where it meets state of the old one.
///
/// ```
/// use tidemill_core::{EventTime, window::{Assign, Calendar}};
///
/// let days = Calendar::days("America/New_York");
/// let window = days.assign(EventTime::from_millis(1_741_500_000_000)); // clocks went forward on 2025-03-09
/// assert_eq!(window.start.to_string(), "2025-03-09T05:00:00.000Z");
/// assert_eq!(window.end.to_string(), "2025-03-10T04:00:00.000Z");
/// ```
#[derive(Clone, Debug)]
pub struct Calendar {
    unit: Unit,
    zone: Zone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Day,
    Week(Weekday),
    Month,
    /// What `starting` makes of days and months, for `problems` to refuse.
    NoWeek,
}

impl Calendar {
    /// One window a day. `zone` is an IANA name such as `Europe/Berlin` or `UTC`, in any case.
    ///
    /// ```
    /// use tidemill_core::window::{Calendar, Window};
    ///
    /// assert!(Calendar::days("Asia/Tokyo").problems().is_empty());
    /// let problems = Calendar::days("Tokyo").problems();
    /// assert_eq!(problems, ["the time zone database has no zone `Tokyo`: did you mean `Asia/Tokyo`?"]);
    /// ```
    pub fn days(zone: &str) -> Self {
        Self { unit: Unit::Day, zone: Zone::named(zone) }
    }

    /// One window a week, from Monday unless [`Calendar::starting`] says otherwise. `zone` as for [`Calendar::days`].
    pub fn weeks(zone: &str) -> Self {
        Self { unit: Unit::Week(Weekday::Monday), zone: Zone::named(zone) }
    }

    /// One window a month. `zone` as for [`Calendar::days`].
    ///
    /// ```
    /// use tidemill_core::{EventTime, window::{Assign, Calendar}};
    ///
    /// let window = Calendar::months("Europe/Berlin").assign(EventTime::from_millis(0));
    /// assert_eq!(window.start.to_string(), "1969-12-31T23:00:00.000Z");
    /// assert_eq!(window.end.to_string(), "1970-01-31T23:00:00.000Z");
    /// ```
    pub fn months(zone: &str) -> Self {
        Self { unit: Unit::Month, zone: Zone::named(zone) }
    }

    /// The day that weeks begin with. Of weeks alone.
    ///
    /// ```
    /// use tidemill_core::{EventTime, window::{Assign, Calendar, Weekday}};
    ///
    /// let weeks = Calendar::weeks("UTC").starting(Weekday::Sunday);
    /// let window = weeks.assign(EventTime::from_millis(0)); // a Thursday
    /// assert_eq!(window.start.to_string(), "1969-12-28T00:00:00.000Z");
    /// ```
    #[must_use]
    pub fn starting(self, weekday: Weekday) -> Self {
        let unit = match self.unit {
            Unit::Week(_) => Unit::Week(weekday),
            Unit::Day | Unit::Month | Unit::NoWeek => Unit::NoWeek,
        };
        Self { unit, ..self }
    }

    /// The first day of the unit that `day` lies in, and that of the next.
    fn unit_of(&self, day: i64) -> (i64, i64) {
        match self.unit {
            Unit::Day | Unit::NoWeek => (day, day + 1),
            Unit::Week(starting) => {
                let weekday = Weekday::Thursday.to_monday_zero_offset(); // of day 0
                let into = day + i64::from(weekday) - i64::from(starting.to_monday_zero_offset());
                let first = day - into.rem_euclid(7);
                (first, first + 7)
            }
            Unit::Month => month_of(day),
        }
    }
}

/// The first day of the month that `day` lies in, and that of the next.
fn month_of(day: i64) -> (i64, i64) {
    // Taken 400 years earlier, since `Date` ends with the year 9999.
    let epoch = Date::constant(1970, 1, 1);
    let number = |date: Date| date.duration_since(epoch).as_hours() / 24 + CYCLE;
    let date = epoch.saturating_add(SignedDuration::from_hours(24 * (day - CYCLE)));
    let first = date.first_of_month();
    (number(first), number(first.saturating_add(1.month())))
}

impl Window for Calendar {
    fn problems(&self) -> Vec<String> {
        let misplaced = (self.unit == Unit::NoWeek).then(|| {
            "calendar days or months with `.starting(..)`: it says what weeks begin with; use `Calendar::weeks`"
                .to_owned()
        });
        self.zone.problem().into_iter().chain(misplaced).collect()
    }

    fn describe(&self) -> String {
        let unit = match self.unit {
            Unit::Day | Unit::NoWeek => "days".to_owned(),
            Unit::Week(starting) => format!("weeks from {starting:?}"),
            Unit::Month => "months".to_owned(),
        };
        let Self { zone, .. } = self;
        format!("calendar {unit} in {}, offsets of 1970 to 2099 {:016x}", zone.name(), zone.digest())
    }
}

impl Assign for Calendar {
    fn assign(&self, time: EventTime) -> Span {
        let time = time.clamp(EventTime::FIRST, EventTime::LAST);
        let (mut first, mut next) = self.unit_of(self.zone.day_at(time));
        let mut end = self.zone.beginning_of(next);
        // Clocks that went back over midnight show a day that is over.
        while end <= time {
            (first, next) = self.unit_of(next);
            end = self.zone.beginning_of(next);
        }
        Span { start: self.zone.beginning_of(first), end }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use jiff::Timestamp;
    use jiff::civil::DateTime;
    use jiff::tz::{TimeZone, TimeZoneDatabase};
    use proptest::prelude::*;

    use super::*;
    use crate::window::tests::{any_time, cases};

    static ZONES: LazyLock<Vec<String>> =
        LazyLock::new(|| TimeZoneDatabase::bundled().available().map(|zone| zone.as_str().to_owned()).collect());

    fn at(utc: &str) -> EventTime {
        EventTime::from_millis(utc.parse::<Timestamp>().unwrap().as_millisecond())
    }

    /// The window that holds an instant, and its length in minutes.
    fn window(calendar: &Calendar, utc: &str) -> (String, String, i64) {
        let window = calendar.assign(at(utc));
        let minutes = (window.end.as_millis() - window.start.as_millis()) / 60_000;
        let text = |time: EventTime| time.to_string().replace(":00.000Z", "Z");
        (text(window.start), text(window.end), minutes)
    }

    fn expect(calendar: Calendar, within: &str, (start, end, minutes): (&str, &str, i64)) {
        assert_eq!(window(&calendar, within), (start.to_owned(), end.to_owned(), minutes), "{calendar:?}");
    }

    #[test]
    fn a_day_on_which_clocks_change_is_shorter_or_longer() {
        let days = Calendar::days;
        let new_york = || days("America/New_York");
        expect(new_york(), "2025-03-09T12:00Z", ("2025-03-09T05:00Z", "2025-03-10T04:00Z", 23 * 60));
        expect(new_york(), "2025-11-02T12:00Z", ("2025-11-02T04:00Z", "2025-11-03T05:00Z", 25 * 60));
        expect(new_york(), "2025-11-03T12:00Z", ("2025-11-03T05:00Z", "2025-11-04T05:00Z", 24 * 60));
        let sydney = || days("Australia/Sydney");
        expect(sydney(), "2025-10-05T00:00Z", ("2025-10-04T14:00Z", "2025-10-05T13:00Z", 23 * 60));
        expect(sydney(), "2025-04-06T00:00Z", ("2025-04-05T13:00Z", "2025-04-06T14:00Z", 25 * 60));
        let half_hour = || days("Australia/Lord_Howe");
        expect(half_hour(), "2025-10-05T00:00Z", ("2025-10-04T13:30Z", "2025-10-05T13:00Z", 23 * 60 + 30));
        expect(half_hour(), "2025-04-06T00:00Z", ("2025-04-05T13:00Z", "2025-04-06T13:30Z", 24 * 60 + 30));
    }

    #[test]
    fn a_day_without_midnight_begins_after_the_gap() {
        let days = Calendar::days;
        expect(days("America/Sao_Paulo"), "2018-11-04T12:00Z", ("2018-11-04T03:00Z", "2018-11-05T02:00Z", 23 * 60));
        expect(days("Asia/Beirut"), "2022-03-27T12:00Z", ("2022-03-26T22:00Z", "2022-03-27T21:00Z", 23 * 60));
        expect(days("Africa/Cairo"), "2024-04-26T12:00Z", ("2024-04-25T22:00Z", "2024-04-26T21:00Z", 23 * 60));
        // From 23:30 to 00:30: both days lose half an hour.
        expect(days("America/Toronto"), "1919-03-31T03:00Z", ("1919-03-30T05:00Z", "1919-03-31T04:30Z", 23 * 60 + 30));
        expect(days("America/Toronto"), "1919-03-31T05:00Z", ("1919-03-31T04:30Z", "1919-04-01T04:00Z", 23 * 60 + 30));
    }

    #[test]
    fn a_day_with_two_midnights_begins_at_the_first() {
        // Havana's clocks go back from 01:00 to 00:00.
        let havana = Calendar::days("America/Havana");
        expect(havana, "2024-11-03T12:00Z", ("2024-11-03T04:00Z", "2024-11-04T05:00Z", 25 * 60));
        // Those of St. John's went back from 00:01 to 23:01, and showed the day before for another 59 minutes.
        let st_johns = || Calendar::days("America/St_Johns");
        for within in ["2006-10-29T02:30Z", "2006-10-29T02:31Z", "2006-10-29T03:29Z", "2006-10-29T03:30Z"] {
            expect(st_johns(), within, ("2006-10-29T02:30Z", "2006-10-30T03:30Z", 25 * 60));
        }
        expect(st_johns(), "2006-10-29T02:29Z", ("2006-10-28T02:30Z", "2006-10-29T02:30Z", 24 * 60));
    }

    #[test]
    fn a_day_that_was_skipped_has_no_window() {
        let apia = || Calendar::days("Pacific/Apia");
        expect(apia(), "2011-12-30T09:59Z", ("2011-12-29T10:00Z", "2011-12-30T10:00Z", 24 * 60));
        expect(apia(), "2011-12-30T10:00Z", ("2011-12-30T10:00Z", "2011-12-31T10:00Z", 24 * 60));
        expect(
            Calendar::months("Pacific/Apia"),
            "2011-12-30T10:00Z",
            ("2011-12-01T10:00Z", "2011-12-31T10:00Z", 43_200),
        );
    }

    #[test]
    fn weeks_and_months_go_over_changes() {
        let (week, month) = (7 * 24 * 60, 31 * 24 * 60);
        let weeks = || Calendar::weeks("America/New_York");
        expect(weeks(), "2025-03-09T12:00Z", ("2025-03-03T05:00Z", "2025-03-10T04:00Z", week - 60));
        expect(weeks(), "2025-11-02T12:00Z", ("2025-10-27T04:00Z", "2025-11-03T05:00Z", week + 60));
        let from_sunday = weeks().starting(Weekday::Sunday);
        expect(from_sunday, "2025-03-09T12:00Z", ("2025-03-09T05:00Z", "2025-03-16T04:00Z", week - 60));
        expect(
            Calendar::months("America/New_York"),
            "2025-03-09T12:00Z",
            ("2025-03-01T05:00Z", "2025-04-01T04:00Z", month - 60),
        );
        expect(
            Calendar::months("Australia/Sydney"),
            "2025-10-05T00:00Z",
            ("2025-09-30T14:00Z", "2025-10-31T13:00Z", month - 60),
        );
        expect(Calendar::months("UTC"), "2024-02-29T00:00Z", ("2024-02-01T00:00Z", "2024-03-01T00:00Z", 29 * 24 * 60));
    }

    #[test]
    fn windows_go_on_at_both_ends_of_the_calendar() {
        let days = |zone, time| Calendar::days(zone).assign(time);
        assert_eq!(
            days("UTC", EventTime::FIRST),
            Span { start: EventTime::FIRST, end: EventTime::FIRST.plus(86_400_000) }
        );
        assert_eq!(days("UTC", EventTime::LAST).end, EventTime::LAST.plus(1));
        // It is the year 10000 in Tokyo.
        let month = Calendar::months("Asia/Tokyo").assign(EventTime::LAST);
        assert_eq!(month.start, at("9999-12-30T15:00Z").plus(86_400_000));
        assert_eq!(month.end, month.start.plus(31 * 86_400_000));
        assert_eq!(days("UTC", EventTime::from_millis(i64::MAX)), days("UTC", EventTime::LAST));
        assert_eq!(days("UTC", EventTime::from_millis(i64::MIN)), days("UTC", EventTime::FIRST));
    }

    #[test]
    fn unsound_calendars_are_refused() {
        assert!(Calendar::weeks("Europe/Berlin").starting(Weekday::Friday).problems().is_empty());
        let problems = Calendar::months("Berlin").starting(Weekday::Monday).problems();
        assert_eq!(problems.len(), 2);
        assert!(problems[0].ends_with("did you mean `Europe/Berlin`?"), "{problems:?}");
        assert!(problems[1].ends_with("use `Calendar::weeks`"), "{problems:?}");
        assert_eq!(Calendar::days("UTC").starting(Weekday::Monday).starting(Weekday::Monday).problems().len(), 1);
    }

    #[test]
    fn the_fingerprint_names_unit_zone_and_rules() {
        assert_eq!(Calendar::days("utc").describe(), "calendar days in UTC, offsets of 1970 to 2099 48b2c92616fc193d");
        assert!(Calendar::weeks("UTC").describe().starts_with("calendar weeks from Monday in UTC, "));
        assert!(Calendar::months("europe/berlin").describe().starts_with("calendar months in Europe/Berlin, "));
    }

    fn any_calendar() -> impl Strategy<Value = Calendar> {
        let weekday = (0..7_i8).prop_map(|day| Weekday::from_monday_zero_offset(day).unwrap());
        (0..ZONES.len(), 0..3, weekday).prop_map(|(zone, unit, weekday)| match unit {
            0 => Calendar::days(&ZONES[zone]),
            1 => Calendar::weeks(&ZONES[zone]).starting(weekday),
            _ => Calendar::months(&ZONES[zone]),
        })
    }

    /// Times whose neighbouring windows lie in the calendar too.
    fn inner_time() -> impl Strategy<Value = EventTime> {
        let margin = 100 * 86_400_000;
        any_time().prop_map(move |time| time.clamp(EventTime::FIRST.plus(margin), EventTime::LAST.plus(-margin)))
    }

    /// Times about changes of clocks, which random times hardly meet.
    fn near_change() -> impl Strategy<Value = (usize, EventTime)> {
        (0..ZONES.len(), 1850..2100_i16, -48 * 3_600_000..48 * 3_600_000_i64).prop_map(|(zone, year, by)| {
            let rules = TimeZoneDatabase::bundled().get(&ZONES[zone]).unwrap();
            let year = TimeZone::UTC.to_timestamp(Date::constant(year, 1, 1).at(0, 0, 0, 0)).unwrap();
            let change = rules.following(year).next().or_else(|| rules.preceding(year).next());
            let change = change.map_or(year, |change| change.timestamp());
            (zone, EventTime::from_millis(change.as_millisecond()).plus(by))
        })
    }

    fn civil(rules: &TimeZone, time: EventTime) -> DateTime {
        rules.to_datetime(Timestamp::from_millisecond(time.as_millis()).unwrap())
    }

    fn check_tiled(calendar: &Calendar, time: EventTime) -> Result<Span, TestCaseError> {
        let window = calendar.assign(time);
        prop_assert!(window.start <= time && time < window.end);
        prop_assert_eq!(calendar.assign(window.start), window);
        prop_assert_eq!(calendar.assign(window.end.plus(-1)), window);
        prop_assert_eq!(calendar.assign(window.start.plus(-1)).end, window.start);
        prop_assert_eq!(calendar.assign(window.end).start, window.end);
        Ok(window)
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn windows_of_every_zone_tile_the_time_line(calendar in any_calendar(), time in inner_time()) {
            check_tiled(&calendar, time)?;
        }

        #[test]
        fn every_time_of_the_calendar_has_its_window(calendar in any_calendar(), time in any_time()) {
            let window = calendar.assign(time);
            prop_assert!(window.start <= time && time < window.end);
        }

        /// The definition, by brute force: the day at an instant is the latest that clocks have shown until then.
        #[test]
        fn days_begin_when_clocks_first_show_them((zone, time) in near_change()) {
            let rules = TimeZoneDatabase::bundled().get(&ZONES[zone]).unwrap();
            let window = check_tiled(&Calendar::days(&ZONES[zone]), time)?;
            let latest = |time: EventTime| {
                (0..=52 * 60).map(|minutes| civil(&rules, time.plus(-minutes * 60_000)).date()).max().unwrap()
            };
            prop_assert!(latest(window.start.plus(-1)) < latest(window.start));
            prop_assert_eq!(latest(window.start), latest(time));
            prop_assert_eq!(latest(time), latest(window.end.plus(-1)));
        }

        #[test]
        fn weeks_and_months_begin_with_their_first_day(calendar in any_calendar(), (zone, time) in near_change()) {
            let calendar = Calendar { zone: Zone::named(&ZONES[zone]), ..calendar };
            let window = check_tiled(&calendar, time)?;
            let (first, next) = calendar.unit_of(calendar.zone.day_at(window.start));
            let days = Calendar::days(&ZONES[zone]);
            prop_assert_eq!(days.assign(window.start).start, window.start);
            prop_assert_eq!(days.assign(window.end.plus(-1)).end, window.end);
            let date = |day: i64| Date::constant(1970, 1, 1).saturating_add(SignedDuration::from_hours(24 * day));
            match calendar.unit {
                Unit::Week(starting) => prop_assert_eq!((date(first).weekday(), next - first), (starting, 7)),
                Unit::Month => prop_assert_eq!((date(first).day(), date(next)), (1, date(first).last_of_month().tomorrow().unwrap())),
                Unit::Day | Unit::NoWeek => prop_assert_eq!(next - first, 1),
            }
        }
    }
}
