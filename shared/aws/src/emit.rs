//! [`Sink`] on Kinesis streams.

use std::collections::BTreeMap;
use std::fmt;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, PutRecordsResultEntry};
use futures_util::future::join_all;
use tidemill_journal::{Deadline, Output, Sink, SinkError};

use crate::backoff::Backoff;
use crate::fault::{Fault, Kind};

/// The most bytes of a record, partition key included, in a stream with default settings: 1 MiB.
/// <https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html>
pub const MAX_RECORD_BYTES: usize = 1 << 20;
/// The most records of a request. <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html>
const REQUEST_RECORDS: usize = 500;
/// The most bytes of a request, partition keys included. (10 MiB since October 2025; emulators still take 5 MiB.)
const REQUEST_BYTES: usize = 5 << 20;

/// A sink's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkStream {
    /// The logical name, as pipelines and journals have it.
    pub sink: String,
    /// The stream's name, or its ARN.
    pub stream: String,
    /// The environment variable that names the stream, for messages.
    pub variable: String,
}

impl SinkStream {
    /// The stream's name, if it is given by name.
    pub(crate) fn name(&self) -> Option<String> {
        (!self.is_arn()).then(|| self.stream.clone())
    }

    /// The stream's ARN, if it is given by ARN.
    pub(crate) fn arn(&self) -> Option<String> {
        self.is_arn().then(|| self.stream.clone())
    }

    fn is_arn(&self) -> bool {
        self.stream.starts_with("arn:")
    }

    /// What to mend so that `action` is not refused for this reason; `None` if waiting may be enough.
    pub(crate) fn fix(&self, kind: Kind, action: &str) -> Option<String> {
        match kind {
            Kind::Passing => None,
            Kind::Absent => Some(format!(
                "there is no such stream in this account and region. Create it, or correct {}",
                self.variable
            )),
            Kind::Denied => Some(format!("allow the function's role {action} on the stream")),
            Kind::Untrusted => Some("correct the credentials of this process".to_owned()),
            Kind::Rejected => Some("the same request will never succeed".to_owned()),
        }
    }
}

impl fmt::Display for SinkStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stream `{}` of sink `{}`", self.stream, self.sink)
    }
}

/// Sends outputs to Kinesis streams, each output to that of its logical name.
///
/// Kinesis does not promise the order of the records of one request, and what failed is sent again behind what did not:
/// outputs of one commit for one key may change places. Outputs of different commits never do (I4).
#[derive(Clone, Debug)]
pub struct KinesisSink {
    client: Client,
    streams: BTreeMap<String, SinkStream>,
}

impl KinesisSink {
    /// A sink of these streams. Of two with one logical name the last counts.
    pub fn new(client: Client, streams: impl IntoIterator<Item = SinkStream>) -> Self {
        Self { client, streams: streams.into_iter().map(|stream| (stream.sink.clone(), stream)).collect() }
    }

    /// The logical names, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.streams.keys().map(String::as_str)
    }

    pub(crate) fn knows(&self, sink: &str) -> bool {
        self.streams.contains_key(sink)
    }
}

impl Sink for KinesisSink {
    fn objection(&self, output: &Output) -> Option<String> {
        let bytes = weight(output);
        match output.partition_key.chars().count() {
            _ if !self.knows(&output.sink) => Some(self.unknown(&output.sink)),
            0 => Some("its partition key is empty: Kinesis takes 1 to 256 characters".to_owned()),
            length @ 257.. => {
                Some(format!("its partition key has {length} characters: Kinesis takes 1 to 256 characters"))
            }
            _ if bytes > MAX_RECORD_BYTES => Some(format!(
                "it has {bytes} bytes with its partition key: a Kinesis record takes {MAX_RECORD_BYTES} bytes"
            )),
            _ => None,
        }
    }

    async fn send(&self, outputs: &[Output], deadline: Deadline) -> Result<(), SinkError> {
        let mut by_sink: BTreeMap<&str, Vec<&Output>> = BTreeMap::new();
        for output in outputs {
            by_sink.entry(&output.sink).or_default().push(output);
        }
        let sends = by_sink.into_iter().map(|(sink, outputs)| self.send_to(sink, outputs, deadline));
        join_all(sends).await.into_iter().fold(Ok(()), worse)
    }
}

