//! A batch on its way, and what failures make of it. Decisions alone: nothing here sends or waits.
//!
//! What is delivered next lies on top. A suffix and a half are batches of their own, with a request id and
//! retries of their own; an unchanged batch is the same request again. The left half, its retries and its
//! end included, comes before the right one, so that a shard's order holds.

use std::time::Duration;

use crate::runtime_api::Request;
use crate::template::EventSource;

use super::batch::Batch;

/// What is left of a batch.
#[derive(Debug)]
pub(super) struct Pieces {
    stack: Vec<Piece>,
}

#[derive(Debug)]
struct Piece {
    batch: Batch,
    request: Option<Request>,
    /// Whether its records were in a request before, be it this one or another.
    sent: bool,
    attempts: u32,
    not_tried: u32,
}

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All of it is done.
    Done,
    /// All before the record at this index is done.
    From(usize),
    /// Nothing of it is done.
    Failed,
    /// The function did not get it, which costs no retry.
    NotTried,
}

/// What becomes of the piece on top.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// So many records are behind the checkpoint; what is left, if anything, goes at once.
    Behind(usize),
    /// It is halved; the left half goes at once.
    Halved,
    /// It goes again, after the pause that so many failures in a row call for.
    Again(u32),
    /// Its retries are used up.
    GivenUp(GivenUp),
}

/// Records that are not delivered any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GivenUp {
    pub(super) batch: Batch,
    /// The id of the last request that held them, if there was one.
    pub(super) request: Option<String>,
    /// As AWS counts: at least one, even if the function never saw them.
    pub(super) attempts: u32,
}

impl Pieces {
    pub(super) fn of(batch: Batch) -> Self {
        let mut pieces = Self { stack: Vec::new() };
        pieces.push(batch, false);
        pieces
    }

    fn push(&mut self, batch: Batch, sent: bool) {
        if !batch.is_empty() {
            self.stack.push(Piece { batch, request: None, sent, attempts: 0, not_tried: 0 });
        }
    }

    /// What is delivered next.
    pub(super) fn top(&self) -> Option<&Batch> {
        self.stack.last().map(|piece| &piece.batch)
    }

    /// The request for what is delivered next, and whether its records were sent before; `None` when all is
    /// done.
    pub(super) fn request(&mut self, id: impl FnOnce() -> String) -> Option<(Request, bool)> {
        let Piece { batch, request, sent, .. } = self.stack.last_mut()?;
        let request = request.get_or_insert_with(|| Request { id: id(), event: batch.event() });
        Some((request.clone(), std::mem::replace(sent, true)))
    }

    /// Cuts off what is older than `age` at a time, in milliseconds since the epoch; what is left is a
    /// batch of its own.
    pub(super) fn expire(&mut self, now: u64, age: Duration) -> Option<GivenUp> {
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let old = self.top()?.arrived_before(now.saturating_sub(age));
        if old == 0 {
            return None;
        }
        let mut piece = self.stack.pop()?;
        self.push(piece.batch.split_off(old), piece.sent);
        Some(piece.given_up())
    }

    /// Takes note of an attempt at what is on top.
    pub(super) fn judge(&mut self, verdict: Verdict, source: &EventSource) -> Fate {
        let Some(mut piece) = self.stack.pop() else { return Fate::Behind(0) };
        match verdict {
            Verdict::NotTried => piece.not_tried += 1,
            _ => piece.attempts += 1,
        }
        let count = piece.batch.len();
        match verdict {
            Verdict::Done => Fate::Behind(count),
            Verdict::From(index) if index > 0 => {
                self.push(piece.batch.split_off(index), true);
                Fate::Behind(index)
            }
            Verdict::From(_) | Verdict::Failed if source.bisects && count > 1 => {
                self.push(piece.batch.split_off(count / 2), true);
                self.push(piece.batch, true);
                Fate::Halved
            }
            Verdict::From(_) | Verdict::Failed if source.retries.is_some_and(|retries| piece.attempts > retries) => {
                Fate::GivenUp(piece.given_up())
            }
            Verdict::From(_) | Verdict::Failed | Verdict::NotTried => {
                let failures = piece.attempts + piece.not_tried;
                self.stack.push(piece);
                Fate::Again(failures)
            }
        }
    }
}

