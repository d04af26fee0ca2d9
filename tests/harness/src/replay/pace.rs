//! The rhythm in which records come, if they are not all to be there at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use crate::error::Error;
use crate::input::Record;

/// When each record comes.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    /// How long behind the first one, in the run's own time. Never less than the one before.
    after: Arc<[Duration]>,
    /// When the run began; nothing has come before.
    pub(super) begun: Option<Instant>,
}

impl Pace {
    /// The rhythm of these records by the time at `pointer` in each, `factor` times as fast. A record that has none comes
    /// with the one before.
    pub(super) fn of(records: &[Record], pointer: &str, factor: f64) -> Result<Self, Error> {
        let (mut first, mut latest) = (None, 0);
        let mut after = Vec::with_capacity(records.len());
        for record in records {
            if let Some(millis) = time_of(&record.payload, pointer) {
                latest = latest.max(millis.saturating_sub(*first.get_or_insert(millis)));
            }
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of a stream are exact in 53 bits")]
            let seconds = latest as f64 / 1_000.0 / factor;
            after.push(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
        }
        if first.is_none() {
            return Err(Error::Option(format!(
                "--realtime: no record has a time at {pointer}, epoch milliseconds or such as 2026-01-31T12:00:00Z"
            )));
        }
        Ok(Self { after: after.into(), begun: None })
    }

    /// How many records have come by now.
    pub(super) fn come(&self) -> usize {
        let Some(begun) = self.begun else { return 0 };
        let now = begun.elapsed();
        self.after.partition_point(|after| *after <= now)
    }
}

/// The time at a pointer, in epoch milliseconds.
fn time_of(payload: &[u8], pointer: &str) -> Option<i64> {
    let payload: Value = serde_json::from_slice(payload).ok()?;
    match payload.pointer(pointer)? {
        Value::Number(millis) => millis.as_i64(),
        Value::String(text) => text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(payloads: &[&str], factor: f64) -> Result<Pace, Error> {
        let record =
            |payload: &&str| Record { payload: payload.as_bytes().to_vec().into(), partition_key: String::from("k") };
        Pace::of(&payloads.iter().map(record).collect::<Vec<_>>(), "/at", factor)
    }

    #[test]
    fn records_come_in_their_order_as_far_apart_as_their_times() {
        let payloads =
            [r#"{"at":5000}"#, r#"{"at":"1970-01-01T00:00:07Z"}"#, "no json", r#"{"at":6000}"#, r#"{"at":15000}"#];
        let seconds = [0, 1, 1, 1, 5].map(Duration::from_secs);
        assert_eq!(*pace(&payloads, 2.0).unwrap().after, seconds);
    }

    #[test]
    fn nothing_comes_before_the_run_begins_and_all_when_it_is_over() {
        let mut pace = pace(&[r#"{"at":0}"#, r#"{"at":1000}"#, r#"{"at":3600000}"#], 1.0).unwrap();
        assert_eq!(pace.come(), 0);
        pace.begun = Instant::now().checked_sub(Duration::from_secs(2));
        assert_eq!(pace.come(), 2);
    }

    #[test]
    fn records_without_any_time_have_no_rhythm() {
        let error = pace(&["{}"], 1.0).unwrap_err().to_string();
        assert!(error.contains("no record has a time at /at"), "{error}");
    }
}
