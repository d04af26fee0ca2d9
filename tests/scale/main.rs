//! A large state: what a batch costs, and that no invocation stalls. Slow, so run it by hand:
//! `cargo test --test scale -- --ignored --nocapture`, or with `KEYS=10000` for one row.

mod trace;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tidemill::handler::{Handler, Limits, Work};
use tidemill::{Json, Kinesis, OutOfOrder, Pipeline, Tumbling};
use tidemill_core::{EventTime, Position, Record, SequenceNumber};
use tidemill_journal::{Deadline, Incarnation, JournalId, MemoryStore, PartName, Record as Commit, Ring, Store};
use tracing_subscriber::layer::SubscriberExt;

use tidemill_tests::{Inbox, Metered, Usage};
use trace::{Clock, Invocation, Parts, cpu_time, phases};

const STREAM: &str = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks";
const SHARD: &str = "shardId-000000000000";
const BATCH: usize = 500;
/// Batches measured, behind those that fill the state: more than the ring holds, so that every part takes its turn.
const BATCHES: usize = 1_500;

#[derive(serde::Deserialize)]
struct Click {
    page: String,
    at: i64,
    weight: i64,
}

/// One window that never closes.
fn pipeline() -> Pipeline {
    let pipeline = Pipeline::named("clicks")
        .source(Json::<Click>::new())
        .event_time(|click| click.at, OutOfOrder::at_most(Duration::from_secs(5)))
        .key_by(|click| click.page.clone())
        .window(Tumbling::every(Duration::from_hours(10_000)))
        .aggregate(|over| (over.count(), over.sum(|click| click.weight), over.max(|click| click.weight)))
        .emit(|pane, totals| (pane.key, totals))
        .to(Kinesis::stream("totals"))
        .build();
    pipeline.expect("the pipeline is sound")
}

struct Clicks {
    keys: u64,
    sequence: u64,
    random: u64,
}

impl Clicks {
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % self.keys
    }

    /// A batch on the given keys, or on random ones.
    fn batch(&mut self, mut keys: impl FnMut(&mut Self) -> u64) -> Vec<(String, Vec<u8>)> {
        let mut click = |clicks: &mut Self| {
            let page = format!("/a/page/of/some/length/{:012}", keys(clicks));
            let payload = json!({"page": page, "at": 1_000_000 + clicks.draw() % 1_000, "weight": clicks.draw()});
            (page, payload.to_string().into_bytes())
        };
        (0..BATCH).map(|_| click(self)).collect()
    }

    fn records<'r>(&mut self, batch: &'r [(String, Vec<u8>)]) -> Vec<Record<'r>> {
        let record = |(page, payload): &'r (String, Vec<u8>)| {
            self.sequence += 1;
            let sequence = SequenceNumber::parse(&self.sequence.to_string()).expect("digits");
            Record {
                shard: "shardId-000000000000",
                position: Position { sequence, sub_sequence: 0 },
                partition_key: page,
                arrival: EventTime::from_millis(1_000_000),
                payload,
                enriched: None,
            }
        };
        batch.iter().map(record).collect()
    }
}

/// What batches on random keys cost once so many keys are live.
struct Measured {
    keys: u64,
    per_batch: f64,
    parts_per_batch: f64,
    /// By how long they took.
    invocations: Vec<Invocation>,
    load: Duration,
}

/// The commits of the one journal, as they are written.
struct Commits<'s> {
    store: &'s Metered,
    journal: JournalId,
    number: u64,
    parts: BTreeMap<u64, PartName>,
}

impl<'s> Commits<'s> {
    fn of(store: &'s Metered) -> Self {
        let journal = JournalId { pipeline: "clicks".into(), stream: STREAM.into(), shard: SHARD.into() };
        Self { store, journal, number: 0, parts: BTreeMap::new() }
    }

