//! Dropping and restoring journals under holders that go on: whatever they do, the new life is exactly the snapshot, and
//! nothing of the old one gets into it.

#[path = "support/cells.rs"]
mod cells;
#[path = "support/draft.rs"]
mod draft;
#[path = "support/pass_on.rs"]
mod pass_on;

use std::ops::RangeInclusive;
use std::sync::Mutex;

use bytes::Bytes;
use cells::{Cells, cell};
use draft::draft;
use pass_on::pass_on_marks_and_attempts;
use proptest::prelude::*;
use tidemill_core::{EventTime, Position, Progress, SequenceNumber};
use tidemill_journal::{
    Attempt, Beginning, CaughtUp, Committed, Deadline, Draft, Erasable, Error, Format, Guard, Incarnation, JournalId,
    Kind, Mark, MemoryStore, Output, PartId, Put, Ring, Schema, Sink, SinkError, SlotItem, Snapshot, State, Store,
    StoreError, View, catch_up, commit, drop, flush, head, import, init, load, restore,
};

/// A sink that remembers.
#[derive(Default)]
struct Arrived(Mutex<Vec<Output>>);

impl Sink for Arrived {
    fn objection(&self, _: &Output) -> Option<String> {
        None
    }

    async fn send(&self, outputs: &[Output], _: Deadline) -> Result<(), SinkError> {
        self.0.lock().expect("lock").extend_from_slice(outputs);
        Ok(())
    }
}

/// A store whose next writes of slots get no answer, once they happened or without; and into whose empty ring somebody
/// writes a record 1.
#[derive(Default)]
struct Moody {
    inner: MemoryStore,
    lost: Mutex<u32>,
    answers_lost: Mutex<u32>,
    /// How often somebody begins the journal when it is seen to be empty.
    begun_by_others: Mutex<u64>,
}

fn takes(times: &Mutex<u32>) -> bool {
    let mut times = times.lock().expect("lock");
    let is_left = *times > 0;
    *times = times.saturating_sub(1);
    is_left
}

fn no_answer() -> StoreError {
    StoreError::Unavailable { what: "put".to_owned(), why: "no answer".to_owned() }
}

impl Store for Moody {
    async fn read_slot(&self, journal: &JournalId, slot: u32) -> Result<Option<SlotItem>, StoreError> {
        self.inner.read_slot(journal, slot).await
    }

    async fn read_slots(
        &self,
        journal: &JournalId,
        slots: RangeInclusive<u32>,
        limit: usize,
    ) -> Result<Vec<(u32, SlotItem)>, StoreError> {
        let found = self.inner.read_slots(journal, slots.clone(), limit).await?;
        if found.is_empty() && *slots.end() == u32::MAX {
            let life = {
                let mut times = self.begun_by_others.lock().expect("lock");
                *times = times.saturating_sub(1);
                *times
            };
            if life > 0 {
                let beginning = Beginning::empty(Incarnation(1_000 + life), ring(), schema(journal));
                init(&self.inner, journal, beginning, &Cells::default()).await.expect("begun");
            }
        }
        Ok(found)
    }

    async fn put_slot(&self, journal: &JournalId, slot: u32, item: &SlotItem, guard: Guard) -> Result<Put, StoreError> {
        if takes(&self.lost) {
            return Err(no_answer());
        }
        let put = self.inner.put_slot(journal, slot, item, guard).await?;
        if takes(&self.answers_lost) { Err(no_answer()) } else { Ok(put) }
    }

    pass_on_marks_and_attempts!();

    async fn write_part(&self, journal: &JournalId, id: &PartId, chunks: &[Bytes]) -> Result<(), StoreError> {
        self.inner.write_part(journal, id, chunks).await
    }

    async fn read_part(&self, journal: &JournalId, id: &PartId) -> Result<Option<Vec<Bytes>>, StoreError> {
        self.inner.read_part(journal, id).await
    }

