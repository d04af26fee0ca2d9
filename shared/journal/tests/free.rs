//! Freeing what sealed journals hold: when, in what order, and what those find who come late.

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
use cells::{Cells, cell};
use draft::draft;
use nowhere::Nowhere;
use pass_on::pass_on_marks_and_attempts;
use tidemill_core::{Change, EventTime, HashRange, Position, SequenceNumber};
use tidemill_journal::{
    Attempt, Beginning, Beside, CaughtUp, Committed, Deadline, Draft, Guard, Incarnation, JournalId, Kind, Listed,
    Mark, MemoryStore, Output, PartId, Put, Ring, Schema, SlotItem, Snapshot, State, Store, StoreError, Sweepable,
    Swept, View, catch_up, commit, drop, flush, init, load, restore, still_holds, sweep,
};

/// A store whose writes all fail once it has done so many.
struct Failing {
    inner: MemoryStore,
    left: Mutex<Option<u32>>,
}

impl Failing {
    fn write(&self) -> Result<(), StoreError> {
        let mut left = self.left.lock().expect("lock");
        match left.as_mut() {
            Some(0) => Err(StoreError::Refused { what: "a write".to_owned(), why: "it is over".to_owned() }),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Store for Failing {
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
        self.write()?;
        self.inner.put_slot(journal, slot, item, guard).await
    }

    pass_on_marks_and_attempts!();

    async fn write_part(&self, journal: &JournalId, id: &PartId, chunks: &[Bytes]) -> Result<(), StoreError> {
        self.write()?;
        self.inner.write_part(journal, id, chunks).await
    }

    async fn read_part(&self, journal: &JournalId, id: &PartId) -> Result<Option<Vec<Bytes>>, StoreError> {
        self.inner.read_part(journal, id).await
    }

    async fn delete_part(&self, journal: &JournalId, id: &PartId) -> Result<(), StoreError> {
        self.write()?;
        self.inner.delete_part(journal, id).await
    }
}

impl Sweepable for Failing {
    async fn list(&self) -> Result<Listed, StoreError> {
        self.inner.list().await
    }

    async fn stamp(&self, item: &Beside, seen: EventTime) -> Result<(), StoreError> {
        self.write()?;
        self.inner.stamp(item, seen).await
    }

    async fn delete_beside(&self, item: &Beside) -> Result<bool, StoreError> {
        self.write()?;
        self.inner.delete_beside(item).await
    }
}

const SLOTS: u32 = 4;
const COMMITS: u64 = 9;
/// Of the whole, and its halves.
const PARENT: (u32, u32, u128, u128) = (0, 1, 0, 99);
const LOWER: (u32, u32, u128, u128) = (1, 50, 0, 49);
const UPPER: (u32, u32, u128, u128) = (2, 50, 50, 99);

fn journal(shard: u32) -> JournalId {
    JournalId { pipeline: "p".to_owned(), stream: "arn".to_owned(), shard: shard.to_string() }
}

fn schema((shard, began, first, last): (u32, u32, u128, u128)) -> Schema {
    Schema {
        journal: journal(shard),
        fingerprint: BTreeMap::from([("operator".to_owned(), "count".to_owned())]),
        starting_sequence: SequenceNumber::parse(&began.to_string()),
        hash_range: Some(HashRange { first, last }),
    }
}

fn position(number: u64) -> Option<Position> {
    let sequence = SequenceNumber::parse(&number.to_string()).expect("digits");
    Some(Position { sequence, sub_sequence: 0 })
}

struct Bench {
    store: Failing,
    hour: i64,
}

type Holder = (View, Box<Cells>);

impl Bench {
    fn new() -> Self {
        let bench = Self { store: Failing { inner: MemoryStore::new(), left: Mutex::default() }, hour: 500_000 };
        bench.store.inner.set_time(Some(bench.now()));
        bench
    }

    fn now(&self) -> EventTime {
        EventTime::from_millis(self.hour * 3_600_000)
    }

    fn wait(&mut self, hours: i64) {
        self.hour += hours;
        self.store.inner.set_time(Some(self.now()));
    }

    async fn load(&self, shard: u32) -> Holder {
        let loaded = load(&self.store, &journal(shard), None, || Box::new(Cells::default())).await;
        loaded.expect("it is readable").expect("it has begun")
    }

    async fn begin(&self, shard: (u32, u32, u128, u128)) -> Holder {
        let ring = Ring::of(SLOTS).expect("a ring");
        let beginning = Beginning::empty(Incarnation(u64::from(shard.0) + 1), ring, schema(shard));
        init(&self.store, &journal(shard.0), beginning, &Cells::default()).await.expect("begins");
        self.load(shard.0).await
    }

    async fn commit(&self, shard: u32, (view, cells): &mut Holder, kind: Kind, changes: Vec<Change>) -> Committed {
        let (id, number) = (journal(shard), view.number());
        let draft = Draft { kind, position: position(number + 1), ..draft(changes.clone()) };
        let flushed = flush(&self.store, &Nowhere, &id, view, Deadline::NONE).await.expect("flushed");
        let committed = commit(&self.store, &id, flushed, draft, cells.as_ref(), Deadline::NONE).await;
        let committed = committed.expect("answered");
        if committed == Committed::Done {
            changes.iter().for_each(|change| cells.restore(change).expect("restores"));
        }
        committed
    }

    /// A parent with some laps behind it, parts and a spill, sealed; what its holders were by number.
    async fn sealed() -> (Self, Vec<Holder>) {
        let bench = Self::new();
        let mut holder = bench.begin(PARENT).await;
        let mut holders = vec![holder.clone()];
        for number in 2..=COMMITS {
            // What does not compress; the one before the Seal does not fit its item.
            let bytes = if number == COMMITS - 1 { 450_000 } else { 3_000 };
            let mut random = number;
            let mut byte = || {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (random >> 56) as u8
            };
            let value: Vec<u8> = (0..bytes).map(|_| byte()).collect();
            let (kind, changes) = match number {
                COMMITS => (Kind::Seal, Vec::new()),
                _ => (Kind::Data, vec![cell(&[(number % 5) as u8], &value)]),
            };
            assert_eq!(bench.commit(0, &mut holder, kind, changes).await, Committed::Done);
            holders.push(holder.clone());
        }
        (bench, holders)
    }

    /// The same with both children begun.
    async fn taken_over() -> (Self, Vec<Holder>) {
        let (bench, holders) = Self::sealed().await;
        bench.begin(LOWER).await;
        bench.begin(UPPER).await;
        (bench, holders)
    }

    async fn swept(&self, rehearsal: bool) -> Result<Swept, StoreError> {
        let swept = sweep(&self.store, |_| true, self.now(), Duration::ZERO, rehearsal).await?;
        assert!(swept.unread.is_empty(), "{:?}", swept.unread);
        Ok(swept)
    }

    async fn sweep(&self) -> Swept {
        self.swept(false).await.expect("sweeps")
    }

    async fn slots(&self) -> Vec<(u32, SlotItem)> {
        self.store.read_slots(&journal(0), 0..=u32::MAX, usize::MAX).await.expect("answers")
    }

    async fn beside(&self) -> Vec<Beside> {
        let listed = self.store.list().await.expect("answers").beside;
        listed.into_iter().filter(|item| item.journal == journal(0)).collect()
    }

    async fn assert_freed(&self) {
        let (view, cells) = self.load(0).await;
        assert!(view.freed().is_some());
        assert_eq!((view.kind(), view.number(), view.position()), (Kind::Seal, COMMITS, position(COMMITS).as_ref()));
        assert_eq!((view.schema(), *cells), (&schema(PARENT), Cells::default()));
        let slots = self.slots().await;
        let numbers: Vec<u64> = slots.iter().map(|(_, item)| item.number).collect();
        assert_eq!(numbers, [8, 9, 6, 7], "slots keep their numbers");
        let bytes: Vec<usize> = slots.iter().map(|(_, item)| item.body.len()).collect();
        assert!(bytes.iter().all(|bytes| *bytes < 400), "{bytes:?}");
        assert_eq!(self.beside().await, []);
        let again = self.sweep().await;
        assert_eq!((again.waiting, again.freed.items, again.deleted.items), (0, 0, 0), "{again:?}");
    }
}

#[tokio::test]
async fn a_sealed_journal_is_freed_a_longest_life_after_its_children_were_found_begun() {
    let (mut bench, _) = Bench::taken_over().await;
    let before = bench.slots().await;
    bench.wait(100);
    assert_eq!(bench.swept(true).await.expect("tells").waiting, 1);
    let first = bench.sweep().await;
    assert_eq!((first.waiting, first.freed.items), (1, 0), "a rehearsal notes nothing: {first:?}");
    bench.wait(23);
    let second = bench.sweep().await;
    assert_eq!((second.waiting, second.freed.items), (1, 0), "{second:?}");
    assert_eq!(bench.slots().await, before);
    bench.wait(2);
    let told = bench.swept(true).await.expect("tells");
    assert_eq!(bench.slots().await, before, "a rehearsal writes nothing");
    let third = bench.sweep().await;
    assert_eq!((third.waiting, third.freed), (0, told.freed));
    assert_eq!((third.freed.items, third.deleted), (u64::from(SLOTS), told.deleted));
    assert!(third.freed.bytes > 5_000 && third.deleted.bytes > 450_000, "{third:?}");
    bench.assert_freed().await;
}

#[tokio::test]
async fn nothing_goes_before_all_children_have_begun() {
    let (mut bench, holders) = Bench::sealed().await;
    bench.begin(LOWER).await;
    // A sister that was there before is no child; of another stream, none either.
    bench.begin((3, 1, 50, 99)).await;
    for _ in 0..3 {
        bench.wait(100);
        let swept = bench.sweep().await;
        assert_eq!((swept.waiting, swept.freed.items, swept.deleted.items), (0, 0, 0), "{swept:?}");
    }
    assert_eq!(bench.load(0).await.1, holders.last().expect("some").1);
    // Begun, and split again: its children stand for it.
    bench.begin((4, 60, 50, 70)).await;
    bench.begin((5, 60, 71, 99)).await;
    assert_eq!(bench.sweep().await.waiting, 1);
}

#[tokio::test]
async fn a_child_that_is_to_begin_again_takes_the_note_back() {
    let (mut bench, _) = Bench::taken_over().await;
    bench.sweep().await;
    drop(&bench.store.inner, &journal(2), None).await.expect("dropped");
    bench.wait(100);
    assert_eq!(bench.sweep().await.waiting, 0);
    bench.begin(UPPER).await;
    let swept = bench.sweep().await;
    assert_eq!((swept.waiting, swept.freed.items), (1, 0), "the day begins anew: {swept:?}");
}

#[tokio::test]
async fn late_holders_cannot_write_and_find_the_seal() {
    let (mut bench, holders) = Bench::taken_over().await;
    bench.sweep().await;
    bench.wait(25);
    bench.sweep().await;
    for mut holder in holders {
        let number = holder.0.number();
        if holder.0.kind() == Kind::Seal {
            assert!(still_holds(&bench.store, &journal(0), &holder.0).await.expect("answers"));
            continue;
        }
        let late = bench.commit(0, &mut holder, Kind::Data, vec![cell(b"late", b"late")]).await;
        assert_eq!(late, Committed::Conflict, "behind {number}");
        let caught_up = catch_up(&bench.store, &journal(0), &mut holder.0, holder.1.as_mut()).await;
        let expected = if number == COMMITS - 1 { CaughtUp::Advanced } else { CaughtUp::Lost };
        assert_eq!(caught_up.expect("answers"), expected, "behind {number}");
    }
    // What a late writer stored before its put met a conflict is an orphan like any other.
    bench.wait(25);
    bench.sweep().await;
    bench.assert_freed().await;
    // A late record 1 finds its slot taken.
    let beginning = Beginning::empty(Incarnation(1), Ring::of(SLOTS).expect("a ring"), schema(PARENT));
    let put = init(&bench.store, &journal(0), beginning, &Cells::default()).await;
    assert_eq!(put.expect("answers"), Put::Conflict);
}

#[tokio::test]
async fn a_sweep_that_breaks_off_anywhere_leaves_a_journal_that_reads_and_the_next_one_goes_on() {
    let mut writes = 0;
    loop {
        let (mut bench, holders) = Bench::taken_over().await;
        bench.sweep().await;
        bench.wait(25);
        *bench.store.left.lock().expect("lock") = Some(writes);
        let has_ended = bench.swept(false).await.is_ok();
        *bench.store.left.lock().expect("lock") = None;
        let (view, cells) = bench.load(0).await;
        let whole = &holders.last().expect("some").1;
        assert!(if view.freed().is_some() { cells.0.is_empty() } else { cells == *whole }, "after {writes} writes");
        bench.sweep().await;
        bench.assert_freed().await;
        if has_ended {
            break;
        }
        writes += 1;
    }
    assert!(writes > SLOTS, "{writes}");
}

#[tokio::test]
async fn results_that_may_have_to_be_sent_keep_a_seal_as_it_is() {
    let (mut bench, holders) = Bench::taken_over().await;
    let (view, cells) = holders.last().expect("some");
    let unsent = vec![Output { sink: "out".to_owned(), partition_key: "k".to_owned(), data: Bytes::from_static(b"x") }];
    let snapshot = Snapshot { outputs: unsent.clone(), ..Snapshot::of(&bench.store, &journal(0), view).await };
    restore(&bench.store.inner, &snapshot, Incarnation(9), cells.as_ref()).await.expect("restored");
    for _ in 0..2 {
        bench.wait(25);
        let swept = bench.sweep().await;
        assert_eq!(swept.freed.items, 0, "{swept:?}");
    }
    let snapshot = Snapshot::of(&bench.store, &journal(0), &bench.load(0).await.0).await;
    assert_eq!(snapshot.outputs, unsent);
    // A child that begins sends them first, and a mark says so.
    let (mut view, _) = bench.load(0).await;
    flush(&bench.store, &Nowhere, &journal(0), &mut view, Deadline::NONE).await.expect("sent");
    let swept = bench.sweep().await;
    assert_eq!(swept.freed.items, 2, "{swept:?}");
    assert!(bench.load(0).await.0.freed().is_some());
}

#[tokio::test]
async fn what_is_freed_stays_so_under_another_life() {
    let (mut bench, _) = Bench::taken_over().await;
    bench.sweep().await;
    bench.wait(25);
    bench.sweep().await;
    let (view, cells) = bench.load(0).await;
    let snapshot = Snapshot::of(&bench.store, &journal(0), &view).await;
    restore(&bench.store.inner, &snapshot, Incarnation(9), cells.as_ref()).await.expect("restored");
    let (restored, _) = bench.load(0).await;
    assert_eq!((restored.kind(), restored.freed(), restored.position()), (Kind::Seal, view.freed(), view.position()));
    assert_eq!(bench.sweep().await.waiting, 0);
}
