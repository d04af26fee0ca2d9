//! One shard of a pipeline, driven by hand.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tidemill_core::{
    Caps, Emission, Enriched, EventTime, LateRecord, OpenCell, Output, Position, Progress, Quarantined, Record,
    SequenceNumber, Shard, Watermark, codec,
};

use crate::Pipeline;

/// Drives one shard of a pipeline by hand: push events, move event time, look at what comes out.
///
/// It runs the very step that the function runs. The wire is the interface: events go in and results come out as JSON.
///
/// ```
/// use std::time::Duration;
/// use serde::{Deserialize, Serialize};
/// use serde_json::json;
/// use tidemill::{testing::Driver, Json, Kinesis, OutOfOrder, Pipeline, Tumbling};
///
/// #[derive(Deserialize)]
/// struct Click { page: String, at: i64 }
///
/// let clicks = Pipeline::named("clicks")
///     .source(Json::<Click>::new())
///     .event_time(|click| click.at, OutOfOrder::at_most(Duration::from_secs(5)))
///     .key_by(|click| click.page.clone())
///     .window(Tumbling::every(Duration::from_secs(10)))
///     .aggregate(|over| over.count())
///     .emit(|pane, clicks| (pane.key, pane.window.end, clicks))
///     .to(Kinesis::stream("clicks-per-page"))
///     .build()
///     .unwrap();
///
/// let mut driver = Driver::new(clicks);
/// driver.push(json!({"page": "/", "at": 1_000})).push(json!({"page": "/", "at": 9_999}));
/// assert!(driver.results::<Value>().is_empty());
/// driver.push(json!({"page": "/help", "at": 15_000}));
/// assert_eq!(driver.results::<(String, i64, u64)>(), [("/".to_owned(), 10_000, 2)]);
/// # use serde_json::Value;
/// ```
pub struct Driver {
    pipeline: Pipeline,
    /// `None` of a pipeline without key.
    state: Option<Box<dyn Shard>>,
    progress: Progress,
    sequence: u64,
    arrival: EventTime,
    results: Vec<Emission>,
    late: Vec<LateRecord>,
    quarantined: Vec<Quarantined>,
}

impl Driver {
    /// A shard of `pipeline` that has not seen any record.
    pub fn new(pipeline: Pipeline) -> Self {
        Self {
            state: pipeline.is_keyed().then(|| pipeline.open()),
            pipeline,
            progress: Progress::start(),
            sequence: 0,
            arrival: EventTime::LAST,
            results: Vec::new(),
            late: Vec::new(),
            quarantined: Vec::new(),
        }
    }

    /// Records pushed from now on arrive at this time. Until this is called they arrive so late that no event time lies
    /// too far ahead.
    pub fn arriving_at(&mut self, arrival: EventTime) -> &mut Self {
        self.arrival = arrival;
        self
    }

    /// Pushes an event as JSON, under the partition key that its key demands.
    ///
    /// # Panics
    /// If the event does not serialise.
    pub fn push(&mut self, event: impl Serialize) -> &mut Self {
        let payload = serde_json::to_vec(&event).expect("the event serialises as JSON");
        let partition_key = self.pipeline.partition_key(&payload).unwrap_or_else(|| "-".to_owned());
        self.push_raw(&partition_key, &payload)
    }

    /// Pushes a payload as it is, under this partition key.
    pub fn push_raw(&mut self, partition_key: &str, payload: &[u8]) -> &mut Self {
        self.sequence += 1;
        let sequence = SequenceNumber::parse(&self.sequence.to_string()).expect("a decimal number");
        let position = Position { sequence, sub_sequence: 0 };
        let (shard, arrival) = ("shardId-000000000000", self.arrival);
        self.step(&[Record { shard, position, partition_key, arrival, payload, enriched: None }]);
        self
    }

    /// Moves the watermark on to `time`, as a tick would, and fires what is due. It never moves back.
    pub fn advance_to(&mut self, time: EventTime) -> &mut Self {
        self.progress.watermark = self.progress.watermark.max(Watermark::at(time));
        self.step(&[]);
        self
    }

    /// Ends the input: everything closes.
    pub fn drain(&mut self) -> &mut Self {
        self.advance_to(Watermark::END.time())
    }

