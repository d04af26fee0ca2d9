//! Sweeping orphans while holders lose puts, meet conflicts and are slow: nothing that is needed goes, all else does.

#[path = "support/cells.rs"]
mod cells;
#[path = "support/draft.rs"]
mod draft;
#[path = "support/nowhere.rs"]
mod nowhere;
#[path = "support/pass_on.rs"]
mod pass_on;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use cells::Cells;
use draft::draft;
use nowhere::Nowhere;
use pass_on::pass_on_marks_and_attempts;
use proptest::prelude::*;
use tidemill_core::{Change, EventTime};
use tidemill_journal::{
    Attempt, Beginning, Beside, CaughtUp, Committed, Deadline, Guard, Incarnation, JournalId, LONGEST_LIFE, Listed,
    Mark, MemoryStore, PartId, Put, Ring, Schema, SlotItem, State, Store, StoreError, Sweepable, Swept, View, catch_up,
    commit, flush, init, load, sweep,
};

fn cell(key: u8, value: Option<Vec<u8>>) -> Change {
    Change { key: vec![key], slot: Vec::new(), value }
}

/// What becomes of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Carried,
    Lost,
    /// It is under way until it is delivered.
    Slow,
}

/// A conditional write under way, since when, and what its commit changes.
struct UnderWay {
    slot: u32,
    item: SlotItem,
    guard: Guard,
    since: i64,
}

/// A store whose conditional writes have fates.
struct Fated {
    inner: MemoryStore,
    fate: Mutex<Fate>,
    under_way: Mutex<Vec<UnderWay>>,
    hour: Mutex<i64>,
    /// The image written last.
    written: Mutex<Option<(JournalId, PartId, Vec<Bytes>)>>,
    /// Whether that one is written again right behind a listing.
    writes_behind_listing: Mutex<bool>,
}

impl Sweepable for Fated {
    async fn list(&self) -> Result<Listed, StoreError> {
        let listed = self.inner.list().await;
        let written = self.written.lock().expect("lock").clone();
        if *self.writes_behind_listing.lock().expect("lock")
            && let Some((journal, id, chunks)) = written
        {
            self.inner.write_part(&journal, &id, &chunks).await?;
        }
        listed
    }

    async fn stamp(&self, item: &Beside, seen: EventTime) -> Result<(), StoreError> {
        self.inner.stamp(item, seen).await
    }

    async fn delete_beside(&self, item: &Beside) -> Result<bool, StoreError> {
        self.inner.delete_beside(item).await
    }
}

impl Store for Fated {
    async fn read_slot(&self, journal: &JournalId, slot: u32) -> Result<Option<SlotItem>, StoreError> {
        self.inner.read_slot(journal, slot).await
    }

    async fn read_slots(
        &self,
        journal: &JournalId,
        slots: RangeInclusive<u32>,
        limit: usize,
    ) -> Result<Vec<(u32, SlotItem)>, StoreError> {
        self.inner.read_slots(journal, slots, limit).await
    }

    async fn put_slot(&self, journal: &JournalId, slot: u32, item: &SlotItem, guard: Guard) -> Result<Put, StoreError> {
        let fate = *self.fate.lock().expect("lock");
        if fate == Fate::Carried {
            return self.inner.put_slot(journal, slot, item, guard).await;
        }
        if fate == Fate::Slow {
            let since = *self.hour.lock().expect("lock");
            self.under_way.lock().expect("lock").push(UnderWay { slot, item: item.clone(), guard, since });
        }
        // Not `Unavailable`, of which the writer would try three times.
        Err(StoreError::Refused { what: "a put".to_owned(), why: "its writer is gone".to_owned() })
    }

    pass_on_marks_and_attempts!();

    async fn write_part(&self, journal: &JournalId, id: &PartId, chunks: &[Bytes]) -> Result<(), StoreError> {
        *self.written.lock().expect("lock") = Some((journal.clone(), id.clone(), chunks.to_vec()));
        self.inner.write_part(journal, id, chunks).await
    }

    async fn read_part(&self, journal: &JournalId, id: &PartId) -> Result<Option<Vec<Bytes>>, StoreError> {
        self.inner.read_part(journal, id).await
    }

    async fn delete_part(&self, journal: &JournalId, id: &PartId) -> Result<(), StoreError> {
        self.inner.delete_part(journal, id).await
    }
}

struct Holder {
    view: View,
    state: Box<Cells>,
}

struct Bench {
    store: Fated,
    journal: JournalId,
    ring: Ring,
    /// Whether writers stamp what they write: earlier code does not.
    stamps: bool,
}

