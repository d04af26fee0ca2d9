//! Shards that are split and merged: every record counts once, in the window and session that it belongs to, whoever
//! begins the child and whatever goes wrong on the way.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;
use tidemill::handler::{Handler, Limits, Work};
use tidemill::testing::Driver;
use tidemill::{Error, EventTime, Json, Kinesis, OutOfOrder, Pipeline, Session, Sliding};
use tidemill_journal::{Deadline, Incarnation, JournalId, LONGEST_LIFE, drop as drop_journal, sweep};
use tidemill_tests::{FaultyStore, Flight, Inbox, STREAM, Stream, of_batch};

const MINUTE: i64 = 60_000;

#[derive(serde::Deserialize)]
struct Flown {
    origin: String,
    departed_at: i64,
    delay_min: i64,
}

fn sessions() -> Pipeline {
    Pipeline::named("sessions")
        .source(Json::<Flown>::new())
        .event_time(|flight| flight.departed_at, out_of_order())
        .key_by(|flight| flight.origin.clone())
        .window(Session::gap(Duration::from_mins(7)))
        .aggregate(|over| (over.count(), over.collect(|flight| flight.delay_min)))
        .emit(|pane, (count, mut all)| {
            all.sort_unstable();
            (pane.key, pane.window.start, pane.window.end, count, all)
        })
        .to(Kinesis::stream("out"))
        .build()
        .expect("sound")
}

fn sliding() -> Pipeline {
    Pipeline::named("sliding")
        .source(Json::<Flown>::new())
        .event_time(|flight| flight.departed_at, out_of_order())
        .key_by(|flight| flight.origin.clone())
        .window(Sliding::of(Duration::from_mins(9), Duration::from_mins(3)))
        .aggregate(|over| (over.count(), over.sum(|flight| flight.delay_min)))
        .emit(|pane, (count, sum)| (pane.key, pane.window.start, pane.window.end, count, sum))
        .to(Kinesis::stream("out"))
        .build()
        .expect("sound")
}

/// More than records are ever out of order, so that nothing is late with any number of shards.
fn out_of_order() -> OutOfOrder {
    OutOfOrder::at_most(Duration::from_mins(21)).idle_after(Duration::from_mins(5))
}

/// What happens next.
#[derive(Clone, Debug)]
enum Event {
    /// Records arrive, at these minutes behind the clock.
    Put(Vec<(u8, u8)>),
    Split(usize),
    Merge(usize),
    /// A shard's next batch comes to an environment.
    Deliver {
        shard: usize,
        environment: usize,
        records: usize,
    },
    /// Its next sends fail.
    Fail(u32),
    /// An environment ends and another one begins.
    Renew(usize),
    /// The schedule fires.
    Tick(usize),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        5 => prop::collection::vec((any::<u8>(), 0..20_u8), 1..12).prop_map(Event::Put),
        1 => any::<usize>().prop_map(Event::Split),
        1 => any::<usize>().prop_map(Event::Merge),
        6 => (any::<usize>(), 0..3_usize, 1..15_usize)
            .prop_map(|(shard, environment, records)| Event::Deliver { shard, environment, records }),
        1 => (0..3_u32).prop_map(Event::Fail),
        1 => (0..3_usize).prop_map(Event::Renew),
        1 => (0..3_usize).prop_map(Event::Tick),
    ];
    prop::collection::vec(event, 20..90)
}

type Environment<'e> = Handler<&'e FaultyStore, &'e Inbox, &'e Stream>;

struct World<'e> {
    store: &'e FaultyStore,
    inbox: &'e Inbox,
    stream: &'e Stream,
    pipeline: fn() -> Pipeline,
    environments: Vec<Environment<'e>>,
    /// How many records of each shard are through.
    through: BTreeMap<String, usize>,
    lives: u64,
    clock: i64,
    put: Vec<Flight>,
}

