//! Cutting batches: so many records, or so many bytes.

use std::collections::VecDeque;

use bytes::Bytes;

use super::event::{self, Rendered};

/// What an invocation may carry: 6 MB, measured on the event as it is sent.
const MAX_EVENT: usize = 6 << 20;

/// Records that go into one invocation.
#[derive(Debug)]
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

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// What is left of the batch from the record at `index` on.
    pub(super) fn drop_before(&mut self, index: usize) {
        self.records.drain(..index);
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
mod tests {
    use super::*;

    fn polled(count: usize, size: usize) -> VecDeque<Rendered> {
        (0..count).map(|n| Rendered { sequence_number: n.to_string(), json: "x".repeat(size) }).collect()
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
        let batch = Batch::cut(&mut polled, 10_000);
        assert_eq!(batch.len(), 5);
        assert!(batch.event().len() <= MAX_EVENT);
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
    fn a_suffix_is_what_is_left() {
        let mut batch = Batch::cut(&mut polled(4, 10), 4);
        batch.drop_before(3);
        assert_eq!(batch.sequence_numbers().collect::<Vec<_>>(), ["3"]);
    }
}
