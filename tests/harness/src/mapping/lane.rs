//! Delivering what a lane of a shard gets: with a ParallelizationFactor of 1, all of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::environment::Turn;
use crate::error::{Error, Stuck};
use crate::runtime_api::Request;

use super::attempt::{Attempt, Invoke};
use super::batch::{Batch, MAX_EVENT};
use super::event;
use super::feed::Feed;
use super::give_up::{Answer, Condition};
use super::pieces::{Fate, GivenUp, Pieces, Verdict};
use super::response::{Judgement, judge};
use super::{Mapping, Upstream};

/// A process that does not even start has a mistake in its settings, which no retry mends.
const PATIENCE_TO_START: u32 = 3;

/// Hears how many records of the mapping are behind the checkpoint.
pub(super) type Heard = Arc<dyn Fn(u64) + Send + Sync>;

/// A lane that is being delivered.
pub(super) struct Lane<F> {
    pub(super) mapping: Arc<Mapping<F>>,
    pub(super) shard: String,
    pub(super) number: usize,
    pub(super) feed: Arc<Mutex<Feed>>,
    pub(super) turn: Turn,
    pub(super) requests: u64,
    pub(super) failures: Failures,
}

/// Failures since a record was last done.
#[derive(Default)]
pub(super) struct Failures {
    all: u32,
    starts: u32,
}

/// How far a delivery came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivered {
    /// All that is there is delivered, and for now nothing comes.
    CaughtUp,
    /// The shard is closed and all of it delivered: its children may begin.
    Ended,
}

/// An attempt, judged.
struct Judged {
    verdict: Verdict,
    /// What the function answered, if it was asked.
    answer: Option<Answer>,
    /// What went wrong, unless nothing did or a kill was planned.
    failure: Option<Attempt>,
}

