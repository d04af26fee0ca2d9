//! A mapping that goes on: it delivers what is there and whatever comes, until it is dropped.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::Error;
use crate::runtime_api::Request;
use crate::template::Schedule;

use super::shards::Shards;
use super::{Invoke, Mapping, Upstream, tick};

/// Delivers a stream from the source's starting position on.
///
/// # Errors
/// The function does not get on with a batch, or the account fails.
pub async fn deliver<F: Invoke>(mapping: &Arc<Mapping<F>>) -> Result<Infallible, Error> {
    // Something upstream that is never done: whoever puts records.
    let upstream = Upstream(vec![Arc::default()]);
    let mut shards = Shards::of(mapping, &[]);
    loop {
        shards.deliver(&upstream, None).await?;
    }
}

/// Sends the events of a schedule when their time has come.
///
/// # Errors
/// The function does not take one.
pub async fn tick<F: Invoke>(mapping: &Mapping<F>, schedule: &Schedule) -> Result<Infallible, Error> {
    let Some(every) = schedule.every else {
        // No rate: when `cron(…)` would be due is not emulated.
        return Ok(std::future::pending().await);
    };
    let mut clock = tokio::time::interval(every);
    clock.tick().await;
    let mut number = 0;
    loop {
        clock.tick().await;
        number += 1;
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let id = format!("00000000-0000-4000-9000-{number:012x}");
        let event = schedule.event(time, &id).into();
        tick::send(mapping, number, &Request { id, event }).await?;
    }
}
