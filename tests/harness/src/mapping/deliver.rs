//! Delivering one shard.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;

use crate::emulators::ShardContent;
use crate::environment::Turn;
use crate::error::{Error, Stuck};
use crate::runtime_api::Request;

use super::attempt::Attempt;
use super::batch::Batch;
use super::event::{self, Renderer};
use super::poll::Poller;
use super::response::{Judgement, judge};
use super::{Mapping, Upstream};

/// Failures in a row, without a record done, after which a shard counts as stuck. Lambda would
/// go on until the records expire.
const PATIENCE: u32 = 50;
/// A process that does not even start has a mistake in its settings, which no retry mends.
const PATIENCE_TO_START: u32 = 3;
/// The pause after the first failure in a row, doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// The pause before a shard is read again in which nothing was. On AWS it is a second.
pub(super) const POLLING: Duration = Duration::from_millis(5);

/// A shard that is being delivered.
pub(super) struct Shard {
    mapping: Arc<Mapping>,
    name: String,
    poller: Poller,
    turn: Turn,
    requests: u64,
    failures: Failures,
}

/// Failures since a record was last done.
#[derive(Default)]
struct Failures {
    all: u32,
    starts: u32,
}

/// How far the delivery of a shard came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivered {
    /// All that is there is delivered, and for now nothing comes.
    CaughtUp,
    /// The shard is closed and all of it delivered: its children may begin.
    Ended,
}

impl Shard {
    /// The shard `number` of a mapping's stream, from its first record on.
    pub(super) async fn at_start(mapping: Arc<Mapping>, number: usize, content: &ShardContent) -> Result<Self, Error> {
        let deployment = mapping.pool.deployment();
        let kinesis = deployment.emulators.kinesis.clone();
        let renderer = Renderer::new(&mapping.stream, &content.shard, &deployment.function.name);
        let poller = Poller::at_start(kinesis, &mapping.stream, content, renderer).await?;
        let (name, turn) = (content.shard.clone(), Turn { shard: number, invocation: 0 });
        Ok(Self { mapping, name, poller, turn, requests: 0, failures: Failures::default() })
    }

    /// Its id.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Delivers all that lies in the shard, and what comes while anything is `upstream`; `done` hears
    /// how many records of the mapping are behind the checkpoint.
    pub(super) async fn deliver_all(&mut self, upstream: &Upstream, done: &impl Fn(u64)) -> Result<Delivered, Error> {
        let mapping = Arc::clone(&self.mapping);
        loop {
            // Asked before the shard is read: what comes last is in it by then, and it is closed by then if ever.
            let last = upstream.is_done();
            match self.poller.batch(mapping.batch_size, &mapping.tally).await? {
                Some(batch) => {
                    self.deliver(batch, done).await?;
                    mapping.tally.batches.fetch_add(1, Ordering::Relaxed);
                }
                None if self.poller.has_ended() => return Ok(Delivered::Ended),
                None if last && self.is_open().await? => return Ok(Delivered::CaughtUp),
                None => tokio::time::sleep(POLLING).await,
            }
        }
    }

    /// Whether the shard takes records. Behind the last one of a closed shard some more reads may be
    /// empty before its iterator ends.
    async fn is_open(&self) -> Result<bool, Error> {
        let kinesis = &self.mapping.pool.deployment().emulators.kinesis;
        let lineage = kinesis.lineage(&self.mapping.stream).await?;
        Ok(lineage.iter().any(|shard| shard.open && shard.id == self.name))
    }

    /// Sends a batch, and again what is left of it, until nothing is.
    async fn deliver(&mut self, mut batch: Batch, done: &impl Fn(u64)) -> Result<(), Error> {
        let mut request = self.request(batch.event());
        let mut again = false;
        loop {
            let answer = match self.attempt(&request, again).await? {
                Attempt::Answered(answer) => answer,
                other => {
                    again = true;
                    self.endure(other, &batch_name(&batch)).await?;
                    continue;
                }
            };
            again = true;
            match judge(&answer, batch.sequence_numbers(), self.mapping.reports_failures) {
                Judgement::Done => {
                    self.failures = Failures::default();
                    done(self.mapping.tally.done(batch.len()));
                    return Ok(());
                }
                Judgement::Again(0) => {
                    let why = String::from("it reports its first record as failed");
                    self.endure(Attempt::failed(why), &batch_name(&batch)).await?;
                }
                Judgement::Again(index) => {
                    self.failures = Failures::default();
                    batch.drop_before(index);
                    done(self.mapping.tally.done(index));
                    request = self.request(batch.event());
                }
                Judgement::Refused(why) => {
                    self.endure(Attempt::failed(why), &batch_name(&batch)).await?;
                }
            }
        }
    }

    /// Declares the shard's input ended, until the function agrees.
    pub(super) async fn drain(&mut self) -> Result<(), Error> {
        let request = self.request(event::drain(&self.mapping.stream, &self.name));
        let what = "the end of its input";
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
            self.endure(attempt, what).await?;
            again = true;
        }
    }

    /// A request with an id of its own. An unchanged batch is sent again as the same request.
    fn request(&mut self, event: Bytes) -> Request {
        self.requests += 1;
        Request { id: format!("{:08x}-0000-4000-8000-{:012x}", self.turn.shard, self.requests), event }
    }

    async fn attempt(&mut self, request: &Request, again: bool) -> Result<Attempt, Error> {
        let attempt = self.mapping.attempt(self.turn, request, again).await?;
        self.turn.invocation += 1;
        Ok(attempt)
    }

    /// Counts a failure and pauses, or gives up. A kill is not the function's failure.
    async fn endure(&mut self, attempt: Attempt, what: &str) -> Result<(), Error> {
        let Attempt::Failed { why, log, at_start } = attempt else {
            return Ok(());
        };
        let failures = &mut self.failures;
        failures.all += 1;
        failures.starts = if at_start { failures.starts + 1 } else { 0 };
        if failures.all >= PATIENCE || failures.starts >= PATIENCE_TO_START {
            return Err(Error::Stuck(Box::new(Stuck {
                function: self.mapping.pool.deployment().function.id.clone(),
                shard: self.name.clone(),
                what: what.to_owned(),
                attempts: failures.all,
                last: why,
                log,
            })));
        }
        let doubled = FIRST_PAUSE * 2_u32.saturating_pow(failures.all - 1);
        tokio::time::sleep(doubled.min(LONGEST_PAUSE)).await;
        Ok(())
    }
}

fn batch_name(batch: &Batch) -> String {
    let first = batch.sequence_numbers().next().unwrap_or_default();
    match batch.len() {
        1 => format!("record {first}"),
        count => format!("a batch of {count} records from {first} on"),
    }
}
