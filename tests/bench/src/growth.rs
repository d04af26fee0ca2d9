//! How cost grows with records, and that keys without records cost nothing.

use std::time::Duration;

use serde::Serialize;
use tidemill_journal::MemoryStore;
use tidemill_tests::Metered;

use crate::environment::Environment;
use crate::event::Events;
use crate::run::Counted;
use crate::workload::{Clicks, Workload};

/// What so many events used since the first.
#[derive(Serialize)]
pub(crate) struct Point {
    /// Keys with an open window and no events.
    idle_keys: u64,
    events: u64,
    cpu_seconds: f64,
    write_units: usize,
}

/// Takes events of 1,000 keys in batches of 500 beside idle keys, and looks at the cost every tenth.
pub(crate) fn growth(idle_keys: u64, events: u64) -> Vec<Point> {
    let (store, sink, mut writer) = (Metered::over(MemoryStore::new()), Counted::default(), Events::new());
    let clicks = |keys| Workload::Clicks(Clicks { keys, ..Clicks::FOR_EVER });
    let (idle, busy) = (clicks(idle_keys.max(1)), clicks(1_000));
    let mut environment = Environment::new(&busy, &store, &sink);
    environment.take(idle.payloads(2 * idle_keys), 5_000, &mut writer);
    // What filled the state is written in parts within the next lap of the ring, and only then is it at rest.
    environment.take(busy.payloads(600_000), 500, &mut writer);
    let (before, mut cpu) = (store.usage(), Duration::ZERO);
    let mut source = busy.payloads(events);
    (1..=10)
        .map(|tenth| {
            cpu += environment.take(source.by_ref().take((events / 10) as usize), 500, &mut writer);
            let usage = store.usage().since(before);
            let write_units = usage.slot_units + usage.part_units;
            Point { idle_keys, events: tenth * (events / 10), cpu_seconds: cpu.as_secs_f64(), write_units }
        })
        .collect()
}
