//! Running a pipeline as a Lambda function.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use lambda_runtime::{Diagnostic, LambdaEvent, LambdaInvocation, Runtime, service_fn};
use serde::Serialize;
use tidemill_aws::{
    DynamoStore, Invocation, KinesisSink, KinesisSource, SinkStream, SinkTable, Sinks, SourceShard, TableSink,
    Unpacked, UsageMeter, check_streams, check_tables, connect, decode, failed_from, succeeded,
};
use tidemill_core::{EventTime, HashRange};
use tidemill_journal::{Deadline, Incarnation, Sink, Store};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;
use tower::{Layer, Service};
use tracing::{Instrument, field};

use crate::handler::{Done, Handler, Limits, RelayHandler, Source, Tally, Ticked, Work};
use crate::metrics::{METRICS, Metrics, Sample};
use crate::settings::{self, ALLOW_DRAIN, DESCRIBE, SOURCE, Settings};
use crate::telemetry::{self, Flush};
use crate::{Error, Pipeline, describe};

pub use crate::telemetry::Traces;

/// Lambda sets it; no other place where the program runs does.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// Kept back from Lambda's deadline, so that an answer can still be given.
const MARGIN: Duration = Duration::from_millis(500);
/// A deadline before this (the year 2001) is none: `cargo lambda watch` sends one in 1970.
const EARLIEST_DEADLINE: u64 = 1_000_000_000_000;

/// Runs the pipeline in the Lambda runtime until the environment ends. Settings come from the environment
/// ([`settings`]), credentials and region as for every AWS SDK.
///
/// # Errors
/// Everything that keeps the function from starting, at once: unset variables, missing streams.
pub async fn run(pipeline: Pipeline) -> Result<(), Error> {
    start(pipeline, None).await
}

/// The same, and the spans of its phases go to a layer of the program's own: to OpenTelemetry, say.
///
/// # Errors
/// As for [`run`].
pub async fn run_traced(pipeline: Pipeline, traces: Traces) -> Result<(), Error> {
    start(pipeline, Some(traces)).await
}

async fn start(pipeline: Pipeline, traces: Option<Traces>) -> Result<(), Error> {
    if variable(DESCRIBE).is_some_and(|asked| asked == "1") && variable(RUNTIME_API).is_none() {
        return describe::tell(&pipeline).map_err(|e| Error::Runtime(format!("cannot tell of the pipeline: {e}")));
    }
    let begun = Instant::now();
    let flush = telemetry::start(traces);
    let settings = require_lambda(Settings::read(&pipeline, &variables()))?;
    let metrics = Metrics::of(pipeline.name(), variable(METRICS).as_deref(), memory());
    let metrics = metrics.map_err(|problem| Error::Settings(vec![problem]))?;
    let clients = connect().await;
    let observer = Observer { metrics, flush, usage: clients.usage.clone(), since: begun, init: None };
    let streams = settings.sink_streams();
    let sinks = check_streams(&clients.kinesis, &streams);
    let names: Vec<String> = settings.streams.values().cloned().collect();
    let rules = Rules { allow_drain: settings.allow_drain, sinks: names, source: settings.source.clone() };
    let tables = settings.sink_tables();
    let sink = Sinks::new(
        KinesisSink::new(clients.kinesis.clone(), streams.clone()),
        TableSink::new(clients.dynamodb.clone(), tables.clone()),
    );
    let Some(journal_table) = settings.journal_table else {
        let (streams, tables) = tokio::join!(sinks, check_tables(&clients.dynamodb, &tables));
        refuse(streams.into_iter().chain(tables))?;
        tracing::info!(pipeline = %pipeline, "ready");
        return serve(RelayHandler::new(pipeline, sink), rules, observer).await;
    };
    let store = DynamoStore::new(clients.dynamodb.clone(), journal_table);
    let (streams, tables, journal) = tokio::join!(sinks, check_tables(&clients.dynamodb, &tables), store.check());
    refuse(streams.into_iter().chain(tables).chain(journal))?;
    tracing::info!(pipeline = %pipeline, "ready");
    let source = KinesisSource::new(clients.kinesis);
    let handler = Handler::new(pipeline, store, sink, limits(), Box::new(draw_incarnation)).watching(source);
    serve(handler, rules, observer).await
}

fn refuse(problems: impl Iterator<Item = String>) -> Result<(), Error> {
    let problems: Vec<String> = problems.collect();
    if problems.is_empty() { Ok(()) } else { Err(Error::Settings(problems)) }
}

