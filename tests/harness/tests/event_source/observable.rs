//! Rows that can be watched from outside: what they ask and expect is data, so that `elsewhere.py` can ask the same
//! of another endpoint.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::Deserialize;
use serde_json::{Map, Value};
use tidemill_harness::template::EventSource;

use crate::scene::{Call, Does, STREAM, Scene, answers, errs, reports, succeeds};
use crate::settings;

const CASES: &str = include_str!("observable.json");

/// What is asked of a mapping, and the batches that its function must see.
#[derive(Debug, Deserialize)]
struct Case {
    row: String,
    /// Properties of the mapping.
    mapping: Map<String, Value>,
    /// Data of the records that lie in the shard when the mapping begins.
    records: Vec<String>,
    /// Records that the function cannot do, which it says by a report or an error.
    #[serde(default)]
    cannot: Vec<String>,
    #[serde(default)]
    by: String,
    /// What it answers the first time instead.
    first_answer: Option<Value>,
    batches: Vec<String>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(CASES).expect("observable.json is broken")
}

/// Whether a row can be asked of another endpoint.
pub(crate) fn has(row: &str) -> bool {
    cases().iter().any(|case| case.row == row)
}

impl Case {
    fn source(&self) -> EventSource {
        let properties: String = self.mapping.iter().map(|(name, value)| format!(", {name}: {value}")).collect();
        EventSource { stream: STREAM.to_owned(), ..settings::read(&properties).expect("no such mapping") }
    }

    fn does(&self, call: &Call) -> Does {
        let bad: Vec<&str> = self.cannot.iter().map(String::as_str).filter(|record| call.has(record)).collect();
        match self.by.as_str() {
            _ if bad.is_empty() => succeeds(),
            "report" => reports(call, &bad),
            _ => errs(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_of_others_holds_here() {
    for case in cases() {
        let first = AtomicBool::new(true);
        let (row, records, expected) = (case.row.clone(), case.records.clone(), case.batches.clone());
        let mut scene = Scene::new(case.source(), move |call| match &case.first_answer {
            Some(answer) if first.swap(false, Ordering::Relaxed) => answers(answer),
            _ => case.does(call),
        })
        .await;
        scene.put(&records.iter().map(String::as_str).collect::<Vec<_>>()).await;
        scene.finish().await;
        assert_eq!(scene.trace(), expected, "{row}");
    }
}
