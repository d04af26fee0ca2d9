//! A function's Kinesis event: which stream feeds it, and how batches are made.

use super::Template;
use super::node::Node;
use super::property::Reader;
use super::resolve::stream_arn;

/// The settings of an event source mapping that the harness honours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSource {
    /// The name of the source stream.
    pub stream: String,
    /// `BatchSize`.
    pub batch_size: u32,
    /// Whether `FunctionResponseTypes` has `ReportBatchItemFailures`.
    pub reports_failures: bool,
}

const DEFAULT_BATCH_SIZE: u32 = 100;

/// Properties without influence on a replay: it has all records at hand, waits for nothing, and
/// gives up no record (so that no destination gets one).
const WITHOUT_INFLUENCE: [&str; 4] =
    ["MaximumBatchingWindowInSeconds", "DestinationConfig", "KmsKeyArn", "MetricsConfig"];

impl EventSource {
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
        starting_position(line, properties, reader);
        let batch_size = properties.get("BatchSize");
        let batch_size = reader.whole_or(batch_size, "BatchSize", 1..=10_000, DEFAULT_BATCH_SIZE);
        let window = properties.get("MaximumBatchingWindowInSeconds");
        reader.whole(window, "MaximumBatchingWindowInSeconds", 0..=300);
        let reports_failures = response_types(properties.get("FunctionResponseTypes"), reader);
        warn_of_differences(properties, reader);
        Some(Self { stream: stream?, batch_size, reports_failures })
    }
}

fn stream(template: &Template, line: usize, node: Option<&Node>, reader: &mut Reader<'_>) -> Option<String> {
    let Some(node) = node else {
        reader.problem(line, "the Kinesis event has no Stream, the ARN to read from");
        return None;
    };
    let arn = reader.text(Some(node))?;
    let found = template.streams.iter().find(|stream| stream_arn(&stream.name) == arn);
    if found.is_none() {
        let names = template.stream_names();
        reader.problem(
            node.line,
            format!(
                "Stream is `{arn}`, not the ARN of a stream of this template (`!GetAtt X.Arn`); its streams are {names}"
            ),
        );
    }
    found.map(|stream| stream.name.clone())
}

/// All positions are the same to a replay, whose stream is empty when the mapping begins.
fn starting_position(line: usize, properties: &Node, reader: &mut Reader<'_>) {
    let node = properties.get("StartingPosition");
    let timestamp = properties.get("StartingPositionTimestamp");
    match reader.text(node).as_deref() {
        Some("TRIM_HORIZON" | "LATEST") => {}
        Some("AT_TIMESTAMP") if timestamp.is_some() => {}
        Some("AT_TIMESTAMP") => {
            reader.problem(line, "StartingPosition AT_TIMESTAMP needs StartingPositionTimestamp");
        }
        Some(other) => reader.problem(
            node.map_or(line, |node| node.line),
            format!("StartingPosition is `{other}`; TRIM_HORIZON, LATEST or AT_TIMESTAMP is expected"),
        ),
        None => reader.problem(line, "the Kinesis event has no StartingPosition, which AWS requires"),
    }
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

/// One warning for each property that AWS would act on and the harness does not.
fn warn_of_differences(properties: &Node, reader: &mut Reader<'_>) {
    for entry in properties.entries() {
        let (name, node, line) = (entry.key.as_str(), &entry.node, entry.line);
        match name {
            "Stream" | "BatchSize" | "StartingPosition" | "StartingPositionTimestamp" | "FunctionResponseTypes" => {}
            _ if WITHOUT_INFLUENCE.contains(&name) => {}
            "Enabled" => {
                if !reader.flag(Some(node), name, true) {
                    reader.warning(line, "the event is disabled; it is replayed all the same");
                }
            }
            "BisectBatchOnFunctionError" => {
                if reader.flag(Some(node), name, false) {
                    reader.warning(line, "failed batches are not bisected here, but retried whole");
                }
            }
            "ParallelizationFactor" => {
                if reader.whole(Some(node), name, 1..=10).unwrap_or(1) != 1 {
                    reader.warning(line, "ParallelizationFactor is 1 here: one batch a shard at a time");
                }
            }
            "MaximumRetryAttempts" => {
                if reader.whole(Some(node), name, -1..=10_000).unwrap_or(-1) != -1 {
                    reader.warning(line, "MaximumRetryAttempts is not honoured: no record is given up here");
                }
            }
            "MaximumRecordAgeInSeconds" => {
                if reader.whole(Some(node), name, -1..=604_800).unwrap_or(-1) != -1 {
                    reader.warning(line, "MaximumRecordAgeInSeconds is not honoured: no record is given up here");
                }
            }
            "TumblingWindowInSeconds" => {
                if reader.whole(Some(node), name, 0..=900).unwrap_or(0) != 0 {
                    reader.warning(line, "Lambda's tumbling windows are not emulated: events carry no window");
                }
            }
            "FilterCriteria" => reader.warning(line, "FilterCriteria is not honoured: the function gets every record"),
            other => reader
                .warning(line, format!("`{other}` is no property of a Kinesis event known here; it has no effect")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;

    fn with(properties: &str) -> (Option<super::EventSource>, Vec<String>) {
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
    fn what_would_differ_from_aws_is_a_warning() {
        let (source, messages) = with(
            "Stream: !GetAtt Flights.Arn, StartingPosition: LATEST, BisectBatchOnFunctionError: true, MaximumRetryAttempts: 3, Speed: 9, KmsKeyArn: x",
        );
        assert!(source.is_some());
        assert_eq!(messages.len(), 3, "{messages:?}");
        assert!(messages[2].contains("`Speed` is no property"));
    }

    #[test]
    fn properties_left_at_their_defaults_are_no_warning() {
        let (_, messages) = with(
            "Stream: !GetAtt Flights.Arn, StartingPosition: LATEST, MaximumRetryAttempts: -1, ParallelizationFactor: 1, Enabled: true",
        );
        assert_eq!(messages, [""; 0]);
    }
}
