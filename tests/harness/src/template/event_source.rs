//! A function's Kinesis event: which stream feeds it, and how batches are made.

use std::time::Duration;

use super::Template;
use super::destination::{self, Destination};
use super::filter::{Filter, MAX_FILTERS};
use super::node::Node;
use super::property::Reader;
use super::resolve::stream_arn;

/// The settings of an event source mapping. <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSource {
    /// The name of the source stream.
    pub stream: String,
    /// The ARN of the consumer that reads it by enhanced fan-out, if one does.
    pub consumer: Option<String>,
    /// `BatchSize`, 1 to 10,000 records.
    pub batch_size: u32,
    /// `MaximumBatchingWindowInSeconds`, 0 to 300.
    pub window: Duration,
    /// `ParallelizationFactor`, 1 to 10 batches of a shard at once.
    pub factor: u32,
    /// `StartingPosition`. A replay begins at the first record, whatever it says.
    pub position: Position,
    /// `MaximumRetryAttempts`; without end if `None`.
    pub retries: Option<u32>,
    /// `MaximumRecordAgeInSeconds`; without end if `None`.
    pub record_age: Option<Duration>,
    /// `BisectBatchOnFunctionError`.
    pub bisects: bool,
    /// Whether `FunctionResponseTypes` has `ReportBatchItemFailures`.
    pub reports_failures: bool,
    /// `FilterCriteria`: all records pass if there are none.
    pub filters: Vec<Filter>,
    /// `DestinationConfig.OnFailure`.
    pub on_failure: Option<Destination>,
}

/// Where a mapping begins to read the shards that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// `TRIM_HORIZON`: at the first record.
    Horizon,
    /// `LATEST`: behind the last record.
    Latest,
    /// `AT_TIMESTAMP`: at the first record that arrived then or later, in seconds since the epoch.
    At(u64),
}

const DEFAULT_BATCH_SIZE: u32 = 100;

/// Properties without influence on a replay.
const WITHOUT_INFLUENCE: [&str; 2] = ["KmsKeyArn", "MetricsConfig"];

/// Properties of other event sources than Kinesis.
const OF_OTHERS: [&str; 3] = ["ProvisionedPollerConfig", "ScalingConfig", "LoggingConfig"];

impl EventSource {
    /// A mapping of a stream with AWS's defaults.
    pub fn of(stream: impl Into<String>) -> Self {
        Self {
            stream: stream.into(),
            consumer: None,
            batch_size: DEFAULT_BATCH_SIZE,
            window: Duration::ZERO,
            factor: 1,
            position: Position::Horizon,
            retries: None,
            record_age: None,
            bisects: false,
            reports_failures: false,
            filters: Vec::new(),
            on_failure: None,
        }
    }

    /// The ARN of what is read: the consumer, or the stream.
    pub fn arn(&self) -> String {
        self.consumer.clone().unwrap_or_else(|| stream_arn(&self.stream))
    }

    /// Reads the one Kinesis event of a function.
    pub(super) fn read(template: &Template, id: &str, function: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let events = function.at(&["Properties", "Events"]);
        let sources: Vec<_> = events
            .map_or(&[][..], Node::entries)
            .iter()
            .filter(|event| event.node.get("Type").and_then(Node::text) == Some("Kinesis"))
            .collect();
        match sources.as_slice() {
            [event] => {
                let nothing = Node::parse("{}").ok()?;
                let properties = event.node.get("Properties").unwrap_or(&nothing);
                Self::from_properties(template, event.line, properties, reader)
            }
            [] => {
                let line = events.map_or(function.line, |events| events.line);
                reader
                    .problem(line, format!("`{id}` has no event of Type Kinesis, so nothing can be replayed into it"));
                None
            }
            [_, second, ..] => {
                reader.problem(
                    second.line,
                    format!(
                        "`{id}` has more than one event of Type Kinesis; the harness feeds a function from one stream"
                    ),
                );
                None
            }
        }
    }