impl Bench {
    fn new(slots: u32) -> Self {
        let store = Fated {
            inner: MemoryStore::new(),
            fate: Mutex::new(Fate::Carried),
            under_way: Mutex::default(),
            hour: Mutex::new(500_000),
            written: Mutex::default(),
            writes_behind_listing: Mutex::default(),
        };
        let journal = JournalId { pipeline: "p".to_owned(), stream: "arn".to_owned(), shard: "0".to_owned() };
        Self { store, journal, ring: Ring::of(slots).expect("a ring"), stamps: true }
    }

    fn now(&self) -> EventTime {
        EventTime::from_millis(*self.store.hour.lock().expect("lock") * 3_600_000)
    }

    async fn open(&self) -> Holder {
        let schema = Schema {
            journal: self.journal.clone(),
            fingerprint: BTreeMap::new(),
            starting_sequence: None,
            hash_range: None,
        };
        init(&self.store, &self.journal, Beginning::empty(Incarnation(1), self.ring, schema), &Cells::default())
            .await
            .expect("begins");
        let loaded = load(&self.store, &self.journal, None, || Box::new(Cells::default())).await;
        let (view, state) = loaded.expect("nothing that is needed is missing").expect("record 1 is there");
        Holder { view, state }
    }

    async fn write(&self, holder: &mut Holder, change: Change, fate: Fate) {
        self.store.inner.set_time(self.stamps.then(|| self.now()));
        let draft = draft(vec![change.clone()]);
        let flushed = flush(&self.store, &Nowhere, &self.journal, &mut holder.view, Deadline::NONE).await;
        *self.store.fate.lock().expect("lock") = fate;
        let state = holder.state.as_ref();
        let committed =
            commit(&self.store, &self.journal, flushed.expect("flushed"), draft, state, Deadline::NONE).await;
        *self.store.fate.lock().expect("lock") = Fate::Carried;
        assert_eq!(committed.is_ok(), fate == Fate::Carried);
        if committed.is_ok_and(|committed| committed == Committed::Done) {
            holder.state.restore(&change).expect("restores");
        }
    }

    async fn deliver(&self) {
        let under_way = std::mem::take(&mut *self.store.under_way.lock().expect("lock"));
        for UnderWay { slot, item, guard, .. } in under_way {
            self.store.inner.put_slot(&self.journal, slot, &item, guard).await.expect("answers");
        }
    }

    /// Time passes. No environment, and so no put, outlives the longest life.
    fn wait(&self, hours: i64) {
        let mut hour = self.store.hour.lock().expect("lock");
        *hour += hours;
        let lives = |put: &UnderWay| *hour - put.since < LONGEST_LIFE.as_secs() as i64 / 3_600;
        self.store.under_way.lock().expect("lock").retain(lives);
    }

    async fn sweep(&self, rehearsal: bool) -> Swept {
        let swept = sweep(&self.store, |_| true, self.now(), Duration::ZERO, rehearsal).await.expect("sweeps");
        assert!(swept.unread.is_empty(), "{:?}", swept.unread);
        swept
    }

    /// When all that may still come has come or gone, two sweeps leave what is named alone.
    async fn assert_swept_clean(&self) {
        for _ in 0..2 {
            self.wait(25);
            self.sweep(false).await;
        }
        let left = self.sweep(true).await;
        assert_eq!((left.young.items, left.stamped.items, left.deleted.items), (0, 0, 0), "{left:?}");
        let images = self.open().await.view.parts().filter(|part| part.image.is_some()).count();
        assert!(left.named.items >= images as u64);
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    /// Bytes of 0 remove the key.
    Write {
        who: usize,
        key: u8,
        bytes: usize,
        fate: Fate,
    },
    Follow {
        who: usize,
    },
    Deliver,
    Wait {
        hours: i64,
    },
    Sweep,
    /// The code that writes is replaced, by one that stamps or one that does not.
    Deploy,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let fate = prop_oneof![6 => Just(Fate::Carried), 1 => Just(Fate::Lost), 2 => Just(Fate::Slow)];
    let bytes = prop_oneof![1 => Just(0), 12 => Just(3), 1 => Just(60_000), 1 => Just(450_000)];
    let act = prop_oneof![
        10 => (0..3_usize, 0..5_u8, bytes, fate).prop_map(|(who, key, bytes, fate)| Act::Write { who, key, bytes, fate }),
        4 => (0..3_usize).prop_map(|who| Act::Follow { who }),
        2 => Just(Act::Deliver),
        3 => (1..30_i64).prop_map(|hours| Act::Wait { hours }),
        4 => Just(Act::Sweep),
        1 => Just(Act::Deploy),
    ];
    proptest::collection::vec(act, 1..80)
}

/// Bytes that do not compress, another set for each seed.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..bytes).map(|_| byte()).collect()
}

