//! A function without tidemill (`tests/plain`), on the real binary: its event source filters, delivers several batches of a
//! shard at once, splits batches, gives up, and tells a queue.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tidemill_harness::progress::Silent;
use tidemill_harness::replay::{Options, Report, Verdict, prepare};

fn replay(change: impl FnOnce(Options) -> Options) -> Report {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("plain/template.yaml");
    let options = change(Options { template: Some(template), ..Options::of("worst-delays") });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let prepared = prepare(options).expect("it can be replayed");
    runtime.block_on(prepared.run(Arc::new(Silent))).expect("it runs")
}

#[test]
fn what_the_event_source_of_a_function_does_is_done_to_it() {
    let report = replay(|options| options);
    assert_eq!(report.verdict, Verdict::Holds, "{:?}", report.differences);
    let [function] = report.functions.as_slice() else { panic!("one function") };
    // Of a thousand flights 113 are late by half an hour, two of them without the aircraft's number.
    assert_eq!((report.records, function.filtered, function.given_up), (1_000, 887, 2));
    assert_eq!(function.requests.keys().collect::<Vec<_>>(), ["PutItem WorstDelays"]);
    assert_eq!((report.late, report.quarantined, report.kills), (0, 0, 0));
    let documents = &report.collected.queues["Unread"];
    let documents: Vec<Value> = documents.iter().map(|document| document.parse().expect("JSON")).collect();
    let at = |pointer: &str| -> BTreeSet<&str> {
        documents.iter().map(|document| document.pointer(pointer).and_then(Value::as_str).expect("text")).collect()
    };
    assert_eq!(at("/KinesisBatchInfo/streamArn"), ["arn:aws:kinesis:us-east-1:000000000000:stream/Flights"].into());
    assert_eq!(at("/KinesisBatchInfo/startSequenceNumber"), at("/KinesisBatchInfo/endSequenceNumber"));
    assert_eq!(at("/requestContext/requestId").len(), 2);
    // It answered which record failed: no error of the function.
    assert!(documents.iter().all(|document| document["responseContext"]["functionError"].is_null()));
}

#[test]
fn neither_kills_nor_the_size_of_batches_change_what_it_writes() {
    // A function that is killed uses up retries, of which there are but two.
    let report = replay(|options| Options { batch_size: Some(7), environments: Some(3), kills: 1, ..options });
    assert_eq!(report.verdict, Verdict::Holds, "{:?}", report.differences);
    assert_eq!(report.kills, 1);
}
