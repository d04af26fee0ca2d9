//! The environments of a run, and whose turn it is.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;

use crate::chaos::{FaultKind, Faults};
use crate::error::Error;
use crate::runtime_api::Request;

use super::kill_plan::KillPlan;
use super::kill_switch::KillKind;
use super::places::{Places, Reuse};
use super::process::{Deployment, Environment, Failure, Outcome};

/// Environments, started when first needed and again after one has ended.
pub struct Pool {
    deployment: Arc<Deployment>,
    places: Places<Environment>,
    /// After so many invocations an environment is not used again; never if `None`.
    recycle: Option<u32>,
    plan: std::sync::Mutex<KillPlan>,
    /// What each shard was asked last, where there are faults.
    last: std::sync::Mutex<BTreeMap<usize, Last>>,
    failed: std::sync::Mutex<Option<Bytes>>,
    /// Environments whose time was up and that go on.
    zombies: std::sync::Mutex<JoinSet<()>>,
}

/// The last request for a shard, and how often a process was ended that worked on it.
struct Last {
    request: Request,
    ended: u32,
}

/// How many processes a request may cost in a run with faults: a function that loses more at one record is right to
/// suspect the record.
const ENDED_AT_MOST: u32 = 2;

/// How long an environment goes on whose time was up.
const AFTERLIFE: Duration = Duration::from_secs(3);

/// Whose turn it is: the shard's number, and the number of its invocation.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// The number of the shard.
    pub shard: usize,
    /// How many invocations the shard had before.
    pub invocation: usize,
}

impl Pool {
    /// At most `count` environments at once, each of which takes so many invocations, `recycle`, if that is limited.
    pub fn new(deployment: Deployment, count: usize, reuse: Reuse, recycle: Option<u32>, plan: KillPlan) -> Self {
        Self {
            deployment: Arc::new(deployment),
            places: Places::new(count, reuse),
            recycle,
            plan: std::sync::Mutex::new(plan),
            last: std::sync::Mutex::default(),
            failed: std::sync::Mutex::default(),
            zombies: std::sync::Mutex::default(),
        }
    }

    /// The function that runs here.
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// Invokes the function in the environment whose turn it is, once that one is free.
    pub async fn invoke(&self, turn: Turn, request: &Request) -> Result<Outcome, Error> {
        let outcome = self.invoke_free(turn, request).await?;
        if matches!(outcome, Outcome::Failed(..)) {
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(request.event.clone());
        }
        Ok(outcome)
    }

    /// The event that the function failed at last.
    pub fn failed(&self) -> Option<Bytes> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn invoke_free(&self, turn: Turn, request: &Request) -> Result<Outcome, Error> {
        let mut place = self.places.take(turn).await;
        let mut environment = match place.take() {
            Some(environment) => environment,
            None => match Environment::start(&self.deployment).await? {
                Ok(environment) => environment,
                Err((failure, log)) => return Ok(Outcome::Failed(failure, log)),
            },
        };
        if let Some(earlier) = self.repeated(turn.shard, request) {
            // Nobody waits for this answer.
            let (outcome, _) = environment.invoke(&earlier, Vec::new()).await;
            if !outcome.survived() {
                environment.end().await;
                return Ok(Outcome::Lost);
            }
        }
        let kills = if self.spared(turn.shard) { Vec::new() } else { self.plan(KillPlan::due) };
        let (mut outcome, unused) = environment.invoke(request, kills).await;
        self.plan(|plan| plan.postpone(unused));
        if outcome.survived() {
            if self.recycle.is_some_and(|most| environment.invocations() >= most) {
                environment.end().await;
            } else {
                *place = Some(environment);
            }
            return Ok(self.told(self.heard(outcome)));
        }
        if self.deployment.zombies && matches!(outcome, Outcome::Failed(Failure::TimedOut(_), _)) {
            self.leave(environment);
            return Ok(outcome);
        }
        let end = environment.end().await;
        match &mut outcome {
            Outcome::Failed(_, log) => *log = end,
            Outcome::Killed(kind) => {
                self.plan(|plan| plan.happened(*kind));
                self.last(|last| last.get_mut(&turn.shard).into_iter().for_each(|last| last.ended += 1));
            }
            Outcome::Response(_) | Outcome::Throttled | Outcome::Lost => {}
        }
        Ok(self.told(outcome))
    }

    /// The request before this one, if it is to be made again. This one is the shard's last from now on.
    fn repeated(&self, shard: usize, request: &Request) -> Option<Request> {
        if self.faults().is_none() {
            return None;
        }
        let new = || Last { request: request.clone(), ended: 0 };
        let before = self.last(|last| match last.get(&shard) {
            Some(before) if before.request.id == request.id => None,
            _ => last.insert(shard, new()),
        })?;
        self.faults().strikes(FaultKind::BatchRepeated).then_some(before.request)
    }

    /// Whether the shard's request has cost enough processes.
    fn spared(&self, shard: usize) -> bool {
        self.last(|last| last.get(&shard).is_some_and(|last| last.ended >= ENDED_AT_MOST))
    }

    /// The outcome, unless it is an answer that is to be lost.
    fn heard(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Response(_) if self.faults().strikes(FaultKind::AnswerLost) => Outcome::Lost,
            heard => heard,
        }
    }

    /// The outcome, told to the run's history if it is a failure.
    fn told(&self, outcome: Outcome) -> Outcome {
        if let Some(history) = self.deployment.meter.history() {
            match &outcome {
                Outcome::Response(_) => {}
                Outcome::Throttled => history.failed("throttled"),
                Outcome::Lost => history.failed("answer lost"),
                Outcome::Killed(KillKind::InFlight) => history.failed("killed within a batch"),
                Outcome::Killed(KillKind::BeforeFlush) => history.failed("killed before flush"),
                Outcome::Killed(KillKind::BeforeAnswer) => history.failed("killed before its answer"),
                Outcome::Killed(KillKind::TimedOut) | Outcome::Failed(Failure::TimedOut(_), _) => {
                    history.failed("timed out");
                }
                Outcome::Failed(..) => history.failed("function failed"),
            }
        }
        outcome
    }

    fn faults(&self) -> &Faults {
        &self.deployment.emulators.faults
    }

    fn last<T>(&self, with: impl FnOnce(&mut BTreeMap<usize, Last>) -> T) -> T {
        with(&mut self.last.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets an environment go on without anybody waiting for it.
    fn leave(&self, environment: Environment) {
        self.zombies.lock().unwrap_or_else(PoisonError::into_inner).spawn(async {
            tokio::time::sleep(AFTERLIFE).await;
            environment.end().await;
        });
    }

    /// Looks at, or changes, the plan of kills.
    pub fn plan<T>(&self, with: impl FnOnce(&mut KillPlan) -> T) -> T {
        with(&mut self.plan.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends all environments, and says how much CPU time all processes of the run used.
    pub async fn end(&self) -> Option<Duration> {
        let zombies = std::mem::take(&mut *self.zombies.lock().unwrap_or_else(PoisonError::into_inner));
        zombies.join_all().await;
        for environment in self.places.clear().await {
            environment.end().await;
        }
        self.deployment.cpu()
    }
}
