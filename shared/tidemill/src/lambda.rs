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
    Unpacked, check_streams, check_tables, connect, decode, failed_from, succeeded,
};
use tidemill_core::{EventTime, HashRange};
use tidemill_journal::{Deadline, Incarnation, Sink, Store};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;
use tower::{Layer, Service};
use tracing::Level;

use crate::handler::{Done, Handler, Limits, RelayHandler, Source, Ticked, Work};
use crate::settings::{self, ALLOW_DRAIN, SOURCE, Settings};
use crate::{Error, Pipeline};

/// Kept back from Lambda's deadline, so that an answer can still be given.
const MARGIN: Duration = Duration::from_millis(500);
/// A deadline before this (the year 2001) is none: `cargo lambda watch` sends one in 1970.
const EARLIEST_DEADLINE: u64 = 1_000_000_000_000;
/// The variable that sets the log level: error, warn, info (the default), debug or trace.
const LOG_LEVEL: &str = "TIDEMILL_LOG";

/// Runs the pipeline in the Lambda runtime until the environment ends. Settings come from the environment
/// ([`settings`]), credentials and region as for every AWS SDK.
///
/// # Errors
/// Everything that keeps the function from starting, at once: unset variables, missing streams.
pub async fn run(pipeline: Pipeline) -> Result<(), Error> {
    start_logging();
    let settings = require_lambda(Settings::read(&pipeline, &variables()))?;
    let clients = connect().await;
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
        return serve(RelayHandler::new(pipeline, sink), rules).await;
    };
    let store = DynamoStore::new(clients.dynamodb.clone(), journal_table);
    let (streams, tables, journal) = tokio::join!(sinks, check_tables(&clients.dynamodb, &tables), store.check());
    refuse(streams.into_iter().chain(tables).chain(journal))?;
    tracing::info!(pipeline = %pipeline, "ready");
    let source = KinesisSource::new(clients.kinesis);
    let handler = Handler::new(pipeline, store, sink, limits(), Box::new(draw_incarnation)).watching(source);
    serve(handler, rules).await
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
    if variable("AWS_LAMBDA_RUNTIME_API").is_some() {
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

fn start_logging() {
    let level = variable(LOG_LEVEL).and_then(|level| level.parse().ok()).unwrap_or(Level::INFO);
    // A subscriber that the program itself installed before stays.
    let _ = tracing_subscriber::fmt().json().with_max_level(level).with_target(false).try_init();
}

/// State at rest may take an eighth of the function's memory as stored; decoded it takes several times as much.
fn limits() -> Limits {
    let memory = variable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").and_then(|megabytes| megabytes.parse::<usize>().ok());
    memory.map_or_else(Limits::default, |megabytes| Limits { cache_bytes: (megabytes << 20) / 8, ..Limits::default() })
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
}

async fn serve<W: Worker + 'static>(worker: W, rules: Rules) -> Result<(), Error> {
    let (worker, rules) = (Arc::new(AsyncMutex::new(worker)), Arc::new(rules));
    let bodies = Bodies::default();
    let service = service_fn({
        let bodies = bodies.clone();
        move |event: LambdaEvent<()>| {
            let (worker, rules) = (Arc::clone(&worker), Arc::clone(&rules));
            let body = bodies.take(&event.context.request_id);
            // Boxed: the SDKs' futures within are so large that their layout overflows the compiler's depth limit.
            Box::pin(async move {
                let deadline = deadline(event.context.deadline);
                let mut worker = worker.lock().await;
                invoke(&mut *worker, &body, &rules, deadline).await
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

/// Decode, work, respond.
async fn invoke<W: Worker>(
    worker: &mut W,
    body: &[u8],
    rules: &Rules,
    deadline: Deadline,
) -> Result<impl Serialize + use<W>, Error> {
    let done = match decode(body).map_err(|e| Error::Event(e.to_string()))? {
        Invocation::Batch(batch) => match batch.source() {
            Some(source) => {
                rules.check_source(&source.stream)?;
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
        Invocation::Drain(source) if rules.allow_drain => worker.work(&source, Work::Drain, deadline).await?,
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
        tracing::error!(kind = error.kind(), "{error}");
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