    async fn delete_part(&self, journal: &JournalId, id: &PartId) -> Result<(), StoreError> {
        self.inner.delete_part(journal, id).await
    }
}

impl Erasable for Moody {
    async fn delete_slot(
        &self,
        journal: &JournalId,
        slot: u32,
        number: u64,
        incarnation: Incarnation,
    ) -> Result<(), StoreError> {
        self.inner.delete_slot(journal, slot, number, incarnation).await
    }
}

fn journal(pipeline: &str) -> JournalId {
    let stream = "arn:aws:kinesis:us-east-1:000000000000:stream/flights".to_owned();
    JournalId { pipeline: pipeline.to_owned(), stream, shard: "shardId-000000000000".to_owned() }
}

fn ring() -> Ring {
    Ring::of(4).expect("a ring")
}

fn schema(journal: &JournalId) -> Schema {
    let fingerprint = [("operator".to_owned(), "windows".to_owned())].into();
    Schema { journal: journal.clone(), fingerprint, starting_sequence: None, hash_range: None }
}

fn output(text: &str) -> Output {
    Output { sink: "out".to_owned(), partition_key: "k".to_owned(), data: Bytes::copy_from_slice(text.as_bytes()) }
}

fn position(number: u64) -> Position {
    Position { sequence: SequenceNumber::parse(&number.to_string()).expect("digits"), sub_sequence: 0 }
}

async fn loaded<S: Store>(store: &S, journal: &JournalId) -> (View, Cells) {
    let loaded = load(store, journal, Some((&schema(journal)).into()), || Box::new(Cells::default())).await;
    let (view, cells) = loaded.expect("it is readable").expect("it has begun");
    (view, *cells)
}

async fn begun<S: Store>(store: &S, journal: &JournalId) -> (View, Cells) {
    let beginning = Beginning::empty(Incarnation(7), ring(), schema(journal));
    init(store, journal, beginning, &Cells::default()).await.expect("begun");
    loaded(store, journal).await
}

/// One more commit that sets a key and sends one output; whether it went through.
async fn go_on<S: Store>(
    store: &S,
    sink: &Arrived,
    journal: &JournalId,
    (view, cells): &mut (View, Cells),
    key: &str,
) -> Committed {
    let number = view.number() + 1;
    let text = format!("{}-{number}-{key}", view.incarnation());
    let flushed = flush(store, sink, journal, view, Deadline::NONE).await.expect("flushed");
    let progress = Progress { arrival: Some(EventTime::from_millis(5)), ..flushed.view().progress().clone() };
    let changes = vec![cell(key.as_bytes(), text.as_bytes())];
    let outputs = vec![output(&text)];
    let draft =
        Draft { position: Some(position(number)), progress, outputs, may_spill: false, ..draft(changes.clone()) };
    let committed = commit(store, journal, flushed, draft, cells, Deadline::NONE).await.expect("answered");
    if committed == Committed::Done {
        changes.iter().for_each(|change| cells.restore(change).expect("a cell"));
    }
    committed
}

