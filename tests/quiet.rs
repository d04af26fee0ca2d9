//! Ticks over shards that have gone quiet: what they read, whom they follow, and that none is silenced for good.

use std::time::Duration;

use serde_json::Value;
use tidemill::handler::{Handler, Limits, ShardInfo, Source, Ticked, Work};
use tidemill::{Error, EventTime, Json, Kinesis, OutOfOrder, Pipeline, Tumbling};
use tidemill_core::{HashRange, SequenceNumber};
use tidemill_journal::{Deadline, Incarnation, JournalId, Mark, MemoryStore, Sink, Store};
use tidemill_tests::{FaultyStore, Flight, Inbox, Metered, STREAM, records};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// Shards without parents, in which no record waits.
struct Shards(usize);

fn id(shard: usize) -> String {
    format!("shardId-{shard:012}")
}

impl Source for Shards {
    async fn next_after(&self, _: &str, _: &str, _: Option<&SequenceNumber>) -> Result<Option<SequenceNumber>, String> {
        Ok(None)
    }

    async fn shards(&self, _: &str) -> Result<Vec<ShardInfo>, String> {
        let info = |shard| ShardInfo {
            shard: id(shard),
            parents: Vec::new(),
            hash_range: HashRange::ALL,
            starting_sequence: SequenceNumber::parse("0").expect("a number"),
            is_closed: false,
        };
        Ok((0..self.0).map(info).collect())
    }

    async fn shard(&self, stream: &str, shard: &str) -> Result<Option<ShardInfo>, String> {
        Ok(self.shards(stream).await?.into_iter().find(|info| info.shard == shard))
    }
}

/// Counts an airport's flights by windows of three hours, a shard being quiet after ten minutes.
fn counts() -> Pipeline {
    Pipeline::named("counts")
        .source(Json::<Value>::new())
        .event_time(
            |event| event["departed_at"].as_i64(),
            OutOfOrder::at_most(Duration::from_hours(1)).idle_after(Duration::from_mins(10)),
        )
        .key_by(|event| event["origin"].as_str().map(str::to_owned).ok_or("no origin"))
        .window(Tumbling::every(Duration::from_hours(3)))
        .aggregate(|over| over.count())
        .emit(|pane, flights| (pane.key, flights))
        .to(Kinesis::stream("out"))
        .build()
        .expect("sound")
}

fn handler<S: Store, K: Sink>(store: S, sink: K, shards: usize) -> Handler<S, K, Shards> {
    Handler::new(counts(), store, sink, Limits::default(), Box::new(|| Incarnation(1))).watching(Shards(shards))
}

fn journal(shard: usize) -> JournalId {
    JournalId { pipeline: "counts".to_owned(), stream: STREAM.to_owned(), shard: id(shard) }
}

fn at(minutes: i64) -> EventTime {
    EventTime::from_millis(minutes * MINUTE)
}

/// Takes the `number`-th of these flights, each of which arrived when it departed.
async fn take<S: Store, K: Sink>(
    handler: &mut Handler<S, K, Shards>,
    shard: usize,
    flights: &[Flight],
    numbers: std::ops::Range<usize>,
) -> Result<(), Error> {
    let mut all = records(flights);
    for record in &mut all {
        let event: Value = serde_json::from_slice(record.payload).expect("JSON");
        record.arrival = EventTime::from_millis(event["departed_at"].as_i64().expect("a time"));
    }
    handler.handle(STREAM, &id(shard), Work::Records(&all[numbers]), Deadline::NONE).await.map(drop)
}

async fn tick<S: Store, K: Sink>(handler: &mut Handler<S, K, Shards>, minutes: i64) -> Ticked {
    handler.tick(STREAM, at(minutes), Deadline::NONE).await.expect("ticks")
}

/// The first tick from `minutes` on at which the mark of shard 0 counts.
async fn passed<S: Store, K: Sink>(handler: &mut Handler<S, K, Shards>, minutes: i64) -> Option<i64> {
    for minute in minutes..minutes + 100 {
        if tick(handler, minute).await.passed > 0 {
            return Some(minute);
        }
    }
    None
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(future);
}

