//! What commits and loads cost, in CPU time: on a busy machine the clock tells of others. Slow, so run it by hand, optimised:
//! `cargo test --release -p tidemill-journal --test speed -- --ignored --nocapture --test-threads=1`

#[path = "support/draft.rs"]
mod draft;
#[path = "support/nowhere.rs"]
mod nowhere;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use draft::draft;
use nowhere::Nowhere;
use tidemill_core::{Change, Corrupt, PartRange, Reject, codec, part_hash};
use tidemill_journal::{
    Beginning, Committed, Deadline, Draft, Incarnation, JournalId, MemoryStore, Output, Ring, Schema, State, commit,
    flush, init, load,
};

/// As a pipeline keeps them: one open window of each key, decoded.
#[derive(Default)]
struct Windows(BTreeMap<(u64, String), (i64, i64, i64)>);

#[derive(serde::Serialize, serde::Deserialize)]
struct Cell {
    acc: (i64, i64, i64),
}

#[derive(serde::Serialize, serde::Deserialize)]
enum Slot {
    #[serde(rename = "w")]
    Window(i64, i64),
}

fn key(number: u64) -> String {
    format!("/a/page/of/some/length/{number:012}")
}

fn cell(key: &str, value: (i64, i64, i64)) -> Change {
    let encoded = |bytes: Result<Vec<u8>, Reject>| bytes.expect("encodes");
    Change {
        key: encoded(codec::encode(key)),
        slot: encoded(codec::encode(&Slot::Window(1_764_000_000_000, 1_800_000_000_000))),
        value: Some(encoded(codec::encode(&Cell { acc: value }))),
    }
}

impl State for Windows {
    fn restore(&mut self, change: &Change) -> Result<(), Corrupt> {
        let id = (part_hash(&change.key), codec::decode(&change.key)?);
        let _: Slot = codec::decode(&change.slot)?;
        match &change.value {
            Some(value) => self.0.insert(id, codec::decode::<Cell>(value)?.acc),
            None => self.0.remove(&id),
        };
        Ok(())
    }

    fn image(&self, range: &PartRange) -> Result<Vec<Change>, Reject> {
        let inside = self.0.range((range.first, String::new())..).take_while(|((hash, _), _)| *hash <= range.last);
        Ok(inside.map(|((_, key), value)| cell(key, *value)).collect())
    }

    fn bytes(&self) -> usize {
        self.0.len() * 79
    }
}

/// Numbers without an order.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn journal() -> JournalId {
    JournalId { pipeline: "clicks".to_owned(), stream: "arn:s".to_owned(), shard: "shardId-0".to_owned() }
}

fn with_output(changes: Vec<Change>) -> Draft {
    let output = Output { sink: "s".to_owned(), partition_key: "k".to_owned(), data: Bytes::from_static(b"{}") };
    Draft { outputs: vec![output], ..draft(changes) }
}

const A_BATCH: u64 = 500;
const BATCHES: u64 = 2_500;

/// What this thread has worked.
fn cpu() -> Duration {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Commits on random keys until every part has had its turn more than once, then a load.
async fn commits_and_load(keys: u64) {
    let (store, journal) = (MemoryStore::new(), journal());
    let schema =
        Schema { journal: journal.clone(), fingerprint: BTreeMap::new(), starting_sequence: None, hash_range: None };
    let ring = Ring::of(1024).expect("a ring");
    init(&store, &journal, Beginning::empty(Incarnation(1), ring, schema), &Windows::default()).await.expect("begins");
    let open = || Box::new(Windows::default());
    let (mut view, mut state) = load(&store, &journal, None, open).await.expect("loads").expect("is there");
    let (mut random, mut times, mut longest_filling) = (Random(1), Vec::new(), Duration::ZERO);
    let filling = keys.div_ceil(A_BATCH);
    for batch in 0..filling + BATCHES {
        let mut number = |index| if batch < filling { (batch * A_BATCH + index) % keys } else { random.below(keys) };
        let changes: Vec<Change> =
            (0..A_BATCH).map(|index| cell(&key(number(index)), (batch as i64, index as i64, 7))).collect();
        let draft = with_output(changes.clone());
        let started = cpu();
        let flushed = flush(&store, &Nowhere, &journal, &mut view, Deadline::NONE).await.expect("flushes");
        let committed = commit(&store, &journal, flushed, draft, state.as_ref(), Deadline::NONE).await;
        let spent = cpu() - started;
        if batch >= filling {
            times.push(spent)
        } else {
            longest_filling = longest_filling.max(spent)
        }
        assert_eq!(committed.expect("commits"), Committed::Done);
        changes.iter().for_each(|change| state.restore(change).expect("restores"));
    }
    times.sort();
    let at = |share: f64| ms(times[((times.len() - 1) as f64 * share) as usize]);
    let (parts, bytes) = view
        .parts()
        .filter_map(|part| part.image.as_ref())
        .fold((0, 0), |(parts, bytes), image| (parts + 1, bytes + u64::from(image.bytes)));
    let started = cpu();
    let behind = view.number() - view.parts().map(|part| part.as_of).min().expect("a part");
    let loaded = load(&store, &journal, None, open).await.expect("loads").expect("is there");
    let loading = ms(cpu() - started);
    assert_eq!(loaded.1.0, state.0, "I2");
    println!(
        "{keys:>9} keys  filling max {:.2} ms  commit: p50 {:.2} p90 {:.2} p99 {:.2} p99.9 {:.2} max {:.2} ms  {parts} parts, {bytes} bytes  \
         load {loading:.0} ms of {behind} records",
        ms(longest_filling),
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        at(1.0),
    );
}

#[test]
#[ignore = "takes minutes"]
fn commits_and_loads_of_states_of_any_size() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    for keys in [1_000, 100_000, 1_000_000] {
        runtime.block_on(commits_and_load(keys));
    }
}
