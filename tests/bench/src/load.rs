//! What a new environment does before its first batch: it reads the shard's whole state.

use std::time::Duration;

use serde::Serialize;
use tidemill::handler::{Handler, Limits, Work};
use tidemill_aws::{Invocation, decode};
use tidemill_journal::{Deadline, Incarnation, MemoryStore};
use tidemill_tests::Metered;

use crate::cpu;
use crate::event::{Events, Payload, SHARD, STREAM};
use crate::run::Counted;
use crate::workload::{Clicks, Windows, Workload};

/// How many records an invocation has that fills the state.
const BATCH: usize = 5_000;

/// What a load used.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Load {
    /// Bytes of the state as stored, before compression.
    pub(crate) state_bytes: usize,
    /// CPU time.
    pub(crate) cpu: Duration,
    /// Requests to DynamoDB.
    pub(crate) requests: usize,
}

/// Lets about so many keys have an open window, and has another environment load them. Each key is drawn at random, twice
/// on the average, so that one in seven is not there.
pub(crate) fn load(keys: u64) -> Load {
    let clicks = Clicks { keys, windows: Windows::Tumbling(10_000_000), ..Clicks::PLAIN };
    let workload = Workload::Clicks(clicks);
    let (store, sink) = (Metered::over(MemoryStore::new()), Counted::default());
    let environment =
        || Handler::new(workload.pipeline(), &store, &sink, Limits::default(), Box::new(|| Incarnation(1)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let (mut first, mut writer) = (environment(), Events::new());
    let mut events = workload.payloads(2 * keys);
    loop {
        let payloads: Vec<Payload> = events.by_ref().take(BATCH).collect();
        let Ok(Invocation::Batch(batch)) = decode(writer.of(&payloads)) else { unreachable!("it is a batch") };
        let work = first.handle(STREAM, SHARD, Work::Records(&batch.records()), Deadline::NONE);
        runtime.block_on(work).expect("the batch is taken");
        if payloads.len() < BATCH {
            break;
        }
    }
    let (mut second, before) = (environment(), store.usage());
    let begun = cpu::time();
    runtime.block_on(second.handle(STREAM, SHARD, Work::Records(&[]), Deadline::NONE)).expect("the state is loaded");
    let cpu = cpu::time() - begun;
    Load { state_bytes: second.take_tally().state_bytes, cpu, requests: store.usage().since(before).reads }
}