impl Settings {
    fn sink_streams(&self) -> Vec<SinkStream> {
        let stream = |(sink, stream): (&String, &String)| SinkStream {
            sink: sink.clone(),
            stream: stream.clone(),
            variable: settings::sink_variable(sink),
        };
        self.streams.iter().map(stream).collect()
    }

    fn sink_tables(&self) -> Vec<SinkTable> {
        let table = |(sink, table): (&String, &String)| SinkTable {
            sink: sink.clone(),
            table: table.clone(),
            variable: settings::table_variable(sink),
        };
        self.tables.iter().map(table).collect()
    }
}

/// The environment, without what is not text: a foreign variable must not keep the function from starting.
fn variables() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The runtime panics without its own variables; say instead how a function is started, beside all else that is wrong.
fn require_lambda(settings: Result<Settings, Error>) -> Result<Settings, Error> {
    if variable(RUNTIME_API).is_some() {
        return settings;
    }
    let hint = "AWS_LAMBDA_RUNTIME_API is not set: this program is a Lambda function. Start it with `cargo tidemill replay`, \
                `cargo lambda watch`, or deploy it";
    let mut problems = vec![hint.to_owned()];
    if let Err(Error::Settings(others)) = settings {
        problems.extend(others);
    }
    Err(Error::Settings(problems))
}

/// The function's memory in bytes.
fn memory() -> Option<u64> {
    let megabytes = variable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")?.parse::<u64>().ok()?;
    Some(megabytes << 20)
}

/// State at rest may take an eighth of the function's memory as stored; decoded it takes several times as much.
fn limits() -> Limits {
    let memory = memory().and_then(|bytes| usize::try_from(bytes).ok());
    memory.map_or_else(Limits::default, |bytes| Limits { cache_bytes: bytes / 8, ..Limits::default() })
}

fn draw_incarnation() -> Incarnation {
    Incarnation(fastrand::u64(..))
}