/// Of two failures, one that no retry mends tells more; the texts of both are kept.
pub(crate) fn worse(one: Result<(), SinkError>, other: Result<(), SinkError>) -> Result<(), SinkError> {
    use SinkError::{Refused, Unavailable};
    match (one, other) {
        (Ok(()), result) | (result, Ok(())) => result,
        (Err(Unavailable(one)), Err(Unavailable(other))) => Err(Unavailable(format!("{one}; {other}"))),
        (Err(Unavailable(one) | Refused(one)), Err(Unavailable(other) | Refused(other))) => {
            Err(Refused(format!("{one}; {other}")))
        }
    }
}

impl KinesisSink {
    fn unknown(&self, sink: &str) -> String {
        let known: Vec<&str> = self.names().collect();
        format!(
            "there is no sink `{sink}`, only {known:?}. Set the variable TIDEMILL_STREAM_… of that sink, at least until the \
             outputs that wait for it in the journal are sent"
        )
    }

    /// All outputs of one stream, request after request, so that a later one never overtakes.
    async fn send_to(&self, sink: &str, outputs: Vec<&Output>, deadline: Deadline) -> Result<(), SinkError> {
        let stream = self.streams.get(sink).ok_or_else(|| SinkError::Refused(self.unknown(sink)))?;
        for request in requests(&outputs) {
            self.send_request(stream, request.to_vec(), deadline).await?;
        }
        Ok(())
    }

    /// Sends the records until each is acknowledged: first all, then those that failed.
    async fn send_request(
        &self,
        stream: &SinkStream,
        mut pending: Vec<&Output>,
        deadline: Deadline,
    ) -> Result<(), SinkError> {
        let mut backoff = Backoff::default();
        let total = pending.len();
        let mut trouble = "no answer before the deadline".to_owned();
        loop {
            trouble = self.attempt(stream, &mut pending, deadline).await?.unwrap_or(trouble);
            if pending.is_empty() {
                return Ok(());
            }
            let report = format!("{stream}: {} of {total} records not acknowledged: {trouble}", pending.len());
            let pause = backoff.pause();
            if !deadline.allows(pause) {
                return Err(SinkError::Unavailable(format!("{report}; out of time, the next invocation sends again")));
            }
            tracing::warn!(pause_ms = pause.as_millis(), "{report}");
            tokio::time::sleep(pause).await;
        }
    }

    /// One request. Leaves in `pending` what was not acknowledged, in order, and says why; `None` if the deadline passed
    /// before an answer.
    async fn attempt(
        &self,
        stream: &SinkStream,
        pending: &mut Vec<&Output>,
        deadline: Deadline,
    ) -> Result<Option<String>, SinkError> {
        let request = self
            .client
            .put_records()
            .set_stream_name(stream.name())
            .set_stream_arn(stream.arn())
            .set_records(Some(entries(stream, pending)?));
        // Dropping the request ends it: nothing outlives the call.
        let answer = tokio::select! {
            answer = request.send() => answer,
            () = passed(deadline) => return Ok(None),
        };
        let results = match answer {
            Ok(answer) => answer.records,
            Err(error) => {
                let Fault { kind, text } = Fault::of(&error);
                return match stream.fix(kind, "kinesis:PutRecords") {
                    None => Ok(Some(text)),
                    Some(fix) => Err(SinkError::Refused(format!("PutRecords to {stream}: {text}: {fix}"))),
                };
            }
        };
        let trouble = trouble(&results);
        let mut results = results.iter();
        pending.retain(|_| !results.next().is_some_and(is_acknowledged));
        Ok(Some(trouble))
    }
}

/// Ends at the deadline; never without one.
pub(crate) async fn passed(deadline: Deadline) {
    match deadline.remaining() {
        Some(remaining) => tokio::time::sleep(remaining).await,
        None => std::future::pending().await,
    }
}

fn is_acknowledged(result: &PutRecordsResultEntry) -> bool {
    result.error_code.is_none() && result.sequence_number.is_some()
}

/// The failures of an answer by code, `ProvisionedThroughputExceededException × 3: Rate exceeded …`, with the message of
/// the last of each.
fn trouble(results: &[PutRecordsResultEntry]) -> String {
    let mut by_code: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for failed in results.iter().filter(|result| !is_acknowledged(result)) {
        let code = failed.error_code().unwrap_or("no sequence number");
        let (count, message) = by_code.entry(code).or_default();
        *count += 1;
        *message = failed.error_message().unwrap_or_default();
    }
    let told = by_code.iter().map(|(code, (count, message))| format!("{code} × {count}: {message}"));
    let told = told.collect::<Vec<_>>().join(", ");
    if told.is_empty() { "the answer does not speak of them".to_owned() } else { told }
}

