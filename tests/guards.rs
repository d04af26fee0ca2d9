//! What keeps a shard going, or stops it in time: crash loops, bad streams, deadlines, huge records, little memory.

use std::time::Duration;

use departures::departures;
use serde_json::Value;
use tidemill::handler::{Done, Handler, Limits, ShardInfo, Source, Work};
use tidemill::{Error, Json, Kinesis, OnBad, OutOfOrder, Pipeline, PipelineError, Tumbling};
use tidemill_core::{Record, SequenceNumber};
use tidemill_journal::{Deadline, Incarnation, JournalId, Ring, Store};
use tidemill_tests::{FaultyStore, Flight, Inbox, records};
use tokio::time::Instant;

const STREAM: &str = "arn:aws:kinesis:us-east-1:123456789012:stream/flights";
const SHARD: &str = "shardId-000000000000";
const HOUR: i64 = 3_600_000;

type TestHandler<'e> = Handler<&'e FaultyStore, &'e Inbox>;

fn handler_of<'e>(pipeline: Pipeline, store: &'e FaultyStore, inbox: &'e Inbox, limits: Limits) -> TestHandler<'e> {
    Handler::new(pipeline, store, inbox, limits, Box::new(|| Incarnation(1)))
}

fn handler<'e>(store: &'e FaultyStore, inbox: &'e Inbox) -> TestHandler<'e> {
    handler_of(departures().expect("sound"), store, inbox, Limits::default())
}

async fn take(handler: &mut TestHandler<'_>, records: &[Record<'_>]) -> Result<Done, Error> {
    handler.handle(STREAM, SHARD, Work::Records(records), Deadline::NONE).await
}

async fn drain(handler: &mut TestHandler<'_>) {
    handler.handle(STREAM, SHARD, Work::Drain, Deadline::NONE).await.expect("drains");
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(future);
}

fn damaged() -> Flight {
    Flight { partition_key: "JFK".to_owned(), payload: b"{".to_vec() }
}

fn flights_counted(inbox: &Inbox) -> u64 {
    let received = inbox.received();
    received.events["departures"].iter().map(|result| result["flights"].as_u64().expect("a number")).sum()
}

#[test]
fn a_record_that_kills_every_process_is_quarantined_alone() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let flights: Vec<_> = (0..20).map(|number| Flight::new("JFK", number, 1)).collect();
        let all = records(&flights);
        store.poison(all[12].position.clone());
        let mut crashes = 0;
        // A process that hangs is ended by its timeout: the future is dropped with all that it knew.
        while tokio::time::timeout(Duration::from_millis(50), take(&mut handler(&store, &inbox), &all)).await.is_err() {
            crashes += 1;
            assert!(crashes < 10, "the culprit is found");
        }
        assert_eq!(crashes, 4, "twice the batch, twice the record alone");
        drain(&mut handler(&store, &inbox)).await;

        let received = inbox.received();
        let [entry] = received.events["quarantine"].as_slice() else { panic!("one entry: {received:?}") };
        assert_eq!((entry["reason"].as_str(), entry["sequence"].as_str()), (Some("crashed"), Some("13")));
        assert_eq!(flights_counted(&inbox), 19, "all others count");
    });
}

#[test]
fn errors_are_no_crashes() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let flights = [Flight::new("JFK", 0, 1), Flight::new("JFK", 30 * HOUR, 1), Flight::new("JFK", 60 * HOUR, 1)];
        let all = records(&flights);
        take(&mut handler(&store, &inbox), &all[..2]).await.expect("done");
        let mut environment = handler(&store, &inbox);
        for _ in 0..20 {
            inbox.fail_next(1);
            take(&mut environment, &all).await.expect_err("the sink is throttled");
        }
        take(&mut environment, &all).await.expect("done");
        drain(&mut environment).await;
        assert!(!inbox.received().events.contains_key("quarantine"));
        assert_eq!(flights_counted(&inbox), 3);
    });
}