impl<'e> World<'e> {
    fn new(pipeline: fn() -> Pipeline, store: &'e FaultyStore, inbox: &'e Inbox, stream: &'e Stream) -> Self {
        let mut world = Self {
            store,
            inbox,
            stream,
            pipeline,
            environments: Vec::new(),
            through: BTreeMap::new(),
            lives: 0,
            clock: 1_700_000_000_000,
            put: Vec::new(),
        };
        world.environments = (0..3).map(|_| world.environment()).collect();
        world
    }

    fn environment(&mut self) -> Environment<'e> {
        self.lives += 1;
        let life = self.lives;
        let ring = tidemill_journal::Ring::of(6).expect("a ring");
        let limits =
            Limits { ring, caps: tidemill_core::Caps { outputs: 3, ..Default::default() }, ..Limits::default() };
        let draw = Box::new(move || Incarnation(life * 1_000));
        Handler::new((self.pipeline)(), self.store, self.inbox, limits, draw).watching(self.stream)
    }

    fn put(&mut self, flights: &[(u8, u8)]) {
        for (key, behind) in flights {
            self.clock += MINUTE / 2;
            let at = self.clock - i64::from(*behind) * MINUTE;
            let number = i64::try_from(self.put.len()).expect("few");
            let flight = Flight::new(&format!("K{}", key % 7), at, number);
            self.stream.put(&flight.clone().into(), EventTime::from_millis(self.clock));
            self.put.push(flight);
        }
    }

    /// Shards whose ancestors are through, as the event source polls them.
    fn pollable(&self) -> Vec<String> {
        let mut through: BTreeMap<String, bool> = BTreeMap::new();
        let mut pollable = Vec::new();
        for info in self.stream.all() {
            let is_ready = info.parents.iter().all(|parent| through[parent]);
            let (length, is_open) = self.stream.length(&info.shard);
            let taken = self.through.get(&info.shard).copied().unwrap_or(0);
            through.insert(info.shard.clone(), is_ready && !is_open && taken == length);
            pollable.extend(is_ready.then_some(info.shard));
        }
        pollable
    }

    async fn deliver(&mut self, shard: usize, environment: usize, records: usize) -> Result<(), Error> {
        let pollable = self.pollable();
        let shard = &pollable[shard % pollable.len()];
        let first = self.through.get(shard).copied().unwrap_or(0);
        let batch = self.stream.batch(shard, first, records);
        if batch.is_empty() {
            return Ok(());
        }
        let work = of_batch(shard, &batch);
        let handled = self.environments[environment].handle(STREAM, shard, Work::Records(&work), Deadline::NONE).await;
        handled.map(|_| *self.through.entry(shard.clone()).or_default() += batch.len())
    }

    async fn happen(&mut self, event: &Event) {
        match event {
            Event::Put(flights) => self.put(flights),
            Event::Split(choice) => self.stream.split(*choice),
            Event::Merge(choice) => self.stream.merge(*choice),
            Event::Deliver { shard, environment, records } => drop(self.deliver(*shard, *environment, *records).await),
            Event::Fail(times) => self.inbox.fail_next(*times),
            Event::Renew(at) => self.environments[*at] = self.environment(),
            Event::Tick(at) => {
                let now = EventTime::from_millis(self.clock);
                // It may fail as anything else: the next one goes on.
                drop(self.environments[*at].tick(STREAM, now, Deadline::NONE).await);
            }
        }
    }

    /// Everything is delivered, then the open shards end.
    async fn finish(&mut self) {
        self.inbox.fail_next(0);
        loop {
            let pollable = self.pollable();
            let mut went_on = false;
            for at in 0..pollable.len() {
                let before = self.through.clone();
                self.deliver(at, at % 3, 10).await.expect("nothing fails any more");
                went_on |= before != self.through;
            }
            if !went_on {
                break;
            }
        }
        for shard in self.stream.open_shards() {
            self.environments[0].handle(STREAM, &shard, Work::Drain, Deadline::NONE).await.expect("drains");
        }
    }
}

