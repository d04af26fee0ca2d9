//! The laws of [`Store`], as a suite that every store must pass.

use bytes::Bytes;
use tidemill_core::{EventTime, Position, SequenceNumber};

use crate::{Attempt, Erasable, Guard, Incarnation, JournalId, Mark, PartId, Put, SlotItem, Stamp, Store, Sweepable};

const LIFE: Incarnation = Incarnation(7);
const OTHER_LIFE: Incarnation = Incarnation(8);

/// Checks every law against `store`, on journals of its own.
///
/// # Panics
/// At the first law that does not hold.
pub async fn check<S: Store>(store: &S) {
    vacant_slots_are_taken_once(store).await;
    the_first_lap_is_checked_against_the_record_before(store).await;
    later_laps_replace_exactly_what_they_name(store).await;
    of_racing_writers_exactly_one_stores(store).await;
    ranges_come_in_slot_order_and_limited(store).await;
    journals_are_apart(store).await;
    marks_are_raised_and_lowered_by_their_rules(store).await;
    attempts_are_overwritten(store).await;
    parts_are_whole_or_absent(store).await;
}

/// Checks the laws of [`Sweepable`] against `store`, which must stamp what is written with the time. `time_passes` returns
/// when the store's clock has gone on by a millisecond at least, which is what a stamp tells.
///
/// # Panics
/// At the first law that does not hold.
pub async fn check_sweepable<S: Sweepable>(store: &S, time_passes: impl AsyncFnOnce()) {
    let journal = journal("sweepable");
    let id = PartId { id: "0007-00-9".to_owned(), chunks: 1, bytes: 4, plain: 4 };
    let write = async || store.write_part(&journal, &id, &[Bytes::from_static(b"cell")]).await.expect("it answers");
    let listed = async || {
        let mut items = store.list().await.expect("the store answers").beside;
        items.retain(|item| item.journal == journal);
        items.pop()
    };
    let begun = async || store.list().await.expect("the store answers").journals.contains(&journal);
    assert!(!begun().await);
    put(store, &journal, 1, &item(LIFE, 1, b"no part"), Guard::Vacant).await;
    assert_eq!(listed().await, None, "slots are not beside the ring");
    assert!(begun().await);
    write().await;
    let found = listed().await.expect("what was written is listed");
    assert_eq!((found.id.as_str(), found.chunk, found.bytes), ("0007-00-9", 0, 4));
    assert!(matches!(found.stamp, Some(Stamp::Written(_))), "{found:?}");
    store.stamp(&found, EventTime::from_millis(1)).await.expect("the store answers");
    assert_eq!(listed().await.as_ref(), Some(&found), "what has a stamp keeps it");

    time_passes().await;
    write().await;
    assert!(!store.delete_beside(&found).await.expect("the store answers"), "it was written again");
    let again = listed().await.expect("it is there");
    assert!(store.delete_beside(&again).await.expect("the store answers"));
    assert_eq!(listed().await, None);
    assert!(!store.delete_beside(&again).await.expect("the store answers"), "it is gone");
    store.stamp(&again, EventTime::from_millis(1)).await.expect("the store answers");
    assert_eq!(listed().await, None, "what is gone is not stamped");
}

/// Checks the law of [`Erasable`] against `store`.
///
/// # Panics
/// If it does not hold.
pub async fn check_erasable<S: Erasable>(store: &S) {
    let journal = journal("erasable");
    let (one, two) = (item(LIFE, 1, b"one"), item(LIFE, 2, b"two"));
    put(store, &journal, 1, &one, Guard::Vacant).await;
    put(store, &journal, 2, &two, Guard::VacantAfter { slot: 1, number: 1, incarnation: LIFE }).await;
    for (number, incarnation) in [(1, OTHER_LIFE), (5, LIFE)] {
        store.delete_slot(&journal, 1, number, incarnation).await.expect("it is no error");
        holds(store, &journal, 1, Some(&one)).await;
    }
    for _ in 0..2 {
        store.delete_slot(&journal, 1, 1, LIFE).await.expect("deleting what is not there succeeds");
        holds(store, &journal, 1, None).await;
        holds(store, &journal, 2, Some(&two)).await;
    }
    assert_eq!(put(store, &journal, 1, &item(OTHER_LIFE, 1, b"new"), Guard::Vacant).await, Put::Stored);
}

fn journal(name: &str) -> JournalId {
    JournalId {
        pipeline: format!("law-{name}"),
        stream: "arn:aws:kinesis:us-east-1:123456789012:stream/laws".to_owned(),
        shard: "shardId-000000000000".to_owned(),
    }
}