#[test]
fn a_stream_of_mostly_bad_records_halts_the_function_with_an_example() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let mut environment = handler(&store, &inbox);
        let mixed: Vec<_> =
            (0..2_000).map(|number| if number % 5 < 2 { damaged() } else { Flight::new("JFK", 0, 1) }).collect();
        let all = records(&mixed);
        assert_eq!(take(&mut environment, &all).await.expect("40 % go on").quarantined, 800);

        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let mut environment = handler(&store, &inbox);
        let mut bad: Vec<_> = (0..400).map(|_| damaged()).collect();
        let all = records(&bad);
        take(&mut environment, &all).await.expect("400 of a thousand may be bad");
        bad.extend((0..200).map(|_| damaged()));
        let all = records(&bad);
        for _ in 0..2 {
            let halted = take(&mut environment, &all).await.expect_err("600 may not");
            let text = halted.to_string();
            assert!(text.contains("undecodable") && text.contains("halts"), "{text}");
        }
        assert_eq!(inbox.received().events["quarantine"].len(), 400, "nothing of the refused step");
    });
}

#[test]
fn a_pipeline_may_halt_at_the_first_bad_record() {
    run(async {
        let pipeline = Pipeline::named("strict")
            .source(Json::<Value>::new())
            .event_time(|event| event["departed_at"].as_i64(), OutOfOrder::at_most(Duration::ZERO))
            .key_by(|event| event["origin"].as_str().map(str::to_owned).ok_or("no origin"))
            .window(Tumbling::every(Duration::from_hours(1)))
            .aggregate(|over| over.count())
            .emit(|pane, flights| (pane.key, flights))
            .to(Kinesis::stream("departures"))
            .on_bad(OnBad::Halt)
            .build();
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let mut environment = handler_of(pipeline.expect("sound"), &store, &inbox, Limits::default());
        let flights = [Flight::new("JFK", 0, 1), damaged()];
        let all = records(&flights);
        let halted = take(&mut environment, &all).await.expect_err("halts");
        assert!(matches!(halted, Error::BadRecords { bad: 1, of: 2, .. }), "{halted}");
        take(&mut environment, &all[..1]).await.expect("the position stayed before the batch");
    });
}

#[test]
fn when_time_is_up_what_is_done_stays_and_the_rest_is_asked_for_again() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let mut environment = handler(&store, &inbox);
        let mut flights: Vec<_> = (0..2_000).map(|key| Flight::new(&key.to_string(), HOUR, 1)).collect();
        flights.push(Flight::new("0", 10 * HOUR, 1));
        flights.push(Flight::new("0", 11 * HOUR, 1));
        let all = records(&flights);
        let mut invocations = 0;
        let mut rest = all.as_slice();
        loop {
            let over = Deadline::at(Instant::now());
            let done = environment.handle(STREAM, SHARD, Work::Records(rest), over).await.expect("no error");
            invocations += 1;
            let Some(again) = done.again_from else { break };
            let from = rest.iter().position(|record| record.position.sequence == again).expect("of this batch");
            rest = &rest[from..];
        }
        assert!(invocations > 3, "one commit each: {invocations}");
        drain(&mut environment).await;
        assert_eq!(flights_counted(&inbox), 2_002);
        assert_eq!(inbox.received().repeats, 0);
    });
}

#[test]
fn records_of_a_megabyte_are_carried_through() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let mut environment = handler(&store, &inbox);
        let mut state = 7_u64;
        let mut letter = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'!' + u8::try_from(state >> 58).expect("six bits"))
        };
        let note: String = (0..900_000).map(|_| letter()).filter(|c| !['"', '\\'].contains(c)).collect();
        let big = |at: i64| {
            let payload = serde_json::json!({"origin": "JFK", "departed_at": at, "delay_min": 1, "note": note});
            Flight { partition_key: "JFK".to_owned(), payload: payload.to_string().into_bytes() }
        };
        let flights = [big(30 * HOUR), big(0), big(1), Flight::new("JFK", 31 * HOUR, 1)];
        take(&mut environment, &records(&flights)).await.expect("done");
        drain(&mut handler(&store, &inbox)).await;
        let received = inbox.received();
        let late = &received.events["late-flights"];
        assert_eq!(late.len(), 2);
        assert!(late.iter().all(|flight| flight["note"].as_str() == Some(&note)), "to the last byte");
        assert_eq!(flights_counted(&inbox), 2);
    });
}

