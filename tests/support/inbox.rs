//! The downstream end: what arrived, repeats dropped as any consumer would.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use tidemill_journal::{Deadline, Output, Sink, SinkError};

/// A sink that remembers all that arrives. It may refuse the next sends, each after its first output has arrived.
#[derive(Debug, Default)]
pub struct Inbox {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    arrived: Vec<Output>,
    largest: Option<usize>,
    failures: u32,
}

/// What a consumer sees: the `data` of each event by sink, repeats dropped by source and id, in order of arrival.
#[derive(Debug, Default, PartialEq)]
pub struct Received {
    /// By sink.
    pub events: BTreeMap<String, Vec<Value>>,
    /// Events whose source and id had come before.
    pub repeats: usize,
}

impl Inbox {
    /// Makes the next `failures` sends fail in part.
    pub fn fail_next(&self, failures: u32) {
        self.lock().failures = failures;
    }

    /// Refuses outputs of more than so many bytes, but to the quarantine.
    pub fn take_at_most(&self, bytes: usize) {
        self.lock().largest = Some(bytes);
    }

    /// All that arrived at a sink, repeats among it, in order of arrival.
    pub fn arrived(&self, sink: &str) -> Vec<Output> {
        self.lock().arrived.iter().filter(|output| output.sink == sink).cloned().collect()
    }

    /// What a consumer sees.
    ///
    /// # Panics
    /// If what arrived is no CloudEvent.
    pub fn received(&self) -> Received {
        let mut seen = BTreeSet::new();
        let mut received = Received::default();
        for output in &self.lock().arrived {
            let event: Value = serde_json::from_slice(&output.data).expect("an event in JSON");
            let text = |name: &str| event[name].as_str().expect("an attribute").to_owned();
            if seen.insert((text("source"), text("id"))) {
                received.events.entry(output.sink.clone()).or_default().push(event["data"].clone());
            } else {
                received.repeats += 1;
            }
        }
        received
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Received {
    /// The data of a sink, in an order that does not depend on when it arrived.
    pub fn sorted(&self, sink: &str) -> Vec<String> {
        let mut lines: Vec<String> = self.events.get(sink).into_iter().flatten().map(Value::to_string).collect();
        lines.sort();
        lines
    }
}

impl Sink for &Inbox {
    fn objection(&self, output: &Output) -> Option<String> {
        let largest = self.lock().largest?;
        (output.data.len() > largest && output.sink != "quarantine").then(|| "too large".to_owned())
    }

    async fn send(&self, outputs: &[Output], _: Deadline) -> Result<(), SinkError> {
        let mut state = self.lock();
        if state.failures > 0 {
            state.failures -= 1;
            state.arrived.extend(outputs.first().cloned());
            return Err(SinkError::Unavailable("throttled".to_owned()));
        }
        state.arrived.extend_from_slice(outputs);
        Ok(())
    }
}
