//! Environments that run the function, and invocations of them.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tidemill::handler::{Done, Handler, Limits, Ticked, Work};
use tidemill::{Error, EventTime};
use tidemill_core::{Caps, Record, SequenceNumber};
use tidemill_journal::{Deadline, Incarnation, JournalId, Ring};
use tidemill_tests::{Flight, STREAM, of_batch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::pipelines::pipeline;
use crate::plan::{Plan, Rates};
use crate::requests::Requests;
use crate::world::World;

/// How long an invocation may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);
/// How long before that it should stop.
const MARGIN: Duration = Duration::from_secs(2);

pub(crate) type Batch = Vec<(SequenceNumber, EventTime, Flight)>;

/// One environment: a process with what it keeps in memory.
pub(crate) struct Environment {
    pub(crate) requests: Requests,
    handler: Handler<Requests, Requests, Requests>,
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
    pub(crate) fn new(world: &Arc<World>, plan: &Plan, number: u64, old: bool) -> Self {
        let requests = Requests::new(world, number, old);
        let caps = Caps { outputs: plan.outputs, ..Caps::default() };
        let limits = Limits { ring: Ring::of(plan.ring).expect("a ring"), caps, ..Limits::default() };
        let draw = Box::new(move || Incarnation(number));
        let handler = Handler::new(pipeline(plan.pipeline), requests.clone(), requests.clone(), limits, draw);
        Self { handler: handler.watching(requests.clone()), requests }
    }

    async fn work(&mut self, job: &Job, deadline: Deadline) -> Answer {
        match job {
            Job::Batch { shard, batch } => {
                let records: Vec<Record<'_>> = of_batch(shard, batch);
                self.handler.handle(STREAM, shard, Work::Records(&records), deadline).await.map(Answered::Done)
            }
            Job::Tick(now) => self.handler.tick(STREAM, *now, deadline).await.map(Answered::Ticked),
            Job::Drain(shard) => self.handler.handle(STREAM, shard, Work::Drain, deadline).await.map(Answered::Done),
        }
    }
}

impl Invocation {
    /// Begins in an environment, which may die at any await.
    pub(crate) fn begin(mut environment: Environment, number: u64, job: Job, seed: u64, rates: Rates) -> Self {
        let rng = &mut Rng::with_seed(seed);
        let began = Instant::now();
        let dies = (rng.u32(0..1_000) < rates.crash).then(|| began + Duration::from_millis(rng.u64(0..150)));
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

/// What the function's pipeline calls a shard's journal.
pub(crate) fn journal_of(plan: &Plan, shard: &str) -> JournalId {
    let pipeline = pipeline(plan.pipeline).name().to_owned();
    JournalId { pipeline, stream: STREAM.to_owned(), shard: shard.to_owned() }
}