async fn play(slots: u32, acts: &[Act]) {
    let mut bench = Bench::new(slots);
    let mut holders = Vec::new();
    for _ in 0..3 {
        holders.push(bench.open().await);
    }
    for (seed, act) in (1..).zip(acts) {
        match *act {
            Act::Write { who, key, bytes, fate } => {
                let value = (bytes > 0).then(|| noise(seed, bytes));
                bench.write(&mut holders[who], cell(key, value), fate).await;
            }
            Act::Follow { who } => {
                let Holder { view, state } = &mut holders[who];
                let caught = catch_up(&bench.store, &bench.journal, view, state.as_mut()).await;
                if caught.expect("catches up") == CaughtUp::Lost {
                    holders[who] = bench.open().await;
                }
            }
            Act::Deliver => bench.deliver().await,
            Act::Wait { hours } => bench.wait(hours),
            Act::Sweep => {
                bench.sweep(false).await;
            }
            Act::Deploy => bench.stamps = !bench.stamps,
        }
        // Who comes now finds everything, and the same as who followed all the time.
        let newcomer = bench.open().await;
        for holder in holders.iter().filter(|holder| holder.view.number() == newcomer.view.number()) {
            assert_eq!(holder.state, newcomer.state, "at commit {}", newcomer.view.number());
        }
    }
    bench.assert_swept_clean().await;
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_sweep_takes_all_orphans_in_time_and_nothing_that_is_needed(slots in 2..6_u32, acts in acts()) {
        run(play(slots, &acts));
    }
}

/// A bench with one orphan: the image of a put that was lost.
async fn with_an_orphan(stamps: bool) -> (Bench, Holder) {
    let mut bench = Bench::new(2);
    bench.stamps = stamps;
    let mut holder = bench.open().await;
    bench.write(&mut holder, cell(1, Some(vec![1])), Fate::Carried).await;
    bench.write(&mut holder, cell(1, Some(vec![2])), Fate::Carried).await;
    bench.write(&mut holder, cell(1, Some(vec![3])), Fate::Lost).await;
    (bench, holder)
}

#[test]
fn an_orphan_goes_when_the_longest_life_has_passed() {
    run(async {
        let (bench, _) = with_an_orphan(true).await;
        bench.wait(23);
        let swept = bench.sweep(false).await;
        assert_eq!((swept.named.items, swept.young.items, swept.deleted.items), (1, 1, 0), "{swept:?}");
        bench.wait(2);
        assert_eq!(bench.sweep(true).await.deleted.items, 1, "a rehearsal tells");
        let swept = bench.sweep(false).await;
        assert_eq!((swept.named.items, swept.deleted.items), (1, 1), "a rehearsal deletes nothing: {swept:?}");
        assert!(swept.deleted.bytes > 0);
        assert_eq!(bench.sweep(false).await.deleted.items, 0);
    });
}

#[test]
fn an_orphan_of_earlier_code_goes_a_longest_life_after_it_was_seen() {
    run(async {
        let (bench, _) = with_an_orphan(false).await;
        bench.wait(1_000);
        assert_eq!(bench.sweep(true).await.stamped.items, 1, "a rehearsal stamps nothing");
        assert_eq!(bench.sweep(false).await.stamped.items, 1);
        bench.wait(23);
        assert_eq!(bench.sweep(false).await.young.items, 1);
        bench.wait(2);
        assert_eq!(bench.sweep(false).await.deleted.items, 1);
    });
}

#[test]
fn an_image_that_is_written_again_is_no_orphan_any_more() {
    run(async {
        let (bench, mut holder) = with_an_orphan(true).await;
        bench.wait(100);
        // The same image again, for a put that is under way while the sweep looks.
        bench.write(&mut holder, cell(1, Some(vec![3])), Fate::Slow).await;
        assert_eq!(bench.sweep(false).await.young.items, 1);
        bench.deliver().await;
        assert_eq!(bench.open().await.state.0[&vec![1]], [3]);
    });
}

#[test]
fn an_image_that_is_written_again_while_a_sweep_runs_is_left() {
    run(async {
        for stamps in [true, false] {
            let (bench, mut holder) = with_an_orphan(stamps).await;
            bench.sweep(false).await;
            bench.wait(100);
            *bench.store.writes_behind_listing.lock().expect("lock") = true;
            bench.store.inner.set_time(stamps.then(|| bench.now()));
            let swept = bench.sweep(false).await;
            assert_eq!((swept.young.items, swept.deleted.items), (1, 0), "{swept:?}");
            bench.write(&mut holder, cell(1, Some(vec![3])), Fate::Carried).await;
            assert_eq!(bench.open().await.state.0[&vec![1]], [3]);
        }
    });
}
