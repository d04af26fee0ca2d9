//! One invocation on behalf of a mapping.

use std::sync::atomic::Ordering;

use bytes::Bytes;

use crate::environment::{Failure, Outcome, Pool, Turn};
use crate::error::Error;
use crate::runtime_api::Request;

use super::Mapping;

/// What a mapping invokes.
pub trait Invoke: Send + Sync + 'static {
    /// Hands out a request and waits for what comes of it.
    fn invoke(&self, turn: Turn, request: &Request) -> impl Future<Output = Result<Outcome, Error>> + Send;
}

impl Invoke for Pool {
    async fn invoke(&self, turn: Turn, request: &Request) -> Result<Outcome, Error> {
        Self::invoke(self, turn, request).await
    }
}

/// What came of an invocation.
pub(super) enum Attempt {
    Answered(Bytes),
    /// Disturbed on purpose: no failure of the function's.
    Killed,
    Throttled,
    Failed {
        why: String,
        log: Vec<String>,
        at_start: bool,
    },
}

impl Attempt {
    pub(super) fn failed(why: String) -> Self {
        Self::Failed { why, log: Vec::new(), at_start: false }
    }
}

impl<F: Invoke> Mapping<F> {
    /// Invokes the function and counts that, as a retry if the request is sent `again`.
    pub(super) async fn attempt(&self, turn: Turn, request: &Request, again: bool) -> Result<Attempt, Error> {
        self.tally.invocations.fetch_add(1, Ordering::Relaxed);
        self.tally.retries.fetch_add(u64::from(again), Ordering::Relaxed);
        Ok(match self.pool.invoke(turn, request).await? {
            Outcome::Response(answer) => Attempt::Answered(answer),
            Outcome::Killed(_) | Outcome::Lost => Attempt::Killed,
            Outcome::Throttled => Attempt::Throttled,
            Outcome::Failed(failure, log) => {
                Attempt::Failed { why: failure.to_string(), log, at_start: matches!(failure, Failure::NotStarted(_)) }
            }
        })
    }
}
