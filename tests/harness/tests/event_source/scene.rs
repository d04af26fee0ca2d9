//! A stream, a mapping and a function that does as it is told.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tidemill_harness::Error;
use tidemill_harness::emulators::{Kinesis, Queues};
use tidemill_harness::environment::{Failure, Outcome, Turn};
use tidemill_harness::input::Record;
use tidemill_harness::mapping::{Destinations, FunctionName, Invoke, Mapping, Pace, Tally};
use tidemill_harness::runtime_api::{FunctionError, Request};
use tidemill_harness::template::EventSource;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// The stream of every scene.
pub(crate) const STREAM: &str = "s";

/// An invocation, as the function saw it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// When, since the scene began.
    pub(crate) at: Duration,
    pub(crate) request: String,
    pub(crate) shard: String,
    /// The data of its records.
    pub(crate) records: Vec<String>,
    pub(crate) event: Value,
}

impl Call {
    /// The sequence number of the record with some data.
    pub(crate) fn sequence(&self, record: &str) -> String {
        let index = self.records.iter().position(|found| found == record).expect("no such record in the batch");
        self.event["Records"][index]["kinesis"]["sequenceNumber"].as_str().expect("no sequence number").to_owned()
    }

    pub(crate) fn has(&self, record: &str) -> bool {
        self.records.iter().any(|found| found == record)
    }
}

/// What the function does, and how long it takes.
pub(crate) struct Does {
    outcome: Outcome,
    takes: Duration,
}

impl Does {
    pub(crate) fn after(self, takes: Duration) -> Self {
        Self { takes, ..self }
    }
}

/// Answers, with a body.
pub(crate) fn answers(body: impl ToString) -> Does {
    Does { outcome: Outcome::Response(body.to_string().into_bytes().into()), takes: Duration::ZERO }
}

/// Answers that all is done.
pub(crate) fn succeeds() -> Does {
    answers(json!({"batchItemFailures": []}))
}

/// Answers that these records failed.
pub(crate) fn reports(call: &Call, records: &[&str]) -> Does {
    let failures: Vec<Value> = records.iter().map(|record| json!({"itemIdentifier": call.sequence(record)})).collect();
    answers(json!({"batchItemFailures": failures}))
}

/// Reports an error.
pub(crate) fn errs() -> Does {
    let error = FunctionError { error_type: String::from("Test"), error_message: String::from("as told") };
    Does { outcome: Outcome::Failed(Failure::Error(error), Vec::new()), takes: Duration::ZERO }
}

/// Is not invoked for want of concurrency.
pub(crate) fn throttled() -> Does {
    Does { outcome: Outcome::Throttled, takes: Duration::ZERO }
}

/// A function that reports the records among `bad` as failed.
pub(crate) fn cannot(bad: &'static [&'static str]) -> impl Fn(&Call) -> Does + Send + Sync + 'static {
    move |call| {
        let found: Vec<&str> = bad.iter().copied().filter(|record| call.has(record)).collect();
        if found.is_empty() { succeeds() } else { reports(call, &found) }
    }
}

type Tells = Box<dyn Fn(&Call) -> Does + Send + Sync>;

/// A function without a process.
pub(crate) struct Script {
    began: Instant,
    calls: Mutex<Vec<Call>>,
    running: Mutex<(usize, usize)>,
    tells: Tells,
}

impl Invoke for Script {
    async fn invoke(&self, _: Turn, request: &Request) -> Result<Outcome, Error> {
        let event: Value = serde_json::from_slice(&request.event).expect("the event is JSON");
        let records = event["Records"].as_array().expect("no records");
        let call = Call {
            at: self.began.elapsed(),
            request: request.id.clone(),
            shard: text(&records[0]["eventID"]).split(':').next().unwrap_or_default().to_owned(),
            records: records.iter().map(|record| decoded(&record["kinesis"]["data"])).collect(),
            event: event.clone(),
        };
        let Does { outcome, takes } = (self.tells)(&call);
        self.calls.lock().unwrap().push(call);
        self.count(1);
        sleep(takes).await;
        self.count(-1);
        Ok(outcome)
    }
}

