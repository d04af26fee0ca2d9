//! A workload, taken in batches as a function would.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use serde::Serialize;
use tidemill::handler::{Handler, Limits, Work};
use tidemill::testing::bare_state;
use tidemill_aws::{Batch, Invocation, decode};
use tidemill_core::{Caps, Progress, Record, Shard};
use tidemill_journal::{Deadline, Incarnation, MemoryStore, Output, Sink, SinkError};
use tidemill_tests::{Metered, Usage};

use crate::cpu;
use crate::event::{Events, Payload, SHARD, STREAM};
use crate::hand;
use crate::workload::Workload;

/// How far events are taken, or in which other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Way {
    /// The bytes that Lambda would send are written, and nothing else: what measuring itself costs.
    None,
    /// Their records are read.
    Decode,
    /// They are also stepped, and what they change is kept.
    Step,
    /// All of it: commits are encoded and stored in memory, results are enveloped and counted.
    Whole,
    /// What one would write by hand: batches folded, an item for each key and window.
    Hand,
    /// The same without folding: an update for each record.
    Naive,
}

impl Way {
    /// As the command line has it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Decode => "decode",
            Self::Step => "step",
            Self::Whole => "whole",
            Self::Hand => "hand",
            Self::Naive => "naive",
        }
    }
}

/// What a run used.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Cost {
    /// Events taken.
    pub(crate) events: u64,
    /// Invocations.
    pub(crate) batches: u64,
    /// CPU time of the work, without making the events.
    pub(crate) cpu: Duration,
    /// CPU time of the longest invocation.
    pub(crate) longest: Duration,
    /// Bytes of the invocations.
    pub(crate) bytes: u64,
    /// Results and late records that were sent.
    pub(crate) outputs: u64,
    /// Requests to DynamoDB.
    pub(crate) requests: u64,
    /// Write units of DynamoDB, without outputs.
    pub(crate) write_units: u64,
}

impl Cost {
    pub(crate) fn events_per_second(&self) -> f64 {
        self.events as f64 / self.cpu.as_secs_f64()
    }
}

/// Takes so many events of the workload in batches of the given size.
pub(crate) fn run(workload: &Workload, way: Way, events: u64, batch: usize) -> Cost {
    let store = Metered::over(MemoryStore::new());
    let sink = Counted::default();
    let mut taker = Taker::new(workload, way, &store, &sink);
    let (mut writer, mut cost, mut payloads) = (Events::new(), Cost::default(), Vec::with_capacity(batch));
    let mut source = workload.payloads(events).take(usize::try_from(events).unwrap_or(usize::MAX));
    loop {
        payloads.clear();
        payloads.extend(source.by_ref().take(batch));
        if payloads.is_empty() {
            break;
        }
        taker.measure(writer.of(&payloads), &payloads, &mut cost);
    }
    let Usage { slot_units, part_units, reads, writes } = store.usage();
    cost.outputs = sink.outputs.load(Relaxed) as u64;
    cost.requests = (reads + writes) as u64;
    cost.write_units = (slot_units + part_units) as u64;
    if let Taker::Hand(hand) = taker {
        (cost.requests, cost.write_units) = (hand.requests, hand.requests);
    }
    cost
}

/// What takes invocations.
enum Taker<'s> {
    None,
    Decode,
    Step { state: Box<dyn Shard>, progress: Progress },
    Whole { handler: Box<Handler<&'s Metered, &'s Counted>>, runtime: tokio::runtime::Runtime },
    Hand(hand::Function),
}

impl<'s> Taker<'s> {
    fn new(workload: &Workload, way: Way, store: &'s Metered, sink: &'s Counted) -> Self {
        let pipeline = workload.pipeline();
        match way {
            Way::None => Self::None,
            Way::Decode => Self::Decode,
            Way::Step => Self::Step { state: bare_state(&pipeline), progress: Progress::start() },
            Way::Whole => {
                let handler = Handler::new(pipeline, store, sink, Limits::default(), Box::new(|| Incarnation(1)));
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
                Self::Whole { handler: Box::new(handler), runtime: runtime.expect("a runtime") }
            }
            Way::Hand => Self::Hand(hand::Function::folding(workload)),
            Way::Naive => Self::Hand(hand::Function::naive(workload)),
        }
    }

    fn measure(&mut self, body: &[u8], payloads: &[Payload], cost: &mut Cost) {
        let before = cpu::time();
        self.take(body);
        let used = cpu::time() - before;
        cost.cpu += used;
        cost.longest = cost.longest.max(used);
        cost.events += payloads.len() as u64;
        cost.batches += 1;
        cost.bytes += body.len() as u64;
    }

    fn take(&mut self, body: &[u8]) {
        match self {
            Self::None => {}
            Self::Decode => {
                std::hint::black_box(batch_of(body).records());
            }
            Self::Step { state, progress } => step(state.as_mut(), progress, &batch_of(body).records()),
            Self::Whole { handler, runtime } => {
                let batch = batch_of(body);
                let records = batch.records();
                let work = handler.handle(STREAM, SHARD, Work::Records(&records), Deadline::NONE);
                runtime.block_on(work).expect("the batch is taken");
            }
            Self::Hand(function) => function.take(body),
        }
    }
}

fn batch_of(body: &[u8]) -> Batch {
    match decode(body) {
        Ok(Invocation::Batch(batch)) => batch,
        other => panic!("no batch: {other:?}"),
    }
}

/// As the handler steps, but nothing is stored.
fn step(state: &mut dyn Shard, progress: &mut Progress, mut records: &[Record<'_>]) {
    while !records.is_empty() || state.is_due(progress.watermark) {
        let step = state.step(progress, records, Caps::default());
        state.install();
        records = &records[step.taken..];
        *progress = step.progress;
        std::hint::black_box(step.outputs);
    }
}

/// A sink that counts.
#[derive(Default)]
pub(crate) struct Counted {
    outputs: AtomicUsize,
}

impl Sink for &Counted {
    fn objection(&self, _: &Output) -> Option<String> {
        None
    }

    async fn send(&self, outputs: &[Output], _: Deadline) -> Result<(), SinkError> {
        self.outputs.fetch_add(outputs.len(), Relaxed);
        Ok(())
    }
}