#[test]
fn shards_that_do_not_fit_in_memory_are_read_again() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let limits = Limits { cache_bytes: 0, ring: Ring::of(4).expect("a ring"), ..Limits::default() };
        let mut environment = handler_of(departures().expect("sound"), &store, &inbox, limits);
        let flights: Vec<_> = (0..30).map(|number| Flight::new("JFK", number * HOUR, 1)).collect();
        let all = records(&flights);
        for batch in all.chunks(3) {
            for shard in ["shardId-000000000000", "shardId-000000000001", "shardId-000000000002"] {
                let work = Work::Records(batch);
                environment.handle(STREAM, shard, work, Deadline::NONE).await.expect("done");
            }
        }
        for shard in ["shardId-000000000000", "shardId-000000000001", "shardId-000000000002"] {
            environment.handle(STREAM, shard, Work::Drain, Deadline::NONE).await.expect("drains");
        }
        assert_eq!(flights_counted(&inbox), 90);
    });
}

#[test]
fn a_warm_process_of_a_dropped_journal_calls_nothing_done() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let flights: Vec<_> = (0..5).map(|number| Flight::new("JFK", number, 1)).collect();
        let all = records(&flights);
        let mut warm = handler(&store, &inbox);
        take(&mut warm, &all).await.expect("done");
        // The state is dropped and the event source put back to its beginning; another process has begun anew.
        store.items().clear();
        let limits = Limits::default();
        let pipeline = departures().expect("sound");
        let mut other = Handler::new(pipeline, &store, &inbox, limits, Box::new(|| Incarnation(2)));
        take(&mut other, &all[..2]).await.expect("done");
        assert_eq!(take(&mut warm, &all).await.expect("done").taken, 3, "the first two are in, the others are not");
        drain(&mut warm).await;
        assert_eq!(flights_counted(&inbox), 5);
    });
}

#[test]
fn a_process_that_met_others_calls_nothing_of_a_dropped_journal_done() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let flights: Vec<_> = (0..4).map(|number| Flight::new("JFK", number * HOUR, 1)).collect();
        let all = records(&flights);
        let (pipeline, limits) = (departures().expect("sound"), Limits::default());
        let mut one = Handler::new(pipeline, &store, &inbox, limits, Box::new(|| Incarnation(2)));
        let mut other = handler(&store, &inbox);
        take(&mut other, &all[..1]).await.expect("done");
        take(&mut one, &all[..1]).await.expect("done");
        take(&mut other, &all[..2]).await.expect("done");
        let done = take(&mut one, &all[1..3]).await.expect("done");
        assert!(done.conflicts > 0, "from now on it catches up first: {done:?}");
        // The state is dropped and the event source put back to its beginning: nothing follows the last record.
        store.items().clear();
        let done = take(&mut one, &all[..3]).await.expect("done");
        assert_eq!((done.taken, done.repeats), (3, 0));
    });
}

#[test]
fn a_restored_table_is_refused_by_who_knows_better() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let flights: Vec<_> = (0..6).map(|number| Flight::new("JFK", number, 1)).collect();
        let all = records(&flights);
        let mut warm = handler(&store, &inbox);
        take(&mut warm, &all[..2]).await.expect("done");
        let yesterday = store.items().copy();
        take(&mut warm, &all[..4]).await.expect("done");
        store.items().restore(&yesterday);
        let refused = take(&mut warm, &all).await.expect_err("refused").to_string();
        assert!(refused.contains("was restored to an earlier time"), "{refused}");
    });
}

