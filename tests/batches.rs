//! Results do not depend on how Lambda cuts, repeats, loses or interleaves batches.

use departures::{Departures, departures};
use proptest::prelude::*;
use serde_json::Value;
use tidemill::handler::{Handler, Limits, Work};
use tidemill::testing::Driver;
use tidemill_journal::{Deadline, Incarnation, Ring};
use tidemill_tests::{Fault, FaultyStore, Flight, Inbox, records};
use tokio::time::Instant;

const STREAM: &str = "arn:aws:kinesis:us-east-1:123456789012:stream/flights";
const SHARD: &str = "shardId-000000000000";
const HOUR: i64 = 3_600_000;
const SINKS: [&str; 3] = ["departures", "late-flights", "quarantine"];

/// A ring so small that a short input goes round it.
fn handler<'e>(store: &'e FaultyStore, inbox: &'e Inbox) -> Handler<&'e FaultyStore, &'e Inbox> {
    let pipeline = departures().expect("the pipeline is sound");
    let limits = Limits { ring: Ring::of(5).expect("a ring"), ..Limits::default() };
    Handler::new(pipeline, store, inbox, limits, Box::new(|| Incarnation(1)))
}

/// A deadline that has passed: nothing is waited for, a fault ends the invocation at once.
fn at_once() -> Deadline {
    Deadline::at(Instant::now())
}

/// Flights around one day, mostly a little out of order, some hopelessly late, some damaged or misrouted.
fn flights() -> impl Strategy<Value = Vec<Flight>> {
    let origin = prop_oneof![Just("EWR"), Just("JFK"), Just("LGA")];
    let flight = (origin, 0..24 * HOUR, -30..600_i64, 0..20_u8).prop_map(|(origin, at, delay, kind)| match kind {
        0 => Flight { payload: b"{\"origin\":\"JFK\"".to_vec(), ..Flight::new(origin, at, delay) },
        1 => Flight { partition_key: "elsewhere".to_owned(), ..Flight::new(origin, at, delay) },
        2 => Flight::new(origin, at - 40 * HOUR, delay),
        3 => Flight::new(origin, at + 200 * HOUR, i64::MAX - 100),
        _ => Flight::new(origin, at, delay),
    });
    proptest::collection::vec(flight, 1..120)
}

/// What the pipeline gives record by record, without journal or batches: (results, late, number quarantined).
fn expected(flights: &[Flight]) -> (Vec<String>, Vec<String>, usize) {
    let mut driver = Driver::new(departures().expect("the pipeline is sound"));
    for flight in flights {
        driver.push_raw(&flight.partition_key, &flight.payload);
    }
    driver.drain();
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    let results = driver.results::<Departures>().iter().map(|result| json(result).to_string()).collect();
    let late = driver.late::<Value>().iter().map(Value::to_string).collect();
    (sorted(results), sorted(late), driver.quarantined().len())
}

fn json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("serialises")
}

fn assert_equal(inbox: &Inbox, expected: &(Vec<String>, Vec<String>, usize)) {
    let received = inbox.received();
    let [results, late, quarantine] = SINKS.map(|sink| received.sorted(sink));
    assert_eq!((results.len(), late.len()), (expected.0.len(), expected.1.len()));
    assert_eq!(results, expected.0);
    assert_eq!(late, expected.1);
    assert_eq!(quarantine.len(), expected.2);
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future);
}

/// How one invocation goes.
#[derive(Clone, Copy, Debug)]
struct Turn {
    /// How many records it gets.
    length: usize,
    /// How many records it gets again that were in already.
    again: usize,
    /// Which environment takes it.
    environment: usize,
    /// Whether that environment is a new one.
    cold: bool,
    /// What goes wrong with its first put.
    fault: Option<Fault>,
    /// How many of its sends fail in part.
    failures: u32,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let fault = prop_oneof![4 => Just(None), 1 => Just(Some(Fault::LostRequest)), 1 => Just(Some(Fault::LostAnswer))];
    let turn = (1..30_usize, 0..10_usize, 0..3_usize, proptest::bool::weighted(0.2), fault, 0..2_u32).prop_map(
        |(length, again, environment, cold, fault, failures)| Turn {
            length,
            again,
            environment,
            cold,
            fault,
            failures,
        },
    );
    proptest::collection::vec(turn, 1..40)
}

