//! Environments that run the function, and invocations of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::handler::{Done, Handler, Limits, RelayHandler, Ticked, Work};
use crate::{Error, EventTime};
use fastrand::Rng;
use tidemill_core::{Caps, Record};
use tidemill_journal::{Deadline, Incarnation, Ring};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::plan::{Plan, Rates};
use super::requests::Requests;
use super::stream::{STREAM, of_batch};
use super::subject::{Batch, Subject};
use super::world::World;

/// How long an invocation may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);
/// How long before that it should stop.
const MARGIN: Duration = Duration::from_secs(2);

/// One environment: a process with what it keeps in memory.
pub(crate) struct Environment {
    pub(crate) requests: Requests,
    worker: Worker,
}

enum Worker {
    Keyed(Box<Handler<Requests, Requests, Requests>>),
    Relay(Box<RelayHandler<Requests>>),
}

/// What is asked of the function.
pub(crate) enum Job {
    Batch { shard: String, batch: Batch },
    Tick(EventTime),
    Drain(String),
}

/// What the function answers.
pub(crate) type Answer = Result<Answered, Error>;

pub(crate) enum Answered {
    Done(Done),
    Ticked(Ticked),
}

/// An invocation under way.
pub(crate) struct Invocation {
    pub(crate) number: u64,
    pub(crate) began: Instant,
    pub(crate) job: Arc<Job>,
    /// Nobody waits for it any more.
    pub(crate) is_zombie: bool,
    handle: JoinHandle<(Option<Environment>, Answer)>,
}

impl Environment {
    pub(crate) fn new(world: &Arc<World>, plan: &Plan, subject: &dyn Subject, number: u64, old: bool) -> Self {
        let requests = Requests::new(world, number, old);
        let caps = Caps { outputs: plan.outputs, ..Caps::default() };
        let limits = Limits { ring: Ring::of(plan.ring).expect("a ring"), caps, ..Limits::default() };
        let drawn = AtomicU64::new(number << 16);
        let draw = Box::new(move || Incarnation(drawn.fetch_add(1, Ordering::Relaxed)));
        let (pipeline, asks) = (subject.pipeline(), || requests.clone());
        let worker = match pipeline.is_keyed() {
            true => Worker::Keyed(Box::new(Handler::new(pipeline, asks(), asks(), limits, draw).watching(asks()))),
            false => Worker::Relay(Box::new(RelayHandler::new(pipeline, asks()))),
        };
        Self { worker, requests }
    }

    async fn work(&mut self, job: &Job, deadline: Deadline) -> Answer {
        match (&mut self.worker, job) {
            (Worker::Keyed(handler), Job::Batch { shard, batch }) => {
                let records: Vec<Record<'_>> = of_batch(shard, batch);
                handler.handle(STREAM, shard, Work::Records(&records), deadline).await.map(Answered::Done)
            }
            (Worker::Keyed(handler), Job::Tick(now)) => {
                handler.tick(STREAM, *now, deadline).await.map(Answered::Ticked)
            }
            (Worker::Keyed(handler), Job::Drain(shard)) => {
                handler.handle(STREAM, shard, Work::Drain, deadline).await.map(Answered::Done)
            }
            (Worker::Relay(handler), Job::Batch { shard, batch }) => {
                handler.handle(STREAM, shard, &of_batch(shard, batch), deadline).await.map(Answered::Done)
            }
            // Nothing is open that time or the end would close.
            (Worker::Relay(_), Job::Tick(_) | Job::Drain(_)) => Ok(Answered::Done(Done::default())),
        }
    }
}

impl Invocation {
    /// Begins in an environment, which may die at any await.
    pub(crate) fn begin(mut environment: Environment, number: u64, job: Job, seed: u64, rates: Rates) -> Self {
        let rng = &mut Rng::with_seed(seed);
        let began = Instant::now();
        let dies = (rng.u32(0..1_000) < rates.crash).then(|| began + Duration::from_millis(rng.u64(0..100)));
        let first = match &job {
            Job::Batch { batch, .. } => batch.first().map(|(sequence, ..)| sequence.clone()),
            Job::Tick(_) | Job::Drain(_) => None,
        };
        environment.requests.begin(rng.u64(..), rates, first);
        let job = Arc::new(job);
        let shared = Arc::clone(&job);
        let handle = tokio::spawn(async move {
            let deadline = Deadline::at(began + TIMEOUT - MARGIN);
            let Some(dies) = dies else {
                let answer = environment.work(&shared, deadline).await;
                return (Some(environment), answer);
            };
            match timeout_at(dies, environment.work(&shared, deadline)).await {
                Ok(answer) => (Some(environment), answer),
                Err(_) => (None, Err(Error::Runtime("the process died".to_owned()))),
            }
        });
        Self { number, began, job, is_zombie: false, handle }
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// The answer, and the environment if it lives.
    ///
    /// # Errors
    /// If it panicked.
    pub(crate) async fn end(self) -> Result<(Option<Environment>, Answer), String> {
        self.handle.await.map_err(|error| format!("the handler panicked: {error}"))
    }

    pub(crate) fn kill(&self) {
        self.handle.abort();
    }
}