fn entries(stream: &SinkStream, outputs: &[&Output]) -> Result<Vec<PutRecordsRequestEntry>, SinkError> {
    let entry = |output: &&Output| {
        PutRecordsRequestEntry::builder()
            .partition_key(&output.partition_key)
            .data(Blob::new(output.data.to_vec()))
            .build()
            .map_err(|error| SinkError::Refused(format!("PutRecords to {stream}: {error}")))
    };
    outputs.iter().map(entry).collect()
}

/// What a record counts against Kinesis' limits.
fn weight(output: &Output) -> usize {
    output.data.len() + output.partition_key.len()
}

/// Cuts outputs, in order, into runs that one request takes.
fn requests<'s, 'o>(outputs: &'s [&'o Output]) -> Vec<&'s [&'o Output]> {
    let mut runs = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, output) in outputs.iter().enumerate() {
        let more = weight(output);
        if at > start && (at - start == REQUEST_RECORDS || bytes + more > REQUEST_BYTES) {
            runs.push(&outputs[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += more;
    }
    if start < outputs.len() {
        runs.push(&outputs[start..]);
    }
    runs
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use tokio::time::Instant;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{KinesisServer, clients, serve};

    fn stream(sink: &str, stream: &str) -> SinkStream {
        let variable = format!("TIDEMILL_STREAM_{}", sink.to_uppercase());
        SinkStream { sink: sink.to_owned(), stream: stream.to_owned(), variable }
    }

    fn output(sink: &str, number: usize) -> Output {
        Output { sink: sink.to_owned(), partition_key: format!("key-{}", number % 7), data: number.to_string().into() }
    }

    fn sized(partition_key: &str, bytes: usize) -> Output {
        Output { sink: "results".to_owned(), partition_key: partition_key.to_owned(), data: vec![0; bytes].into() }
    }

    fn number_of(data: &[u8]) -> usize {
        std::str::from_utf8(data).expect("digits").parse().expect("digits")
    }

    async fn sink_at(endpoint: &str) -> KinesisSink {
        KinesisSink::new(
            clients(endpoint).await.kinesis,
            [stream("results", "departures"), stream("late", "late-flights")],
        )
    }

    /// The record numbers of one PutRecords request.
    type Request = Vec<usize>;

    /// A server that fails record `n` as often as `failures(n)` says before it takes it, and the requests it got.
    async fn flaky(
        failures: impl Fn(usize) -> usize + Send + Sync + 'static,
    ) -> (KinesisSink, Arc<Mutex<Vec<Request>>>) {
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let seen = Arc::clone(&requests);
        let answer = move |_: &str, body: &Value| {
            let data = |entry: &Value| {
                let encoded = entry["Data"].as_str().expect("data").as_bytes().to_vec();
                number_of(&base64_simd::STANDARD.decode_to_vec(encoded).expect("base64"))
            };
            let numbers: Request = body["Records"].as_array().expect("records").iter().map(data).collect();
            let mut seen = seen.lock().expect("no panic before");
            let times = |number| seen.iter().flatten().filter(|seen| **seen == number).count();
            let result = |number: &usize| {
                if times(*number) < failures(*number) {
                    json!({"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded"})
                } else {
                    json!({"SequenceNumber": number.to_string(), "ShardId": "shardId-000000000000"})
                }
            };
            let results: Vec<Value> = numbers.iter().map(result).collect();
            let failed = results.iter().filter(|result| result["ErrorCode"].is_string()).count();
            seen.push(numbers);
            (200, json!({"FailedRecordCount": failed, "Records": results}))
        };
        (sink_at(&serve(answer).await).await, requests)
    }

    fn in_ms(millis: u64) -> Deadline {
        Deadline::at(Instant::now() + Duration::from_millis(millis))
    }

    #[tokio::test]
    async fn every_output_arrives_once_in_the_stream_of_its_sink() {
        let server = KinesisServer::start(&[("departures", 3), ("late-flights", 1)]).await;
        let streams = [stream("results", "departures"), stream("late", "late-flights")];
        let sink = KinesisSink::new(server.client.clone(), streams);
        let sink_of = |n| if n % 3 == 0 { "late" } else { "results" };
        let outputs: Vec<Output> = (0..1_700).map(|n| output(sink_of(n), n)).collect();
        sink.send(&outputs, Deadline::NONE).await.expect("all acknowledged");
        for (name, sink) in [("departures", "results"), ("late-flights", "late")] {
            let mut arrived: Vec<usize> = Vec::new();
            for record in server.records(name).await {
                let number = number_of(record.data.as_ref());
                assert_eq!(record.partition_key, Some(output(sink, number).partition_key));
                arrived.push(number);
            }
            arrived.sort_unstable();
            assert_eq!(arrived, (0..1_700).filter(|n| sink_of(*n) == sink).collect::<Vec<_>>());
        }
    }

    #[tokio::test]
    async fn a_throttled_shard_gets_every_output_once() {
        let server = KinesisServer::throttled(&[("departures", 1)]).await;
        let sink = KinesisSink::new(server.client.clone(), [stream("results", "departures")]);
        let outputs: Vec<Output> = (0..1_300).map(|n| output("results", n)).collect();
        sink.send(&outputs, Deadline::NONE).await.expect("all acknowledged");
        let records = server.records("departures").await;
        let mut arrived: Vec<usize> = records.iter().map(|record| number_of(record.data().as_ref())).collect();
        arrived.sort_unstable();
        assert_eq!(arrived, (0..1_300).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn records_of_the_largest_size_arrive() {
        let server = KinesisServer::start(&[("departures", 1)]).await;
        let sink = KinesisSink::new(server.client.clone(), [stream("results", "departures")]);
        let outputs = vec![sized("key", MAX_RECORD_BYTES - 3); 7];
        assert_eq!(sink.objection(&outputs[0]), None);
        sink.send(&outputs, Deadline::NONE).await.expect("all acknowledged");
        assert_eq!(server.records("departures").await.len(), 7);
    }

    #[tokio::test]
    async fn only_what_failed_is_sent_again_and_in_order() {
        let failures = |number: usize| number % 4;
        let (sink, requests) = flaky(failures).await;
        let outputs: Vec<Output> = (0..1_200).map(|n| output("results", n)).collect();
        sink.send(&outputs, Deadline::NONE).await.expect("all acknowledged");
        let requests = requests.lock().expect("no panic before");
        for chunk in [0..500, 500..1_000, 1_000..1_200] {
            let of_chunk: Vec<&Request> = requests.iter().filter(|request| chunk.contains(&request[0])).collect();
            assert_eq!(of_chunk.len(), 4);
            for (round, request) in of_chunk.into_iter().enumerate() {
                let expected: Request = chunk.clone().filter(|number| failures(*number) >= round).collect();
                assert_eq!(*request, expected, "round {round}");
            }
        }
        let firsts: Vec<usize> = requests.iter().map(|request| request[0] / 500).collect();
        assert!(firsts.is_sorted(), "a later chunk waits for an earlier one: {firsts:?}");
    }

    #[tokio::test]
    async fn at_the_deadline_it_says_how_many_failed_and_why() {
        let (sink, requests) = flaky(|number| if number < 3 { usize::MAX } else { 0 }).await;
        let outputs: Vec<Output> = (0..10).map(|n| output("results", n)).collect();
        let error = sink.send(&outputs, in_ms(300)).await.expect_err("out of time");
        let SinkError::Unavailable(text) = &error else { panic!("{error}") };
        assert!(text.starts_with("stream `departures` of sink `results`: 3 of 10 records not acknowledged"), "{text}");
        assert!(text.contains("ProvisionedThroughputExceededException × 3: Rate exceeded"), "{text}");
        assert!(requests.lock().expect("no panic before").len() > 1);
    }

    #[tokio::test]
    async fn an_answer_that_does_not_come_is_not_waited_for_beyond_the_deadline() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let sink = sink_at(&format!("http://{}", listener.local_addr().expect("an address"))).await;
        let begun = Instant::now();
        let error = sink.send(&[output("results", 1)], in_ms(200)).await.expect_err("out of time");
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        assert!(
            matches!(&error, SinkError::Unavailable(text) if text.contains("no answer before the deadline")),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_record_without_an_answer_of_its_own_is_not_acknowledged() {
        let answers = Mutex::new(0);
        let answer = move |_: &str, body: &Value| {
            let mut answers = answers.lock().expect("no panic before");
            *answers += 1;
            let told = if *answers == 1 { 1 } else { body["Records"].as_array().map_or(0, Vec::len) };
            let acknowledged = json!({"SequenceNumber": "1", "ShardId": "shardId-000000000000"});
            (200, json!({"FailedRecordCount": 0, "Records": vec![acknowledged; told]}))
        };
        let sink = sink_at(&serve(answer).await).await;
        let outputs = [output("results", 1), output("results", 2)];
        sink.send(&outputs, Deadline::NONE).await.expect("the second goes again");
    }

    #[tokio::test]
    async fn a_missing_stream_is_refused_with_its_variable_and_others_still_get_theirs() {
        let server = KinesisServer::start(&[("late-flights", 1)]).await;
        let streams = [stream("results", "departures"), stream("late", "late-flights")];
        let sink = KinesisSink::new(server.client.clone(), streams);
        let error = sink.send(&[output("results", 1), output("late", 2)], Deadline::NONE).await.expect_err("no stream");
        let SinkError::Refused(text) = &error else { panic!("{error}") };
        assert!(
            text.contains("PutRecords to stream `departures` of sink `results`: ResourceNotFoundException"),
            "{text}"
        );
        assert!(text.contains("correct TIDEMILL_STREAM_RESULTS"), "{text}");
        assert_eq!(server.records("late-flights").await.len(), 1);
    }

    #[tokio::test]
    async fn a_missing_permission_is_refused_by_name() {
        let denied = |_: &str, _: &Value| (400, json!({"__type": "AccessDeniedException", "message": "no"}));
        let sink = sink_at(&serve(denied).await).await;
        let error = sink.send(&[output("results", 1)], Deadline::NONE).await.expect_err("denied");
        assert!(matches!(&error, SinkError::Refused(text) if text.contains("kinesis:PutRecords")), "{error}");
    }

    #[tokio::test]
    async fn an_unknown_sink_is_refused() {
        let (sink, _) = flaky(|_| 0).await;
        let error = sink.send(&[output("alerts", 1)], Deadline::NONE).await.expect_err("unknown");
        assert!(matches!(&error, SinkError::Refused(text) if text.contains("there is no sink `alerts`")), "{error}");
    }

    #[tokio::test]
    async fn a_stream_given_by_arn_is_addressed_by_it() {
        let arn = "arn:aws:kinesis:us-east-1:123456789012:stream/departures";
        let answer = move |_: &str, body: &Value| {
            assert_eq!((body["StreamARN"].as_str(), body["StreamName"].as_str()), (Some(arn), None));
            (200, json!({"FailedRecordCount": 0, "Records": [{"SequenceNumber": "1", "ShardId": "s"}]}))
        };
        let client = clients(&serve(answer).await).await.kinesis;
        let sink = KinesisSink::new(client, [stream("results", arn)]);
        sink.send(&[output("results", 1)], in_ms(5_000)).await.expect("acknowledged");
    }

    #[tokio::test]
    async fn what_no_stream_takes_is_objected_to() {
        let (sink, _) = flaky(|_| 0).await;
        let objection = |output: &Output| sink.objection(output).unwrap_or_default();
        assert_eq!(sink.objection(&sized(&"ö".repeat(256), 1)), None);
        assert_eq!(sink.objection(&sized("k", MAX_RECORD_BYTES - 1)), None);
        assert!(objection(&sized("", 1)).contains("partition key is empty"));
        assert!(objection(&sized(&"ö".repeat(257), 1)).contains("has 257 characters"));
        assert!(objection(&sized("k", MAX_RECORD_BYTES)).contains("1048577 bytes"));
        assert!(objection(&output("alerts", 1)).contains("there is no sink `alerts`"));
    }

    proptest! {
        #[test]
        fn requests_hold_all_outputs_in_order_within_the_limits(
            sizes in prop::collection::vec(prop_oneof![0..100_usize, 0..MAX_RECORD_BYTES - 1], 0..40),
            small in 0..1_200_usize,
        ) {
            let outputs: Vec<Output> = sizes.iter().map(|size| sized("k", *size)).chain((0..small).map(|n| output("results", n))).collect();
            let outputs: Vec<&Output> = outputs.iter().collect();
            let runs = requests(&outputs);
            prop_assert_eq!(&runs.concat(), &outputs);
            for run in runs {
                prop_assert!((1..=REQUEST_RECORDS).contains(&run.len()));
                prop_assert!(run.iter().map(|output| weight(output)).sum::<usize>() <= REQUEST_BYTES);
            }
        }
    }
}
