//! The environments of a run, and whose turn it is.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::error::Error;
use crate::runtime_api::Request;

use super::kill_plan::KillPlan;
use super::process::{Deployment, Environment, Failure, Outcome};

/// Environments, started when first needed and again after one has ended.
pub struct Pool {
    deployment: Arc<Deployment>,
    environments: Vec<Mutex<Option<Environment>>>,
    rotates: bool,
    plan: std::sync::Mutex<KillPlan>,
    /// Environments whose time was up and that go on.
    zombies: std::sync::Mutex<JoinSet<()>>,
}

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
    /// `count` environments. With `rotates`, successive invocations of a shard go to different
    /// ones; else a shard stays with its own.
    pub fn new(deployment: Deployment, count: usize, rotates: bool, plan: KillPlan) -> Self {
        Self {
            deployment: Arc::new(deployment),
            environments: (0..count.max(1)).map(|_| Mutex::default()).collect(),
            rotates,
            plan: std::sync::Mutex::new(plan),
            zombies: std::sync::Mutex::default(),
        }
    }

    /// The function that runs here.
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// Invokes the function in the environment whose turn it is, once that one is free.
    pub async fn invoke(&self, turn: Turn, request: &Request) -> Result<Outcome, Error> {
        let step = if self.rotates { turn.invocation } else { 0 };
        let index = (turn.shard + step) % self.environments.len();
        let mut place = self.environments[index].lock().await;
        let mut environment = match place.take() {
            Some(environment) => environment,
            None => match Environment::start(&self.deployment).await? {
                Ok(environment) => environment,
                Err((failure, log)) => return Ok(Outcome::Failed(failure, log)),
            },
        };
        let kills = self.plan(KillPlan::due);
        let (mut outcome, unused) = environment.invoke(request, kills).await;
        self.plan(|plan| plan.postpone(unused));
        if outcome.survived() {
            *place = Some(environment);
            return Ok(outcome);
        }
        if self.deployment.zombies && matches!(outcome, Outcome::Failed(Failure::TimedOut(_), _)) {
            self.leave(environment);
            return Ok(outcome);
        }
        let end = environment.end().await;
        match &mut outcome {
            Outcome::Failed(_, log) => *log = end,
            Outcome::Killed(kind) => self.plan(|plan| plan.happened(*kind)),
            Outcome::Response(_) | Outcome::Throttled => {}
        }
        Ok(outcome)
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
        for place in &self.environments {
            if let Some(environment) = place.lock().await.take() {
                environment.end().await;
            }
        }
        self.deployment.cpu()
    }
}
