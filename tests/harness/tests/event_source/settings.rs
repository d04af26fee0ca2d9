//! The properties of the template's Kinesis event.

use std::collections::BTreeMap;

use tidemill_harness::findings::Findings;
use tidemill_harness::template::{Destination, EventSource, Position, Template};

use crate::row::{FILTERING, LOCALSTACK, PARAMETERS, Source, rows};
use crate::scene::secs;

const HEAD: &str = "Stream: !GetAtt S.Arn, StartingPosition: TRIM_HORIZON";

/// The event source of a function with these properties, or what is wrong with them.
fn read_all(properties: &str, variables: &str) -> Result<EventSource, String> {
    let folder = tempfile::tempdir().expect("no folder");
    let path = folder.path().join("template.yaml");
    let text = format!(
        "Resources:\n  S: {{Type: AWS::Kinesis::Stream}}\n  Dlq: {{Type: AWS::SQS::Queue}}\n  F:\n    Type: AWS::Serverless::Function\n    \
         Metadata: {{BuildProperties: {{Binary: f}}}}\n    Properties:\n      Environment: {{Variables: {{{variables}}}}}\n      \
         Events: {{In: {{Type: Kinesis, Properties: {{{properties}}}}}}}\n"
    );
    std::fs::write(&path, text).expect("cannot write");
    let mut findings = Findings::default();
    let template = Template::load(&path, &mut findings).expect("cannot read").expect("no template");
    let function = template.function("F", &BTreeMap::new(), &mut findings);
    findings.into_warnings().map_err(|error| error.to_string())?;
    Ok(function.expect("no function").source)
}

/// The event source of a function of somebody else's with these properties (`, Name: value`).
pub(crate) fn read(more: &str) -> Result<EventSource, String> {
    read_all(&format!("{HEAD}{more}"), "LEVEL: 1")
}

/// These are taken, those are refused with a message that names the property.
fn range(property: &str, taken: &[&str], refused: &[&str]) {
    for value in taken {
        assert!(read(&format!(", {property}: {value}")).is_ok(), "{property}: {value}");
    }
    for value in refused {
        let why = read(&format!(", {property}: {value}")).expect_err(value);
        assert!(why.contains(property), "{property}: {value}: {why}");
    }
}

