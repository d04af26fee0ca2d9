//! How a stream is cut into batches must not matter.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use tidemill_core::{
    Caps, Change, EventTime, Output, Position, Progress, Record, SequenceNumber, Shard, Step, Watermark,
};

use super::driver::{UNCAPPED, enrich};
use crate::Pipeline;

/// How runs differ that should be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// How the stream was cut.
    pub cut: String,
    /// Which output is the first that differs, from 0.
    pub at: usize,
    /// That output when each record is a step of its own; `None` if there are fewer.
    pub expected: Option<String>,
    /// That output with this cut.
    pub found: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |output: &Option<String>| output.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(
            f,
            "with {}, output {} is {}, but {} when all records are one batch: does a closure depend on anything but its \
             arguments, or does a state not come back as it was stored?",
            self.cut,
            self.at,
            text(&self.found),
            text(&self.expected)
        )
    }
}

impl std::error::Error for Difference {}

/// Runs events, given as JSON, through a pipeline in many cuts: batches of many sizes, commits that end inside a firing,
/// and state that is stored and read again between commits, as when Lambda takes another environment. Results, late and
/// quarantined records must be the same, in the same order, and so must what is kept.
///
/// # Errors
/// The first difference.
///
/// # Panics
/// If an event does not serialise.
///
/// ```
/// # use std::time::Duration;
/// # use serde::Deserialize;
/// # use serde_json::json;
/// # use tidemill::{Json, Kinesis, OutOfOrder, Pipeline, Session, testing::rebatch};
/// # #[derive(Deserialize)]
/// # struct Click { page: String, at: i64 }
/// # let pipeline = Pipeline::named("visits").source(Json::<Click>::new())
/// #     .event_time(|click| click.at, OutOfOrder::at_most(Duration::from_secs(5)))
/// #     .key_by(|click| click.page.clone()).window(Session::gap(Duration::from_secs(10)))
/// #     .aggregate(|over| over.count()).emit(|pane, clicks| (pane.key, clicks))
/// #     .to(Kinesis::stream("visits")).build().unwrap();
/// let events = (0..100).map(|n| json!({"page": if n % 3 == 0 { "/" } else { "/help" }, "at": n * n * 10}));
/// rebatch(&pipeline, events).unwrap();
/// ```
pub fn rebatch<T: Serialize>(pipeline: &Pipeline, events: impl IntoIterator<Item = T>) -> Result<(), Difference> {
    let payloads: Vec<Vec<u8>> =
        events.into_iter().map(|event| serde_json::to_vec(&event).expect("the event serialises as JSON")).collect();
    let keys: Vec<String> =
        payloads.iter().map(|payload| pipeline.partition_key(payload).unwrap_or_else(|| "-".to_owned())).collect();
    let records: Vec<Record<'_>> = payloads.iter().zip(&keys).zip(1..).map(record).collect();
    let expected = Run::of(pipeline, &records, &Cut { batch: usize::MAX, outputs: usize::MAX, restores: false });
    for cut in Cut::all() {
        expected.compare(&Run::of(pipeline, &records, &cut), &cut)?;
    }
    Ok(())
}

fn record<'r>(((payload, partition_key), number): ((&'r Vec<u8>, &'r String), u64)) -> Record<'r> {
    let sequence = SequenceNumber::parse(&number.to_string()).expect("a decimal number");
    Record {
        shard: "shardId-000000000000",
        position: Position { sequence, sub_sequence: 0 },
        partition_key,
        arrival: EventTime::LAST,
        payload,
        enriched: None,
    }
}

/// How a stream is cut.
struct Cut {
    /// Records a batch.
    batch: usize,
    /// Outputs a commit.
    outputs: usize,
    /// Whether state is read from what is stored between commits: between the first hundred, then after each
    /// hundredth.
    restores: bool,
}

/// About how often state is read again in one run.
const RESTORES: usize = 100;

impl Cut {
    fn all() -> impl Iterator<Item = Self> {
        let batches = [1, 2, 3, 7, 50, usize::MAX];
        batches.into_iter().flat_map(|batch| {
            [(1, true), (3, false), (usize::MAX, batch > 2)].map(|(outputs, restores)| Self {
                batch,
                outputs,
                restores,
            })
        })
    }

