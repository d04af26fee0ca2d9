//! What a function's answer means.

use serde_json::{Value, json};
use tidemill_harness::template::EventSource;

use crate::row::{LOCALSTACK, REPORTING, rows};
use crate::scene::{Scene, answers, cannot, errs, reports, succeeds};

fn reporting() -> EventSource {
    EventSource { reports_failures: true, retries: Some(1), ..EventSource::of("s") }
}

/// What a batch of three comes to whose first answer is this one, and any later one a success.
async fn first_answer(body: impl ToString) -> Vec<String> {
    let body = body.to_string();
    let first = std::sync::atomic::AtomicBool::new(true);
    let mut scene = Scene::new(reporting(), move |_| {
        if first.swap(false, std::sync::atomic::Ordering::Relaxed) { answers(&body) } else { succeeds() }
    })
    .await;
    scene.put(&["1", "2", "3"]).await;
    scene.finish().await;
    scene.trace()
}

const ONCE: [&str; 1] = ["1 2 3"];
const AGAIN: [&str; 2] = ["1 2 3", "1 2 3"];

fn item(identifier: Value) -> Value {
    json!({"batchItemFailures": [{"itemIdentifier": identifier}]})
}

rows! { "Answers";
    /// `{"batchItemFailures": []}`, `{"batchItemFailures": null}`, `{}` and `null` are success.
    empty_answers_are_success (REPORTING) {
        for answer in [json!({"batchItemFailures": []}), json!({"batchItemFailures": null}), json!({}), Value::Null] {
            assert_eq!(first_answer(&answer).await, ONCE, "{answer}");
        }
    }
    /// `""` and `[]` are success.
    empty_text_and_list_are_success (LOCALSTACK) {
        assert_eq!(first_answer("\"\"").await, ONCE);
        assert_eq!(first_answer("[]").await, ONCE);
    }
    /// A record reported as failed comes again with all behind it, those done included; what is before it is done.
    a_failed_record_comes_again_with_what_follows (REPORTING) {
        let first = std::sync::atomic::AtomicBool::new(true);
        let mut scene = Scene::new(reporting(), move |call| {
            if first.swap(false, std::sync::atomic::Ordering::Relaxed) { reports(call, &["2"]) } else { succeeds() }
        })
        .await;
        scene.put(&["1", "2", "3"]).await;
        scene.finish().await;
        assert_eq!(scene.trace(), ["1 2 3", "2 3"]);
    }
    /// Of several failed records the one with the lowest sequence number decides.
    the_lowest_failed_record_decides (REPORTING) {
        let first = std::sync::atomic::AtomicBool::new(true);
        let mut scene = Scene::new(reporting(), move |call| {
            if first.swap(false, std::sync::atomic::Ordering::Relaxed) { reports(call, &["3", "2"]) } else { succeeds() }
        })
        .await;
        scene.put(&["1", "2", "3"]).await;
        scene.finish().await;
        assert_eq!(scene.trace(), ["1 2 3", "2 3"]);
    }
    /// An `itemIdentifier` that is empty or null, or has another name, fails the whole batch.
    a_broken_identifier_fails_the_batch (REPORTING) {
        assert_eq!(first_answer(item("".into())).await, AGAIN);
        assert_eq!(first_answer(item(Value::Null)).await, AGAIN);
        assert_eq!(first_answer(json!({"batchItemFailures": [{"foo": "1"}]})).await, AGAIN);
    }
    /// An `itemIdentifier` that is not in the batch fails the whole batch.
    a_foreign_identifier_fails_the_batch (LOCALSTACK) {
        assert_eq!(first_answer(item("123".into())).await, AGAIN);
    }
    /// An error of the function fails the whole batch.
    an_error_fails_the_batch (REPORTING) {
        let first = std::sync::atomic::AtomicBool::new(true);
        let mut scene = Scene::new(reporting(), move |_| {
            if first.swap(false, std::sync::atomic::Ordering::Relaxed) { errs() } else { succeeds() }
        })
        .await;
        scene.put(&["1", "2", "3"]).await;
        scene.finish().await;
        assert_eq!(scene.trace(), AGAIN);
    }
    /// Without `ReportBatchItemFailures` whatever the function answers is success.
    reports_count_only_if_announced (REPORTING) {
        let source = EventSource { reports_failures: false, ..reporting() };
        let mut scene = Scene::new(source, cannot(&["2"])).await;
        scene.put(&["1", "2", "3"]).await;
        scene.finish().await;
        assert_eq!(scene.trace(), ONCE);
    }
}