    /// What was committed since this was last asked.
    async fn follow(&mut self) -> (usize, Parts) {
        let (mut commits, mut parts) = (0, Parts::default());
        let ring = Ring::of(1_024).expect("a ring");
        loop {
            let item = self.store.read_slot(&self.journal, ring.slot(self.number + 1)).await.expect("answers");
            let Some(item) = item.filter(|item| item.number == self.number + 1) else { return (commits, parts) };
            self.number += 1;
            commits += 1;
            parts.take(&Commit::decode(&item.body).expect("a record"), &mut self.parts);
        }
    }
}

async fn measure(keys: u64) -> Measured {
    let (store, inbox) = (Metered::over(MemoryStore::new()), Inbox::default());
    let new = || Handler::new(pipeline(), &store, &inbox, Limits::default(), Box::new(|| Incarnation(1)));
    let mut handler = new();
    let mut clicks = Clicks { keys, sequence: 0, random: 1 };
    let mut commits = Commits::of(&store);
    let mut next = 0;
    while next < keys {
        let batch = clicks.batch(|_| {
            next += 1;
            (next - 1) % keys
        });
        let records = clicks.records(&batch);
        handler.handle(STREAM, SHARD, Work::Records(&records), Deadline::NONE).await.expect("done");
        commits.follow().await;
    }
    let before = store.usage();
    let mut invocations = Vec::with_capacity(BATCHES);
    for at in 0..BATCHES {
        let batch = clicks.batch(Clicks::draw);
        let records = clicks.records(&batch);
        let (used, _) = (store.usage(), phases());
        let started = cpu_time();
        handler.handle(STREAM, SHARD, Work::Records(&records), Deadline::NONE).await.expect("done");
        let (time, phases) = (cpu_time() - started, phases());
        let Usage { slot_units, part_units, .. } = store.usage().since(used);
        let (commits, parts) = commits.follow().await;
        invocations.push(Invocation { at, time, phases, commits, slot_units, part_units, parts });
    }
    let Usage { slot_units, part_units, .. } = store.usage().since(before);
    invocations.sort_by_key(|invocation| invocation.time);
    let started = cpu_time();
    let batch = clicks.batch(Clicks::draw);
    let records = clicks.records(&batch);
    new().handle(STREAM, SHARD, Work::Records(&records), Deadline::NONE).await.expect("done");
    Measured {
        keys,
        per_batch: (slot_units + part_units) as f64 / BATCHES as f64,
        parts_per_batch: part_units as f64 / BATCHES as f64,
        invocations,
        load: cpu_time() - started,
    }
}

#[test]
#[ignore = "takes minutes"]
fn no_invocation_stalls_however_large_the_state() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    println!("  live keys   write units a batch   of it parts   median   1 in 100   longest   cold load");
    let only = std::env::var("KEYS").ok().and_then(|keys| keys.parse().ok());
    for keys in [50, 10_000, 1_000_000].into_iter().filter(|keys| only.is_none_or(|only: u64| only == *keys)) {
        let clocked = tracing_subscriber::registry().with(Clock);
        let m = tracing::subscriber::with_default(clocked, || runtime.block_on(measure(keys)));
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let [median, hundredth, longest] =
            [BATCHES / 2, BATCHES - BATCHES / 100, BATCHES - 1].map(|at| ms(m.invocations[at].time));
        println!(
            "{:>11} {:>21.1} {:>13.1} {median:>5.1} ms {hundredth:>7.1} ms {longest:>6.1} ms {:>8.0} ms",
            m.keys,
            m.per_batch,
            m.parts_per_batch,
            ms(m.load),
        );
        m.invocations[BATCHES / 2..].iter().take(1).for_each(|median| println!("  median: {median}"));
        m.invocations.iter().rev().take(3).for_each(|long| println!("          {long}"));
    }
}

/// Shards that Lambda moves about: environments take batches at random, as many at once as there are shards is not needed
/// for what is counted here.
struct Moved {
    usage: Usage,
    /// How often a journal was read from nothing, the first time of each environment apart.
    loads: usize,
    batches: usize,
    repeats: usize,
    totals: Vec<String>,
}

