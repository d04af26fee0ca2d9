//! Days on the clocks of a time zone, by the time zone database that is part of the binary.

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use twox_hash::XxHash3_64;

use crate::EventTime;

/// Milliseconds of a day on the clock.
const DAY: i64 = 86_400_000;
/// Milliseconds that no clock is ahead of UTC or behind it: `jiff` bounds offsets by it.
const REACH: i64 = 26 * 3_600_000;

/// A time zone of the database in the binary, never of the machine: results must not depend on where they are made.
///
/// Days are counted from 1970-01-01. **A day begins when the zone's clocks first reach it**, at midnight or, where
/// clocks skip midnight, at the first instant after the gap; and it ends when the next begins. So days tile the time
/// line, also where clocks go back over midnight.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    name: String,
    rules: TimeZone,
    known: bool,
}

impl Zone {
    /// The zone of this IANA name, in any case. An unknown one has UTC's days; [`Zone::problem`] refuses it.
    pub(super) fn named(name: &str) -> Self {
        let found = TimeZoneDatabase::bundled().get(name).ok().filter(|rules| !rules.is_unknown());
        let (known, rules) = (found.is_some(), found.unwrap_or(TimeZone::UTC));
        let name = if known { rules.iana_name().unwrap_or(name) } else { name };
        Self { name: name.to_owned(), rules, known }
    }

    /// The name as the database spells it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What is wrong with the name, and what to write instead.
    pub(super) fn problem(&self) -> Option<String> {
        (!self.known).then(|| {
            let fix = match named_after(&self.name) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "give an IANA name such as `Europe/Berlin`, `America/New_York` or `UTC`".to_owned(),
            };
            format!("the time zone database has no zone `{}`: {fix}", self.name)
        })
    }

    /// The day on the zone's clocks at `time`.
    pub(super) fn day_at(&self, time: EventTime) -> i64 {
        let time = time.as_millis();
        time.saturating_add(offset_millis(self.rules.to_offset(timestamp(time)))).div_euclid(DAY)
    }

    /// When `day` begins.
    pub(super) fn beginning_of(&self, day: i64) -> EventTime {
        let midnight = day.saturating_mul(DAY);
        let mut since = midnight.saturating_sub(REACH);
        let mut offset = offset_millis(self.rules.to_offset(timestamp(since)));
        for transition in self.rules.following(timestamp(since)) {
            let until = transition.timestamp().as_millisecond();
            if midnight.saturating_sub(offset) < until {
                break;
            }
            (since, offset) = (until, offset_millis(transition.offset()));
        }
        EventTime::from_millis(since.max(midnight.saturating_sub(offset)))
    }

    /// A digest of the zone's offsets in the years 1970 to 2099, whatever the database's encoding. Earlier ones are
    /// left out, since the database still corrects them and hardly a record has such a time.
    pub(super) fn digest(&self) -> u64 {
        let (first, end) = (0, 4_102_444_800);
        let mut offset = self.rules.to_offset(timestamp(first)).seconds();
        let mut bytes = offset.to_le_bytes().to_vec();
        for transition in self.rules.following(timestamp(first)) {
            let at = transition.timestamp().as_second();
            if at >= end {
                break;
            }
            if transition.offset().seconds() != offset {
                offset = transition.offset().seconds();
                bytes.extend(at.to_le_bytes());
                bytes.extend(offset.to_le_bytes());
            }
        }
        XxHash3_64::oneshot(&bytes)
    }
}

/// The zone that is named after a city: `America/New_York` for "new york".
fn named_after(place: &str) -> Option<String> {
    let city = |zone: &str| zone.rsplit('/').next().unwrap_or(zone).replace('_', " ").to_lowercase();
    let database = TimeZoneDatabase::bundled();
    database.available().map(|zone| zone.as_str().to_owned()).find(|zone| city(zone) == city(place))
}

/// Held at the ends of what `jiff` can say: that is two days short of the year 10000.
fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(if millis < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

fn offset_millis(offset: jiff::tz::Offset) -> i64 {
    i64::from(offset.seconds()) * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(rules: &str) -> u64 {
        let rules = TimeZone::posix(rules).unwrap();
        Zone { name: "made up".to_owned(), rules, known: true }.digest()
    }

    #[test]
    fn the_digest_depends_on_offsets_alone() {
        assert_eq!(Zone::named("US/Eastern").digest(), Zone::named("America/New_York").digest());
        assert_eq!(Zone::named("UTC").digest(), digest("XYZ0"));
        assert_eq!(digest("EST5EDT,M3.2.0,M11.1.0"), digest("ABC5DEF,M3.2.0,M11.1.0"));
        assert_ne!(digest("EST5EDT,M3.2.0,M11.1.0"), digest("EST5EDT,M4.1.0,M11.1.0"), "other days of change");
        assert_ne!(digest("EST5"), digest("EST4"), "another offset");
    }

    #[test]
    fn a_release_of_the_database_keeps_the_digests_of_zones_it_does_not_change() {
        assert_eq!(format!("{:016x}", Zone::named("America/New_York").digest()), "2be49f13c1882bbc");
        assert_eq!(format!("{:016x}", Zone::named("Asia/Tokyo").digest()), "0ad0cd82a6ca6742");
    }

    #[test]
    fn names_are_found_in_any_case_and_kept_as_the_database_spells_them() {
        assert_eq!(Zone::named("europe/BERLIN").name(), "Europe/Berlin");
        assert_eq!(Zone::named("utc").name(), "UTC");
    }

    #[test]
    fn an_unknown_name_is_refused_with_a_hint() {
        let problem = |name| Zone::named(name).problem().unwrap_or_default();
        assert_eq!(problem("Europe/Berlin"), "");
        assert!(problem("new york").ends_with("has no zone `new york`: did you mean `America/New_York`?"));
        assert!(problem("Europe/Tokyo").ends_with("did you mean `Asia/Tokyo`?"));
        for name in ["", "PDT", "Etc/Unknown", "+02:00", "../../etc/passwd"] {
            assert!(
                problem(name).ends_with("an IANA name such as `Europe/Berlin`, `America/New_York` or `UTC`"),
                "{name}"
            );
        }
    }
}
