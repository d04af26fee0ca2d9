//! One pipeline behind another: what the first sends twice counts once, whatever goes wrong on the way.

use std::time::Duration;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidemill::handler::{Handler, Limits, RelayHandler, Work};
use tidemill::testing::Driver;
use tidemill::{EventTime, Json, Kinesis, OutOfOrder, Pipeline, Tumbling, Upstream};
use tidemill_core::Record;
use tidemill_journal::{Deadline, Incarnation, MemoryStore, Output};
use tidemill_tests::{Flight, Inbox, records};

const STREAM: &str = "arn:aws:kinesis:us-east-1:123456789012:stream/flights";
const SHARD: &str = "shardId-000000000000";
const MINUTE: i64 = 60_000;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(future)
}

/// One delivery of a batch: how many records, and how many times it fails before.
#[derive(Clone, Copy, Debug)]
struct Delivery {
    records: usize,
    failures: u32,
    /// How many records more the failed attempts hold: a batch may be cut otherwise when it comes again.
    more: usize,
}

fn deliveries() -> impl Strategy<Value = Vec<Delivery>> {
    let delivery =
        (1..30_usize, 0..3_u32, 0..10_usize).prop_map(|(records, failures, more)| Delivery { records, failures, more });
    prop::collection::vec(delivery, 40)
}

fn flights(count: i64) -> Vec<Flight> {
    let flight = |number: i64| {
        let tail = format!("N{}", number * 7 % 5);
        let at = (number * 11 + number % 3 * -40) * MINUTE;
        let payload = json!({"tail": tail, "origin": tail, "departed_at": at, "distance_mi": number, "delay_min": 1});
        Flight { partition_key: tail, payload: payload.to_string().into_bytes() }
    };
    (0..count).map(flight).collect()
}

/// Lambda's way with a shard: a batch comes again until it is through.
fn deliver(all: &[Record<'_>], deliveries: &[Delivery], inbox: &Inbox, mut take: impl FnMut(&[Record<'_>]) -> bool) {
    let mut at = 0;
    for delivery in deliveries.iter().cycle() {
        let rest = &all[at..];
        if rest.is_empty() {
            return;
        }
        for _ in 0..delivery.failures {
            inbox.fail_next(1);
            // It may be that nothing is sent: then nothing fails.
            take(&rest[..rest.len().min(delivery.records + delivery.more)]);
        }
        inbox.fail_next(0);
        let batch = &rest[..rest.len().min(delivery.records)];
        assert!(take(batch));
        at += batch.len();
    }
}

/// What arrived, as records of the stream between; some of it arrives once more, later, from an environment that should
/// be gone.
fn stream_between(arrived: &[Output], zombies: &[(usize, usize)]) -> Vec<Flight> {
    let mut places: Vec<(usize, usize)> = (0..arrived.len()).map(|number| (number, number)).collect();
    for (from, delay) in zombies {
        let from = from % arrived.len();
        places.push((from + delay, from));
    }
    // A copy goes behind what arrived at its place, so behind its original.
    places.sort_by_key(|(place, _)| *place);
    places.into_iter().map(|(_, number)| record(&arrived[number])).collect()
}

fn record(output: &Output) -> Flight {
    Flight { partition_key: output.partition_key.clone(), payload: output.data.to_vec() }
}

fn results(pipeline: Pipeline, stream: &[Flight]) -> Vec<String> {
    let mut driver = Driver::new(pipeline);
    for flight in stream {
        driver.push_raw(&flight.partition_key, &flight.payload);
    }
    driver.drain();
    assert!(driver.quarantined().is_empty(), "{:?}", driver.quarantined()[0].reject);
    let mut results: Vec<String> = driver.results::<Value>().iter().map(Value::to_string).collect();
    results.sort();
    results
}

#[derive(Clone, Serialize, Deserialize)]
struct Hour {
    tail: String,
    hour: EventTime,
    flights: u64,
}

/// Flights by the hour.
fn hours() -> Pipeline {
    #[derive(Deserialize)]
    struct Flown {
        tail: String,
        departed_at: i64,
    }
    Pipeline::named("hours")
        .source(Json::<Flown>::new())
        .event_time(|flight| flight.departed_at, OutOfOrder::at_most(Duration::from_hours(2)))
        .key_by(|flight| flight.tail.clone())
        .window(Tumbling::every(Duration::from_hours(1)))
        .aggregate(|over| over.count())
        .emit(|pane, flights| Hour { tail: pane.key, hour: pane.window.start, flights })
        .to(Kinesis::stream("hours"))
        .build()
        .expect("sound")
}

