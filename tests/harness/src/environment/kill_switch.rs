//! Killing a process at a chosen moment.

use std::future::pending;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Notify;

use crate::emulators::Call;

/// What a kill interrupts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KillKind {
    /// A batch, at any moment between its hand-out and its answer.
    InFlight,
    /// What lies between a commit and its flush: the commit stands, no output of it was sent.
    BeforeFlush,
    /// A flush: the outputs stand in the stream, the function never hears of it.
    BeforeAnswer,
    /// A request that nobody answers, until the invocation's time is up.
    TimedOut,
}

impl KillKind {
    /// Those that come without a warning.
    pub const SUDDEN: [Self; 3] = [Self::InFlight, Self::BeforeFlush, Self::BeforeAnswer];
    /// All of them.
    pub const ALL: [Self; 4] = [Self::InFlight, Self::BeforeFlush, Self::BeforeAnswer, Self::TimedOut];
}

/// A kill that is to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// So long after the batch was handed out.
    Delayed(Duration),
    /// When the function, working on the batch, has made so many requests and makes the next.
    Requested(u32),
    /// When a commit succeeded; whether the function still hears of it.
    Committed {
        /// Whether the commit's answer is let through before the kill.
        answered: bool,
    },
    /// When outputs have reached their stream.
    Flushed,
    /// When the function has made so many requests: the next one is never answered, and the invocation has little time.
    Stalled(u32),
}

/// How long an invocation takes whose time is to run out: longer than what a function keeps back for its end.
pub(super) const STALL: Duration = Duration::from_millis(550);

impl Kill {
    /// What it interrupts.
    pub fn kind(self) -> KillKind {
        match self {
            Self::Delayed(_) | Self::Requested(_) => KillKind::InFlight,
            Self::Committed { .. } => KillKind::BeforeFlush,
            Self::Flushed => KillKind::BeforeAnswer,
            Self::Stalled(_) => KillKind::TimedOut,
        }
    }

    /// The kill to try next time, after an invocation in which its moment did not come.
    /// One in flight comes nearer to the hand-out each time, so that it comes at last.
    pub fn sooner(self) -> Self {
        match self {
            Self::Delayed(delay) if delay < Duration::from_millis(1) => Self::Delayed(Duration::ZERO),
            Self::Delayed(delay) => Self::Delayed(delay / 2),
            Self::Requested(0) => Self::Delayed(Duration::ZERO),
            Self::Requested(count) => Self::Requested(count / 2),
            Self::Stalled(count) => Self::Stalled(count / 2),
            other => other,
        }
    }
}

/// How long a process that shall hear of its commit is given to read the answer. Whatever it
/// sends then is held back.
const READING: Duration = Duration::from_millis(2);

/// Shared by an environment, which does the killing, and its front, which sees the moments.
#[derive(Debug, Default)]
pub struct KillSwitch {
    state: Mutex<State>,
    fired: Notify,
}

#[derive(Debug, Default)]
struct State {
    armed: Vec<Kill>,
    calls: u32,
    fired: Option<Kill>,
}

impl KillSwitch {
    /// Arms kills for the invocation that begins.
    pub fn arm(&self, kills: Vec<Kill>) {
        let mut state = self.state();
        state.armed = kills;
        state.calls = 0;
    }

    /// Takes back the kills whose moment did not come.
    pub fn disarm(&self) -> Vec<Kill> {
        std::mem::take(&mut self.state().armed)
    }