fn item(incarnation: Incarnation, number: u64, body: &'static [u8]) -> SlotItem {
    SlotItem { incarnation, number, body: Bytes::from_static(body) }
}

async fn put<S: Store>(store: &S, journal: &JournalId, slot: u32, item: &SlotItem, guard: Guard) -> Put {
    store.put_slot(journal, slot, item, guard).await.expect("the store answers")
}

async fn holds<S: Store>(store: &S, journal: &JournalId, slot: u32, expected: Option<&SlotItem>) {
    let found = store.read_slot(journal, slot).await.expect("the store answers");
    assert_eq!(found.as_ref(), expected, "slot {slot}");
}

async fn vacant_slots_are_taken_once<S: Store>(store: &S) {
    let journal = journal("vacant");
    let (first, second) = (item(LIFE, 1, b"first"), item(OTHER_LIFE, 1, b"second"));
    holds(store, &journal, 1, None).await;
    assert_eq!(put(store, &journal, 1, &first, Guard::Vacant).await, Put::Stored);
    assert_eq!(put(store, &journal, 1, &second, Guard::Vacant).await, Put::Conflict);
    assert_eq!(put(store, &journal, 1, &first, Guard::Vacant).await, Put::Conflict, "its own repeat");
    holds(store, &journal, 1, Some(&first)).await;
}

async fn the_first_lap_is_checked_against_the_record_before<S: Store>(store: &S) {
    let journal = journal("first-lap");
    let (one, two) = (item(LIFE, 1, b"one"), item(LIFE, 2, b"two"));
    let after = |number, incarnation| Guard::VacantAfter { slot: 1, number, incarnation };
    assert_eq!(put(store, &journal, 2, &two, after(1, LIFE)).await, Put::Conflict, "nothing before");
    put(store, &journal, 1, &one, Guard::Vacant).await;
    assert_eq!(put(store, &journal, 2, &two, after(1, OTHER_LIFE)).await, Put::Conflict, "another life");
    assert_eq!(put(store, &journal, 2, &two, after(5, LIFE)).await, Put::Conflict, "another number");
    holds(store, &journal, 2, None).await;
    assert_eq!(put(store, &journal, 2, &two, after(1, LIFE)).await, Put::Stored);
    assert_eq!(put(store, &journal, 2, &two, after(1, LIFE)).await, Put::Conflict, "its own repeat");
    holds(store, &journal, 2, Some(&two)).await;
}

async fn later_laps_replace_exactly_what_they_name<S: Store>(store: &S) {
    let journal = journal("later-lap");
    let (one, fifth) = (item(LIFE, 1, b"one"), item(LIFE, 5, b"five"));
    let replaces = |number, incarnation| Guard::Replaces { number, incarnation };
    assert_eq!(put(store, &journal, 1, &fifth, replaces(1, LIFE)).await, Put::Conflict, "empty");
    put(store, &journal, 1, &one, Guard::Vacant).await;
    assert_eq!(put(store, &journal, 1, &fifth, replaces(1, OTHER_LIFE)).await, Put::Conflict, "another life");
    assert_eq!(put(store, &journal, 1, &fifth, replaces(2, LIFE)).await, Put::Conflict, "another number");
    assert_eq!(put(store, &journal, 1, &fifth, replaces(1, LIFE)).await, Put::Stored);
    assert_eq!(put(store, &journal, 1, &fifth, replaces(1, LIFE)).await, Put::Conflict, "its own repeat");
    holds(store, &journal, 1, Some(&fifth)).await;
}

async fn of_racing_writers_exactly_one_stores<S: Store>(store: &S) {
    let journal = journal("race");
    put(store, &journal, 1, &item(LIFE, 1, b"one"), Guard::Vacant).await;
    let guard = Guard::VacantAfter { slot: 1, number: 1, incarnation: LIFE };
    let (left, right) = (item(LIFE, 2, b"left"), item(LIFE, 2, b"right"));
    let outcomes = tokio::join!(put(store, &journal, 2, &left, guard), put(store, &journal, 2, &right, guard));
    assert!(
        matches!(outcomes, (Put::Stored, Put::Conflict) | (Put::Conflict, Put::Stored)),
        "of two writers one must store: {outcomes:?}"
    );
    let winner = if outcomes.0 == Put::Stored { &left } else { &right };
    holds(store, &journal, 2, Some(winner)).await;
}