/// Hours by the day.
fn days() -> Pipeline {
    Pipeline::named("days")
        .source(Upstream::of(Json::<Hour>::new()))
        .event_time(|hour| hour.hour, OutOfOrder::at_most(Duration::from_hours(1)))
        .key_by(|hour| hour.tail.clone())
        .window(Tumbling::every(Duration::from_hours(24)))
        .aggregate(|over| (over.sum(|hour| hour.flights), over.count()))
        .emit(|pane, (flights, hours)| (pane.key, pane.window.start, flights, hours))
        .to(Kinesis::stream("days"))
        .build()
        .expect("sound")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_relay_sends_twice_counts_once(
        deliveries in deliveries(),
        zombies in prop::collection::vec((any::<usize>(), 1..200_usize), 0..20),
    ) {
        let flights = flights(400);
        let inbox = Inbox::default();
        let mut relay = RelayHandler::new(by_tail::by_tail().expect("sound"), &inbox);
        deliver(&records(&flights), &deliveries, &inbox, |batch| {
            run(relay.handle(STREAM, SHARD, batch, Deadline::NONE)).is_ok()
        });
        let between = stream_between(&inbox.arrived("tail-flights"), &zombies);
        prop_assert!(between.len() >= 400);
        let rotations = || rotations::rotations().expect("sound");
        prop_assert_eq!(results(rotations(), &between), results(rotations(), &flights));
    }

    #[test]
    fn what_a_journal_sends_twice_counts_once(
        deliveries in deliveries(),
        zombies in prop::collection::vec((any::<usize>(), 1..200_usize), 0..20),
    ) {
        let flights = flights(400);
        let inbox = Inbox::default();
        let mut handler =
            Handler::new(hours(), MemoryStore::default(), &inbox, Limits::default(), Box::new(|| Incarnation(1)));
        deliver(&records(&flights), &deliveries, &inbox, |batch| {
            run(handler.handle(STREAM, SHARD, Work::Records(batch), Deadline::NONE)).is_ok()
        });
        run(handler.handle(STREAM, SHARD, Work::Drain, Deadline::NONE)).expect("drains");
        let between = stream_between(&inbox.arrived("hours"), &zombies);
        let mut direct = Driver::new(hours());
        for flight in &flights {
            direct.push_raw(&flight.partition_key, &flight.payload);
        }
        let once: Vec<Flight> = direct
            .drain()
            .results::<Hour>()
            .iter()
            .map(|hour| Flight {
                partition_key: hour.tail.clone(),
                payload: serde_json::to_vec(hour).expect("serialises"),
            })
            .collect();
        prop_assert_eq!(results(days(), &between), results(days(), &once));
    }
}

#[test]
fn a_relay_answers_where_to_go_on_when_time_is_up_and_sends_the_rest_then() {
    let flights = flights(1_700);
    let all = records(&flights);
    let inbox = Inbox::default();
    let mut relay = RelayHandler::new(by_tail::by_tail().expect("sound"), &inbox);
    let passed = Deadline::at(tokio::time::Instant::now());
    let done = run(relay.handle(STREAM, SHARD, &all, passed)).expect("some of it");
    assert_eq!((done.taken, done.again_from), (500, Some(all[500].position.sequence.clone())));
    let done = run(relay.handle(STREAM, SHARD, &all[500..], Deadline::NONE)).expect("the rest");
    assert_eq!((done.taken, done.is_complete()), (1_200, true));
    assert_eq!(inbox.received().events["tail-flights"].len(), 1_700);
}

#[test]
fn a_relay_quarantines_what_it_cannot_make_and_what_no_sink_takes() {
    let inbox = Inbox::default();
    inbox.take_at_most(2_000);
    let mut flights = flights(3);
    flights[1].payload = b"{".to_vec();
    let tail = "N".repeat(3_000);
    flights[2].payload = json!({"tail": tail, "departed_at": 1, "distance_mi": 1}).to_string().into_bytes();
    let mut relay = RelayHandler::new(by_tail::by_tail().expect("sound"), &inbox);
    let done = run(relay.handle(STREAM, SHARD, &records(&flights), Deadline::NONE)).expect("taken");
    assert_eq!((done.taken, done.outputs, done.quarantined), (3, 3, 1));
    let received = inbox.received();
    let reasons: Vec<&Value> = received.events["quarantine"].iter().map(|entry| &entry["reason"]).collect();
    assert_eq!(reasons, [&json!("undecodable"), &json!("output_refused")]);
    assert_eq!(received.events["tail-flights"].len(), 1);
}