    /// Returns when the process is to be killed now.
    pub async fn fired(&self) -> KillKind {
        let delay = self.state().armed.iter().find_map(|kill| match kill {
            Kill::Delayed(delay) => Some(*delay),
            _ => None,
        });
        let elapsed = async {
            match delay {
                Some(delay) => tokio::time::sleep(delay).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = self.fired.notified() => {}
            () = elapsed => {
                self.fire(|kill| matches!(kill, Kill::Delayed(_)));
            }
        }
        let fired = self.state().fired;
        match fired {
            Some(Kill::Committed { answered: true }) => tokio::time::sleep(READING).await,
            // The process goes on until its time is up.
            Some(Kill::Stalled(_)) => pending().await,
            _ => {}
        }
        fired.map_or(KillKind::InFlight, Kill::kind)
    }

    /// What the kill that fired interrupts, if one did.
    pub fn has_fired(&self) -> Option<KillKind> {
        self.state().fired.map(Kill::kind)
    }

    /// To be awaited before a request is passed on; never returns for a process that is to die.
    pub(crate) async fn before_call(&self) {
        let (calls, doomed) = {
            let mut state = self.state();
            state.calls += 1;
            (state.calls, state.fired.is_some())
        };
        let now = |kill: &Kill| matches!(kill, Kill::Requested(after) | Kill::Stalled(after) if calls > *after);
        if doomed || self.fire(now).is_some() {
            pending::<()>().await;
        }
    }

    /// To be awaited before the answer to a successful request is passed on; never returns if the
    /// process shall not hear of it.
    pub(crate) async fn after_success(&self, call: &Call) {
        let now = |kill: &Kill| match kill {
            Kill::Committed { .. } => call.commits(),
            Kill::Flushed => call.flushes(),
            Kill::Delayed(_) | Kill::Requested(_) | Kill::Stalled(_) => false,
        };
        match self.fire(now) {
            None | Some(Kill::Committed { answered: true }) => {}
            Some(_) => pending().await,
        }
    }

    /// Uses up the first armed kill whose moment this is. A process dies once: after the first
    /// kill none fires.
    fn fire(&self, now: impl Fn(&Kill) -> bool) -> Option<Kill> {
        let mut state = self.state();
        if state.fired.is_some() {
            return None;
        }
        let index = state.armed.iter().position(now)?;
        let kill = state.armed.remove(index);
        state.fired = Some(kill);
        self.fired.notify_one();
        Some(kill)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::http::{HeaderMap, HeaderValue};
    use tokio::time::timeout;

    use super::*;

    fn call(target: &'static str, body: &str) -> Call {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", HeaderValue::from_static(target));
        Call::read(&headers, body.as_bytes(), &BTreeSet::new())
    }

    fn commit() -> Call {
        let body = r#"{"Item": {"pk": {"S": "p"}, "sk": {"S": "slot:0000000001"}}}"#;
        call("DynamoDB_20120810.PutItem", body)
    }

    fn flush() -> Call {
        call("Kinesis_20131202.PutRecords", "{}")
    }

    /// Whether the future is still waiting when everything else has been done.
    async fn waits(future: impl Future<Output = ()>) -> bool {
        timeout(Duration::from_millis(5), future).await.is_err()
    }

    #[tokio::test]
    async fn nothing_happens_unarmed() {
        let switch = KillSwitch::default();
        assert!(!waits(switch.before_call()).await);
        assert!(!waits(switch.after_success(&commit())).await);
        assert!(timeout(Duration::from_millis(5), switch.fired()).await.is_err());
    }

    #[tokio::test]
    async fn a_commit_that_shall_not_be_heard_of_is_never_answered() {
        let switch = KillSwitch::default();
        switch.arm(vec![Kill::Committed { answered: false }]);
        assert!(!waits(switch.after_success(&flush())).await);
        assert!(waits(switch.after_success(&commit())).await);
        assert_eq!(switch.fired().await, KillKind::BeforeFlush);
    }

    #[tokio::test]
    async fn a_commit_that_is_heard_of_is_the_last_thing_that_passes() {
        let switch = KillSwitch::default();
        switch.arm(vec![Kill::Committed { answered: true }, Kill::Flushed]);
        assert!(!waits(switch.after_success(&commit())).await);
        assert!(waits(switch.before_call()).await);
        assert_eq!(switch.fired().await, KillKind::BeforeFlush);
        assert_eq!(switch.disarm(), [Kill::Flushed]);
    }

    #[tokio::test]
    async fn a_kill_on_request_lets_so_many_pass() {
        let switch = KillSwitch::default();
        switch.arm(vec![Kill::Requested(1)]);
        assert!(!waits(switch.before_call()).await);
        assert!(waits(switch.before_call()).await);
        assert_eq!(switch.fired().await, KillKind::InFlight);
    }

    #[tokio::test]
    async fn a_stalled_request_is_never_answered_and_nobody_is_killed_for_it() {
        let switch = KillSwitch::default();
        switch.arm(vec![Kill::Stalled(1)]);
        assert!(!waits(switch.before_call()).await);
        assert!(waits(switch.before_call()).await);
        assert!(timeout(Duration::from_millis(5), switch.fired()).await.is_err());
        assert_eq!(switch.has_fired(), Some(KillKind::TimedOut));
    }

    #[tokio::test]
    async fn a_delayed_kill_fires_by_itself_and_stops_what_comes_after() {
        let switch = KillSwitch::default();
        switch.arm(vec![Kill::Delayed(Duration::from_millis(1))]);
        assert_eq!(switch.fired().await, KillKind::InFlight);
        assert!(waits(switch.before_call()).await);
    }

    #[test]
    fn a_kill_in_flight_comes_sooner_until_it_comes_at_once() {
        let mut kill = Kill::Requested(3);
        for _ in 0..4 {
            kill = kill.sooner();
        }
        assert_eq!(kill, Kill::Delayed(Duration::ZERO));
        assert_eq!(Kill::Flushed.sooner(), Kill::Flushed);
    }
}