#[test]
fn a_result_that_its_sink_would_not_take_goes_to_the_quarantine() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        inbox.take_at_most(900);
        let mut environment = handler(&store, &inbox);
        let name = "X".repeat(800);
        let flights = [Flight::new(&name, 0, 1), Flight::new("JFK", 0, 1)];
        take(&mut environment, &records(&flights)).await.expect("done");
        drain(&mut environment).await;
        let received = inbox.received();
        assert_eq!(flights_counted(&inbox), 1);
        let entry = &received.events["quarantine"][0];
        assert_eq!(entry["reason"], "output_refused");
        assert!(entry["result"].as_str().is_some_and(|result| result.contains(&name)), "{entry}");
    });
}

#[test]
fn many_updates_of_one_window_cost_no_more_than_their_number() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let mut environment = handler(&store, &inbox);
        let flights: Vec<_> = (0..6_000).map(|number| Flight::new(&number.to_string(), 1, 1)).collect();
        let twice: Vec<_> = flights.iter().chain(&flights).cloned().collect();
        let all = records(&twice);
        take(&mut environment, &all[..6_000]).await.expect("done");
        // A scan over all that the batch touched, for each of its records, would take minutes here.
        assert_eq!(take(&mut environment, &all).await.expect("done").taken, 6_000);
    });
}

/// A source stream that has these records.
struct Stream(Vec<SequenceNumber>);

impl Source for Stream {
    async fn next_after(
        &self,
        _: &str,
        _: &str,
        position: Option<&SequenceNumber>,
    ) -> Result<Option<SequenceNumber>, String> {
        Ok(self.0.iter().find(|number| position.is_none_or(|position| *number > position)).cloned())
    }

    async fn shards(&self, _: &str) -> Result<Vec<ShardInfo>, String> {
        Ok(Vec::new())
    }

    async fn shard(&self, _: &str, _: &str) -> Result<Option<ShardInfo>, String> {
        Ok(None)
    }
}

#[test]
fn records_that_the_event_source_left_out_are_told() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let flights: Vec<_> = (0..10).map(|number| Flight::new("JFK", number, 1)).collect();
        let all = records(&flights);
        let stream = || Stream(all.iter().map(|record| record.position.sequence.clone()).collect());
        let mut environment = handler(&store, &inbox).watching(stream());
        let handle = async |environment: &mut Handler<_, _, Stream>, records: &[Record<'_>]| {
            environment.handle(STREAM, SHARD, Work::Records(records), Deadline::NONE).await.expect("done")
        };
        assert_eq!(handle(&mut environment, &all[..2]).await.gap, None, "a journal that begins has no gap");
        assert_eq!(handle(&mut environment, &all[2..4]).await.gap, None);
        let mut cold = handler(&store, &inbox).watching(stream());
        assert_eq!(handle(&mut cold, &all[2..5]).await.gap, None, "repeats are no gap");
        let mut cold = handler(&store, &inbox).watching(stream());
        let done = handle(&mut cold, &all[7..]).await;
        assert_eq!(done.gap, Some(all[4].position.clone()));
        assert_eq!(done.taken, 3, "what came is taken all the same");
        let item = store.items().read_slot(&journal(), 5).await.expect("read").expect("the commit");
        let record = tidemill_journal::Record::decode(&item.body).expect("a record");
        assert_eq!(record.gap, done.gap, "and the gap stands in the journal");
    });
}