async fn ranges_come_in_slot_order_and_limited<S: Store>(store: &S) {
    let journal = journal("ranges");
    let bodies: [&'static [u8]; 4] = [b"d", b"a", b"c", b"b"];
    for (slot, body) in [900, 3, 12, 10].into_iter().zip(bodies) {
        put(store, &journal, slot, &item(LIFE, u64::from(slot), body), Guard::Vacant).await;
    }
    let slots = async |range, limit| {
        let items = store.read_slots(&journal, range, limit).await.expect("the store answers");
        items.into_iter().map(|(slot, item)| (slot, item.number)).collect::<Vec<_>>()
    };
    assert_eq!(slots(0..=1023, 100).await, [(3, 3), (10, 10), (12, 12), (900, 900)]);
    assert_eq!(slots(4..=12, 100).await, [(10, 10), (12, 12)]);
    assert_eq!(slots(0..=1023, 2).await, [(3, 3), (10, 10)]);
    assert_eq!(slots(13..=899, 100).await, []);
}

async fn journals_are_apart<S: Store>(store: &S) {
    let (here, there) = (journal("apart"), JournalId { shard: "shardId-000000000001".to_owned(), ..journal("apart") });
    put(store, &here, 1, &item(LIFE, 1, b"here"), Guard::Vacant).await;
    holds(store, &there, 1, None).await;
    assert!(store.read_slots(&there, 0..=10, 10).await.expect("the store answers").is_empty());
}

async fn marks_are_raised_and_lowered_by_their_rules<S: Store>(store: &S) {
    let journal = journal("marks");
    let read = async || store.read_mark(&journal).await.expect("the store answers");
    assert_eq!(read().await, None);
    let mut held = None;
    let due = |due: i64| Some(EventTime::from_millis(due));
    for (incarnation, number, due) in [
        (LIFE, 4, None),
        (LIFE, 3, due(7)),
        (LIFE, 4, due(7)),
        (LIFE, 5, due(-7)),
        (OTHER_LIFE, 2, due(-5)),
        (OTHER_LIFE, 2, due(-6)),
        (OTHER_LIFE, 2, due(i64::MIN)),
        (OTHER_LIFE, 3, due(i64::MAX)),
        (OTHER_LIFE, 3, due(0)),
        (OTHER_LIFE, 3, None),
        (LIFE, 1, None),
        (LIFE, 1, due(0)),
    ] {
        let mark = Mark { incarnation, number, due };
        store.write_mark(&journal, &mark).await.expect("the store answers");
        held = if mark.raises(held.as_ref()) { Some(mark) } else { held };
        assert_eq!(read().await, held, "raised to {mark:?}");
        store.lower_mark(&journal, &mark).await.expect("the store answers");
        held = if mark.lowers(held.as_ref()) { Some(mark) } else { held };
        assert_eq!(read().await, held, "lowered to {mark:?}");
    }
}

async fn attempts_are_overwritten<S: Store>(store: &S) {
    let journal = journal("attempts");
    let read = async || store.read_attempt(&journal).await.expect("the store answers");
    assert_eq!(read().await, None);
    let sequence = SequenceNumber::parse(&"9".repeat(56)).expect("digits");
    for position in [Some(Position { sequence, sub_sequence: 7 }), None] {
        let attempt = Attempt { position, count: 3 };
        store.write_attempt(&journal, &attempt).await.expect("the store answers");
        assert_eq!(read().await, Some(attempt));
    }
}

async fn parts_are_whole_or_absent<S: Store>(store: &S) {
    let journal = journal("parts");
    let id = PartId { id: "0007-00-5".to_owned(), chunks: 2, bytes: 300_004, plain: 600_000 };
    let chunks = [Bytes::from(vec![1; 300_000]), Bytes::from_static(b"tail")];
    let read = async |id: &PartId| store.read_part(&journal, id).await.expect("the store answers");
    assert_eq!(read(&id).await, None);
    store.write_part(&journal, &id, &chunks).await.expect("the store answers");
    store.write_part(&journal, &id, &chunks).await.expect("a repeat changes nothing");
    assert_eq!(read(&id).await.as_deref(), Some(chunks.as_slice()));
    assert_eq!(read(&PartId { chunks: 3, ..id.clone() }).await, None, "a chunk is missing");
    store.delete_part(&journal, &id).await.expect("the store answers");
    assert_eq!(read(&id).await, None);
    store.delete_part(&journal, &id).await.expect("deleting again succeeds");
}