    fn from_properties(template: &Template, line: usize, properties: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let stream = stream(template, line, properties.get("Stream"), reader);
        let position = starting_position(line, properties, reader);
        let mut whole = |name, range, default| reader.whole(properties.get(name), name, range).unwrap_or(default);
        let batch_size = whole("BatchSize", 1..=10_000, i64::from(DEFAULT_BATCH_SIZE));
        let window = whole("MaximumBatchingWindowInSeconds", 0..=300, 0);
        let factor = whole("ParallelizationFactor", 1..=10, 1);
        let retries = whole("MaximumRetryAttempts", -1..=10_000, -1);
        let tumbling = whole("TumblingWindowInSeconds", 0..=900, 0);
        let record_age = record_age(properties.get("MaximumRecordAgeInSeconds"), reader);
        let source = Self {
            batch_size: u32::try_from(batch_size).unwrap_or(DEFAULT_BATCH_SIZE),
            window: Duration::from_secs(window.unsigned_abs()),
            factor: u32::try_from(factor).unwrap_or(1),
            position,
            retries: u32::try_from(retries).ok(),
            record_age,
            bisects: reader.flag(properties.get("BisectBatchOnFunctionError"), "BisectBatchOnFunctionError", false),
            reports_failures: response_types(properties.get("FunctionResponseTypes"), reader),
            filters: filters(properties.get("FilterCriteria"), reader),
            on_failure: destination::read(template, properties.get("DestinationConfig"), reader),
            ..Self::of("")
        };
        if tumbling != 0 {
            let line = line_of(properties, "TumblingWindowInSeconds", line);
            reader.problem(line, "TumblingWindowInSeconds is not emulated: events would carry no window and no state");
        }
        check_names(properties, reader);
        let (stream, consumer) = stream?;
        Some(Self { stream, consumer, ..source })
    }

    /// What a function of tidemill's must not have: its order and its exactly-once results rest on all records
    /// of a shard, one batch after the other, as often as need be.
    pub(super) fn check_tidemill(&self, function: &Node, reader: &mut Reader<'_>) {
        let events = function.at(&["Properties", "Events"]).map_or(&[][..], Node::entries).iter();
        let kinesis = events.filter(|event| event.node.get("Type").and_then(Node::text) == Some("Kinesis"));
        let Some(properties) = kinesis.filter_map(|event| event.node.get("Properties")).next() else { return };
        let refusals = [
            (
                self.factor != 1,
                "ParallelizationFactor",
                "must be 1: a shard's records come in order, one batch at a time",
            ),
            (!self.filters.is_empty(), "FilterCriteria", "must be absent: a record that is left out is taken for lost"),
            (
                self.retries.is_some(),
                "MaximumRetryAttempts",
                "must be -1: what is given up is lost; poison goes to the quarantine",
            ),
            (self.record_age.is_some(), "MaximumRecordAgeInSeconds", "must be -1: what is given up is lost"),
        ];
        for (_, name, why) in refusals.iter().filter(|(refused, ..)| *refused) {
            let line = line_of(properties, name, properties.line);
            reader.problem(line, format!("{name} {why}"));
        }
    }
}

fn line_of(properties: &Node, name: &str, otherwise: usize) -> usize {
    properties.entries().iter().find(|entry| entry.key == name).map_or(otherwise, |entry| entry.line)
}