#[test]
fn a_warm_process_looks_for_records_left_out_where_arrivals_paused() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let flights: Vec<_> = (0..9).map(|number| Flight::new("JFK", number, 1)).collect();
        let mut all = records(&flights);
        for (record, seconds) in all.iter_mut().zip([0, 1, 2, 3, 32, 33, 64, 65, 66]) {
            record.arrival = record.arrival.plus(seconds * 1_000);
        }
        let stream = Stream(all.iter().map(|record| record.position.sequence.clone()).collect());
        let mut environment = handler(&store, &inbox).watching(stream);
        let mut take = async |from: usize, to: usize| {
            let work = Work::Records(&all[from..to]);
            environment.handle(STREAM, SHARD, work, Deadline::NONE).await.expect("done").gap
        };
        assert_eq!(take(0, 2).await, None);
        // The mapping was made anew at LATEST, the process is warm. Of a moment's records nothing tells.
        assert_eq!(take(3, 4).await, None, "a second's records are left out");
        assert_eq!(take(4, 5).await, None, "29 seconds");
        assert_eq!(take(6, 7).await, Some(all[4].position.clone()), "32 seconds, and a record between");
        assert_eq!(take(7, 9).await, None);
    });
}

#[test]
fn records_that_were_left_out_are_told_also_behind_a_firing_that_was_cut_off() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let mut flights: Vec<_> = ["JFK", "LGA", "EWR"].map(|origin| Flight::new(origin, 0, 1)).to_vec();
        flights.extend((8..12).map(|hour| Flight::new("JFK", hour * HOUR, 1)));
        let all = records(&flights);
        let stream = || Stream(all.iter().map(|record| record.position.sequence.clone()).collect());
        let caps = tidemill_core::Caps { outputs: 1, ..Default::default() };
        let limits = Limits { caps, ..Limits::default() };
        let cold = || handler_of(departures().expect("sound"), &store, &inbox, limits).watching(stream());
        // The fourth record closes three windows; the process ends behind the first result.
        inbox.fail_next(1);
        let taken = Work::Records(&all[..4]);
        cold().handle(STREAM, SHARD, taken, Deadline::NONE).await.expect_err("a result is not acknowledged");
        let left_out = Work::Records(&all[6..]);
        let done = cold().handle(STREAM, SHARD, left_out, Deadline::NONE).await.expect("done");
        assert_eq!((done.taken, done.gap), (1, Some(all[3].position.clone())));
    });
}

#[test]
fn a_new_key_that_its_shard_does_not_own_is_quarantined_as_misrouted() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let stream = tidemill_tests::Stream::default();
        stream.split(0);
        let shard = stream.open_shards().pop().expect("the upper half");
        let mut environment = handler(&store, &inbox).watching(&stream);
        let own = environment.hash_range(STREAM, &shard).await.expect("listed");
        // MD5("JFK") begins with e8, MD5("LGA") with 7e.
        assert_eq!((own.first >> 124, own.last), (8, u128::MAX));
        let flights = [Flight::new("LGA", 1, 1), Flight::new("JFK", 1, 1), Flight::new("LGA", 9 * HOUR, 1)];
        let all = records(&flights);
        for attempt in 0..2 {
            let work = Work::Records(&all);
            let done = environment.handle(STREAM, &shard, work, Deadline::NONE).await.expect("done");
            assert_eq!((done.taken, done.quarantined), if attempt == 0 { (3, 2) } else { (0, 0) });
        }
        assert_eq!(environment.hash_range(STREAM, &shard).await, Some(own), "also by the journal");
        let received = inbox.received();
        let entry = &received.events["quarantine"][0];
        assert_eq!(entry["reason"], "misrouted");
        let message = entry["message"].as_str().expect("a text");
        assert!(message.contains("ExplicitHashKey") && message.contains("\"LGA\""), "{message}");
        assert_eq!(received.events.get("departures"), None, "the second LGA at 9 o'clock closes nothing");
    });
}

