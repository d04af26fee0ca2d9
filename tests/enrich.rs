//! The asynchronous stage: order kept, several calls at once, tries, time limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tidemill::handler::{Handler, Limits, Work};
use tidemill::testing::{Driver, rebatch};
use tidemill::{Calls, Json, Kinesis, OutOfOrder, Pipeline, Reason, Tumbling};
use tidemill_journal::{Deadline, Incarnation, MemoryStore};
use tidemill_tests::{Flight, Inbox, records};

#[derive(Clone, serde::Deserialize, serde::Serialize)]
struct Departure {
    origin: String,
    departed_at: i64,
    delay_min: i64,
}

/// Departures with the time that a call takes: the earlier the longer, so that answers come in reverse.
fn delayed<C, F>(calls: Calls, call: C) -> Pipeline
where
    C: Fn(Departure) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(Departure, u64), String>> + Send + 'static,
{
    Pipeline::named("enriched")
        .source(Json::<Departure>::new())
        .event_time(|flight| flight.departed_at, OutOfOrder::at_most(Duration::ZERO))
        .enrich(calls, call)
        .key_by(|(flight, _)| flight.origin.clone())
        .window(Tumbling::every(Duration::from_secs(10)))
        .aggregate(|over| over.collect(|(_, answer)| *answer))
        .emit(|pane, answers| (pane.key, answers))
        .to(Kinesis::stream("answers"))
        .build()
        .expect("sound")
}

fn flights(count: i64) -> Vec<Flight> {
    (0..count).map(|number| Flight::new("JFK", number, number)).collect()
}

fn answers(driver: &Driver) -> Vec<u64> {
    driver.results::<(String, Vec<u64>)>().into_iter().flat_map(|(_, answers)| answers).collect()
}

fn driven(pipeline: Pipeline, flights: &[Flight]) -> Driver {
    let mut driver = Driver::new(pipeline);
    for flight in flights {
        driver.push_raw(&flight.partition_key, &flight.payload);
    }
    driver.drain();
    driver
}

#[test]
fn answers_keep_the_order_of_their_records_and_calls_run_at_once_but_not_too_many() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = (Arc::clone(&running), Arc::clone(&most));
    let pipeline = delayed(Calls::at_once(4), move |flight| {
        let (running, most) = (Arc::clone(&seen.0), Arc::clone(&seen.1));
        async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20 - flight.delay_min.unsigned_abs())).await;
            running.fetch_sub(1, Ordering::SeqCst);
            let answer = flight.delay_min.unsigned_abs();
            Ok((flight, answer))
        }
    });
    let inbox = Inbox::default();
    let flights = flights(20);
    let run = async {
        let mut handler =
            Handler::new(pipeline, MemoryStore::default(), &inbox, Limits::default(), Box::new(|| Incarnation(1)));
        let batch = Work::Records(&records(&flights));
        handler.handle("stream", "shard", batch, Deadline::NONE).await.expect("done");
        handler.handle("stream", "shard", Work::Drain, Deadline::NONE).await.expect("drained");
    };
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(run);
    let expected: Vec<u64> = (0..20).collect();
    assert_eq!(inbox.received().events["answers"], [json!(["JFK", expected])]);
    assert_eq!(most.load(Ordering::SeqCst), 4);
}

#[test]
fn a_call_that_fails_is_tried_again() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    let pipeline = delayed(Calls::at_once(1).attempts(3), move |flight| {
        let is_third = counted.fetch_add(1, Ordering::SeqCst) % 3 == 2;
        async move { if is_third { Ok((flight, 7)) } else { Err("busy".to_owned()) } }
    });
    assert_eq!(answers(&driven(pipeline, &flights(2))), [7, 7]);
    assert_eq!(tries.load(Ordering::SeqCst), 6);
}

#[test]
fn a_record_whose_calls_all_fail_is_quarantined_and_moves_event_time_on() {
    let pipeline = delayed(Calls::at_once(2).attempts(2), |flight| async move {
        match flight.delay_min {
            1 => Err("no such flight".to_owned()),
            2 => panic!("out of cheese"),
            number => Ok((flight, number.unsigned_abs())),
        }
    });
    let mut flights = flights(4);
    flights.insert(2, Flight::new("JFK", 60_000, 1));
    let driver = driven(pipeline, &flights);
    let told: Vec<_> = driver.quarantined().iter().map(|entry| entry.reject.clone()).collect();
    assert_eq!([&told[0], &told[1]].map(|reject| reject.reason), [Reason::Failed, Reason::Failed]);
    assert!(told[0].message.contains("no such flight (attempt 2)"), "{}", told[0].message);
    assert_eq!(told[2].reason, Reason::Panicked);
    assert_eq!(answers(&driver), [0], "the fourth came behind a watermark that a failed one had raised");
    assert_eq!(driver.late::<Value>().len(), 1);
}

#[test]
fn a_call_that_takes_too_long_fails() {
    let calls = Calls::at_once(1).timeout(Duration::from_millis(5)).attempts(1);
    let pipeline = delayed(calls, |flight| async move {
        std::future::pending::<()>().await;
        Ok((flight, 0))
    });
    let driver = driven(pipeline, &flights(1));
    assert!(driver.quarantined()[0].reject.message.contains("took longer than 5ms"));
}

#[test]
fn cuts_do_not_matter_where_answers_do_not_change() {
    let pipeline = delayed(Calls::at_once(3), |flight| async move {
        let answer = flight.delay_min.unsigned_abs();
        Ok::<_, String>((flight, answer))
    });
    let events = (0..40).map(|number| json!({"origin": "JFK", "departed_at": number * 700, "delay_min": number}));
    rebatch(&pipeline, events).expect("the same in any cut");
}