#[tokio::test]
async fn a_restored_journal_goes_on_where_it_stood_and_sends_first_what_was_unsent() {
    let (store, sink, old) = (MemoryStore::new(), Arrived::default(), journal("old"));
    let mut held = begun(&store, &old).await;
    for key in ["a", "b", "c", "a", "d", "e"] {
        assert_eq!(go_on(&store, &sink, &old, &mut held, key).await, Committed::Done);
    }
    let sent = sink.0.lock().expect("lock").len();
    let snapshot = Snapshot::of(&store, &old, &held.0).await;
    assert_eq!(snapshot.outputs, [output(&format!("{}-7-e", Incarnation(7)))], "nobody knows it to be sent");

    // Under the same name, and beside it under another.
    let renamed =
        Snapshot { schema: Schema { journal: journal("new"), ..snapshot.schema.clone() }, ..snapshot.clone() };
    import(&store, &renamed, Incarnation(9), &held.1).await.expect("imported");
    let erased = restore(&store, &snapshot, Incarnation(8), &held.1).await.expect("restored");
    assert_eq!(erased.slots, 4, "all of the ring");
    for (journal, life) in [(&old, 8), (&journal("new"), 9)] {
        let (mut view, cells) = loaded(&store, journal).await;
        assert_eq!((view.incarnation(), view.number()), (Incarnation(life), 1));
        assert_eq!((view.position(), &cells), (Some(&position(7)), &held.1));
        assert_eq!(view.progress(), held.0.progress());
        flush(&store, &sink, journal, &mut view, Deadline::NONE).await.expect("flushed");
        assert_eq!(go_on(&store, &sink, journal, &mut (view, cells), "f").await, Committed::Done);
    }
    let arrived = sink.0.lock().expect("lock").clone();
    assert_eq!(
        arrived[sent..],
        [output(&format!("{}-7-e", Incarnation(7))), output(&format!("{}-7-e", Incarnation(7)))]
    );
    // Neither a warm holder of the old life nor one that catches up goes on in the new one.
    assert_eq!(go_on(&store, &sink, &old, &mut held, "z").await, Committed::Conflict);
    assert_eq!(catch_up(&store, &old, &mut held.0, &mut held.1).await.expect("answered"), CaughtUp::Current);
    assert_eq!(head(&store, &old).await.expect("answered"), Some((Incarnation(8), 2)));
}

#[tokio::test]
async fn what_is_there_is_not_imported_over() {
    let (store, here) = (MemoryStore::new(), journal("here"));
    let (view, cells) = begun(&store, &here).await;
    let snapshot = Snapshot::of(&store, &here, &view).await;
    let refused = import(&store, &snapshot, Incarnation(9), &cells).await.expect_err("it is there");
    assert!(matches!(refused, Error::Occupied { number: 1, .. }), "{refused}");
    assert!(refused.to_string().contains("take another name"), "{refused}");
}

#[tokio::test]
async fn the_end_of_a_shard_goes_along() {
    for kind in [Kind::Seal, Kind::Drain] {
        let (store, sink, shard) = (MemoryStore::new(), Arrived::default(), journal("ended"));
        let (view, cells) = begun(&store, &shard).await;
        let snapshot = Snapshot { kind, outputs: vec![output("x")], ..Snapshot::of(&store, &shard, &view).await };
        restore(&store, &snapshot, Incarnation(8), &cells).await.expect("restored");
        let (mut view, cells) = loaded(&store, &shard).await;
        assert_eq!((view.kind(), view.number()), (kind, 2));
        let flushed = flush(&store, &sink, &shard, &mut view, Deadline::NONE).await.expect("flushed");
        let draft = Draft { may_spill: false, ..draft(Vec::new()) };
        let closed = commit(&store, &shard, flushed, draft, &cells, Deadline::NONE).await;
        assert!(matches!(closed, Err(Error::Closed { .. })), "{closed:?}");
        assert_eq!(sink.0.lock().expect("lock").as_slice(), [output("x")]);
    }
}