#[test]
fn a_key_that_a_shard_has_goes_on_there_although_it_is_not_its_own() {
    let mut state = departures().expect("sound").empty_state().expect("keyed");
    let flights = [Flight::new("LGA", 0, 1), Flight::new("LGA", 1, 1), Flight::new("EWR", 1, 1)];
    let all = records(&flights);
    let (progress, caps) = (tidemill_core::Progress::start(), tidemill_core::Caps::default());
    // Earlier code did not look.
    let step = state.step(&progress, &all[..1], caps);
    state.changes().expect("encoded");
    state.install();
    // Both lie in the lower half.
    state.own(tidemill_core::HashRange { first: 1 << 127, last: u128::MAX });
    let step = state.step(&step.progress, &all[1..], caps);
    assert_eq!((step.taken, step.outputs.len()), (2, 1));
}

#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
struct Before {
    flights: u64,
}

/// With a field more, which earlier state lacks and earlier code passes over.
#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
struct Compatible {
    flights: u64,
    #[serde(default)]
    delayed: u64,
}

#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
struct Incompatible {
    flights: u64,
    delayed: u64,
}

/// One pipeline, whose accumulator is of this type.
fn accumulating<S>(add: fn(&mut S)) -> Pipeline
where
    S: Clone + Default + serde::Serialize + serde::de::DeserializeOwned + Send + Sync + 'static,
{
    Pipeline::named("departures")
        .source(Json::<Value>::new())
        .event_time(|event| event["departed_at"].as_i64(), OutOfOrder::at_most(Duration::ZERO))
        .key_by(|event| event["origin"].as_str().map(str::to_owned).ok_or("no origin"))
        .window(Tumbling::every(Duration::from_hours(1)))
        .aggregate(|over| {
            over.fold(S::default(), move |mut state, _| {
                add(&mut state);
                state
            })
        })
        .emit(|_, state| state)
        .to(Kinesis::stream("departures"))
        .build()
        .expect("sound")
}

#[test]
fn a_deploy_and_a_rollback_leave_no_shard_wedged() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let limits = Limits { ring: Ring::of(3).expect("a ring"), ..Limits::default() };
        let before = || accumulating::<Before>(|state| state.flights += 1);
        let after = || {
            accumulating::<Compatible>(|state| {
                state.flights += 1;
                state.delayed += 1;
            })
        };
        // Both warm, as while a deploy goes on, and each new again in turn, as after a rollback.
        let mut warm = [handler_of(before(), &store, &inbox, limits), handler_of(after(), &store, &inbox, limits)];
        let flights: Vec<_> = (0..12).map(|number| Flight::new("JFK", number, 1)).collect();
        let all = records(&flights);
        for (number, batch) in all.chunks(1).enumerate() {
            let cold = if number % 2 == 0 { before() } else { after() };
            match number % 4 {
                0 | 1 => take(&mut warm[number % 2], batch).await.expect("done"),
                _ => take(&mut handler_of(cold, &store, &inbox, limits), batch).await.expect("done"),
            };
        }
        drain(&mut warm[0]).await;
        assert_eq!(flights_counted(&inbox), 12);
    });
}

#[test]
fn state_that_the_code_cannot_read_is_refused_with_the_field_and_what_to_do() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let limits = Limits::default();
        let mut before = handler_of(accumulating::<Before>(|state| state.flights += 1), &store, &inbox, limits);
        let flights: Vec<_> = (0..3).map(|number| Flight::new("JFK", number, 1)).collect();
        let all = records(&flights);
        take(&mut before, &all[..1]).await.expect("done");
        let after = accumulating::<Incompatible>(|state| state.delayed += 1);
        let mut after = handler_of(after, &store, &inbox, limits);
        for _ in 0..2 {
            let refused = take(&mut after, &all[..2]).await.expect_err("refused").to_string();
            assert!(refused.contains("missing field `delayed`") && refused.contains("#[serde(default)]"), "{refused}");
        }
        take(&mut before, &all).await.expect("nothing was overwritten: the rollback goes on");
        drain(&mut before).await;
        assert_eq!(flights_counted(&inbox), 3);
    });
}

