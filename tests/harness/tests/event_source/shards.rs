//! Which shards are read, from where, and when.

use std::time::Duration;

use tidemill_harness::template::{EventSource, Position};
use tokio::time::sleep;

use crate::row::{KINESIS, PARAMETERS, STACKD, Source, rows};
use crate::scene::{STREAM, Scene, ms, secs, succeeds};

const MIDDLE: u128 = 1 << 127;

fn id(number: u32) -> String {
    format!("shardId-{number:012}")
}

fn source(position: Position) -> EventSource {
    EventSource { position, reports_failures: true, ..EventSource::of(STREAM) }
}

/// One record for each open shard or more, which tell where they went by their keys.
const KEYED: [(&str, &str); 6] = [("a", "a"), ("b", "b"), ("c", "c"), ("d", "d"), ("e", "e"), ("f", "f")];

/// When the first batch of each shard came, and when its last one ended.
fn spans(scene: &Scene, takes: Duration) -> Vec<(String, Duration, Duration)> {
    let mut spans: Vec<(String, Duration, Duration)> = Vec::new();
    for call in scene.calls() {
        match spans.iter_mut().find(|(shard, ..)| *shard == call.shard) {
            Some(span) => span.2 = call.at + takes,
            None => spans.push((call.shard, call.at, call.at + takes)),
        }
    }
    spans.sort();
    spans
}

rows! { "Shards";
    /// A batch holds records of one shard.
    a_batch_is_of_one_shard (KINESIS) {
        let mut scene = Scene::new(source(Position::Horizon), |_| succeeds()).await;
        scene.kinesis.split(STREAM, &id(0), MIDDLE).await.unwrap();
        scene.put_keyed(&KEYED).await;
        scene.finish().await;
        for call in scene.calls() {
            let ids = call.event["Records"].as_array().unwrap().iter().map(|record| record["eventID"].as_str().unwrap());
            assert!(ids.clone().all(|id| id.starts_with(&call.shard)), "{:?}", ids.collect::<Vec<_>>());
        }
        assert_eq!(scene.calls().len(), 2);
    }
    /// Shards are delivered at once.
    shards_are_delivered_at_once (KINESIS) {
        let mut scene = Scene::new(source(Position::Horizon), |_| succeeds().after(secs(1))).await;
        scene.kinesis.split(STREAM, &id(0), MIDDLE).await.unwrap();
        scene.put_keyed(&KEYED).await;
        scene.finish().await;
        assert_eq!(scene.most_at_once(), 2);
    }
    /// A split: children begin when all of their parent is done, both at once; a merge: the child begins when both
    /// parents are done.
    parents_come_before_children (STACKD) {
        let takes = secs(2);
        let mut scene = Scene::new(source(Position::Horizon), move |_| succeeds().after(takes)).await;
        scene.put_keyed(&KEYED).await;
        scene.kinesis.split(STREAM, &id(0), MIDDLE).await.unwrap();
        scene.put_keyed(&KEYED).await;
        scene.kinesis.merge(STREAM, &id(1), &id(2)).await.unwrap();
        scene.put_keyed(&KEYED).await;
        scene.finish().await;
        let spans = spans(&scene, takes);
        let [parent, left, right, merged] = spans.as_slice() else { panic!("{spans:?}") };
        assert!(parent.2 <= left.1 && left.1 == right.1, "{spans:?}");
        assert!(left.2.max(right.2) <= merged.1, "{spans:?}");
    }
    /// Between parents and children lies a pause of about 8 s (`Pace`).
    a_handover_takes_its_time (STACKD) {
        let mut scene = Scene::new(source(Position::Horizon), |_| succeeds()).await;
        scene.put_keyed(&KEYED).await;
        scene.kinesis.split(STREAM, &id(0), MIDDLE).await.unwrap();
        scene.put_keyed(&KEYED).await;
        scene.finish().await;
        let spans = spans(&scene, Duration::ZERO);
        let gap = spans[1].1 - spans[0].2;
        assert!((secs(8)..secs(10)).contains(&gap), "{gap:?}");
    }
    /// A child waits for a batch of its parent that fails.
    a_child_waits_for_its_parents_retries (STACKD) {
        let mut scene = Scene::new(source(Position::Horizon), |call| {
            if call.shard.ends_with('0') && call.at < secs(30) { crate::scene::errs() } else { succeeds() }
        })
        .await;
        scene.put_keyed(&KEYED).await;
        scene.kinesis.split(STREAM, &id(0), MIDDLE).await.unwrap();
        scene.put_keyed(&KEYED).await;
        scene.finish().await;
        let children = scene.calls().into_iter().filter(|call| !call.shard.ends_with('0'));
        assert!(children.clone().count() == 2 && children.clone().all(|call| call.at > secs(30)));
    }
    /// `TRIM_HORIZON` begins with the first record of a shard.
    the_horizon_is_the_first_record (PARAMETERS) {
        let mut scene = Scene::new(source(Position::Horizon), |_| succeeds()).await;
        scene.put(&["1", "2"]).await;
        scene.finish().await;
        assert_eq!(scene.trace(), ["1 2"]);
    }
    /// `LATEST` begins behind the last record.
    the_latest_is_behind_the_last_record (PARAMETERS) {
        let mut scene = Scene::new(source(Position::Latest), |_| succeeds()).await;
        scene.put(&["1"]).await;
        scene.start();
        sleep(ms(500)).await;
        scene.put(&["2"]).await;
        scene.finish().await;
        assert_eq!(scene.trace(), ["2"]);
    }
    /// `AT_TIMESTAMP` begins with what arrived then or later.
    a_timestamp_is_where_one_begins (PARAMETERS) {
        let scene = Scene::new(source(Position::Horizon), |_| succeeds()).await;
        scene.put(&["1"]).await;
        // The emulator finds records by the system's clock.
        std::thread::sleep(ms(1_100));
        sleep(ms(1_100)).await;
        let now = scene.kinesis.now() / 1_000;
        scene.put(&["2"]).await;
        let mut later = Scene::of(scene.kinesis.clone(), source(Position::At(now)), |_| succeeds());
        later.finish().await;
        assert_eq!(later.trace(), ["2"]);
    }
    /// A shard that comes to be later is read from its first record on, wherever the mapping began.
    later_shards_are_read_from_their_first_record (Source::Chosen) {
        let mut scene = Scene::new(source(Position::Latest), |_| succeeds()).await;
        scene.put(&["old"]).await;
        scene.start();
        sleep(ms(500)).await;
        scene.kinesis.split(STREAM, &id(0), MIDDLE).await.unwrap();
        scene.put_keyed(&KEYED).await;
        sleep(secs(20)).await;
        scene.finish().await;
        let mut seen: Vec<String> = scene.calls().into_iter().flat_map(|call| call.records).collect();
        seen.sort();
        assert_eq!(seen, KEYED.map(|(_, data)| data));
    }
}
