//! Order, filters and what is counted.

use std::sync::atomic::Ordering;

use tidemill_harness::template::{EventSource, Filter};
use tokio::time::sleep;

use crate::row::{FILTERING, KINESIS, Source, rows};
use crate::scene::{STREAM, Scene, cannot, errs, secs, succeeds};

fn source(factor: u32) -> EventSource {
    EventSource { factor, batch_size: 1, reports_failures: true, ..EventSource::of(STREAM) }
}

fn filtered(patterns: &[&str]) -> EventSource {
    let filters = patterns.iter().map(|pattern| Filter::parse(pattern).expect("no pattern")).collect();
    EventSource { filters, batch_size: 100, ..source(1) }
}

/// Keys that fall into different lanes of two.
const KEYS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

rows! { "Delivery";
    /// With a `ParallelizationFactor` of 1 one batch of a shard is in flight, in the shard's order.
    one_batch_of_a_shard_at_a_time (KINESIS) {
        let mut scene = Scene::new(source(1), |_| succeeds().after(secs(1))).await;
        scene.put_keyed(&KEYS.map(|key| (key, key))).await;
        scene.finish().await;
        assert_eq!(scene.trace(), KEYS);
        assert_eq!(scene.most_at_once(), 1);
    }
    /// A failing batch holds up its shard.
    a_failing_batch_holds_up_its_shard (KINESIS) {
        let mut scene = Scene::new(source(1), |call| {
            if call.has("1") && call.at < secs(100) { errs() } else { succeeds() }
        })
        .await;
        scene.put(&["1", "2"]).await;
        scene.start();
        sleep(secs(60)).await;
        assert!(scene.trace().iter().all(|batch| batch == "1"));
        scene.finish().await;
        assert_eq!(scene.trace().last().map(String::as_str), Some("2"));
    }
    /// With a factor of n up to n batches of a shard are in flight.
    a_factor_makes_so_many_batches_at_once (KINESIS) {
        let mut scene = Scene::new(source(3), |_| succeeds().after(secs(1))).await;
        let many: Vec<String> = (0..60).map(|n: u32| n.to_string()).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|n| (n.as_str(), n.as_str())).collect();
        scene.put_keyed(&many).await;
        scene.finish().await;
        assert_eq!((scene.most_at_once(), scene.calls().len()), (3, 60));
    }
    /// With a factor what has one partition key stays in order.
    a_factor_keeps_the_order_of_each_key (KINESIS) {
        let mut scene = Scene::new(source(4), |_| succeeds().after(secs(1))).await;
        let records: Vec<(&str, String)> = (0..40).map(|n: usize| (KEYS[n % 8], format!("{}{n:02}", KEYS[n % 8]))).collect();
        let records: Vec<(&str, &str)> = records.iter().map(|(key, data)| (*key, data.as_str())).collect();
        scene.put_keyed(&records).await;
        scene.finish().await;
        for key in KEYS {
            let of_key: Vec<String> = scene.trace().into_iter().filter(|record| record.starts_with(key)).collect();
            assert!(of_key.len() == 5 && of_key.is_sorted(), "{of_key:?}");
        }
    }
    /// With a factor a failing batch holds up the keys of its lane only; lanes are hashes of the key.
    a_failing_lane_holds_up_itself (Source::Chosen) {
        let mut scene = Scene::new(source(2), |call| if call.has("a") && call.at < secs(100) { errs() } else { succeeds() }).await;
        scene.put_keyed(&KEYS.map(|key| (key, key))).await;
        scene.start();
        sleep(secs(10)).await;
        let others = scene.trace().iter().filter(|record| *record != "a").count();
        assert!((1..7).contains(&others), "{:?}", scene.trace());
        scene.finish().await;
    }
    /// A record passes if one of the patterns matches, by its metadata or by its data; what passes none is not
    /// delivered, and the shard goes on behind it.
    filters_choose_what_is_delivered (FILTERING) {
        let mut scene = Scene::new(
            filtered(&[r#"{"partitionKey": ["a"]}"#, r#"{"data": {"n": [{"numeric": [">", 5]}]}}"#]),
            |_| succeeds(),
        )
        .await;
        scene.put_keyed(&[("a", "1"), ("b", r#"{"n":7}"#), ("b", r#"{"n":1}"#), ("a", "4")]).await;
        scene.finish().await;
        assert_eq!(scene.trace(), [r#"1 {"n":7} 4"#]);
        assert_eq!(scene.mapping.tally.filtered.load(Ordering::Relaxed), 1);
    }
    /// Data that is no JSON passes no pattern that asks for data.
    data_that_is_no_json_is_left_out (FILTERING) {
        let mut scene = Scene::new(filtered(&[r#"{"data": {"n": [1]}}"#]), |_| succeeds()).await;
        scene.put(&["text", r#"{"n":1}"#]).await;
        scene.finish().await;
        assert_eq!(scene.trace(), [r#"{"n":1}"#]);
    }
    /// Records are filtered before they are counted into a batch.
    filtered_records_take_no_room (FILTERING) {
        let source = EventSource { batch_size: 2, ..filtered(&[r#"{"partitionKey": ["a"]}"#]) };
        let mut scene = Scene::new(source, |_| succeeds()).await;
        scene.put_keyed(&[("a", "1"), ("b", "2"), ("b", "3"), ("a", "4")]).await;
        scene.finish().await;
        assert_eq!(scene.trace(), ["1 4"]);
    }
    /// What is given up counts as dropped if no destination was told of it.
    what_is_dropped_is_counted (Source::Documented("monitoring-metrics-types.html")) {
        let source = EventSource { retries: Some(0), ..source(1) };
        let mut scene = Scene::new(source, cannot(&["2"])).await;
        scene.put(&["1", "2", "3"]).await;
        scene.finish().await;
        let tally = &scene.mapping.tally;
        assert_eq!(tally.records.load(Ordering::Relaxed), 3);
        assert_eq!((tally.given_up.load(Ordering::Relaxed), tally.dropped.load(Ordering::Relaxed)), (1, 1));
    }
}