#[tokio::test]
async fn a_dropped_journal_is_taken_by_the_code_that_comes_first() {
    let (store, sink, shard) = (MemoryStore::new(), Arrived::default(), journal("dropped"));
    let mut old = begun(&store, &shard).await;
    go_on(&store, &sink, &shard, &mut old, "a").await;
    store.write_attempt(&shard, &Attempt { position: None, count: 4 }).await.expect("written");
    drop(&store, &shard, Some(Incarnation(8))).await.expect("dropped");
    assert_eq!(store.read_attempt(&shard).await.expect("read").map(|attempt| attempt.count), Some(0));
    assert_eq!(go_on(&store, &sink, &shard, &mut old, "b").await, Committed::Conflict);

    // Two versions of the code, whose fingerprints differ, find it empty; the first one to commit has it.
    let of =
        |version: &str| Schema { fingerprint: [("version".to_owned(), version.to_owned())].into(), ..schema(&shard) };
    let (one, other) = (of("1"), of("2"));
    let open = || Box::new(Cells::default());
    let load_as = async |schema: &Schema| load(&store, &shard, Some(schema.into()), open).await;
    let (one_view, one_cells) = load_as(&one).await.expect("it fits").expect("begun");
    let (mut other_view, mut other_cells) = load_as(&other).await.expect("it fits").expect("begun");
    assert_eq!((one_view.number(), one_view.position(), one_cells.bytes()), (1, None, 0));
    assert_eq!(go_on(&store, &sink, &shard, &mut (one_view, *one_cells), "c").await, Committed::Done);
    let caught_up = catch_up(&store, &shard, &mut other_view, other_cells.as_mut()).await.expect("answered");
    assert_eq!(caught_up, CaughtUp::Lost);
    let refused = load_as(&other).await.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("version: stored \"1\", now \"2\""), "{refused}");
    assert_eq!(load_as(&one).await.expect("it fits").expect("begun").0.number(), 2);
}

#[tokio::test]
async fn no_tick_waits_for_what_an_ended_life_waited_for() {
    for due in [EventTime::from_millis(99), Mark::NEVER] {
        for begins in [Some(Incarnation(8)), None] {
            let (store, shard) = (MemoryStore::new(), journal("quiet"));
            let (view, _) = begun(&store, &shard).await;
            let mark = Mark { incarnation: view.incarnation(), number: view.number(), due: Some(due) };
            store.write_mark(&shard, &mark).await.expect("written");
            drop(&store, &shard, begins).await.expect("dropped");
            let due = store.read_mark(&shard).await.expect("read").and_then(|mark| mark.due);
            assert_eq!(due, Some(EventTime::from_millis(i64::MIN)), "always, so that the journal is read");
        }
    }
}

#[tokio::test]
async fn a_shard_with_parents_is_dropped_to_nothing_and_begins_as_at_first() {
    let (store, shard) = (MemoryStore::new(), journal("child"));
    begun(&store, &shard).await;
    let erased = drop(&store, &shard, None).await.expect("dropped");
    assert_eq!((erased.slots, head(&store, &shard).await.expect("answered")), (1, None));
}

#[tokio::test]
async fn a_journal_that_is_damaged_can_be_dropped() {
    let (store, shard) = (MemoryStore::new(), journal("damaged"));
    let item = SlotItem { incarnation: Incarnation(7), number: 1, body: Bytes::from_static(b"no record") };
    store.put_slot(&shard, 1, &item, Guard::Vacant).await.expect("stored");
    assert!(head(&store, &shard).await.is_err());
    drop(&store, &shard, Some(Incarnation(8))).await.expect("dropped");
    assert_eq!(loaded(&store, &shard).await.0.number(), 1);
}

#[tokio::test]
async fn functions_that_begin_the_journal_each_time_are_told() {
    let store = Moody { begun_by_others: Mutex::new(1_000_000), ..Moody::default() };
    let refused = drop(&store, &journal("busy"), Some(Incarnation(8))).await.expect_err("never empty");
    assert!(matches!(refused, Error::Contested { .. }), "{refused}");
    assert!(refused.to_string().contains("see that none runs any more"), "{refused}");
}

#[tokio::test]
async fn images_of_the_old_life_go_and_a_large_state_is_written_in_parts() {
    let (store, shard) = (MemoryStore::new(), journal("large"));
    let (view, _) = begun(&store, &shard).await;
    let cells = Cells((0..4_000_u32).map(|key| (key.to_be_bytes().to_vec(), vec![7; 300])).collect());
    let snapshot = Snapshot { format: Format::V1, ..Snapshot::of(&store, &shard, &view).await };
    restore(&store, &snapshot, Incarnation(8), &cells).await.expect("restored");
    let (view, found) = loaded(&store, &shard).await;
    assert_eq!((&found, view.format()), (&cells, Format::V1));
    // Twice as many parts as slots, or a few more.
    assert!((8..=16).contains(&view.parts().count()), "{}", view.parts().count());
    let erased = restore(&store, &snapshot, Incarnation(9), &Cells::default()).await.expect("restored");
    assert_eq!(erased.parts, view.parts().count() as u64);
    assert_eq!(loaded(&store, &shard).await.1, Cells::default());
}

