//! Polling, and how batches are made.

use std::time::Duration;

use tidemill_harness::emulators::Kinesis;
use tidemill_harness::template::{Destination, EventSource};
use tokio::time::sleep;

use crate::row::{KINESIS, MAPPING, STACKD, rows};
use crate::scene::{STREAM, Scene, ms, secs, succeeds};

fn source(batch_size: u32, window: u64) -> EventSource {
    EventSource { batch_size, window: secs(window), reports_failures: true, ..EventSource::of(STREAM) }
}

fn times(scene: &Scene) -> Vec<Duration> {
    scene.calls().iter().map(|call| call.at).collect()
}

/// A stream with one record of so many bytes and a small one behind it: larger records than the emulator takes
/// come from a file.
async fn with_a_record_of(bytes: usize) -> Kinesis {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("streams");
    let scene = Scene::new(source(1, 0), |_| succeeds()).await;
    scene.put(&["large", "2"]).await;
    scene.kinesis.save(&file).await.unwrap();
    let encode = |data: &[u8]| base64_simd::STANDARD.encode_to_string(data);
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace(&encode(b"large"), &encode("x".repeat(bytes).as_bytes()));
    std::fs::write(&file, text).unwrap();
    let kinesis = Kinesis::new();
    kinesis.restore(&file).await.unwrap();
    kinesis
}

rows! { "Batches";
    /// A shard in which nothing is is read once a second.
    an_idle_shard_is_read_every_second (KINESIS) {
        let mut scene = Scene::new(source(100, 0), |_| succeeds()).await;
        scene.start();
        sleep(ms(2_300)).await;
        scene.put(&["1"]).await;
        sleep(secs(5)).await;
        scene.finish().await;
        assert_eq!(times(&scene), [secs(3)]);
    }
    /// While there is more, Lambda reads on at once, within the five reads a second that a shard takes.
    a_shard_that_has_more_is_read_on (KINESIS) {
        let mut scene = Scene::new(source(1, 0), |_| succeeds()).await;
        scene.put(&["1", "2", "3", "4", "5"]).await;
        scene.start();
        sleep(ms(900)).await;
        assert_eq!(scene.trace(), ["1", "2", "3", "4", "5"]);
        scene.finish().await;
    }
    /// A batch holds up to `BatchSize` records.
    batches_are_cut_by_count (MAPPING) {
        let mut scene = Scene::new(source(2, 0), |_| succeeds()).await;
        scene.put(&["1", "2", "3", "4", "5"]).await;
        scene.finish().await;
        assert_eq!(scene.trace(), ["1 2", "3 4", "5"]);
    }
    /// Without a window the function is invoked as soon as there is anything, one record even.
    without_a_window_one_record_is_enough (MAPPING) {
        let mut scene = Scene::new(source(100, 0), |_| succeeds()).await;
        scene.put(&["1"]).await;
        scene.start();
        sleep(ms(10)).await;
        assert_eq!(scene.trace(), ["1"]);
        scene.finish().await;
    }
    /// With a window a batch that is not full is sent when the window is over.
    a_window_is_waited_for (MAPPING) {
        let mut scene = Scene::new(source(100, 10), |_| succeeds()).await;
        scene.put(&["1"]).await;
        scene.start();
        sleep(secs(5)).await;
        scene.put(&["2"]).await;
        sleep(secs(20)).await;
        scene.finish().await;
        assert_eq!((scene.trace(), times(&scene)), (vec![String::from("1 2")], vec![secs(10)]));
    }
    /// A batch that is full is sent before its window is over.
    a_full_batch_waits_for_no_window (MAPPING) {
        let mut scene = Scene::new(source(2, 10), |_| succeeds()).await;
        scene.start();
        sleep(ms(1_500)).await;
        scene.put(&["1", "2"]).await;
        sleep(secs(3)).await;
        assert_eq!(times(&scene), [secs(2)]);
        scene.finish().await;
    }
    /// A window begins when the invocation before has ended.
    a_window_begins_behind_the_last_invocation (MAPPING) {
        let mut scene = Scene::new(source(2, 10), |_| succeeds().after(secs(4))).await;
        scene.put(&["1", "2", "3"]).await;
        scene.start();
        sleep(secs(30)).await;
        scene.finish().await;
        assert_eq!((scene.trace(), times(&scene)), (vec![String::from("1 2"), String::from("3")], vec![secs(0), secs(14)]));
    }
    /// A batch ends where its event would exceed 6 MB, measured on the event as it is sent, base64 and envelope
    /// included.
    batches_are_cut_by_serialised_bytes (STACKD) {
        let mut scene = Scene::new(source(100, 0), |_| succeeds()).await;
        let large = "x".repeat(1_000_000);
        scene.put(&[&large, &large, &large, &large, &large]).await;
        scene.finish().await;
        let counts: Vec<usize> = scene.calls().iter().map(|call| call.records.len()).collect();
        assert_eq!(counts, [4, 1]);
        assert!(scene.calls()[0].event.to_string().len() <= 6 << 20);
    }
    /// A record too large for any event is never delivered; each attempt costs a retry; its document has no
    /// `responseContext`; then the shard goes on.
    a_record_that_is_too_large_uses_up_its_retries (STACKD) {
        let kinesis = with_a_record_of(5 << 20).await;
        let source = EventSource {
            retries: Some(2),
            on_failure: Some(Destination::Queue(String::from("dlq"))),
            ..source(100, 0)
        };
        let mut scene = Scene::of(kinesis, source, |_| succeeds());
        scene.finish().await;
        assert_eq!(scene.trace(), ["2"]);
        let document = &scene.documents()[0];
        assert_eq!(document["requestContext"]["condition"], "RetryAttemptsExhausted");
        assert_eq!(document["requestContext"]["approximateInvokeCount"], 3);
        assert_eq!(document.get("responseContext"), None);
    }
}