proptest! {
    #[test]
    fn cutting_into_batches_never_changes_results(
        flights in flights(),
        cuts in proptest::collection::vec(1..40_usize, 1..20),
    ) {
        let expected = expected(&flights);
        run(async {
            let (store, inbox) = (FaultyStore::default(), Inbox::default());
            let mut handler = handler(&store, &inbox);
            let mut rest = records(&flights);
            for cut in cuts.iter().cycle() {
                let batch: Vec<_> = rest.drain(..rest.len().min(*cut)).collect();
                handler.handle(STREAM, SHARD, Work::Records(&batch), Deadline::NONE).await.expect("done");
                if rest.is_empty() {
                    break;
                }
            }
            handler.handle(STREAM, SHARD, Work::Drain, Deadline::NONE).await.expect("drained");
            assert_equal(&inbox, &expected);
            assert_eq!(inbox.received().repeats, 0, "nothing failed, so nothing is sent twice");
        });
    }

    #[test]
    fn faults_repeats_and_changing_environments_never_change_results(flights in flights(), turns in turns()) {
        let expected = expected(&flights);
        run(async {
            let (store, inbox) = (FaultyStore::default(), Inbox::default());
            let mut environments = [(); 3].map(|()| handler(&store, &inbox));
            let all = records(&flights);
            let mut done = 0_usize;
            for turn in turns.iter().cycle() {
                let batch = &all[done.saturating_sub(turn.again).min(done)..all.len().min(done + turn.length)];
                let environment = &mut environments[turn.environment];
                if turn.cold {
                    *environment = handler(&store, &inbox);
                }
                turn.fault.into_iter().for_each(|fault| store.fail_next(fault));
                inbox.fail_next(turn.failures);
                // The event source sends the same batch again until it succeeds.
                for attempt in 0.. {
                    let done = environment.handle(STREAM, SHARD, Work::Records(batch), at_once()).await;
                    if done.is_ok_and(|done| done.is_complete()) {
                        break;
                    }
                    inbox.fail_next(0);
                    assert!(attempt < 200, "every invocation gets one commit further");
                }
                inbox.fail_next(0);
                store.fail_nothing();
                done = all.len().min(done + turn.length);
                if done == all.len() {
                    break;
                }
            }
            for environment in &mut environments {
                while !environment.handle(STREAM, SHARD, Work::Drain, at_once()).await.expect("drains").is_complete() {}
            }
            assert_equal(&inbox, &expected);
        });
    }
}

#[test]
fn a_drained_journal_takes_no_more_records() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let mut handler = handler(&store, &inbox);
        let flights = [Flight::new("JFK", 0, 1), Flight::new("JFK", HOUR, 1)];
        let all = records(&flights);
        handler.handle(STREAM, SHARD, Work::Records(&all[..1]), Deadline::NONE).await.expect("done");
        handler.handle(STREAM, SHARD, Work::Drain, Deadline::NONE).await.expect("drained");
        handler.handle(STREAM, SHARD, Work::Records(&all[..1]), Deadline::NONE).await.expect("known records are done");
        let refused = handler.handle(STREAM, SHARD, Work::Records(&all), Deadline::NONE).await.expect_err("refused");
        assert!(refused.to_string().contains("takes no more records"), "{refused}");
    });
}

#[test]
fn more_outputs_than_a_commit_holds_become_several_commits() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let mut handler = handler(&store, &inbox);
        // 1,300 keys have a window open, and one record closes them all.
        let mut flights: Vec<_> = (0..1_300).map(|key| Flight::new(&key.to_string(), HOUR, 1)).collect();
        flights.push(Flight::new("0", 10 * HOUR, 1));
        let all = records(&flights);
        let done = handler.handle(STREAM, SHARD, Work::Records(&all), Deadline::NONE).await.expect("done");
        assert_eq!((done.commits, done.outputs), (4, 1_300), "at most 500 outputs and 256 KB a commit");
        handler.handle(STREAM, SHARD, Work::Drain, Deadline::NONE).await.expect("drained");
        assert_equal(&inbox, &expected(&flights));
    });
}