/// What happens between the steps of a tool and two holders of the old life.
#[derive(Clone, Copy, Debug)]
enum Event {
    Commit(bool),
    CatchUp(bool),
    Lose,
    LoseAnswer,
    Others,
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => any::<bool>().prop_map(Event::Commit),
        2 => any::<bool>().prop_map(Event::CatchUp),
        1 => Just(Event::Lose),
        1 => Just(Event::LoseAnswer),
        1 => Just(Event::Others),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever the journal's age and whatever gets lost: the new life is the snapshot, and the old one is over.
    #[test]
    fn the_new_life_is_exactly_the_snapshot(
        before in prop::collection::vec(any_event(), 0..20),
        behind in prop::collection::vec(any_event(), 0..20),
        is_drop in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(async {
            let (store, sink, shard) = (Moody::default(), Arrived::default(), journal("any"));
            let first = begun(&store, &shard).await;
            let mut holders = [first.clone(), first];
            for event in before {
                happen(&store, &sink, &shard, &mut holders, event).await;
            }
            let (view, cells) = loaded(&store, &shard).await;
            let snapshot = Snapshot::of(&store, &shard, &view).await;
            let expected = if is_drop { (None, Cells::default()) } else { (view.position().cloned(), cells.clone()) };
            let result = match is_drop {
                true => drop(&store, &shard, Some(Incarnation(8))).await,
                false => restore(&store, &snapshot, Incarnation(8), &cells).await,
            };
            if result.is_err() {
                // Every answer was lost: it is called again, as it says.
                *store.lost.lock().expect("lock") = 0;
                *store.answers_lost.lock().expect("lock") = 0;
                let again = match is_drop {
                    true => drop(&store, &shard, Some(Incarnation(9))).await,
                    false => restore(&store, &snapshot, Incarnation(9), &cells).await,
                };
                again.expect("it goes through in quiet");
            }
            let (view, cells) = loaded(&store, &shard).await;
            assert_eq!((view.position().cloned(), cells), expected);
            let life = view.incarnation();
            for event in behind {
                happen(&store, &sink, &shard, &mut holders, event).await;
            }
            let (found, number) = head(&store, &shard).await.expect("readable").expect("begun");
            assert_eq!(found, life);
            let of_new_life = holders.iter().filter(|(view, _)| view.incarnation() == life).map(|(view, _)| view.number());
            assert!(number == 1 || of_new_life.max() == Some(number), "{number} is of nobody");
        });
    }
}

async fn happen(store: &Moody, sink: &Arrived, shard: &JournalId, holders: &mut [(View, Cells); 2], event: Event) {
    match event {
        Event::Commit(which) => {
            let holder = &mut holders[usize::from(which)];
            // With answers lost, even a put of one's own ends in an error.
            let flushed = flush(&store.inner, sink, shard, &mut holder.0, Deadline::NONE).await;
            assert!(flushed.is_ok());
            go_on(&store.inner, sink, shard, holder, "k").await;
        }
        Event::CatchUp(which) => {
            let (view, cells) = &mut holders[usize::from(which)];
            if catch_up(store, shard, view, cells).await.expect("answered") != CaughtUp::Advanced {
                (*view, *cells) = loaded(store, shard).await;
            }
        }
        Event::Lose => *store.lost.lock().expect("lock") += 2,
        Event::LoseAnswer => *store.answers_lost.lock().expect("lock") += 2,
        Event::Others => *store.begun_by_others.lock().expect("lock") += 2,
    }
}
