//! A token bucket: a second's worth, filled up as time goes.

use std::time::Instant;

/// Records that a shard takes in a second.
const RECORDS: f64 = 1_000.0;
/// Bytes that a shard takes in a second, partition keys included.
const BYTES: f64 = 1_048_576.0;

/// What a shard can still take now.
#[derive(Debug)]
pub(super) struct Bucket {
    records: f64,
    bytes: f64,
    filled: Instant,
}

impl Bucket {
    pub(super) fn full(now: Instant) -> Self {
        Self { records: RECORDS, bytes: BYTES, filled: now }
    }

    /// Takes a record of so many bytes, its partition key included; false if that is too much now.
    pub(super) fn take(&mut self, bytes: usize, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = self.filled.max(now);
        self.records = (self.records + RECORDS * seconds).min(RECORDS);
        self.bytes = (self.bytes + BYTES * seconds).min(BYTES);
        // A record that is larger than any shard takes is for the emulator to refuse.
        #[expect(clippy::cast_precision_loss, reason = "a record has some mebibytes at most")]
        let bytes = (bytes as f64).min(BYTES);
        if self.records < 1.0 || self.bytes < bytes {
            return false;
        }
        self.records -= 1.0;
        self.bytes -= bytes;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_never_holds_more_than_a_second_gives() {
        let now = Instant::now();
        let mut bucket = Bucket::full(now);
        let later = now + Duration::from_secs(60);
        let taken = (0..5_000).filter(|_| bucket.take(1, later)).count();
        assert_eq!(taken, 1_000);
    }

    #[test]
    fn time_that_goes_back_gives_nothing() {
        let now = Instant::now();
        let mut bucket = Bucket::full(now + Duration::from_secs(1));
        assert!(bucket.take(1 << 20, now));
        assert!(!bucket.take(1, now));
        assert!(bucket.take(1 << 19, now + Duration::from_millis(1_500)));
    }

    #[test]
    fn the_largest_record_fits_a_full_bucket() {
        let now = Instant::now();
        assert!(Bucket::full(now).take(2 << 20, now));
    }
}
