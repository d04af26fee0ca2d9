//! Token buckets: a second's worth, filled up as time goes.

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

/// Reads of a shard in a second, by all that read it.
/// <https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html>
const READS: f64 = 5.0;
/// Bytes that a shard gives in a second. One read may give five times as much, and those that follow are refused until
/// that is made up for.
const GIVEN: f64 = 2_097_152.0;

/// What a shard can still give now.
#[derive(Debug)]
pub(super) struct Reads {
    reads: f64,
    bytes: f64,
    filled: Instant,
}

impl Reads {
    pub(super) fn full(now: Instant) -> Self {
        Self { reads: READS, bytes: GIVEN, filled: now }
    }

    /// Takes a read, of whatever size; false if that is one too many now.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = self.filled.max(now);
        self.reads = (self.reads + READS * seconds).min(READS);
        self.bytes = (self.bytes + GIVEN * seconds).min(GIVEN);
        if self.reads < 1.0 || self.bytes <= 0.0 {
            return false;
        }
        self.reads -= 1.0;
        true
    }

    /// Takes note of how much the read gave.
    pub(super) fn gave(&mut self, bytes: usize) {
        #[expect(clippy::cast_precision_loss, reason = "a read gives ten mebibytes at most")]
        let bytes = bytes as f64;
        self.bytes -= bytes;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn five_reads_a_second_and_two_mebibytes_which_one_read_may_overdraw() {
        let now = Instant::now();
        let mut reads = Reads::full(now);
        assert_eq!((0..7).filter(|_| reads.take(now)).count(), 5);
        let later = now + Duration::from_millis(400);
        assert_eq!((0..7).filter(|_| reads.take(later)).count(), 2);

        let mut reads = Reads::full(now);
        assert!(reads.take(now));
        reads.gave(10 << 20);
        let seconds = |seconds| now + Duration::from_secs(seconds);
        assert!(!reads.take(seconds(3)), "four seconds' worth is owed");
        assert!(reads.take(seconds(5)));
    }

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
