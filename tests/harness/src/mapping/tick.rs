//! Scheduled events: what EventBridge does beside the event source mapping.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::environment::Turn;
use crate::error::{Error, Stuck};
use crate::runtime_api::Request;
use crate::template::Schedule;

use super::Mapping;
use super::attempt::{Attempt, Invoke};

/// How often Lambda tries an asynchronous invocation: once, and twice again.
const ATTEMPTS: u32 = 3;

/// Scheduled events to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticks {
    /// The schedule, which says how they look.
    pub schedule: Schedule,
    /// How far they are apart: whole seconds.
    pub every: Duration,
    /// How many there are.
    pub count: u32,
}

/// Sends all scheduled events of a mapping, one after the other. Their clock is that of the stream's
/// records: the first one comes `every` behind the last arrival.
pub(super) async fn send_all<F: Invoke>(mapping: &Mapping<F>, ticks: &Ticks) -> Result<(), Error> {
    let start = match mapping.tally.last_arrival.load(Ordering::Relaxed) {
        0 => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        arrival => arrival,
    };
    for number in 1..=ticks.count {
        let time = start + u64::from(number) * ticks.every.as_secs();
        let id = format!("00000000-0000-4000-9000-{number:012x}");
        let event = ticks.schedule.event(time, &id).into();
        send(mapping, number, &Request { id, event }).await?;
        mapping.tally.ticks.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Sends an event until the function has taken it. Lambda gives an event up that fails three times;
/// here nothing is given up in silence. A kill is not the function's failure.
pub(super) async fn send<F: Invoke>(mapping: &Mapping<F>, number: u32, request: &Request) -> Result<(), Error> {
    let mut invocation = number as usize;
    let mut failures = 0;
    let mut again = false;
    loop {
        let attempt = mapping.attempt(Turn { shard: 0, invocation }, request, again).await?;
        (again, invocation) = (true, invocation + 1);
        match attempt {
            // Nobody reads the answer to an asynchronous invocation.
            Attempt::Answered(_) => return Ok(()),
            Attempt::Killed | Attempt::Throttled => {}
            Attempt::Failed { why, log, .. } => {
                failures += 1;
                if failures == ATTEMPTS {
                    return Err(Error::Stuck(Box::new(Stuck {
                        function: mapping.function.id.clone(),
                        shard: String::from("its schedule"),
                        what: format!("scheduled event {number}"),
                        attempts: failures,
                        last: why,
                        log,
                    })));
                }
            }
        }
    }
}