#[test]
fn a_quiet_shard_costs_a_tick_one_small_read() {
    run(async {
        let (shards, inbox) = (64, Inbox::default());
        let store = Metered::over(MemoryStore::new());
        let mut environment = handler(&store, &inbox, shards);
        for shard in 0..shards {
            take(&mut environment, shard, &[Flight::new("JFK", 0, 1)], 0..1).await.expect("done");
        }
        // The window ends at 180 minutes, which ticks let pass at 250.
        let before = store.usage();
        let (mut passed, ticks) = (0, 40);
        for minute in 21..21 + ticks {
            passed += tick(&mut environment, minute).await.passed;
        }
        let (looks, reads) = (shards * 40, store.usage().reads - before.reads);
        assert!(passed > looks * 9 / 10 && passed < looks, "{passed} of {looks}");
        assert_eq!(reads, looks + 3 * (looks - passed), "one a mark; record 1, catching up, the last record");
        assert!(store.usage().writes <= before.writes + shards, "a mark is raised once");
        let fired = tick(&mut environment, 250).await;
        assert_eq!((fired.passed, fired.moved, fired.outputs), (0, shards, shards), "all are due");
        assert!(tick(&mut environment, 251).await.passed > shards / 2, "and then nothing is any more");
    });
}

#[test]
fn what_becomes_due_earlier_is_in_the_mark_before_it_is_in_the_journal() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let mut ticking = handler(&store, &inbox, 1);
        let flights = [240, 750, 702]
            .into_iter()
            .zip(["JFK", "JFK", "LGA"])
            .map(|(minute, key)| Flight::new(key, minute * MINUTE, 1));
        let flights: Vec<Flight> = flights.collect();
        take(&mut ticking, 0, &flights, 0..2).await.expect("done");
        let due = async || store.items().read_mark(&journal(0)).await.expect("read").expect("a mark");
        assert!(passed(&mut ticking, 765).await.is_some());
        let told = due().await;
        assert_eq!(told.due, Some(at(15 * 60)));
        // Another environment takes a record that opens the window before that one, and dies before it is committed.
        let mut other = handler(&store, &inbox, 1);
        store.fail_next(tidemill_tests::Fault::LostRequest);
        let taken = tokio::time::timeout(Duration::from_millis(10), take(&mut other, 0, &flights, 0..3)).await;
        assert!(taken.is_err(), "it waits to put again: {taken:?}");
        assert_eq!(due().await, Mark { number: 2, due: Some(at(12 * 60)), ..told });
    });
}

#[test]
fn a_tick_on_a_cached_view_sends_what_another_environment_left_unsent() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let flights = [Flight::new("JFK", 0, 1), Flight::new("LGA", 0, 1), Flight::new("JFK", 5 * HOUR, 1)];
        let mut ticking = handler(&store, &inbox, 1);
        take(&mut ticking, 0, &flights, 0..2).await.expect("done");
        // The results of the first window are committed, one is not sent, and the batch does not come again.
        inbox.fail_next(1);
        take(&mut handler(&store, &inbox, 1), 0, &flights, 2..3).await.expect_err("the sink is throttled");
        assert_eq!(inbox.received().events["out"].len(), 1);
        let ticked = tick(&mut ticking, 5 * 60 + 1).await;
        assert_eq!((ticked.passed, ticked.moved), (0, 0), "nothing is due");
        assert_eq!(inbox.received().events["out"].len(), 2);
    });
}

#[test]
fn a_mark_that_says_too_late_silences_no_shard_for_good() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let mut environment = handler(&store, &inbox, 1);
        take(&mut environment, 0, &[Flight::new("JFK", 0, 1)], 0..1).await.expect("done");
        // As a process of another life might write it, or one of earlier code.
        for mark in [
            Mark { incarnation: Incarnation(9), number: 7, due: Some(Mark::NEVER) },
            Mark { incarnation: Incarnation(1), number: 7, due: Some(Mark::NEVER) },
        ] {
            store.items().write_mark(&journal(0), &mark).await.expect("written");
        }
        let mut ticks = 0;
        while tick(&mut environment, 250 + ticks).await.moved == 0 {
            ticks += 1;
            assert!(ticks < 200, "it is read now and then");
        }
        assert!(ticks > 0, "the mark counted");
        assert_eq!(inbox.received().events["out"].len(), 1);
    });
}

#[test]
fn a_mark_without_a_due_time_says_nothing() {
    run(async {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let mut environment = handler(&store, &inbox, 1);
        take(&mut environment, 0, &[Flight::new("JFK", 0, 1)], 0..1).await.expect("done");
        let mark = Mark { incarnation: Incarnation(1), number: 2, due: None };
        store.items().write_mark(&journal(0), &mark).await.expect("written");
        for minute in 20..120 {
            assert_eq!(tick(&mut environment, minute).await.passed, 0);
        }
        assert_eq!(tick(&mut environment, 250).await.moved, 1);
        assert!(passed(&mut environment, 251).await.is_some(), "the next commit's mark says so again");
    });
}
