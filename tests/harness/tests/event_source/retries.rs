//! Retries, halves and ages.

use std::collections::BTreeSet;
use std::time::Duration;

use tidemill_harness::template::{Destination, EventSource};
use tokio::time::sleep;

use crate::row::{FAILURES, LOCALSTACK, MAPPING, REPORTING, STACKD, Source, rows};
use crate::scene::{Scene, cannot, errs, ms, secs, succeeds, throttled};

fn source(retries: u32) -> EventSource {
    EventSource {
        retries: Some(retries),
        reports_failures: true,
        on_failure: Some(Destination::Queue(String::from("dlq"))),
        ..EventSource::of("s")
    }
}

rows! { "Retries";
    /// A batch is tried `MaximumRetryAttempts` + 1 times, then given up, and the shard goes on.
    attempts_are_retries_and_one (FAILURES) {
        for retries in [0, 1, 2, 3] {
            let source = EventSource { batch_size: 1, ..source(retries) };
            let mut scene = Scene::new(source, cannot(&["1"])).await;
            scene.put(&["1", "2"]).await;
            scene.finish().await;
            let mut expected = vec!["1"; retries as usize + 1];
            expected.push("2");
            assert_eq!(scene.trace(), expected);
            assert_eq!(scene.documents()[0]["requestContext"]["approximateInvokeCount"], retries + 1);
        }
    }
    /// Without a limit a batch is tried until it is done; nothing behind it is delivered before.
    retries_without_limit (FAILURES) {
        let source = EventSource { retries: None, batch_size: 1, ..source(0) };
        let mut scene = Scene::new(source, |call| {
            if call.has("1") && call.at < secs(3_600) { errs() } else { succeeds() }
        })
        .await;
        scene.put(&["1", "2"]).await;
        scene.finish().await;
        let (last, before) = scene.trace().split_last().map(|(last, before)| (last.clone(), before.to_vec())).unwrap();
        assert_eq!(last, "2");
        assert!(before.len() > 50 && before.iter().all(|batch| batch == "1"), "{}", before.len());
        assert!(scene.documents().is_empty());
    }
    /// Progress makes a new batch, with retries of its own: of `[4,5,6]` that fails at 6, `[6]` is tried four times
    /// with three retries.
    a_suffix_has_retries_of_its_own (LOCALSTACK) {
        let mut scene = Scene::new(EventSource { batch_size: 3, ..source(3) }, cannot(&["6"])).await;
        scene.put(&["1", "2", "3", "4", "5", "6"]).await;
        scene.finish().await;
        assert_eq!(scene.trace(), ["1 2 3", "4 5 6", "6", "6", "6", "6"]);
        let document = &scene.documents()[0];
        assert_eq!(document["requestContext"]["approximateInvokeCount"], 4);
        assert_eq!(document["KinesisBatchInfo"]["batchSize"], 1);
    }
    /// An unchanged batch is the same request again; a suffix or a half is a new one.
    request_ids_follow_batches (STACKD) {
        let mut scene = Scene::new(EventSource { batch_size: 4, bisects: true, ..source(1) }, cannot(&["2"])).await;
        scene.put(&["1", "2", "3", "4"]).await;
        scene.finish().await;
        let ids: Vec<String> = scene.calls().into_iter().map(|call| call.request).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 4, "{ids:?}");
        assert_eq!(ids[2], ids[3]);
    }
    /// Throttling costs no retry.
    throttling_costs_no_retry (MAPPING) {
        let mut scene = Scene::new(source(0), |call| if call.at < secs(5) { throttled() } else { succeeds() }).await;
        scene.put(&["1"]).await;
        scene.finish().await;
        assert!(scene.calls().len() > 3 && scene.documents().is_empty());
        assert_eq!(scene.trace().last().map(String::as_str), Some("1"));
    }
    /// Pauses between attempts grow from a quarter of a second, twice as long each, up to a minute (`Pace`).
    pauses_double (Source::Chosen) {
        let mut scene = Scene::new(source(3), |_| errs()).await;
        scene.put(&["1"]).await;
        scene.finish().await;
        let at: Vec<Duration> = scene.calls().iter().map(|call| call.at - scene.calls()[0].at).collect();
        assert_eq!(at, [ms(0), ms(250), ms(750), ms(1_750)]);
    }
    /// `[1,2,3,4] -> [2,3,4] -> [2] -> [2] -> [3,4]`: a batch that can be split is split and not retried, the left half
    /// comes to its end before the right one begins, and only a single record uses up retries.
    the_trace_of_bisecting (STACKD) {
        let mut scene = Scene::new(EventSource { batch_size: 4, bisects: true, ..source(1) }, cannot(&["2"])).await;
        scene.put(&["1", "2", "3", "4"]).await;
        scene.finish().await;
        assert_eq!(scene.trace(), ["1 2 3 4", "2 3 4", "2", "2", "3 4"]);
        let calls = scene.calls();
        let gaps: Vec<Duration> = calls.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
        assert_eq!(gaps, [ms(0), ms(0), ms(250), ms(0)]);
        let document = &scene.documents()[0];
        assert_eq!(document["KinesisBatchInfo"]["startSequenceNumber"], calls[2].sequence("2").as_str());
        assert_eq!(document["KinesisBatchInfo"]["batchSize"], 1);
    }
    /// Splitting costs no retry: with none at all, the one bad record of eight is found and given up alone.
    splitting_costs_no_retry (FAILURES) {
        let source = EventSource { bisects: true, reports_failures: false, ..source(0) };
        let mut scene = Scene::new(source, |call| if call.has("5") { errs() } else { succeeds() }).await;
        scene.put(&["1", "2", "3", "4", "5", "6", "7", "8"]).await;
        scene.finish().await;
        assert_eq!(scene.trace(), ["1 2 3 4 5 6 7 8", "1 2 3 4", "5 6 7 8", "5 6", "5", "6", "7 8"]);
        assert_eq!(scene.documents().len(), 1);
    }
    /// A batch is split in the middle, the left half being the smaller one of an odd number.
    the_left_half_is_the_smaller_one (STACKD) {
        let source = EventSource { bisects: true, ..source(0) };
        let mut scene = Scene::new(source, |call| if call.records.len() > 1 { errs() } else { succeeds() }).await;
        scene.put(&["1", "2", "3"]).await;
        scene.finish().await;
        assert_eq!(scene.trace(), ["1 2 3", "1", "2 3", "2", "3"]);
    }
    /// With both settings a batch is split at the record that is reported, and only what follows comes again.
    reported_records_split_the_batch (REPORTING) {
        let source = EventSource { bisects: true, ..source(0) };
        let mut scene = Scene::new(source, cannot(&["4"])).await;
        scene.put(&["1", "2", "3", "4", "5"]).await;
        scene.finish().await;
        assert_eq!(scene.trace(), ["1 2 3 4 5", "4 5", "4", "5"]);
    }
    /// A batch that was split leaves the size of later batches as it is.
    later_batches_are_whole_again (FAILURES) {
        let mut scene = Scene::new(EventSource { batch_size: 3, bisects: true, ..source(0) }, cannot(&["1"])).await;
        scene.put(&["1", "2", "3", "4", "5", "6"]).await;
        scene.finish().await;
        assert_eq!(scene.trace(), ["1 2 3", "1", "2 3", "4 5 6"]);
    }
    /// Records older than `MaximumRecordAgeInSeconds` are cut off the front of a batch, and the rest is delivered.
    what_is_too_old_is_cut_off (LOCALSTACK) {
        let source = EventSource { record_age: Some(secs(60)), retries: None, ..source(0) };
        let mut scene = Scene::new(source, |_| succeeds()).await;
        scene.put(&["1"]).await;
        sleep(secs(70)).await;
        scene.put(&["2", "3", "4", "5", "6"]).await;
        scene.finish().await;
        assert_eq!(scene.trace(), ["2 3 4 5 6"]);
        assert_eq!(scene.documents()[0]["KinesisBatchInfo"]["batchSize"], 1);
    }
    /// What is too old before it was ever delivered is given up unseen: `RecordAgeExceeded`, counted as one
    /// invocation, without `responseContext`.
    what_is_old_at_first_is_not_delivered (LOCALSTACK) {
        let source = EventSource { record_age: Some(secs(60)), retries: None, ..source(0) };
        let mut scene = Scene::new(source, |_| succeeds()).await;
        scene.put(&["1", "2"]).await;
        sleep(secs(61)).await;
        scene.finish().await;
        assert!(scene.calls().is_empty());
        let document = &scene.documents()[0];
        assert_eq!(document["requestContext"]["condition"], "RecordAgeExceeded");
        assert_eq!(document["requestContext"]["approximateInvokeCount"], 1);
        assert_eq!(document.get("responseContext"), None);
    }
    /// A batch that grows too old while it is retried is given up then: eight attempts within a minute.
    what_grows_old_while_retried_is_given_up (LOCALSTACK) {
        let source = EventSource { record_age: Some(secs(60)), retries: None, ..source(0) };
        let mut scene = Scene::new(source, |_| errs()).await;
        scene.put(&["1"]).await;
        scene.finish().await;
        let document = &scene.documents()[0];
        assert_eq!(document["requestContext"]["condition"], "RecordAgeExceeded");
        assert_eq!(document["requestContext"]["approximateInvokeCount"], 8);
        assert_eq!(document.get("responseContext"), None);
        assert_eq!(scene.calls().len(), 8);
    }
}
