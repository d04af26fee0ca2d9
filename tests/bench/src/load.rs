//! What a new environment does before its first batch: it reads the shard's whole state.

use std::time::Duration;

use tidemill_journal::MemoryStore;
use tidemill_tests::Metered;

use crate::environment::Environment;
use crate::event::Events;
use crate::run::Counted;
use crate::workload::{Clicks, Workload};

/// What a load used.
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
    let workload = Workload::Clicks(Clicks { keys, ..Clicks::FOR_EVER });
    let (store, sink) = (Metered::over(MemoryStore::new()), Counted::default());
    let payloads = workload.payloads(2 * keys);
    Environment::new(&workload, &store, &sink).take(payloads, 5_000, &mut Events::new());
    let before = store.usage();
    let mut environment = Environment::new(&workload, &store, &sink);
    let cpu = environment.load();
    Load { state_bytes: environment.state_bytes(), cpu, requests: store.usage().since(before).reads }
}