/// Counts flights: version 1 as they are, 2 in tenths, 3 in tenths and beside them how many it saw itself. What is stored
/// looks alike in 1 and 2.
fn counting(version: u32, hours: u64, from: &[u32]) -> Result<Pipeline, PipelineError> {
    let from = |version| from.contains(&version);
    let windowed = Pipeline::named("departures")
        .source(Json::<Value>::new())
        .event_time(|event| event["departed_at"].as_i64(), OutOfOrder::at_most(Duration::ZERO))
        .key_by(|event| event["origin"].as_str().map(str::to_owned).ok_or("no origin"))
        .window(Tumbling::every(Duration::from_hours(hours)));
    let results = match version {
        1 => windowed.aggregate(|over| over.count()).emit(|_, flights| flights),
        2 => {
            let mut tenths = windowed.aggregate(|over| over.fold(0_u64, |tenths, _| tenths + 10));
            if from(1) {
                tenths = tenths.migrate_from(1, |flights: u64| flights * 10);
            }
            tenths.emit(|_, tenths| tenths / 10)
        }
        _ => {
            let mut both = windowed.aggregate(|over| (over.fold(0_u64, |tenths, _| tenths + 10), over.count()));
            if from(1) {
                both = both.migrate_from(1, |flights: u64| (flights * 10, 0));
            }
            if from(2) {
                both = both.migrate_from(2, |tenths: u64| (tenths, 0));
            }
            both.emit(|_, (tenths, _)| tenths / 10)
        }
    };
    results
        .map(|flights| serde_json::json!({ "flights": flights }))
        .to(Kinesis::stream("departures"))
        .version(version)
        .build()
}

/// A new process of a version that migrates from others.
async fn take_as(
    (version, from): (u32, &[u32]),
    (store, inbox): (&FaultyStore, &Inbox),
    records: &[Record<'_>],
) -> Result<Done, Error> {
    let limits = Limits { ring: Ring::of(4).expect("a ring"), ..Limits::default() };
    take(&mut handler_of(counting(version, 1, from).expect("sound"), store, inbox, limits), records).await
}

#[test]
fn windows_of_earlier_versions_go_on_wherever_the_deploy_comes() {
    run(async {
        const KEYS: [&str; 3] = ["JFK", "LGA", "EWR"];
        let flights: Vec<_> = (0..30).map(|number| Flight::new(KEYS[number as usize % 3], number, 1)).collect();
        let all = records(&flights);
        for second in 0..10 {
            for third in second..10 {
                let (store, inbox) = (FaultyStore::default(), Inbox::default());
                // Each batch is of one key: cells of the others stay as the version before wrote them.
                for (number, batch) in all.chunks(1).take(10).enumerate() {
                    let code: (u32, &[u32]) = match number {
                        number if number < second => (1, &[]),
                        number if number < third => (2, &[1]),
                        _ => (3, &[1, 2]),
                    };
                    take_as(code, (&store, &inbox), batch).await.expect("done");
                }
                let last = counting(3, 1, &[1, 2]).expect("sound");
                drain(&mut handler_of(last, &store, &inbox, Limits::default())).await;
                assert_eq!(flights_counted(&inbox), 10, "deployed at {second} and {third}");
            }
        }
    });
}

#[test]
fn what_a_version_cannot_read_it_refuses_and_leaves_as_it_is() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let flights: Vec<_> = ["JFK", "LGA", "JFK", "LGA", "JFK"].map(|key| Flight::new(key, 0, 1)).into();
        let all = records(&flights);
        let limits = Limits::default();
        let mut old = handler_of(counting(1, 1, &[]).expect("sound"), &store, &inbox, limits);
        take(&mut old, &all[..1]).await.expect("done");
        let refused =
            async |code, batch| take_as(code, (&store, &inbox), batch).await.expect_err("refused").to_string();

        let text = refused((2, &[]), &all[1..2]).await;
        assert!(text.contains("version: stored \"1\", now \"2\"") && text.contains("migrate_from"), "{text}");
        let other = counting(2, 2, &[1]).expect("sound");
        let text =
            take(&mut handler_of(other, &store, &inbox, limits), &all[1..2]).await.expect_err("refused").to_string();
        assert!(text.contains("window: stored"), "{text}");

        take_as((2, &[1]), (&store, &inbox), &all[1..2]).await.expect("goes on");
        // Of the version before: one that was warm, and one after a rollback.
        let text = take(&mut old, &all[2..3]).await.expect_err("refused").to_string();
        assert!(text.contains("written by version 2") && text.contains("the code is version 1"), "{text}");
        for _ in 0..2 {
            let text = refused((1, &[]), &all[2..3]).await;
            assert!(text.contains("version: stored \"2\", now \"1\""), "{text}");
        }
        // JFK's window is still of version 1.
        let text = refused((3, &[2]), &all[2..3]).await;
        assert!(text.contains("written by version 1") && text.contains("the code is version 3"), "{text}");

        take_as((2, &[1]), (&store, &inbox), &all[2..4]).await.expect("nothing was overwritten");
        take_as((3, &[1, 2]), (&store, &inbox), &all[4..]).await.expect("goes on");
        drain(&mut handler_of(counting(3, 1, &[1, 2]).expect("sound"), &store, &inbox, limits)).await;
        assert_eq!(flights_counted(&inbox), 5);
    });
}

