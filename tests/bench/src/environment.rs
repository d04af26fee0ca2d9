//! An environment at work: batches of clicks, one after the other.

use std::time::Duration;

use tidemill::handler::{Handler, Limits, Work};
use tidemill_aws::{Invocation, decode};
use tidemill_journal::{Deadline, Incarnation};
use tidemill_tests::Metered;

use crate::cpu;
use crate::event::{Events, Payload, SHARD, STREAM};
use crate::run::Counted;
use crate::workload::Workload;

/// A handler with a journal in memory.
pub(crate) struct Environment<'s> {
    handler: Handler<&'s Metered, &'s Counted>,
    runtime: tokio::runtime::Runtime,
}

impl<'s> Environment<'s> {
    pub(crate) fn new(workload: &Workload, store: &'s Metered, sink: &'s Counted) -> Self {
        let draw = Box::new(|| Incarnation(1));
        let handler = Handler::new(workload.pipeline(), store, sink, Limits::default(), draw);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        Self { handler, runtime }
    }

    /// Takes the payloads in batches of that size. CPU time of the work, without making the events.
    pub(crate) fn take(
        &mut self,
        payloads: impl Iterator<Item = Payload>,
        batch: usize,
        writer: &mut Events,
    ) -> Duration {
        let mut payloads = payloads.peekable();
        let mut used = Duration::ZERO;
        while payloads.peek().is_some() {
            let taken: Vec<Payload> = payloads.by_ref().take(batch).collect();
            let body = writer.of(&taken);
            let begun = cpu::time();
            let Ok(Invocation::Batch(batch)) = decode(body) else { unreachable!("it is a batch") };
            self.handle(Work::Records(&batch.records()));
            used += cpu::time() - begun;
        }
        used
    }

    /// Reads the journal, as the first thing that it does. CPU time.
    pub(crate) fn load(&mut self) -> Duration {
        let begun = cpu::time();
        self.handle(Work::Records(&[]));
        cpu::time() - begun
    }

    /// Bytes of the state as stored, before compression.
    pub(crate) fn state_bytes(&mut self) -> usize {
        self.handler.take_tally().state_bytes
    }

    fn handle(&mut self, work: Work<'_>) {
        let done = self.handler.handle(STREAM, SHARD, work, Deadline::NONE);
        self.runtime.block_on(done).expect("the work is done");
    }
}