/// What takes batches and ticks.
trait Worker: Send {
    /// Lets the quiet shards of a stream go on.
    fn tick(
        &mut self,
        stream: &str,
        now: EventTime,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Ticked, Error>> + Send;

    /// Which partition keys a shard owns, if it matters and can be told.
    fn hash_range(&self, source: &SourceShard) -> impl Future<Output = Option<HashRange>> + Send;

    /// Does the work of one shard.
    fn work(
        &mut self,
        source: &SourceShard,
        work: Work<'_>,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Done, Error>> + Send;

    /// What was done since this was last asked.
    fn take_tally(&mut self) -> Tally;
}

impl<S: Store, K: Sink, P: Source> Worker for Handler<S, K, P> {
    async fn tick(&mut self, stream: &str, now: EventTime, deadline: Deadline) -> Result<Ticked, Error> {
        self.tick(stream, now, deadline).await
    }

    async fn hash_range(&self, source: &SourceShard) -> Option<HashRange> {
        self.hash_range(&source.stream, &source.shard).await
    }

    async fn work(&mut self, source: &SourceShard, work: Work<'_>, deadline: Deadline) -> Result<Done, Error> {
        self.handle(&source.stream, &source.shard, work, deadline).await
    }

    fn take_tally(&mut self) -> Tally {
        self.take_tally()
    }
}

impl<K: Sink> Worker for RelayHandler<K> {
    async fn tick(&mut self, _: &str, _: EventTime, _: Deadline) -> Result<Ticked, Error> {
        Ok(Ticked::default())
    }

    /// What is sent on twice has two positions, so that nobody behind could tell; but nothing here knows the stream.
    async fn hash_range(&self, _: &SourceShard) -> Option<HashRange> {
        None
    }

    async fn work(&mut self, source: &SourceShard, work: Work<'_>, deadline: Deadline) -> Result<Done, Error> {
        match work {
            Work::Records(records) => self.handle(&source.stream, &source.shard, records, deadline).await,
            // Nothing is open that time or the end of input would close.
            Work::Tick(_) | Work::Drain => Ok(Done::default()),
        }
    }

    fn take_tally(&mut self) -> Tally {
        self.take_tally()
    }
}

/// Tells what invocations did and met.
struct Observer {
    metrics: Option<Metrics>,
    flush: Option<Flush>,
    usage: UsageMeter,
    /// When the process began, then when its last invocation ended.
    since: Instant,
    /// What it took until the first invocation could come; told once.
    init: Option<Duration>,
}

impl Observer {
    /// Tells of an invocation.
    async fn tell(&mut self, sample: Sample) {
        if let Some(metrics) = &self.metrics {
            let since = std::mem::replace(&mut self.since, Instant::now()).elapsed();
            let sample = Sample { usage: self.usage.take(), init: self.init.take(), since, ..sample };
            metrics.write(&sample, now());
        }
        if let Some(flush) = self.flush.clone() {
            // An exporter that panics is its own affair.
            let _ = tokio::task::spawn_blocking(move || flush()).await;
        }
    }
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

async fn serve<W: Worker + 'static>(worker: W, rules: Rules, mut observer: Observer) -> Result<(), Error> {
    observer.init = Some(observer.since.elapsed());
    let (serving, rules) = (Arc::new(AsyncMutex::new((worker, observer))), Arc::new(rules));
    let bodies = Bodies::default();
    let service = service_fn({
        let bodies = bodies.clone();
        move |event: LambdaEvent<()>| {
            let (serving, rules) = (Arc::clone(&serving), Arc::clone(&rules));
            let body = bodies.take(&event.context.request_id);
            // Boxed: the SDKs' futures within are so large that their layout overflows the compiler's depth limit.
            Box::pin(async move {
                let begun = Instant::now();
                let deadline = deadline(event.context.deadline);
                let mut serving = serving.lock().await;
                let (worker, observer) = &mut *serving;
                let mut sample = Sample { request_id: event.context.request_id, ..Sample::default() };
                let span = tracing::info_span!(
                    "invocation",
                    request_id = sample.request_id,
                    shard = field::Empty,
                    commit = field::Empty
                );
                let answer = invoke(worker, &body, &rules, deadline, &mut sample).instrument(span).await;
                let error = answer.as_ref().err().map(Error::kind);
                observer.tell(Sample { error, tally: worker.take_tally(), all: begun.elapsed(), ..sample }).await;
                answer
            })
        }
    });
    Runtime::new(service).layer(bodies).run().await.map_err(|e| Error::Runtime(e.to_string()))
}

/// What a function accepts.
struct Rules {
    /// The end of input.
    allow_drain: bool,
    /// Names or ARNs of the streams that it writes.
    sinks: Vec<String>,
    /// The ARN of the stream that it reads, for ticks.
    source: Option<String>,
}

impl Rules {
    /// The stream whose quiet shards a tick looks after: a schedule does not say.
    fn tick_source(&self) -> Result<&str, Error> {
        self.source.as_deref().ok_or_else(|| {
            Error::Settings(vec![format!(
                "{SOURCE} is not set, and a tick came: set it to the ARN of the function's source stream, `!GetAtt` of it, \
                 in the template, under Environment"
            )])
        })
    }

    /// A function that writes its own source feeds itself without end. Lambda's loop detection does not see Kinesis.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>
    fn check_source(&self, source: &str) -> Result<(), Error> {
        let is_source = |sink: &&String| **sink == source || source.rsplit('/').next() == Some(sink.as_str());
        match self.sinks.iter().find(is_source) {
            None => Ok(()),
            Some(sink) => Err(Error::Settings(vec![format!(
                "the stream {sink:?} is both source and sink: the function would feed itself without end. Name another \
                 stream in the template, as source or as sink"
            )])),
        }
    }
}

impl Sample {
    /// The shard at work is known.
    fn is_of(&mut self, source: &SourceShard) {
        tracing::Span::current().record("shard", &source.shard);
        self.shard = Some(source.shard.clone());
    }
}

/// Decode, work, respond; a failure is told.
async fn invoke<W: Worker>(
    worker: &mut W,
    body: &[u8],
    rules: &Rules,
    deadline: Deadline,
    sample: &mut Sample,
) -> Result<impl Serialize + use<W>, Error> {
    let answer = answer(worker, body, rules, deadline, sample).await;
    answer.inspect_err(|error| tracing::error!(kind = error.kind(), "{error}"))
}

async fn answer<W: Worker>(
    worker: &mut W,
    body: &[u8],
    rules: &Rules,
    deadline: Deadline,
    sample: &mut Sample,
) -> Result<impl Serialize + use<W>, Error> {
    let begun = Instant::now();
    let decoded = tracing::debug_span!("decode").in_scope(|| decode(body));
    sample.decode = begun.elapsed();
    let done = match decoded.map_err(|e| Error::Event(e.to_string()))? {
        Invocation::Batch(batch) => match batch.source() {
            Some(source) => {
                rules.check_source(&source.stream)?;
                sample.is_of(source);
                let own = worker.hash_range(source).await.map(|range| range.first..=range.last);
                let Unpacked { records, foreign } = batch.unpack(own.as_ref());
                if foreign > 0 {
                    tracing::warn!(
                        foreign,
                        "records that were packed with others belong to another shard and are left out: the Kinesis Producer \
                         Library sends them again. Another packer may not"
                    );
                }
                worker.work(source, Work::Records(&records), deadline).await?
            }
            None => Done::default(),
        },
        Invocation::Tick(now) => {
            let ticked = worker.tick(rules.tick_source()?, now, deadline).await?;
            tracing::info!(%now, shards = ticked.shards, moved = ticked.moved, outputs = ticked.outputs, "tick");
            if ticked.left > 0 {
                tracing::warn!(
                    left = ticked.left,
                    "time was up before all shards were looked at; the next tick goes on"
                );
            }
            return Ok(succeeded());
        }
        Invocation::Drain(source) if rules.allow_drain => {
            sample.is_of(&source);
            worker.work(&source, Work::Drain, deadline).await?
        }
        Invocation::Drain(_) => {
            return Err(Error::Event(format!(
                "the end of input would close every window and the journal for good: it is accepted only where a harness \
                 sets {ALLOW_DRAIN}=1"
            )));
        }
    };
    report(&done);
    match done.again_from {
        Some(first) => Ok(failed_from(&first)),
        None if done.is_complete() => Ok(succeeded()),
        None => Err(Error::Event("time was up before everything was closed; send the end of input again".to_owned())),
    }
}

fn report(done: &Done) {
    let Done { taken, repeats, sent_twice, commits, outputs, late, quarantined, conflicts, gap, again_from, .. } = done;
    if *quarantined > 0 {
        tracing::warn!(quarantined, "records went to the quarantine; each entry says why");
    }
    if done.is_repeat() {
        tracing::warn!(
            repeats,
            "all records lie before the position and were dropped; to process them again, use a new pipeline name"
        );
    }
    if let Some(position) = gap {
        tracing::error!(
            %position,
            "the event source left out records behind this position: they are not counted. Was its mapping made anew at \
             LATEST, or the stream's retention too short?"
        );
    }
    if let Some(first) = again_from {
        tracing::warn!(%first, taken, "time was up; the rest of the batch is to come again");
    }
    tracing::debug!(taken, repeats, sent_twice, commits, outputs, late, quarantined, conflicts, "done");
}

fn deadline(epoch_millis: u64) -> Deadline {
    if epoch_millis < EARLIEST_DEADLINE {
        return Deadline::NONE;
    }
    let end = UNIX_EPOCH + Duration::from_millis(epoch_millis);
    let left = end.duration_since(SystemTime::now()).unwrap_or_default();
    Deadline::at(Instant::now() + left.saturating_sub(MARGIN))
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        Self { error_type: error.kind().to_owned(), error_message: error.to_string() }
    }
}

/// Bodies of invocations on their way past the runtime, by request id.
///
/// The runtime decodes a payload into owned types through a slow path; the body is taken out before, `null` left in its
/// place, and the handler decodes the bytes themselves.
#[derive(Clone, Default)]
struct Bodies(Arc<Mutex<BTreeMap<String, Bytes>>>);

impl Bodies {
    fn put(&self, request_id: String, body: Bytes) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(request_id, body);
    }

    fn take(&self, request_id: &str) -> Bytes {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(request_id).unwrap_or_default()
    }
}

impl<S> Layer<S> for Bodies {
    type Service = TakeBody<S>;

    fn layer(&self, inner: S) -> TakeBody<S> {
        TakeBody { inner, bodies: self.clone() }
    }
}

/// Takes the body out of each invocation.
struct TakeBody<S> {
    inner: S,
    bodies: Bodies,
}

impl<S: Service<LambdaInvocation>> Service<LambdaInvocation> for TakeBody<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut invocation: LambdaInvocation) -> Self::Future {
        let body = std::mem::replace(&mut invocation.body, Bytes::from_static(b"null"));
        self.bodies.put(invocation.context.request_id.clone(), body);
        self.inner.call(invocation)
    }
}
