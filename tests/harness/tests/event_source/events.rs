//! The event that a function gets.

use tidemill_harness::template::EventSource;

use crate::row::{KINESIS, STACKD, Source, rows};
use crate::scene::{Call, STREAM, Scene, reports, succeeds};

/// Five records that another implementation packed: keys of both halves of the hash keys, and bytes that are no text.
const AGGREGATE: &[u8] = include_bytes!("../../../../shared/aws/testdata/kpl/aggregated/keys.bin");

/// A source that a consumer of the stream reads.
fn fanned_out() -> EventSource {
    let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/c:1789808900";
    EventSource { consumer: Some(arn.to_owned()), ..EventSource::of(STREAM) }
}

rows! { "Events";
    /// A record is `kinesis` with schema version, partition key, sequence number, data and arrival, and seven members
    /// about where it comes from.
    an_event_has_these_members (KINESIS) {
        let mut scene = Scene::new(EventSource::of(STREAM), |_| succeeds()).await;
        scene.put(&["1"]).await;
        scene.finish().await;
        let event = &scene.calls()[0].event;
        let record = &event["Records"][0];
        let names = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let mut expected = vec![
            "kinesis", "eventSource", "eventVersion", "eventID", "eventName", "invokeIdentityArn", "awsRegion", "eventSourceARN",
        ];
        let mut found = names(record);
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected);
        let kinesis = &record["kinesis"];
        assert_eq!(kinesis.as_object().unwrap().len(), 5);
        assert_eq!((&kinesis["kinesisSchemaVersion"], &kinesis["partitionKey"], &kinesis["data"]), (&"1.0".into(), &"k".into(), &"MQ==".into()));
        assert_eq!((&record["eventSource"], &record["eventName"]), (&"aws:kinesis".into(), &"aws:kinesis:record".into()));
        assert_eq!(record["eventSourceARN"], "arn:aws:kinesis:us-east-1:000000000000:stream/s");
    }
    /// `eventID` is the shard's id, a colon and the sequence number.
    event_ids_are_shard_and_sequence_number (KINESIS) {
        let mut scene = Scene::new(EventSource::of(STREAM), |_| succeeds()).await;
        scene.put(&["1"]).await;
        scene.finish().await;
        let call = &scene.calls()[0];
        assert_eq!(call.event["Records"][0]["eventID"], format!("shardId-000000000000:{}", call.sequence("1")));
    }
    /// `approximateArrivalTimestamp` is a number of seconds with three decimals at most.
    arrivals_have_milliseconds (STACKD) {
        let mut scene = Scene::new(EventSource::of(STREAM), |_| succeeds()).await;
        let before = scene.kinesis.now();
        scene.put(&["1"]).await;
        scene.finish().await;
        let arrival = scene.calls()[0].event["Records"][0]["kinesis"]["approximateArrivalTimestamp"].as_f64().unwrap();
        let millis = arrival * 1_000.0;
        assert!((millis - millis.round()).abs() < 1e-3 && millis.round() as u64 >= before, "{arrival}");
    }
    /// Read by enhanced fan-out, `eventSourceARN` is the ARN of the consumer.
    a_consumer_names_itself (STACKD) {
        let mut scene = Scene::new(fanned_out(), |_| succeeds()).await;
        scene.put(&["1"]).await;
        scene.finish().await;
        assert_eq!(scene.calls()[0].event["Records"][0]["eventSourceARN"], fanned_out().consumer.unwrap());
    }
    /// On the standard path a record that the Kinesis Producer Library packed comes as it was put.
    the_standard_path_leaves_aggregates_whole (STACKD) {
        let mut scene = Scene::new(EventSource::of(STREAM), |_| succeeds()).await;
        scene.put_bytes("JFK", AGGREGATE).await;
        scene.finish().await;
        let records = &scene.calls()[0].event["Records"];
        let data = base64_simd::STANDARD.encode_to_string(AGGREGATE);
        assert_eq!((records.as_array().unwrap().len(), &records[0]["kinesis"]["data"]), (1, &data.into()));
    }
    /// Enhanced fan-out takes it apart: the records inside come singly, under their own partition keys and under one
    /// sequence number and `eventID`.
    fan_out_takes_aggregates_apart (KINESIS) {
        let mut scene = Scene::new(fanned_out(), |_| succeeds()).await;
        scene.put(&["before"]).await;
        scene.put_bytes("JFK", AGGREGATE).await;
        scene.finish().await;
        let event = &scene.calls()[0].event;
        let records = &event["Records"].as_array().unwrap()[1..];
        let keys: Vec<&str> = records.iter().map(|record| record["kinesis"]["partitionKey"].as_str().unwrap()).collect();
        assert_eq!(keys, ["JFK", "LHR", "JFK", "Zürich ✈", "JFK"]);
        assert_eq!(scene.calls()[0].records[..3], ["before", r#"{"n":0}"#, r#"{"n":1}"#]);
        let same = |of: fn(&serde_json::Value) -> &serde_json::Value| records.iter().all(|record| of(record) == of(&records[0]));
        assert!(same(|record| &record["eventID"]) && same(|record| &record["kinesis"]["sequenceNumber"]), "{event}");
    }
    /// A failed record inside an aggregate cannot be named: all of the aggregate comes again.
    a_record_inside_an_aggregate_cannot_be_reported (Source::Chosen) {
        let first = |call: &Call| call.has("before");
        let source = EventSource { reports_failures: true, ..fanned_out() };
        let mut scene = Scene::new(source, move |call| if first(call) { reports(call, &[r#"{"n":2}"#]) } else { succeeds() }).await;
        scene.put(&["before"]).await;
        scene.put_bytes("JFK", AGGREGATE).await;
        scene.finish().await;
        let counts: Vec<usize> = scene.calls().iter().map(|call| call.records.len()).collect();
        assert_eq!(counts, [6, 5]);
    }
    /// An aggregate with a record of another shard is left out whole, for no destination to hear of
    /// (`Pace::whole_aggregates`).
    an_aggregate_with_a_foreign_record_is_lost (STACKD) {
        let mut scene = Scene::new(fanned_out(), |_| succeeds()).await;
        scene.kinesis.split(STREAM, "shardId-000000000000", 1 << 127).await.unwrap();
        scene.put_bytes("JFK", AGGREGATE).await;
        scene.put_keyed(&[("JFK", "behind")]).await;
        scene.finish().await;
        assert_eq!(scene.trace(), ["behind"]);
        assert_eq!(scene.mapping.tally.dropped.load(std::sync::atomic::Ordering::Relaxed), 5);
    }
}
