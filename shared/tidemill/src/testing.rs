//! Tests of a pipeline without AWS, emulators or async.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tidemill_core::{
    Caps, EventTime, LateRecord, OpenPane, Output, PaneResult, Position, Progress, Quarantined, Record, SequenceNumber,
    Shard, Watermark, codec,
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
    state: Box<dyn Shard>,
    progress: Progress,
    sequence: u64,
    arrival: EventTime,
    results: Vec<PaneResult>,
    late: Vec<LateRecord>,
    quarantined: Vec<Quarantined>,
}

impl Driver {
    /// A shard of `pipeline` that has not seen any record.
    pub fn new(pipeline: Pipeline) -> Self {
        Self {
            state: pipeline.open(),
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
        self.step(&[Record { position, partition_key, arrival: self.arrival, payload }]);
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
        let uncapped = Caps { records: usize::MAX, outputs: usize::MAX, output_bytes: usize::MAX };
        let step = self.state.step(&self.progress, records, uncapped);
        self.state.install();
        self.progress = step.progress;
        for output in step.outputs {
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

    /// All results so far, in the order in which they were made.
    ///
    /// # Panics
    /// If a result is not of type `T`.
    pub fn results<T: DeserializeOwned>(&self) -> Vec<T> {
        self.results.iter().map(|result| read(&result.value)).collect()
    }

    /// All results so far with key, window and pane.
    pub fn panes(&self) -> &[PaneResult] {
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

    /// When something is due next, for which key: the ends of open windows in firing order.
    pub fn timers(&self) -> Vec<(EventTime, String)> {
        self.state.open_panes().into_iter().map(|pane| (pane.window.end, pane.key_text)).collect()
    }

    /// What is kept for a key, as JSON: accumulators by the start of their window.
    ///
    /// # Panics
    /// If an accumulator has no JSON form.
    pub fn state(&self, key: &str) -> BTreeMap<EventTime, Value> {
        let of_key = |pane: &OpenPane| pane.key_text == key;
        let shown = |pane: OpenPane| {
            let accumulator = codec::decode::<Value>(&pane.accumulator).expect("the accumulator has a JSON form");
            (pane.window.start, accumulator)
        };
        self.state.open_panes().into_iter().filter(of_key).map(shown).collect()
    }
}

fn read<T: DeserializeOwned>(json: &[u8]) -> T {
    serde_json::from_slice(json)
        .unwrap_or_else(|e| panic!("{} is not of the asked type: {e}", String::from_utf8_lossy(json)))
}

/// A pipeline for this crate's own tests: clicks per page in windows of ten seconds, late ones to `late`.
#[cfg(test)]
pub(crate) fn clicks() -> Pipeline {
    use std::time::Duration;

    use crate::{Json, Kinesis, OutOfOrder, Tumbling};

    #[derive(serde::Deserialize)]
    struct Click {
        page: String,
        at: i64,
        #[serde(default)]
        weight: i64,
    }

    Pipeline::named("clicks")
        .source(Json::<Click>::new())
        .event_time(|click| click.at, OutOfOrder::at_most(Duration::from_secs(5)).max_ahead(Duration::from_hours(1)))
        .key_by(|click| click.page.clone())
        .window(Tumbling::every(Duration::from_secs(10)))
        .late_to(Kinesis::stream("late"))
        .aggregate(|over| (over.count(), over.sum(|click| click.weight)))
        .emit(|pane, (clicks, weight)| (pane.key, pane.window.start, clicks, weight))
        .to(Kinesis::stream("clicks-per-page"))
        .build()
        .expect("the pipeline is sound")
}