/// `-1`, or 60 to 604,800 seconds: what is between lies in the range of the API, and is refused all the same.
fn record_age(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<Duration> {
    const NAME: &str = "MaximumRecordAgeInSeconds";
    let age = reader.whole(node, NAME, -1..=604_800)?;
    if (0..60).contains(&age) {
        let line = node.map_or(1, |node| node.line);
        reader.problem(line, format!("{NAME} is `{age}`; -1, or a whole number from 60 to 604800 is expected"));
        return None;
    }
    u64::try_from(age).ok().map(Duration::from_secs)
}

fn filters(node: Option<&Node>, reader: &mut Reader<'_>) -> Vec<Filter> {
    let Some(node) = node else { return Vec::new() };
    let items = node.get("Filters").map_or(&[][..], Node::items);
    if items.len() > MAX_FILTERS {
        reader.problem(node.line, format!("FilterCriteria has {} filters; AWS takes {MAX_FILTERS}", items.len()));
    }
    let mut filters = Vec::new();
    for item in items {
        let Some(pattern) = reader.text(item.get("Pattern")) else {
            reader.problem(item.line, "a filter has no Pattern");
            continue;
        };
        match Filter::parse(&pattern) {
            Ok(filter) => filters.push(filter),
            Err(why) => reader.problem(item.line, format!("a filter's Pattern {why}")),
        }
    }
    filters
}

/// The stream's name, and the consumer's ARN if that is what is read.
fn stream(
    template: &Template,
    line: usize,
    node: Option<&Node>,
    reader: &mut Reader<'_>,
) -> Option<(String, Option<String>)> {
    let Some(node) = node else {
        reader.problem(line, "the Kinesis event has no Stream, the ARN to read from");
        return None;
    };
    let arn = reader.text(Some(node))?;
    let (of_stream, consumer) = match arn.split_once("/consumer/") {
        Some((stream, _)) => (stream, Some(arn.clone())),
        None => (arn.as_str(), None),
    };
    let found = template.streams.iter().find(|stream| stream_arn(&stream.name) == of_stream);
    if found.is_none() {
        let names = template.stream_names();
        reader.problem(
            node.line,
            format!(
                "Stream is `{arn}`, not the ARN of a stream of this template (`!GetAtt X.Arn`); its streams are {names}"
            ),
        );
    }
    found.map(|stream| (stream.name.clone(), consumer))
}

fn starting_position(line: usize, properties: &Node, reader: &mut Reader<'_>) -> Position {
    let node = properties.get("StartingPosition");
    let timestamp =
        reader.whole(properties.get("StartingPositionTimestamp"), "StartingPositionTimestamp", 0..=i64::MAX);
    match reader.text(node).as_deref() {
        Some("TRIM_HORIZON") => {}
        Some("LATEST") => return Position::Latest,
        Some("AT_TIMESTAMP") => match timestamp {
            Some(at) => return Position::At(at.unsigned_abs()),
            None => reader.problem(line, "StartingPosition AT_TIMESTAMP needs StartingPositionTimestamp"),
        },
        Some(other) => reader.problem(
            node.map_or(line, |node| node.line),
            format!("StartingPosition is `{other}`; TRIM_HORIZON, LATEST or AT_TIMESTAMP is expected"),
        ),
        None => reader.problem(line, "the Kinesis event has no StartingPosition, which AWS requires"),
    }
    Position::Horizon
}

fn response_types(node: Option<&Node>, reader: &mut Reader<'_>) -> bool {
    let Some(node) = node else { return false };
    let mut reports = false;
    for item in node.items() {
        match item.text() {
            Some("ReportBatchItemFailures") => reports = true,
            other => reader.problem(
                item.line,
                format!("FunctionResponseTypes has `{}`; only ReportBatchItemFailures is known", other.unwrap_or("?")),
            ),
        }
    }
    reports
}

/// Notes what is no property of a Kinesis event, or has no effect here.
fn check_names(properties: &Node, reader: &mut Reader<'_>) {
    const KNOWN: [&str; 14] = [
        "Stream",
        "BatchSize",
        "StartingPosition",
        "StartingPositionTimestamp",
        "FunctionResponseTypes",
        "MaximumBatchingWindowInSeconds",
        "ParallelizationFactor",
        "MaximumRetryAttempts",
        "MaximumRecordAgeInSeconds",
        "BisectBatchOnFunctionError",
        "TumblingWindowInSeconds",
        "FilterCriteria",
        "DestinationConfig",
        "Enabled",
    ];
    if !reader.flag(properties.get("Enabled"), "Enabled", true) {
        let line = line_of(properties, "Enabled", properties.line);
        reader.warning(line, "the event is disabled; it is replayed all the same");
    }
    for entry in properties.entries() {
        let (name, line) = (entry.key.as_str(), entry.line);
        if KNOWN.contains(&name) || WITHOUT_INFLUENCE.contains(&name) {
            continue;
        }
        if OF_OTHERS.contains(&name) {
            reader.problem(line, format!("`{name}` is for other event sources; AWS refuses it for Kinesis"));
            continue;
        }
        reader.warning(line, format!("`{name}` is no property of a Kinesis event known here; it has no effect"));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::read;
    use super::{Destination, Position};

    fn with(properties: &str) -> (Option<super::EventSource>, Vec<String>) {
        with_variables(properties, "LEVEL: 1")
    }

    fn with_variables(properties: &str, variables: &str) -> (Option<super::EventSource>, Vec<String>) {
        let text = format!(
            "Resources:
  Flights: {{Type: AWS::Kinesis::Stream}}
  F:
    Type: AWS::Serverless::Function
    Metadata: {{BuildProperties: {{Binary: f}}}}
    Properties:
      Events:
        In:
          Type: Kinesis
          Properties: {{{properties}}}
      Environment: {{Variables: {{{variables}}}}}
"
        );
        let (function, messages) = read(&text, "F");
        (function.map(|function| function.source), messages)
    }

    #[test]
    fn batch_size_and_response_types_are_read() {
        let (source, messages) = with(
            "Stream: !GetAtt Flights.Arn, StartingPosition: TRIM_HORIZON, BatchSize: 500, FunctionResponseTypes: [ReportBatchItemFailures]",
        );
        assert_eq!(messages, [""; 0]);
        let source = source.unwrap();
        assert_eq!((source.batch_size, source.reports_failures), (500, true));
    }

    #[test]
    fn defaults_are_those_of_aws() {
        let (source, _) = with("Stream: !GetAtt Flights.Arn, StartingPosition: LATEST");
        let source = source.unwrap();
        assert_eq!((source.batch_size, source.reports_failures), (100, false));
    }

    #[test]
    fn what_is_wrong_is_reported_together() {
        let (_, messages) = with("Stream: !Ref Flights, BatchSize: 10001");
        assert_eq!(
            messages,
            [
                "t.yaml:10: Stream is `Flights`, not the ARN of a stream of this template (`!GetAtt X.Arn`); its streams are Flights",
                "t.yaml:8: the Kinesis event has no StartingPosition, which AWS requires",
                "t.yaml:10: BatchSize is `10001`; a whole number from 1 to 10000 is expected",
            ]
        );
    }

    #[test]
    fn a_stream_that_does_not_exist_is_named() {
        let (_, messages) = with("Stream: !GetAtt Flight.Arn, StartingPosition: LATEST");
        assert_eq!(
            messages,
            ["t.yaml:10: `Flight` is no parameter or resource of this template; there are F and Flights"]
        );
    }

    #[test]
    fn every_property_is_read_with_its_range_and_default() {
        let head = "Stream: !GetAtt Flights.Arn, StartingPosition: LATEST";
        let (source, _) = with(head);
        assert_eq!(
            source.unwrap(),
            super::EventSource { position: Position::Latest, ..super::EventSource::of("Flights") }
        );
        let (source, messages) = with(&format!(
            "{head}, MaximumBatchingWindowInSeconds: 300, ParallelizationFactor: 10, MaximumRetryAttempts: 10000, \
             MaximumRecordAgeInSeconds: 60, BisectBatchOnFunctionError: true, KmsKeyArn: x, \
             DestinationConfig: {{OnFailure: {{Destination: 'arn:aws:sqs:us-east-1:000000000000:dlq'}}}}, \
             FilterCriteria: {{Filters: [{{Pattern: '{{\"partitionKey\": [\"a\"]}}'}}]}}"
        ));
        assert_eq!(messages, [""; 0]);
        let source = source.unwrap();
        assert_eq!((source.window, source.factor, source.retries), (Duration::from_secs(300), 10, Some(10_000)));
        assert_eq!((source.record_age, source.bisects), (Some(Duration::from_secs(60)), true));
        assert_eq!(source.on_failure, Some(Destination::Queue(String::from("dlq"))));
        assert_eq!(source.filters.len(), 1);
        for (property, expected) in [
            ("BatchSize: 0", "a whole number from 1 to 10000"),
            ("MaximumBatchingWindowInSeconds: 301", "a whole number from 0 to 300"),
            ("MaximumBatchingWindowInSeconds: 1.5", "a whole number from 0 to 300"),
            ("ParallelizationFactor: 11", "a whole number from 1 to 10"),
            ("MaximumRetryAttempts: -2", "a whole number from -1 to 10000"),
            ("MaximumRecordAgeInSeconds: 59", "-1, or a whole number from 60 to 604800"),
            ("MaximumRecordAgeInSeconds: 604801", "a whole number from -1 to 604800"),
            ("TumblingWindowInSeconds: 901", "a whole number from 0 to 900"),
            ("TumblingWindowInSeconds: 5", "is not emulated"),
            ("BisectBatchOnFunctionError: maybe", "true or false"),
            ("FunctionResponseTypes: [Other]", "only ReportBatchItemFailures"),
            ("FilterCriteria: {Filters: [{Pattern: x}]}", "is no JSON"),
            ("DestinationConfig: {OnSuccess: {Destination: x}}", "OnSuccess"),
            ("DestinationConfig: {OnFailure: {Type: Kafka, Destination: 'kafka://t'}}", "SQS, SNS or S3"),
            ("DestinationConfig: {OnFailure: {Destination: 'arn:aws:sqs:r:a:q.fifo'}}", "no FIFO"),
            ("ProvisionedPollerConfig: {MinimumPollers: 1}", "for other event sources"),
        ] {
            let (_, messages) = with(&format!("{head}, {property}"));
            assert!(messages.len() == 1 && messages[0].contains(expected), "{property}: {messages:?}");
        }
    }

    #[test]
    fn a_timestamp_is_needed_where_one_begins_at_it() {
        let (source, messages) =
            with("Stream: !GetAtt Flights.Arn, StartingPosition: AT_TIMESTAMP, StartingPositionTimestamp: 9");
        assert_eq!((source.unwrap().position, messages.len()), (Position::At(9), 0));
        let (_, messages) = with("Stream: !GetAtt Flights.Arn, StartingPosition: AT_TIMESTAMP");
        assert!(messages[0].contains("needs StartingPositionTimestamp"), "{messages:?}");
    }

    #[test]
    fn a_function_of_tidemills_gets_all_records_in_order_and_gives_none_up() {
        let (_, messages) = with_variables(
            "Stream: !GetAtt Flights.Arn, StartingPosition: LATEST, ParallelizationFactor: 2, MaximumRetryAttempts: 3, \
             MaximumRecordAgeInSeconds: 60, FilterCriteria: {Filters: [{Pattern: '{\"partitionKey\": [\"a\"]}'}]}",
            "TIDEMILL_SOURCE: !Ref Flights",
        );
        assert_eq!(messages.len(), 4, "{messages:?}");
        assert!(messages.iter().all(|message| message.contains(" must be ")), "{messages:?}");
    }

    #[test]
    fn what_is_unknown_is_a_warning() {
        let (source, messages) =
            with("Stream: !GetAtt Flights.Arn, StartingPosition: LATEST, Enabled: false, Speed: 9");
        assert!(source.is_some());
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert!(messages[0].contains("disabled") && messages[1].contains("`Speed` is no property"));
    }

    #[test]
    fn a_consumer_is_read_with_its_stream() {
        let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/Flights/consumer/c:1";
        let (source, messages) = with(&format!("Stream: '{arn}', StartingPosition: LATEST"));
        assert_eq!(messages, [""; 0]);
        let source = source.unwrap();
        assert_eq!(
            (source.stream.as_str(), source.consumer.as_deref(), source.arn().as_str()),
            ("Flights", Some(arn), arn)
        );
    }
}