    fn caps(&self) -> Caps {
        Caps { outputs: self.outputs, ..UNCAPPED }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |n: usize, all: &str| if n == usize::MAX { all.to_owned() } else { n.to_string() };
        let (batch, outputs) = (number(self.batch, "all"), number(self.outputs, "any number of"));
        write!(f, "batches of {batch} records and commits of {outputs} outputs")?;
        if self.restores { f.write_str(", each from stored state") } else { Ok(()) }
    }
}

/// What came of a stream.
struct Run {
    commits: usize,
    outputs: Vec<String>,
    stored: BTreeMap<(Vec<u8>, Vec<u8>), Vec<u8>>,
}

impl Run {
    fn of(pipeline: &Pipeline, records: &[Record<'_>], cut: &Cut) -> Self {
        let mut run = Self { commits: 0, outputs: Vec::new(), stored: BTreeMap::new() };
        if let Some(stateless) = pipeline.stateless() {
            let enriched = enrich(pipeline, records);
            let records = crate::handler::with_enriched(records, &enriched);
            run.take(records.iter().flat_map(|record| stateless.apply(record)).collect());
            return run;
        }
        let mut shard = pipeline.open();
        let mut progress = Progress::start();
        for batch in records.chunks(cut.batch.min(records.len().max(1))) {
            let enriched = enrich(pipeline, batch);
            let batch = crate::handler::with_enriched(batch, &enriched);
            run.work(pipeline, &mut shard, &mut progress, &batch, cut);
        }
        progress.watermark = Watermark::END;
        run.work(pipeline, &mut shard, &mut progress, &[], cut);
        run
    }

    /// Takes a batch in as many commits as it needs.
    fn work(
        &mut self,
        pipeline: &Pipeline,
        shard: &mut Box<dyn Shard>,
        progress: &mut Progress,
        mut batch: &[Record<'_>],
        cut: &Cut,
    ) {
        while shard.is_due(progress.watermark) || !batch.is_empty() {
            let step = shard.step(progress, batch, cut.caps());
            self.commit(shard.as_mut());
            batch = &batch[step.taken..];
            let Step { progress: after, outputs, .. } = step;
            *progress = after;
            self.take(outputs);
            self.commits += 1;
            if cut.restores && (self.commits <= RESTORES || self.commits.is_multiple_of(RESTORES)) {
                *shard = self.restored(pipeline);
            }
        }
    }

    fn commit(&mut self, shard: &mut dyn Shard) {
        for Change { key, slot, value } in shard.changes().expect("state encodes") {
            match value {
                Some(value) => drop(self.stored.insert((key, slot), value)),
                None => drop(self.stored.remove(&(key, slot))),
            }
        }
        shard.install();
    }

    fn restored(&self, pipeline: &Pipeline) -> Box<dyn Shard> {
        let mut shard = pipeline.open();
        for ((key, slot), value) in &self.stored {
            let change = Change { key: key.clone(), slot: slot.clone(), value: Some(value.clone()) };
            shard.restore(&change).expect("what was stored can be read");
        }
        shard
    }

    fn take(&mut self, outputs: Vec<Output>) {
        self.outputs.extend(outputs.iter().map(|output| match output {
            Output::Result(result) => {
                format!(
                    "{} for key {:?} by {:?}",
                    String::from_utf8_lossy(&result.value),
                    result.key_text,
                    result.cause
                )
            }
            other => format!("{other:?}"),
        }));
    }

    fn compare(&self, found: &Self, cut: &Cut) -> Result<(), Difference> {
        let length = self.outputs.len().max(found.outputs.len());
        let differs = |at: &usize| self.outputs.get(*at) != found.outputs.get(*at);
        let difference = |at, expected, found| Difference { cut: cut.to_string(), at, expected, found };
        if let Some(at) = (0..length).find(differs) {
            return Err(difference(at, self.outputs.get(at).cloned(), found.outputs.get(at).cloned()));
        }
        if self.stored == found.stored {
            return Ok(());
        }
        let cells = |run: &Self| Some(format!("{} stored cells behind the last output", run.stored.len()));
        Err(difference(length, cells(self), cells(found)))
    }
}
