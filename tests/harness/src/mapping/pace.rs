//! How time passes for a mapping: what AWS documents of it, and what it does not.

use std::time::Duration;

/// The pauses of a mapping. All of them are settings, since most are not documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between two reads of a shard in which nothing was. Documented: a second.
    pub idle: Duration,
    /// Between two reads of a shard that has more. Documented: five reads a second, for all readers.
    pub busy: Duration,
    /// After the first failure in a row. Not documented; observed: 222 ms once.
    pub first_pause: Duration,
    /// The longest pause after failures, to which the first one doubles. Not documented; observed: eight
    /// attempts within a minute, which a quarter of a second makes.
    pub longest_pause: Duration,
    /// Between the end of a shard's parents and its own begin. Not documented; observed: 8 s.
    pub handover: Duration,
    /// Whether enhanced fan-out leaves out an aggregate as a whole that holds a record of another shard. Observed once;
    /// documented is that it leaves out that record alone.
    pub whole_aggregates: bool,
    /// Whether time makes batches: they hold what one read gave, or what came within the batching window. Else
    /// they hold all there is, up to their size, and are the same in every run.
    pub timely: bool,
    /// Failures in a row, without a record done, after which a shard without a limit of retries counts as
    /// stuck. Lambda would go on until the records leave the stream.
    pub patience: Option<u32>,
}

impl Pace {
    /// No longer than need be: all records are at hand, and what fails is tried again soon.
    pub const REPLAY: Self = Self {
        idle: Duration::from_millis(5),
        busy: Duration::ZERO,
        first_pause: Duration::from_millis(2),
        longest_pause: Duration::from_millis(100),
        handover: Duration::ZERO,
        whole_aggregates: true,
        timely: false,
        patience: Some(50),
    };

    /// What comes goes through within a tenth of a second, in batches as they come about.
    pub const AT_WORK: Self = Self { idle: Duration::from_millis(100), timely: true, ..Self::REPLAY };

    /// As Lambda does it.
    pub const LAMBDA: Self = Self {
        idle: Duration::from_secs(1),
        busy: Duration::from_millis(200),
        first_pause: Duration::from_millis(250),
        longest_pause: Duration::from_secs(60),
        handover: Duration::from_secs(8),
        whole_aggregates: true,
        timely: true,
        patience: None,
    };

    /// The pause after so many failures in a row.
    pub(super) fn pause(&self, failures: u32) -> Duration {
        let doubled = self.first_pause.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
        doubled.min(self.longest_pause)
    }

    /// How long a batch is waited for that is not full.
    pub(super) fn window(&self, window: Duration) -> Duration {
        if self.timely { window } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses: Vec<u128> = (1..=9).map(|failures| Pace::REPLAY.pause(failures).as_millis()).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 100, 100, 100]);
        assert_eq!(Pace::LAMBDA.pause(u32::MAX), Duration::from_secs(60));
    }

    #[test]
    fn eight_attempts_fit_into_a_minute_as_they_did_on_aws() {
        let before = |attempt: u32| (1..attempt).map(|failures| Pace::LAMBDA.pause(failures)).sum::<Duration>();
        let minute = Duration::from_secs(60);
        assert!(before(8) < minute && minute < before(9));
    }
}
