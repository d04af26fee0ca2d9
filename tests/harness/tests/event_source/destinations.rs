//! What a destination is told of records that are given up.

use std::path::Path;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use tidemill_harness::template::{Destination, EventSource};

use crate::row::{FAILURES, LOCALSTACK, Source, rows};
use crate::scene::{STREAM, Scene, cannot, errs, succeeds};

fn source(to: Destination) -> EventSource {
    EventSource { retries: Some(1), reports_failures: true, on_failure: Some(to), ..EventSource::of(STREAM) }
}

fn queue() -> EventSource {
    source(Destination::Queue(String::from("dlq")))
}

/// The one file below a folder.
fn only_file(folder: &Path) -> std::path::PathBuf {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(entries.len(), 1);
    let entry = entries.remove(0);
    if entry.is_dir() { only_file(&entry) } else { entry }
}

rows! { "Destinations";
    /// A queue gets the metadata of a batch, field by field as documented.
    a_queue_gets_metadata (FAILURES) {
        let mut scene = Scene::new(queue(), |_| errs()).await;
        scene.put(&["1", "2"]).await;
        scene.finish().await;
        let (call, document) = (&scene.calls()[1], &scene.documents()[0]);
        let arrival = document["KinesisBatchInfo"]["approximateArrivalOfFirstRecord"].clone();
        assert!(arrival.as_str().is_some_and(|time| time.len() == 24 && time.ends_with('Z')), "{arrival}");
        let expected = json!({
            "requestContext": {
                "requestId": call.request,
                "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": 2,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "version": "1.0",
            "timestamp": document["timestamp"],
            "KinesisBatchInfo": {
                "shardId": call.shard,
                "startSequenceNumber": call.sequence("1"),
                "endSequenceNumber": call.sequence("2"),
                "approximateArrivalOfFirstRecord": arrival,
                "approximateArrivalOfLastRecord": document["KinesisBatchInfo"]["approximateArrivalOfLastRecord"],
                "batchSize": 2,
                "streamArn": "arn:aws:kinesis:us-east-1:000000000000:stream/s",
            },
        });
        assert_eq!(document, &expected);
    }
    /// `functionError` is null where the function answered which records failed.
    a_reported_failure_is_no_error (LOCALSTACK) {
        let mut scene = Scene::new(queue(), cannot(&["1"])).await;
        scene.put(&["1"]).await;
        scene.finish().await;
        assert_eq!(scene.documents()[0]["responseContext"]["functionError"], Value::Null);
        assert_eq!(scene.documents()[0]["responseContext"]["statusCode"], 200);
    }
    /// A bucket gets the same with the event as text in `payload`, under
    /// `aws/lambda/<mapping>/<shard>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<id>`.
    a_bucket_gets_the_event_too (FAILURES) {
        let mut scene = Scene::new(source(Destination::Bucket(String::from("failed"))), |_| errs()).await;
        scene.put(&["1"]).await;
        scene.finish().await;
        let file = only_file(&scene.buckets);
        let key = file.strip_prefix(scene.buckets.join("failed")).unwrap().display().to_string();
        let parts: Vec<&str> = key.split('/').collect();
        assert_eq!(&parts[..4], ["aws", "lambda", "mapping", "shardId-000000000000"]);
        assert_eq!((parts.len(), parts[7].replace('-', "").starts_with(&parts[4..7].concat())), (8, true), "{key}");
        let document: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let payload: Value = serde_json::from_str(document["payload"].as_str().unwrap()).unwrap();
        assert_eq!(payload, scene.calls()[0].event);
        assert_eq!(document["KinesisBatchInfo"]["batchSize"], 1);
    }
    /// What cannot be sent to its destination is lost: it counts as dropped, and the shard goes on.
    a_destination_that_fails_loses_records (Source::Documented("monitoring-metrics-types.html")) {
        let source = EventSource { batch_size: 1, ..source(Destination::Queue(String::from("nowhere"))) };
        let mut scene = Scene::new(source, |call| if call.has("1") { errs() } else { succeeds() }).await;
        scene.put(&["1", "2"]).await;
        scene.finish().await;
        assert_eq!(scene.trace(), ["1", "1", "2"]);
        assert_eq!(scene.mapping.tally.dropped.load(Ordering::Relaxed), 1);
        assert!(scene.mapping.destinations.lost()[0].contains("no queue `nowhere`"));
    }
}
