//! The event that a function gets.

use tidemill_harness::template::EventSource;

use crate::row::{KINESIS, STACKD, rows};
use crate::scene::{STREAM, Scene, succeeds};

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
        let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/c:1789808900";
        let source = EventSource { consumer: Some(arn.to_owned()), ..EventSource::of(STREAM) };
        let mut scene = Scene::new(source, |_| succeeds()).await;
        scene.put(&["1"]).await;
        scene.finish().await;
        assert_eq!(scene.calls()[0].event["Records"][0]["eventSourceARN"], arn);
    }
}