    fn step(&mut self, records: &[Record<'_>]) {
        let enriched = enrich(&self.pipeline, records);
        let with = |(record, enriched)| Record { enriched: Some(enriched), ..Record::clone(record) };
        let records = match enriched.as_slice() {
            [] => records.to_vec(),
            enriched => records.iter().zip(enriched).map(with).collect(),
        };
        let outputs = match (&mut self.state, self.pipeline.stateless()) {
            (Some(state), _) => {
                let step = state.step(&self.progress, &records, UNCAPPED);
                state.install();
                self.progress = step.progress;
                step.outputs
            }
            (None, Some(stateless)) => records.iter().flat_map(|record| stateless.apply(record)).collect(),
            (None, None) => Vec::new(),
        };
        for output in outputs {
            match output {
                Output::Result(result) => self.results.push(result),
                Output::Late(late) => self.late.push(late),
                Output::Quarantined(entry) => self.quarantined.push(entry),
            }
        }
    }

    /// The watermark.
    pub const fn watermark(&self) -> Watermark {
        self.progress.watermark
    }

    /// The pipeline.
    pub(super) const fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// The highest event time seen.
    pub(super) const fn highest(&self) -> Option<EventTime> {
        self.progress.highest
    }

    /// All results of the main sink so far, in the order in which they were made.
    ///
    /// # Panics
    /// If a result is not of type `T`.
    pub fn results<T: DeserializeOwned>(&self) -> Vec<T> {
        self.of_sink(0)
    }

    /// All results so far of the sink with this logical name: a branch, a side output.
    ///
    /// # Panics
    /// If the pipeline has no such sink, or a result is not of type `T`.
    pub fn sent_to<T: DeserializeOwned>(&self, sink: &str) -> Vec<T> {
        let sinks = self.pipeline.result_sinks();
        let number = sinks.iter().position(|known| known.logical_name() == sink);
        let names = || sinks.iter().map(|known| known.logical_name()).collect::<Vec<_>>();
        self.of_sink(number.unwrap_or_else(|| panic!("the pipeline has no sink {sink:?}, only {:?}", names())))
    }

    fn of_sink<T: DeserializeOwned>(&self, number: usize) -> Vec<T> {
        let of_sink = self.results.iter().filter(|result| usize::from(result.sink) == number);
        of_sink.map(|result| read(&result.value)).collect()
    }

    /// All results so far, of all sinks, with key, time and pane.
    pub fn emissions(&self) -> &[Emission] {
        &self.results
    }

    /// All late events so far.
    ///
    /// # Panics
    /// If one is not of type `T`.
    pub fn late<T: DeserializeOwned>(&self) -> Vec<T> {
        self.late.iter().map(|late| read(&late.payload)).collect()
    }

    /// What could not be processed, with the reason.
    pub fn quarantined(&self) -> &[Quarantined] {
        &self.quarantined
    }

    /// What is due and when, for which key, in firing order: ends of windows, timers, state that expires.
    pub fn timers(&self) -> Vec<(EventTime, String)> {
        let due = |cell: OpenCell| cell.due.map(|due| (due, cell.key_text));
        self.cells().filter_map(due).collect()
    }

    /// What is kept for a key, as JSON, by the name of the cell: the name of a process function's state, or such as
    /// `window 2013-01-01T10:00:00.000Z to 2013-01-01T11:00:00.000Z`.
    ///
    /// # Panics
    /// If what is kept has no JSON form.
    pub fn state(&self, key: &str) -> BTreeMap<String, Value> {
        let shown = |cell: OpenCell| {
            let value = codec::decode::<Value>(&cell.value).expect("what is kept has a JSON form");
            (cell.name, value)
        };
        self.cells().filter(|cell| cell.key_text == key).map(shown).collect()
    }

    fn cells(&self) -> impl Iterator<Item = OpenCell> {
        self.state.iter().flat_map(|state| state.cells())
    }
}

pub(super) const UNCAPPED: Caps =
    Caps { records: usize::MAX, firings: usize::MAX, outputs: usize::MAX, output_bytes: usize::MAX };

/// What the pipeline's asynchronous stage makes of the records, if it has one. In a thread of its own: a test may run in
/// a runtime already.
pub(super) fn enrich(pipeline: &Pipeline, records: &[Record<'_>]) -> Vec<Enriched> {
    let Some(enricher) = pipeline.enricher() else { return Vec::new() };
    let enrich = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(enricher.enrich(records))
    };
    std::thread::scope(|scope| scope.spawn(enrich).join().expect("the stage does not panic"))
}

fn read<T: DeserializeOwned>(json: &[u8]) -> T {
    serde_json::from_slice(json)
        .unwrap_or_else(|e| panic!("{} is not of the asked type: {e}", String::from_utf8_lossy(json)))
}