const SHARD_KEYS: u64 = 1_000;

/// Which environment takes a shard's next batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Any.
    Random,
    /// The one that the shard has had all along.
    Sticky,
}

async fn move_about(shards: usize, environments: usize, way: Way, rounds: usize) -> Moved {
    let (store, inbox) = (Metered::over(MemoryStore::new()), Inbox::default());
    let new = || Handler::new(pipeline(), &store, &inbox, Limits::default(), Box::new(|| Incarnation(1)));
    let mut processes: Vec<_> = (0..environments).map(|_| new()).collect();
    let mut sources: Vec<_> = (0..shards).map(|_| Clicks { keys: SHARD_KEYS, sequence: 0, random: 1 }).collect();
    let mut random = Clicks { keys: u64::MAX >> 33, sequence: 0, random: 7 };
    let (mut before, mut loads) = (Usage::default(), 0);
    for round in 0..rounds + 10 {
        // The first rounds are the cold ones.
        if round == 10 {
            before = store.usage();
            loads = 0;
        }
        for (number, clicks) in sources.iter_mut().enumerate() {
            let batch = clicks.batch(|clicks| clicks.draw() + number as u64 * SHARD_KEYS);
            let records = clicks.records(&batch);
            let drawn = usize::try_from(random.draw()).expect("small") % environments;
            let process = &mut processes[if way == Way::Sticky { number % environments } else { drawn }];
            let shard = format!("shardId-{number:012}");
            let done = process.handle(STREAM, &shard, Work::Records(&records), Deadline::NONE).await.expect("done");
            loads += done.loads;
        }
    }
    let usage = store.usage().since(before);
    for number in 0..shards {
        let shard = format!("shardId-{number:012}");
        processes[0].handle(STREAM, &shard, Work::Drain, Deadline::NONE).await.expect("drained");
    }
    let received = inbox.received();
    Moved { usage, loads, batches: shards * rounds, repeats: received.repeats, totals: received.sorted("totals") }
}

impl Moved {
    fn tell(&self, shards: usize, environments: usize, way: Way) {
        let a_batch = |count: usize| count as f64 / self.batches as f64;
        println!(
            "| {shards} | {environments}, {way:?} | {:.2} | {:.2} | {:.2} | {} | {:.3} |",
            a_batch(self.usage.reads),
            a_batch(self.usage.writes),
            a_batch(self.usage.slot_units + self.usage.part_units),
            self.repeats,
            a_batch(self.loads),
        );
    }
}

const HEADER: &str = "| shards | environments | reads a batch | writes a batch | write units a batch | outputs sent again | full loads a batch |";

#[test]
#[ignore = "takes minutes"]
fn shards_that_move_between_environments_cost_a_query_more() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    println!("{HEADER}");
    for shards in [4, 32] {
        let run = |environments| runtime.block_on(move_about(shards, environments, Way::Random, 60));
        let alone = run(1);
        alone.tell(shards, 1, Way::Random);
        for environments in [3, 8] {
            let moved = run(environments);
            moved.tell(shards, environments, Way::Random);
            assert_eq!(moved.totals, alone.totals, "the same results");
        }
    }
}

/// Lambda has an environment for each shard whose batch is under way, and asks any of those at rest.
#[test]
#[ignore = "takes minutes"]
fn as_many_environments_as_shards_cost_units_by_batches_and_not_by_shards() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    println!("{HEADER}");
    for shards in [1, 4, 32, 100] {
        let run = |way| runtime.block_on(move_about(shards, shards, way, 20));
        let (sticky, random) = (run(Way::Sticky), run(Way::Random));
        sticky.tell(shards, shards, Way::Sticky);
        random.tell(shards, shards, Way::Random);
        assert_eq!(sticky.totals, random.totals, "the same results");
    }
}