impl Piece {
    fn given_up(self) -> GivenUp {
        let request = self.request.map(|request| request.id);
        GivenUp { batch: self.batch, request, attempts: self.attempts.max(1) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::super::batch::tests::polled;
    use super::*;

    fn batch(count: usize) -> Batch {
        Batch::cut(&mut polled(count, 10), count)
    }

    fn numbers(batch: &Batch) -> Vec<usize> {
        batch.sequence_numbers().map(|number| number.parse().unwrap()).collect()
    }

    fn source(retries: Option<u32>, bisects: bool) -> EventSource {
        EventSource { retries, bisects, ..EventSource::of("s") }
    }

    /// How a batch was delivered.
    #[derive(Default)]
    struct Run {
        /// Request ids, and the records sent.
        attempts: Vec<(String, Vec<usize>)>,
        done: Vec<usize>,
        given_up: Vec<usize>,
    }

    /// Delivers a batch to a function that cannot do `bad` records, and says so if it `reports`: every
    /// attempt with its request id, and what was given up.
    fn run(count: usize, bad: &BTreeSet<usize>, reports: bool, source: &EventSource) -> Run {
        let (mut pieces, mut ids) = (Pieces::of(batch(count)), 0);
        let Run { mut attempts, mut done, mut given_up } = Run::default();
        while let Some((request, _)) = pieces.request(|| {
            ids += 1;
            ids.to_string()
        }) {
            let records = numbers(pieces.top().unwrap());
            let first_bad = records.iter().position(|record| bad.contains(record));
            let verdict = match first_bad {
                None => Verdict::Done,
                Some(index) if reports => Verdict::From(index),
                Some(_) => Verdict::Failed,
            };
            attempts.push((request.id, records.clone()));
            match pieces.judge(verdict, source) {
                Fate::Behind(count) => done.extend(&records[..count]),
                Fate::GivenUp(given) => given_up.extend(numbers(&given.batch)),
                Fate::Halved | Fate::Again(_) => {}
            }
        }
        Run { attempts, done, given_up }
    }

    #[test]
    fn the_trace_that_was_observed_on_aws() {
        let Run { attempts, done, given_up } = run(5, &[2].into(), true, &source(Some(1), true));
        let expected: [(&str, &[usize]); 5] =
            [("1", &[0, 1, 2, 3, 4]), ("2", &[2, 3, 4]), ("3", &[2]), ("3", &[2]), ("4", &[3, 4])];
        assert_eq!(attempts, expected.map(|(id, records)| (id.to_owned(), records.to_vec())));
        assert_eq!((done, given_up), (vec![0, 1, 3, 4], vec![2]));
    }

    #[test]
    fn what_the_function_did_not_get_costs_no_retry() {
        let (mut pieces, source) = (Pieces::of(batch(2)), source(Some(0), true));
        for failures in 1..9 {
            assert_eq!(pieces.judge(Verdict::NotTried, &source), Fate::Again(failures));
        }
        assert_eq!(pieces.judge(Verdict::Done, &source), Fate::Behind(2));
    }

    #[test]
    fn what_is_old_is_cut_off_and_the_rest_is_a_request_of_its_own() {
        let (mut pieces, source) = (Pieces::of(batch(4)), source(None, false));
        pieces.request(|| String::from("a"));
        pieces.judge(Verdict::Failed, &source);
        pieces.judge(Verdict::Failed, &source);
        assert_eq!(pieces.expire(10, Duration::from_millis(10)), None);
        let old = pieces.expire(12, Duration::from_millis(10)).unwrap();
        assert_eq!((numbers(&old.batch), old.request.as_deref(), old.attempts), (vec![0, 1], Some("a"), 2));
        assert_eq!(
            pieces.request(|| String::from("b")).map(|(request, again)| (request.id, again)),
            Some((String::from("b"), true))
        );
        let rest = pieces.expire(100, Duration::from_millis(10)).unwrap();
        assert_eq!((numbers(&rest.batch), rest.attempts), (vec![2, 3], 1));
        assert!(pieces.top().is_none());
    }

    proptest! {
        /// Whatever fails: each record comes to one end, in order, with bisecting the good ones to a good
        /// one, and no request is sent more often than retries allow.
        #[test]
        fn every_record_comes_to_one_end_in_order(
            count in 1..40_usize,
            bad in prop::collection::btree_set(0..40_usize, 0..12),
            retries in 0..4_u32,
            (bisects, reports) in (any::<bool>(), any::<bool>()),
        ) {
            let Run { attempts, done, given_up } = run(count, &bad, reports, &source(Some(retries), bisects));
            let mut all: Vec<usize> = done.iter().chain(&given_up).copied().collect();
            prop_assert!(done.is_sorted() && given_up.is_sorted());
            all.sort_unstable();
            prop_assert_eq!(all, (0..count).collect::<Vec<_>>());
            if bisects {
                prop_assert!(given_up.iter().all(|record| bad.contains(record)), "{:?}", given_up);
            }
            let mut sent = BTreeMap::<&str, (u32, &[usize])>::new();
            for (id, records) in &attempts {
                let (times, first) = sent.entry(id).or_insert((0, records));
                *times += 1;
                prop_assert_eq!(&**first, &**records, "a request never changes");
                prop_assert!(*times <= retries + 1);
            }
            // What is sent never begins before what was sent: the shard's order.
            let begins: Vec<usize> = attempts.iter().map(|(_, records)| records[0]).collect();
            prop_assert!(begins.is_sorted(), "{:?}", begins);
        }
    }
}