impl Script {
    fn count(&self, change: isize) {
        let mut running = self.running.lock().unwrap();
        running.0 = running.0.checked_add_signed(change).expect("more ended than began");
        running.1 = running.1.max(running.0);
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn decoded(data: &Value) -> String {
    let data = base64_simd::STANDARD.decode_to_vec(text(data).as_bytes()).expect("data is base64");
    String::from_utf8_lossy(&data).into_owned()
}

/// A stream with a mapping to a function.
pub(crate) struct Scene {
    pub(crate) kinesis: Kinesis,
    pub(crate) mapping: Arc<Mapping<Script>>,
    ended: Arc<AtomicBool>,
    running: Option<JoinHandle<Result<(), Error>>>,
    _folder: tempfile::TempDir,
    pub(crate) buckets: PathBuf,
}

impl Scene {
    /// Of a stream with one shard, at Lambda's pace; there is a queue `dlq`.
    pub(crate) async fn new(source: EventSource, tells: impl Fn(&Call) -> Does + Send + Sync + 'static) -> Self {
        let kinesis = Kinesis::new();
        kinesis.create_stream(STREAM, 1).await.expect("cannot create the stream");
        Self::of(kinesis, source, tells)
    }

    /// Of a stream that is there.
    pub(crate) fn of(
        kinesis: Kinesis,
        source: EventSource,
        tells: impl Fn(&Call) -> Does + Send + Sync + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().expect("no folder");
        let buckets = folder.path().to_path_buf();
        let queues = Queues::default();
        queues.create("dlq");
        let script = Script {
            began: Instant::now(),
            calls: Mutex::default(),
            running: Mutex::default(),
            tells: Box::new(tells),
        };
        let mapping = Mapping {
            pool: script,
            function: FunctionName { id: String::from("F"), name: String::from("f") },
            kinesis: kinesis.clone(),
            source,
            pace: Pace::LAMBDA,
            destinations: Destinations::new("mapping", queues, &buckets),
            drains: false,
            ticks: None,
            tally: Tally::default(),
        };
        Self { kinesis, mapping: Arc::new(mapping), ended: Arc::default(), running: None, _folder: folder, buckets }
    }

    /// Puts records under one key.
    pub(crate) async fn put(&self, records: &[&str]) {
        let keyed: Vec<(&str, &str)> = records.iter().map(|record| ("k", *record)).collect();
        self.put_keyed(&keyed).await;
    }

    /// Puts records, each under its key.
    pub(crate) async fn put_keyed(&self, records: &[(&str, &str)]) {
        let record = |(key, data): &(&str, &str)| Record {
            payload: data.as_bytes().to_vec().into(),
            partition_key: (*key).to_owned(),
        };
        let records: Vec<Record> = records.iter().map(record).collect();
        self.kinesis.put(STREAM, &records).await.expect("cannot put");
    }

    /// Puts one record of any bytes.
    pub(crate) async fn put_bytes(&self, key: &str, data: &'static [u8]) {
        let record = Record { payload: data.into(), partition_key: key.to_owned() };
        self.kinesis.put(STREAM, &[record]).await.expect("cannot put");
    }

    /// Starts the mapping.
    pub(crate) fn start(&mut self) {
        let (mapping, ended) = (Arc::clone(&self.mapping), Arc::clone(&self.ended));
        self.running = Some(tokio::spawn(async move { mapping.deliver(ended).await }));
    }

    /// Lets the mapping run until all that was put is delivered.
    pub(crate) async fn finish(&mut self) {
        if self.running.is_none() {
            self.start();
        }
        self.ended.store(true, Ordering::Release);
        let running = self.running.take().expect("it was started");
        running.await.expect("the mapping panicked").expect("the mapping failed");
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.mapping.pool.calls.lock().unwrap().clone()
    }

    /// The batches that the function saw, as `1 2 3`.
    pub(crate) fn trace(&self) -> Vec<String> {
        self.calls().iter().map(|call| call.records.join(" ")).collect()
    }

    /// The most invocations that were under way at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.mapping.pool.running.lock().unwrap().1
    }

    /// What the queue `dlq` got.
    pub(crate) fn documents(&self) -> Vec<Value> {
        let messages = self.mapping.destinations.queues.messages("dlq");
        messages.iter().map(|message| serde_json::from_str(message).expect("the document is JSON")).collect()
    }
}

/// Seconds.
pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Milliseconds.
pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