#[test]
fn a_migration_that_panics_is_refused() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let flights = [Flight::new("JFK", 0, 1), Flight::new("JFK", 1, 1)];
        let all = records(&flights);
        take_as((1, &[]), (&store, &inbox), &all[..1]).await.expect("done");
        let limits = Limits::default();
        let pipeline = Pipeline::named("departures")
            .source(Json::<Value>::new())
            .event_time(|event| event["departed_at"].as_i64(), OutOfOrder::at_most(Duration::ZERO))
            .key_by(|event| event["origin"].as_str().map(str::to_owned).ok_or("no origin"))
            .window(Tumbling::every(Duration::from_hours(1)))
            .aggregate(|over| over.count())
            .migrate_from(1, |flights: u64| flights.checked_sub(7).expect("seven at least"))
            .emit(|_, flights| flights)
            .to(Kinesis::stream("departures"))
            .version(2)
            .build()
            .expect("sound");
        let text =
            take(&mut handler_of(pipeline, &store, &inbox, limits), &all).await.expect_err("refused").to_string();
        assert!(text.contains("the migration panicked: seven at least"), "{text}");
        take_as((1, &[]), (&store, &inbox), &all).await.expect("nothing was overwritten");
    });
}

#[test]
fn migrations_that_make_no_sense_are_mistakes_of_the_pipeline() {
    let text = counting(2, 1, &[1]).expect("sound").to_string();
    assert!(text.contains("version 2"), "{text}");
    let windowed = || {
        Pipeline::named("departures")
            .source(Json::<Value>::new())
            .event_time(|event| event["departed_at"].as_i64(), OutOfOrder::at_most(Duration::ZERO))
            .key_by(|event| event["origin"].as_str().map(str::to_owned).ok_or("no origin"))
            .window(Tumbling::every(Duration::from_hours(1)))
            .aggregate(|over| over.count())
            .migrate_from(1, |flights: u64| flights)
    };
    let forgotten = windowed().emit(|_, flights| flights).to(Kinesis::stream("departures")).build();
    let text = forgotten.expect_err("refused").to_string();
    assert!(text.contains("state of version 1 is migrated, and the pipeline is of version 1"), "{text}");
    let twice = windowed().migrate_from(1, |flights: u64| flights).emit(|_, flights| flights);
    let text = twice.to(Kinesis::stream("departures")).version(2).build().expect_err("refused").to_string();
    assert!(text.contains("state of version 1 is migrated twice"), "{text}");
}

fn journal() -> JournalId {
    JournalId { pipeline: "departures".to_owned(), stream: STREAM.to_owned(), shard: SHARD.to_owned() }
}
