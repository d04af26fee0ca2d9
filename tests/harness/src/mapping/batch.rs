//! Cutting batches: so many records, or so many bytes.

use std::collections::VecDeque;

use bytes::Bytes;

use super::event::{self, Rendered};

/// What an invocation may carry: 6 MB, measured on the event as it is sent.
pub(super) const MAX_EVENT: usize = 6 << 20;

/// Records that go into one invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    records: Vec<Rendered>,
}

impl Batch {
    /// Takes the next batch off the records polled: the first `size` records, or fewer if their
    /// event would be too long, but at least one.
    pub(super) fn cut(polled: &mut VecDeque<Rendered>, size: usize) -> Self {
        let count = fitting(polled, size, MAX_EVENT);
        let records = polled.drain(..count).collect();
        Self { records }
    }

    /// Whether a batch of what is polled would not become any larger by waiting.
    pub(super) fn is_full(polled: &VecDeque<Rendered>, size: usize) -> bool {
        polled.len() >= size || fitting(polled, size, MAX_EVENT) < polled.len()
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn records(&self) -> &[Rendered] {
        &self.records
    }

    /// Keeps what is before the record at `index`, and returns what is left.
    pub(super) fn split_off(&mut self, index: usize) -> Self {
        Self { records: self.records.split_off(index) }
    }

    /// How many records at its front arrived before a time, in milliseconds since the epoch. Arrival times
    /// need not ascend within a shard; one that is young enough keeps those behind it.
    pub(super) fn arrived_before(&self, time: u64) -> usize {
        self.records.iter().take_while(|record| record.arrival < time).count()
    }

    pub(super) fn event(&self) -> Bytes {
        event::of(&self.records)
    }

    pub(super) fn sequence_numbers(&self) -> impl Iterator<Item = &str> {
        self.records.iter().map(|record| record.sequence_number.as_str())
    }
}

fn fitting(polled: &VecDeque<Rendered>, size: usize, limit: usize) -> usize {
    let mut length = event::length([]);
    let fits = polled.iter().take(size).take_while(|record| {
        length += record.json.len() + 1;
        length <= limit
    });
    fits.count().max(1).min(polled.len())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Records `0`, `1`, … of so many bytes each, which arrived in milliseconds 0, 1, ….
    pub(in super::super) fn polled(count: usize, size: usize) -> VecDeque<Rendered> {
        let record = |n: usize| Rendered { sequence_number: n.to_string(), arrival: n as u64, json: "x".repeat(size) };
        (0..count).map(record).collect()
    }

    #[test]
    fn a_batch_holds_so_many_records() {
        let mut polled = polled(5, 10);
        assert_eq!(Batch::cut(&mut polled, 3).len(), 3);
        assert_eq!(Batch::cut(&mut polled, 3).len(), 2);
        assert!(polled.is_empty());
    }

    #[test]
    fn an_event_stays_within_six_megabytes() {
        let mut polled = polled(7, 1 << 20);
        assert!(Batch::is_full(&polled, 10_000));
        let batch = Batch::cut(&mut polled, 10_000);
        assert_eq!(batch.len(), 5);
        assert!(batch.event().len() <= MAX_EVENT);
        assert!(!Batch::is_full(&polled, 10_000) && Batch::is_full(&polled, 2));
    }

    #[test]
    fn the_limit_is_met_to_the_byte() {
        let records = polled(3, 100);
        let two = event::length(records.iter().take(2));
        assert_eq!(fitting(&records, 10, two + 1), 2);
        assert_eq!(fitting(&records, 10, two - 1), 1);
        assert_eq!(fitting(&records, 10, event::length(&records) + 1), 3);
    }

    #[test]
    fn one_record_goes_however_long_it_is() {
        assert_eq!(fitting(&polled(2, 1_000), 10, 100), 1);
    }

    #[test]
    fn a_batch_is_parted_in_its_order() {
        let mut batch = Batch::cut(&mut polled(4, 10), 4);
        let rest = batch.split_off(3);
        assert_eq!(batch.sequence_numbers().collect::<Vec<_>>(), ["0", "1", "2"]);
        assert_eq!(rest.sequence_numbers().collect::<Vec<_>>(), ["3"]);
    }

    #[test]
    fn what_is_old_is_counted_from_the_front() {
        let mut batch = Batch::cut(&mut polled(4, 10), 4);
        batch.records.push(batch.records[0].clone());
        assert_eq!((batch.arrived_before(0), batch.arrived_before(2), batch.arrived_before(9)), (0, 2, 5));
    }
}