fn check(pipeline: fn() -> Pipeline, events: &[Event]) -> Result<(), TestCaseError> {
    let (store, inbox, stream) = (FaultyStore::default(), Inbox::default(), Stream::default());
    let mut world = World::new(pipeline, &store, &inbox, &stream);
    let run = async {
        for event in events {
            world.happen(event).await;
        }
        world.finish().await;
    };
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(run);

    let mut single = Driver::new(pipeline());
    for flight in &world.put {
        single.push_raw(&flight.partition_key, &flight.payload);
    }
    single.drain();
    let mut expected: Vec<String> = single.results::<Value>().iter().map(Value::to_string).collect();
    expected.sort();
    let received = inbox.received();
    prop_assert_eq!(received.events.get("quarantine"), None);
    prop_assert_eq!(received.sorted("out"), expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sessions_go_on_in_the_children(events in events()) {
        check(sessions, &events)?;
    }

    #[test]
    fn slices_go_on_in_the_children(events in events()) {
        check(sliding, &events)?;
    }
}

#[test]
fn quiet_generations_are_begun_on_the_way() {
    let events = [
        Event::Put((0..40).map(|number| (number, 0)).collect()),
        Event::Split(0),
        Event::Split(0),
        Event::Merge(0),
        Event::Merge(0),
        Event::Put((0..40).map(|number| (number, 0)).collect()),
    ];
    check(sessions, &events).expect("the same");
}

#[test]
fn a_tick_in_a_warm_process_begins_no_child_of_a_dropped_journal_before_its_parents_are_through_again() {
    let (store, inbox, stream) = (FaultyStore::default(), Inbox::default(), Stream::default());
    let mut world = World::new(sessions, &store, &inbox, &stream);
    let run = async {
        for event in [
            Event::Put((0..8).map(|number| (number, 0)).collect()),
            Event::Split(0),
            Event::Deliver { shard: 0, environment: 0, records: 8 },
            Event::Tick(1),
        ] {
            world.happen(&event).await;
        }
        assert_eq!(world.through.values().sum::<usize>(), 8);
        // The state is dropped and the event source put back to its beginning.
        store.items().clear();
        world.through.clear();
        for event in [Event::Tick(1), Event::Renew(0), Event::Renew(1), Event::Renew(2)] {
            world.happen(&event).await;
        }
        world.finish().await;
    };
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(run);
}

#[test]
fn a_freed_parent_serves_what_comes_again_and_begins_no_child() {
    let (store, inbox, stream) = (FaultyStore::default(), Inbox::default(), Stream::default());
    let mut world = World::new(sessions, &store, &inbox, &stream);
    let run = async {
        let all = |shard| Event::Deliver { shard, environment: 0, records: 100 };
        let put = || Event::Put((0..40).map(|number| (number, 0)).collect());
        for event in [put(), all(0), Event::Split(0), put(), all(1), all(2)] {
            world.happen(&event).await;
        }
        let mut freed = 0;
        for day in 1..5 {
            let now = EventTime::from_millis(day * 25 * 60 * MINUTE);
            let swept = sweep(store.items(), |_| true, now, LONGEST_LIFE, false).await.expect("sweeps");
            freed += swept.freed.items;
        }
        assert!(freed > 1, "{freed}");
        // All of it again, to a warm environment and to a cold one.
        for environment in 0..2 {
            world.through.clear();
            world.happen(&Event::Deliver { shard: 0, environment, records: 100 }).await;
            assert_eq!(world.through.values().sum::<usize>(), 40);
        }
        world.finish().await;
        // Nobody drops a child alone; who did would lose what it held.
        let parent = &stream.all()[0].shard;
        let child = &stream.all()[1].shard;
        let journal = JournalId { pipeline: "sessions".into(), stream: STREAM.into(), shard: child.clone() };
        drop_journal(store.items(), &journal, None).await.expect("dropped");
        world.happen(&Event::Renew(0)).await;
        let batch = stream.batch(child, 0, 1);
        let work = of_batch(child, &batch);
        let refused = world.environments[0].handle(STREAM, child, Work::Records(&work), Deadline::NONE).await;
        let refused = refused.expect_err("there is nothing to begin with").to_string();
        assert!(refused.contains(parent) && refused.contains("freed by `state sweep` at 1970"), "{refused}");
    };
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(run);
    assert_eq!(inbox.received().events.get("quarantine"), None);
}
