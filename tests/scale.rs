//! A large state: what a batch costs, and that no invocation stalls. Slow, so run it by hand:
//! `cargo test --test scale -- --ignored --nocapture`

use std::time::{Duration, Instant};

use serde_json::json;
use tidemill::handler::{Handler, Limits, Work};
use tidemill::{Json, Kinesis, OutOfOrder, Pipeline, Tumbling};
use tidemill_core::{EventTime, Position, Record, SequenceNumber};
use tidemill_journal::{Deadline, Incarnation, MemoryStore};
use tidemill_tests::{Inbox, Metered, Usage};

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
                position: Position { sequence, sub_sequence: 0 },
                partition_key: page,
                arrival: EventTime::from_millis(1_000_000),
                payload,
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
    median: Duration,
    longest: Duration,
    load: Duration,
}

async fn measure(keys: u64) -> Measured {
    let (store, inbox) = (Metered::over(MemoryStore::new()), Inbox::default());
    let new = || Handler::new(pipeline(), &store, &inbox, Limits::default(), Box::new(|| Incarnation(1)));
    let mut handler = new();
    let mut clicks = Clicks { keys, sequence: 0, random: 1 };
    let mut next = 0;
    while next < keys {
        let batch = clicks.batch(|_| {
            next += 1;
            (next - 1) % keys
        });
        let records = clicks.records(&batch);
        handler.handle(STREAM, SHARD, Work::Records(&records), Deadline::NONE).await.expect("done");
    }
    let before = store.usage();
    let mut times = Vec::with_capacity(BATCHES);
    for _ in 0..BATCHES {
        let batch = clicks.batch(Clicks::draw);
        let records = clicks.records(&batch);
        let started = Instant::now();
        handler.handle(STREAM, SHARD, Work::Records(&records), Deadline::NONE).await.expect("done");
        times.push(started.elapsed());
    }
    let Usage { slot_units, part_units, .. } = store.usage().since(before);
    times.sort();
    let started = Instant::now();
    let batch = clicks.batch(Clicks::draw);
    let records = clicks.records(&batch);
    new().handle(STREAM, SHARD, Work::Records(&records), Deadline::NONE).await.expect("done");
    Measured {
        keys,
        per_batch: (slot_units + part_units) as f64 / BATCHES as f64,
        parts_per_batch: part_units as f64 / BATCHES as f64,
        median: times[BATCHES / 2],
        longest: times[BATCHES - 1],
        load: started.elapsed(),
    }
}

#[test]
#[ignore = "takes minutes"]
fn no_invocation_stalls_however_large_the_state() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    println!("  live keys   write units a batch   of it parts   median   longest   cold load");
    for keys in [50, 10_000, 1_000_000] {
        let m = runtime.block_on(measure(keys));
        println!(
            "{:>11} {:>21.1} {:>13.1} {:>6.1} ms {:>6.1} ms {:>8.0} ms",
            m.keys,
            m.per_batch,
            m.parts_per_batch,
            m.median.as_secs_f64() * 1e3,
            m.longest.as_secs_f64() * 1e3,
            m.load.as_secs_f64() * 1e3,
        );
    }
}