rows! { "Settings";
    /// What is left out has AWS's default: 100 records, no window, factor 1, no limit of retries or age, nothing else.
    defaults_are_those_of_aws (LOCALSTACK) {
        assert_eq!(read("").unwrap(), EventSource::of("S"));
        let source = EventSource::of("S");
        assert_eq!((source.batch_size, source.window, source.factor), (100, secs(0), 1));
        assert_eq!((source.retries, source.record_age, source.bisects, source.reports_failures), (None, None, false, false));
    }
    /// `BatchSize` is 1 to 10,000.
    batch_size (PARAMETERS) { range("BatchSize", &["1", "10000"], &["0", "10001", "x"]); }
    /// `BatchSize` over 10 needs no window, unlike for SQS.
    a_large_batch_needs_no_window (LOCALSTACK) { assert_eq!(read(", BatchSize: 101").unwrap().window, secs(0)); }
    /// `MaximumBatchingWindowInSeconds` is 0 to 300, in whole seconds.
    batching_window (PARAMETERS) { range("MaximumBatchingWindowInSeconds", &["0", "300"], &["-1", "301", "0.5"]); }
    /// `ParallelizationFactor` is 1 to 10.
    parallelization_factor (PARAMETERS) { range("ParallelizationFactor", &["1", "10"], &["0", "11"]); }
    /// `MaximumRetryAttempts` is -1, without limit, to 10,000.
    retry_attempts (PARAMETERS) {
        range("MaximumRetryAttempts", &["-1", "0", "10000"], &["-2", "10001"]);
        assert_eq!(read(", MaximumRetryAttempts: 0").unwrap().retries, Some(0));
        assert_eq!(read(", MaximumRetryAttempts: -1").unwrap().retries, None);
    }
    /// `MaximumRecordAgeInSeconds` is -1, without limit, or 60 to 604,800; 0 to 59 are refused.
    record_age (PARAMETERS) {
        range("MaximumRecordAgeInSeconds", &["-1", "60", "604800"], &["-2", "0", "59", "604801"]);
    }
    /// `BisectBatchOnFunctionError` is true or false.
    bisecting (PARAMETERS) { range("BisectBatchOnFunctionError", &["true", "false"], &["2"]); }
    /// `FunctionResponseTypes` is empty or `[ReportBatchItemFailures]`.
    response_types (PARAMETERS) {
        range("FunctionResponseTypes", &["[]", "[ReportBatchItemFailures]"], &["[Other]"]);
        assert!(read(", FunctionResponseTypes: [ReportBatchItemFailures]").unwrap().reports_failures);
    }
    /// `StartingPosition` is required: `TRIM_HORIZON`, `LATEST`, or `AT_TIMESTAMP` with `StartingPositionTimestamp`.
    starting_position (PARAMETERS) {
        let read = |position: &str| read_all(&format!("Stream: !GetAtt S.Arn{position}"), "");
        assert_eq!(read(", StartingPosition: LATEST").unwrap().position, Position::Latest);
        let at = ", StartingPosition: AT_TIMESTAMP";
        assert_eq!(read(&format!("{at}, StartingPositionTimestamp: 7")).unwrap().position, Position::At(7));
        for refused in ["", at, ", StartingPosition: FIRST"] {
            assert!(read(refused).unwrap_err().contains("StartingPosition"), "{refused}");
        }
    }
    /// `Stream` is the ARN of a stream, or of a consumer of one.
    stream_or_consumer (PARAMETERS) {
        let of = |stream: &str| read_all(&format!("Stream: '{stream}', StartingPosition: LATEST"), "");
        let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/S";
        assert_eq!(of(arn).unwrap().consumer, None);
        let consumer = format!("{arn}/consumer/c:1");
        assert_eq!(of(&consumer).unwrap().consumer, Some(consumer));
        assert!(of("arn:aws:kinesis:us-east-1:000000000000:stream/T").unwrap_err().contains("Stream"));
    }
    /// `OnFailure` is a queue, a bucket, or a topic (which is not emulated), none of them FIFO; `OnSuccess` is refused.
    destinations (PARAMETERS) {
        let of = |to: &str| read(&format!(", DestinationConfig: {{{to}}}"));
        let queue = of("OnFailure: {Type: SQS, Destination: !GetAtt Dlq.Arn}").unwrap();
        assert_eq!(queue.on_failure, Some(Destination::Queue(String::from("Dlq"))));
        let bucket = of("OnFailure: {Destination: 'arn:aws:s3:::b'}").unwrap();
        assert_eq!(bucket.on_failure, Some(Destination::Bucket(String::from("b"))));
        for refused in [
            "OnFailure: {Destination: 'arn:aws:sqs:us-east-1:000000000000:q.fifo'}",
            "OnFailure: {Destination: 'arn:aws:dynamodb:us-east-1:000000000000:table/t'}",
            "OnFailure: {Type: Kafka, Destination: 'kafka://t'}",
            "OnSuccess: {Destination: 'arn:aws:sqs:us-east-1:000000000000:q'}",
        ] {
            assert!(of(refused).unwrap_err().contains("On"), "{refused}");
        }
    }
    /// `FilterCriteria` has five patterns at most, each JSON of at most 4,096 characters.
    filter_criteria (FILTERING) {
        let of = |count: usize, pattern: &str| {
            let filters = vec![format!("{{Pattern: '{pattern}'}}"); count].join(", ");
            read(&format!(", FilterCriteria: {{Filters: [{filters}]}}"))
        };
        assert_eq!(of(5, r#"{"partitionKey": ["a"]}"#).unwrap().filters.len(), 5);
        assert!(of(6, r#"{"partitionKey": ["a"]}"#).unwrap_err().contains("FilterCriteria"));
        assert!(of(1, "no json").unwrap_err().contains("Pattern"));
        let long = format!(r#"{{"partitionKey": ["{}"]}}"#, "x".repeat(4_096));
        assert!(of(1, &long).unwrap_err().contains("4096"));
    }
    /// Properties of other event sources are refused (`ProvisionedPollerConfig`, `ScalingConfig`, `LoggingConfig`).
    properties_of_others (PARAMETERS) {
        for name in ["ProvisionedPollerConfig", "ScalingConfig", "LoggingConfig"] {
            range(name, &[], &["{A: 1}"]);
        }
    }
    /// A tidemill function is refused a factor, filters, and limits of retries or age: its results rest on all
    /// records in order.
    tidemill_functions_get_everything_in_order (Source::Chosen) {
        for refused in [
            "ParallelizationFactor: 2",
            "MaximumRetryAttempts: 3",
            "MaximumRecordAgeInSeconds: 60",
            "FilterCriteria: {Filters: [{Pattern: '{\"partitionKey\": [\"a\"]}'}]}",
        ] {
            let properties = format!("{HEAD}, {refused}");
            assert!(read_all(&properties, "LEVEL: 1").is_ok(), "{refused}");
            let why = read_all(&properties, "TIDEMILL_SOURCE: !Ref S").unwrap_err();
            assert!(why.contains(refused.split(':').next().unwrap()), "{why}");
        }
    }
}