impl<F: Invoke> Lane<F> {
    /// Delivers all that lies in the lane, and what comes while anything is `upstream`.
    pub(super) async fn deliver_all(&mut self, upstream: &Upstream, done: &Heard) -> Result<Delivered, Error> {
        let mapping = Arc::clone(&self.mapping);
        let window = mapping.pace.window(mapping.source.window);
        // A window begins when the invocation before has ended.
        let mut opened = Instant::now();
        loop {
            // Asked before the shard is read: what comes last is in it by then, and it is closed by then if ever.
            let last = upstream.is_done();
            let over = last || opened.elapsed() >= window;
            let mut feed = self.feed.lock().await;
            let batch = feed.batch(self.number, mapping.source.batch_size as usize, over, &mapping.tally).await?;
            let (ended, empty) = (feed.has_ended(self.number), feed.is_empty(self.number));
            drop(feed);
            match batch {
                Some(batch) => {
                    self.deliver(batch, done).await?;
                    mapping.tally.batches.fetch_add(1, Ordering::Relaxed);
                    opened = Instant::now();
                }
                None if ended => return Ok(Delivered::Ended),
                None if last => return Ok(Delivered::CaughtUp),
                None => {
                    if over && empty {
                        opened = Instant::now();
                    }
                    let rest = window.saturating_sub(opened.elapsed());
                    let pause = if rest.is_zero() { mapping.pace.idle } else { mapping.pace.idle.min(rest) };
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// Sends a batch, and again what is left of it, until nothing is.
    async fn deliver(&mut self, batch: Batch, done: &Heard) -> Result<(), Error> {
        let mapping = Arc::clone(&self.mapping);
        let mut pieces = Pieces::of(batch);
        while let Some(batch) = pieces.top() {
            let name = batch_name(batch);
            if let Some(old) = mapping.source.record_age.and_then(|age| pieces.expire(mapping.kinesis.now(), age)) {
                self.give_up(old, Condition::RecordAgeExceeded, None, done);
                continue;
            }
            let Some((request, again)) = pieces.request(|| self.next_id()) else { break };
            let Judged { verdict, answer, failure } = self.judged(&pieces, &request, again).await?;
            match pieces.judge(verdict, &mapping.source) {
                Fate::Behind(count) => {
                    self.failures = Failures::default();
                    done(mapping.tally.done(count));
                }
                Fate::Halved => self.count(failure, &name)?,
                Fate::GivenUp(given_up) => self.give_up(given_up, Condition::RetryAttemptsExhausted, answer, done),
                Fate::Again(failures) => {
                    let pauses = failure.is_some();
                    self.count(failure, &name)?;
                    if pauses {
                        tokio::time::sleep(mapping.pace.pause(failures)).await;
                    }
                }
            }
        }
        Ok(())
    }

    /// One attempt at what is on top. An event that is too long is refused before the function gets it, which
    /// costs a retry all the same.
    async fn judged(&mut self, pieces: &Pieces, request: &Request, again: bool) -> Result<Judged, Error> {
        let failed = |answer, failure| Judged { verdict: Verdict::Failed, answer, failure };
        if request.event.len() > MAX_EVENT {
            let why = format!("its event of {} bytes is longer than the 6 MB that Lambda sends", request.event.len());
            return Ok(failed(None, Some(Attempt::failed(why))));
        }
        let answer = match self.attempt(request, again).await? {
            Attempt::Answered(answer) => answer,
            Attempt::Killed => return Ok(failed(Some(Answer::Unhandled), None)),
            Attempt::Throttled => {
                return Ok(Judged { verdict: Verdict::NotTried, answer: None, failure: Some(Attempt::Throttled) });
            }
            failure @ Attempt::Failed { .. } => return Ok(failed(Some(Answer::Unhandled), Some(failure))),
        };
        let batch = pieces.top().into_iter().flat_map(Batch::sequence_numbers);
        Ok(match judge(&answer, batch, self.mapping.source.reports_failures) {
            Judgement::Done => Judged { verdict: Verdict::Done, answer: None, failure: None },
            Judgement::Again(0) => failed(
                Some(Answer::Handled),
                Some(Attempt::failed(String::from("it reports its first record as failed"))),
            ),
            Judgement::Again(index) => Judged { verdict: Verdict::From(index), answer: None, failure: None },
            Judgement::Refused(why) => failed(Some(Answer::Handled), Some(Attempt::failed(why))),
        })
    }

    /// Puts records aside that are not delivered any more.
    fn give_up(&mut self, given_up: GivenUp, condition: Condition, answer: Option<Answer>, done: &Heard) {
        self.failures = Failures::default();
        let count = given_up.batch.len();
        let request = given_up.request.clone().unwrap_or_else(|| self.next_id());
        self.mapping.give_up(&self.shard, &request, &given_up, condition, answer);
        done(self.mapping.tally.done(count));
    }

    /// Declares the shard's input ended, until the function agrees.
    pub(super) async fn drain(&mut self) -> Result<(), Error> {
        let id = self.next_id();
        let request = Request { id, event: event::drain(&self.mapping.source.stream, &self.shard) };
        let mut again = false;
        loop {
            let attempt = match self.attempt(&request, again).await? {
                Attempt::Answered(answer) => match judge(&answer, std::iter::empty(), true) {
                    Judgement::Done => return Ok(()),
                    Judgement::Refused(why) => Attempt::failed(why),
                    Judgement::Again(_) => Attempt::failed(String::from("it reports failed records")),
                },
                other => other,
            };
            again = true;
            if !matches!(attempt, Attempt::Killed) {
                self.count(Some(attempt), "the end of its input")?;
                tokio::time::sleep(self.mapping.pace.pause(self.failures.all)).await;
            }
        }
    }

    fn next_id(&mut self) -> String {
        self.requests += 1;
        format!("{:08x}-0000-4000-8000-{:012x}", self.turn.shard, self.requests)
    }

    async fn attempt(&mut self, request: &Request, again: bool) -> Result<Attempt, Error> {
        let attempt = self.mapping.attempt(self.turn, request, again).await?;
        self.turn.invocation += 1;
        Ok(attempt)
    }

    /// Counts a failure, or loses patience. A kill is not the function's failure.
    fn count(&mut self, failure: Option<Attempt>, what: &str) -> Result<(), Error> {
        let (why, log, at_start) = match failure {
            Some(Attempt::Failed { why, log, at_start }) => (why, log, at_start),
            Some(Attempt::Throttled) => (String::from("the function is throttled"), Vec::new(), false),
            Some(Attempt::Answered(_) | Attempt::Killed) | None => return Ok(()),
        };
        let failures = &mut self.failures;
        failures.all += 1;
        failures.starts = if at_start { failures.starts + 1 } else { 0 };
        let endless = self.mapping.source.retries.is_none() && failures.all >= patience_or_never(&self.mapping);
        if !endless && failures.starts < PATIENCE_TO_START {
            return Ok(());
        }
        Err(Error::Stuck(Box::new(Stuck {
            function: self.mapping.function.id.clone(),
            shard: self.shard.clone(),
            what: what.to_owned(),
            attempts: failures.all,
            last: why,
            log,
        })))
    }
}

fn patience_or_never<F>(mapping: &Mapping<F>) -> u32 {
    mapping.pace.patience.unwrap_or(u32::MAX)
}

fn batch_name(batch: &Batch) -> String {
    let first = batch.sequence_numbers().next().unwrap_or_default();
    match batch.len() {
        1 => format!("record {first}"),
        count => format!("a batch of {count} records from {first} on"),
    }
}
