//! Many holders of one journal, acting in any order over a small ring: whatever they do, there is one history.

#[path = "support/cells.rs"]
mod cells;
#[path = "support/draft.rs"]
mod draft;

use std::collections::BTreeMap;
use std::sync::Mutex;

use bytes::Bytes;
use cells::Cells;
use draft::draft;
use proptest::prelude::*;
use tidemill_core::{Change, PartRange, Position, Progress, SequenceNumber};
use tidemill_journal::{
    Beginning, CaughtUp, Committed, Deadline, Draft, Error, Format, Guard, Incarnation, JournalId, Kind, MemoryStore,
    Output, PartName, Record, Ring, Schema, Sink, SinkError, SlotItem, State, Store, Upgraded, View, catch_up, commit,
    flush, init, load, still_holds, upgrade,
};

/// Remembers everything that arrives; refuses on demand.
#[derive(Default)]
struct Log {
    arrived: Mutex<Vec<Bytes>>,
    refuse: Mutex<bool>,
}

impl Sink for Log {
    fn objection(&self, _: &Output) -> Option<String> {
        None
    }

    async fn send(&self, outputs: &[Output], _: Deadline) -> Result<(), SinkError> {
        // A refusal comes after the first output has arrived: sending is not all or nothing.
        let refuse = *self.refuse.lock().expect("lock");
        let taken = if refuse { 1 } else { outputs.len() };
        self.arrived.lock().expect("lock").extend(outputs.iter().take(taken).map(|output| output.data.clone()));
        if refuse { Err(SinkError::Unavailable("throttled".to_owned())) } else { Ok(()) }
    }
}

struct Bench {
    store: MemoryStore,
    sink: Log,
    journal: JournalId,
    schema: Schema,
    ring: Ring,
    may_spill: bool,
    /// What every commit changed, by its number: the one history.
    history: BTreeMap<u64, Vec<Change>>,
    /// The commit that upgraded it from format 1; it sends nothing of its own.
    upgraded: Option<u64>,
}

struct Holder {
    view: View,
    state: Box<Cells>,
}

impl Bench {
    fn new(slots: u32) -> Self {
        let journal = JournalId {
            pipeline: "flights".to_owned(),
            stream: "arn:aws:kinesis:us-east-1:123456789012:stream/flights".to_owned(),
            shard: "shardId-000000000000".to_owned(),
        };
        let fingerprint = BTreeMap::from([("window".to_owned(), "tumbling".to_owned())]);
        Self {
            store: MemoryStore::new(),
            sink: Log::default(),
            schema: Schema { journal: journal.clone(), fingerprint, starting_sequence: None, hash_range: None },
            journal,
            ring: Ring::of(slots).expect("a ring"),
            may_spill: false,
            history: BTreeMap::new(),
            upgraded: None,
        }
    }

    async fn open(&self) -> Result<Holder, Error> {
        init(
            &self.store,
            &self.journal,
            Beginning::empty(Incarnation(42), self.ring, self.schema.clone()),
            &Cells::default(),
        )
        .await?;
        let loaded =
            load(&self.store, &self.journal, Some((&self.schema).into()), || Box::new(Cells::default())).await?;
        let (view, state) = loaded.expect("record 1 is there");
        Ok(Holder { view, state })
    }

    async fn begin_in_format_1(&self) {
        let mut record = Record {
            format: Format::V1,
            incarnation: Incarnation(42),
            ring: self.ring,
            number: 1,
            kind: Kind::Init,
            position: None,
            progress: Progress::start(),
            changes: Vec::new(),
            outputs: Vec::new(),
            parts: vec![PartName { range: PartRange::ALL, image: None, as_of: 0 }],
            oldest: 0,
            spills: Vec::new(),
            gap: None,
            tick: None,
            schema: Some(self.schema.clone()),
        };
        let body = record.encode().expect("encodes");
        let item = SlotItem { incarnation: record.incarnation, number: 1, body };
        self.store.put_slot(&self.journal, self.ring.slot(1), &item, Guard::Vacant).await.expect("stored");
    }

    /// Upgrades as a tool does that knows no sink.
    async fn upgrade(&mut self, holder: &mut Holder) {
        let newest = self.history.keys().next_back().copied().unwrap_or(1);
        let state = holder.state.as_mut();
        match upgrade(&self.store, &self.journal, &mut holder.view, state, Deadline::NONE).await.expect("answers") {
            Upgraded::Done { from, .. } => {
                assert_eq!((from, holder.view.number()), (Format::V1, newest + 1));
                self.history.insert(newest + 1, Vec::new());
                self.upgraded = Some(newest + 1);
            }
            Upgraded::Already => assert_eq!(holder.view.format(), Format::V2),
            Upgraded::Ended(kind) => panic!("it has not ended with {kind:?}"),
            Upgraded::Outrun => *holder = self.open().await.expect("opens"),
        }
    }

    /// From the upgrade on all records are of format 2, before it none is.
    async fn assert_formats(&self) {
        for (_, item) in self.store.read_slots(&self.journal, 0..=u32::MAX, usize::MAX).await.expect("read") {
            let format = if self.upgraded.is_some_and(|first| item.number >= first) { Format::V2 } else { Format::V1 };
            assert_eq!(Record::decode(&item.body).map(|record| record.format), Ok(format), "record {}", item.number);
        }
    }

    /// The state that the history gives after `number` commits.
    fn reference(&self, number: u64) -> Cells {
        let mut cells = Cells::default();
        for change in self.history.range(..=number).flat_map(|(_, changes)| changes) {
            cells.restore(change).expect("restores");
        }
        cells
    }

    /// I2: the holder's view is the exact prefix.
    fn assert_exact(&self, holder: &Holder) {
        assert_eq!(*holder.state, self.reference(holder.view.number()), "at commit {}", holder.view.number());
    }

    /// Flushes and tries to commit `changes`; installs them if acknowledged.
    async fn write(&mut self, holder: &mut Holder, changes: Vec<Change>) -> Result<Committed, Error> {
        let number = holder.view.number() + 1;
        let draft = Draft {
            position: Some(position(number)),
            outputs: vec![output(number, 0), output(number, 1)],
            may_spill: self.may_spill,
            ..draft(changes.clone())
        };
        let flushed = flush(&self.store, &self.sink, &self.journal, &mut holder.view, Deadline::NONE).await?;
        let committed =
            commit(&self.store, &self.journal, flushed, draft, holder.state.as_ref(), Deadline::NONE).await?;
        if committed == Committed::Done {
            assert_eq!(holder.view.number(), number);
            changes.iter().for_each(|change| holder.state.restore(change).expect("restores"));
            assert!(self.history.insert(number, changes).is_none(), "I1: commit {number} was written twice");
        }
        Ok(committed)
    }
}

fn position(number: u64) -> Position {
    Position { sequence: SequenceNumber::parse(&number.to_string()).expect("digits"), sub_sequence: 0 }
}

fn output(number: u64, index: u32) -> Output {
    let data = Bytes::from(format!("{number}-{index}"));
    Output { sink: "results".to_owned(), partition_key: "k".to_owned(), data }
}

fn change(key: u8, value: Option<u8>) -> Change {
    Change { key: vec![key], slot: Vec::new(), value: value.map(|value| vec![value]) }
}

/// What a holder does next. A holder that does nothing for long is a zombie when it acts again.
#[derive(Clone, Copy, Debug)]
enum Act {
    Write {
        key: u8,
        value: Option<u8>,
    },
    /// A commit that changes nothing: parts that nothing touched are named again.
    WriteNothing,
    WriteWithoutAcknowledgement {
        key: u8,
    },
    Follow,
    Crash,
    Upgrade,
}

fn acts() -> impl Strategy<Value = Vec<(usize, Act)>> {
    let act = prop_oneof![
        6 => (0..5_u8, proptest::option::weighted(0.8, any::<u8>())).prop_map(|(key, value)| Act::Write { key, value }),
        3 => Just(Act::WriteNothing),
        1 => (0..5_u8).prop_map(|key| Act::WriteWithoutAcknowledgement { key }),
        3 => Just(Act::Follow),
        1 => Just(Act::Crash),
        1 => Just(Act::Upgrade),
    ];
    proptest::collection::vec((0..3_usize, act), 1..80)
}

/// Plays the acts on a ring of so many slots, with values of so many bytes.
async fn play(slots: u32, size: usize, acts: &[(usize, Act)]) {
    let mut bench = Bench::new(slots);
    bench.begin_in_format_1().await;
    let mut holders = Vec::new();
    for _ in 0..3 {
        holders.push(bench.open().await.expect("opens"));
    }
    for (who, act) in acts {
        let holder = &mut holders[*who];
        match *act {
            Act::Write { key, value } => {
                let change = sized(change(key, value), size);
                bench.write(holder, vec![change]).await.expect("writes");
            }
            Act::WriteNothing => {
                bench.write(holder, Vec::new()).await.expect("writes");
            }
            Act::WriteWithoutAcknowledgement { key } => {
                *bench.sink.refuse.lock().expect("lock") = true;
                let number = holder.view.number();
                let refused = bench.write(holder, vec![change(key, Some(0))]).await;
                *bench.sink.refuse.lock().expect("lock") = false;
                if refused.is_err() {
                    assert_eq!(holder.view.number(), number, "I3: nothing is committed on unacknowledged outputs");
                }
            }
            Act::Follow => {
                let caught = catch_up(&bench.store, &bench.journal, &mut holder.view, holder.state.as_mut()).await;
                if caught.expect("catches up") == CaughtUp::Lost {
                    *holder = bench.open().await.expect("opens");
                }
                let newest = bench.history.keys().next_back().copied().unwrap_or(1);
                assert_eq!(holder.view.number(), newest, "catching up reflects every acknowledged commit");
                assert!(still_holds(&bench.store, &bench.journal, &holder.view).await.expect("reads"));
            }
            Act::Crash => *holder = bench.open().await.expect("opens"),
            Act::Upgrade => bench.upgrade(holder).await,
        }
        bench.assert_exact(&holders[*who]);
    }
    let mut last = bench.open().await.expect("opens");
    bench.assert_exact(&last);
    bench.assert_formats().await;
    flush(&bench.store, &bench.sink, &bench.journal, &mut last.view, Deadline::NONE).await.expect("flushes");
    assert_outputs_complete_and_in_order(&bench);
}

/// I3 and I4: every output of every commit arrived, and the first arrival of commit n+1 lies behind all of n.
fn assert_outputs_complete_and_in_order(bench: &Bench) {
    let arrived = bench.sink.arrived.lock().expect("lock");
    let first = |data: Bytes| arrived.iter().position(|other| *other == data).expect("every output arrives");
    let mut before = 0;
    for number in bench.history.keys().filter(|number| bench.upgraded != Some(**number)) {
        let places = [first(output(*number, 0).data), first(output(*number, 1).data)];
        assert!(places.iter().all(|place| *place >= before), "commit {number} overtook the one before");
        before = places[0].max(places[1]);
    }
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(future);
}

proptest! {
    #[test]
    fn there_is_one_history_and_every_view_is_its_exact_prefix(slots in 2..6_u32, acts in acts()) {
        run(play(slots, 1, &acts));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Five keys of 90 KB: the state is divided into parts, and united again as keys go.
    #[test]
    fn so_it_is_while_parts_divide_and_unite(slots in 2..6_u32, acts in acts()) {
        run(play(slots, 90_000, &acts));
    }
}

#[test]
fn an_upgrade_carries_what_is_not_acknowledged_and_says_so_once() {
    run(async {
        let mut bench = Bench::new(4);
        bench.begin_in_format_1().await;
        let mut function = bench.open().await.expect("opens");
        bench.write(&mut function, vec![change(1, Some(1))]).await.expect("writes");
        assert_eq!(function.view.format(), Format::V1, "a journal goes on as it was begun");
        let mut tool = bench.open().await.expect("opens");
        let state = tool.state.as_mut();
        let done = upgrade(&bench.store, &bench.journal, &mut tool.view, state, Deadline::NONE).await;
        assert_eq!(done.expect("upgrades"), Upgraded::Done { from: Format::V1, carried: 2 });
        bench.history.insert(3, Vec::new());
        bench.upgraded = Some(3);
        let again = upgrade(&bench.store, &bench.journal, &mut tool.view, tool.state.as_mut(), Deadline::NONE).await;
        assert_eq!(again.expect("answers"), Upgraded::Already);
        assert!(bench.sink.arrived.lock().expect("lock").is_empty(), "a tool sends nothing");

        // The function had not flushed either: what it goes on with is sent first.
        let written = bench.write(&mut function, vec![change(1, Some(2))]).await.expect("answers");
        assert_eq!(written, Committed::Conflict);
        let mut other = bench.open().await.expect("opens");
        bench.write(&mut other, vec![change(1, Some(3))]).await.expect("writes");
        flush(&bench.store, &bench.sink, &bench.journal, &mut other.view, Deadline::NONE).await.expect("flushes");
        assert_outputs_complete_and_in_order(&bench);
        bench.assert_formats().await;
    });
}

#[test]
fn outputs_that_are_known_to_be_acknowledged_are_not_carried() {
    run(async {
        let mut bench = Bench::new(4);
        bench.begin_in_format_1().await;
        let mut tool = bench.open().await.expect("opens");
        bench.write(&mut tool, vec![change(1, Some(1))]).await.expect("writes");
        flush(&bench.store, &bench.sink, &bench.journal, &mut tool.view, Deadline::NONE).await.expect("flushes");
        let state = tool.state.as_mut();
        let done = upgrade(&bench.store, &bench.journal, &mut tool.view, state, Deadline::NONE).await;
        assert_eq!(done.expect("upgrades"), Upgraded::Done { from: Format::V1, carried: 0 });
    });
}

/// Code that does not know the format of a record can only be behind it: it reads, refuses, and its commit conflicts.
#[test]
fn a_record_of_a_later_format_is_refused_and_not_overwritten() {
    run(async {
        let mut bench = Bench::new(4);
        let mut holder = bench.open().await.expect("opens");
        for number in 0..6 {
            bench.write(&mut holder, vec![change(1, Some(number))]).await.expect("writes");
        }
        let mut behind = bench.open().await.expect("opens");
        bench.write(&mut holder, vec![change(1, Some(9))]).await.expect("writes");
        // The newest record, as later code would have written it.
        let (slot, number) = (bench.ring.slot(8), holder.view.number());
        let mut later = bench.store.read_slot(&bench.journal, slot).await.expect("reads").expect("is there");
        let mut body = later.body.to_vec();
        body[3] = Format::NEWEST.version() + 1;
        later.body = body.into();
        let guard = Guard::Replaces { number, incarnation: later.incarnation };
        bench.store.put_slot(&bench.journal, slot, &later, guard).await.expect("stored");

        let written = bench.write(&mut behind, vec![change(2, Some(2))]).await.expect("answers");
        assert_eq!(written, Committed::Conflict);
        let refused = catch_up(&bench.store, &bench.journal, &mut behind.view, behind.state.as_mut()).await;
        let text = refused.expect_err("refused").to_string();
        assert!(text.contains("format version 3, this code reads versions 1 to 2"), "{text}");
        let Err(refused) = bench.open().await else { panic!("the journal must be refused") };
        assert!(refused.to_string().contains("or a later one"), "{refused}");
        let found = bench.store.read_slot(&bench.journal, slot).await.expect("reads");
        assert_eq!(found, Some(later), "nothing is overwritten");
    });
}

#[test]
fn a_journal_goes_round_its_ring_for_ever() {
    run(async {
        let mut bench = Bench::new(3);
        let mut holder = bench.open().await.expect("opens");
        for number in 0..60 {
            let key = number % 7;
            let committed = bench.write(&mut holder, vec![change(key, Some(number))]).await.expect("writes");
            assert_eq!(committed, Committed::Done);
            bench.assert_exact(&bench.open().await.expect("opens"));
        }
    });
}

#[test]
fn an_idle_state_is_named_again_without_being_written() {
    run(async {
        let mut bench = Bench::new(3);
        let mut holder = bench.open().await.expect("opens");
        bench.write(&mut holder, vec![change(1, Some(1))]).await.expect("writes");
        for _ in 0..20 {
            bench.write(&mut holder, Vec::new()).await.expect("writes");
        }
        bench.assert_exact(&bench.open().await.expect("opens"));
    });
}

/// The change with a value of `size` bytes that do not compress, a function of its own value.
fn sized(change: Change, size: usize) -> Change {
    let grow = |value: Vec<u8>| {
        let mut bytes = noise();
        let skip = usize::from(value[0]);
        for _ in 0..skip {
            bytes();
        }
        std::iter::once(value[0]).chain((1..size).map(|_| bytes())).collect()
    };
    Change { value: change.value.map(grow), ..change }
}

/// Bytes that do not compress: the high bytes of a multiplicative sequence.
fn noise() -> impl FnMut() -> u8 {
    let mut state = 1_u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    }
}

#[test]
fn parts_divide_as_state_grows_and_unite_as_it_shrinks() {
    run(async {
        let mut bench = Bench::new(64);
        let mut holder = bench.open().await.expect("opens");
        let mut bytes = noise();
        let cell = |key: u16, value: Option<Vec<u8>>| Change { key: key.to_be_bytes().to_vec(), slot: vec![], value };
        for key in 0..600_u16 {
            let value = (0..3_000).map(|_| bytes()).collect();
            bench.write(&mut holder, vec![cell(key, Some(value))]).await.expect("writes");
            if key % 50 == 0 {
                bench.assert_exact(&bench.open().await.expect("opens"));
            }
        }
        let grown = holder.view.parts().count();
        let largest = holder.view.parts().filter_map(|part| part.image.as_ref()).map(|image| image.bytes).max();
        assert!(grown > 4, "{grown} parts of 1.8 MB");
        assert!(largest.is_some_and(|bytes| bytes < 1_200_000), "{largest:?}");
        for key in 0..600_u16 {
            bench.write(&mut holder, vec![cell(key, None)]).await.expect("writes");
        }
        for _ in 0..100 {
            bench.write(&mut holder, vec![cell(1, Some(vec![1]))]).await.expect("writes");
            bench.assert_exact(&bench.open().await.expect("opens"));
        }
        assert!(holder.view.parts().count() < grown, "{} parts of next to nothing", holder.view.parts().count());
    });
}

#[test]
fn who_follows_a_union_names_no_part_that_it_replaced() {
    run(async {
        let mut bench = Bench::new(8);
        let mut leader = bench.open().await.expect("opens");
        for round in 0..4 {
            for key in 0..4 {
                let large = sized(change(key, Some(round)), 90_000);
                bench.write(&mut leader, vec![large]).await.expect("writes");
            }
        }
        assert!(leader.view.parts().count() > 1, "the state is divided");
        for key in 0..4 {
            bench.write(&mut leader, vec![change(key, Some(1))]).await.expect("writes");
        }
        let mut follower = bench.open().await.expect("opens");
        // One key alone changes from here on: the other parts shrink by themselves no more, they are united with it.
        for value in 0..60 {
            bench.write(&mut leader, vec![change(0, Some(value))]).await.expect("writes");
            let caught = catch_up(&bench.store, &bench.journal, &mut follower.view, follower.state.as_mut()).await;
            assert_eq!(caught.expect("catches up"), CaughtUp::Advanced);
            let names = |holder: &Holder| holder.view.parts().cloned().collect::<Vec<_>>();
            assert_eq!(names(&follower), names(&leader), "a follower takes over names as well as changes");
        }
        assert_eq!(leader.view.parts().count(), 1, "all is united");
        for _ in 0..10 {
            bench.write(&mut follower, Vec::new()).await.expect("writes");
            bench.assert_exact(&bench.open().await.expect("opens"));
        }
    });
}

#[test]
fn a_part_larger_than_an_item_is_kept_in_chunks() {
    run(async {
        let mut bench = Bench::new(2);
        let mut holder = bench.open().await.expect("opens");
        let mut bytes = noise();
        for key in 0..4 {
            let value = (0..300_000).map(|_| bytes()).collect();
            let big = Change { key: vec![key], slot: Vec::new(), value: Some(value) };
            assert_eq!(bench.write(&mut holder, vec![big]).await.expect("writes"), Committed::Done);
        }
        bench.write(&mut holder, Vec::new()).await.expect("writes");
        bench.assert_exact(&bench.open().await.expect("opens"));
        let huge = Change { key: vec![9], slot: Vec::new(), value: Some((0..500_000).map(|_| bytes()).collect()) };
        let committed = bench.write(&mut holder, vec![huge.clone()]).await.expect("answers");
        assert!(matches!(committed, Committed::TooLarge { bytes } if bytes > 390_000));
        bench.assert_exact(&holder);

        bench.may_spill = true;
        let mut follower = bench.open().await.expect("opens");
        assert_eq!(bench.write(&mut holder, vec![huge]).await.expect("writes"), Committed::Done);
        bench.assert_exact(&bench.open().await.expect("opens"));
        let caught = catch_up(&bench.store, &bench.journal, &mut follower.view, follower.state.as_mut()).await;
        assert_eq!(caught.expect("catches up"), CaughtUp::Advanced);
        bench.assert_exact(&follower);
        for key in 0..9 {
            bench.write(&mut holder, vec![change(key, Some(key))]).await.expect("writes");
            bench.assert_exact(&bench.open().await.expect("opens"));
        }
        flush(&bench.store, &bench.sink, &bench.journal, &mut holder.view, Deadline::NONE).await.expect("flushes");
        assert_outputs_complete_and_in_order(&bench);
    });
}

#[test]
fn a_zombie_of_a_dropped_journal_cannot_write_into_the_new_one() {
    run(async {
        let mut bench = Bench::new(8);
        let mut zombie = bench.open().await.expect("opens");
        bench.write(&mut zombie, vec![change(1, Some(1))]).await.expect("writes");
        // The state is dropped and begun anew under another incarnation.
        bench.store = MemoryStore::new();
        init(
            &bench.store,
            &bench.journal,
            Beginning::empty(Incarnation(43), bench.ring, bench.schema.clone()),
            &Cells::default(),
        )
        .await
        .expect("begins");
        assert!(!still_holds(&bench.store, &bench.journal, &zombie.view).await.expect("reads"));
        let written = bench.write(&mut zombie, vec![change(2, Some(2))]).await.expect("answers");
        assert_eq!(written, Committed::Conflict);
        let caught = catch_up(&bench.store, &bench.journal, &mut zombie.view, zombie.state.as_mut()).await;
        assert_eq!(caught.expect("answers"), CaughtUp::Current, "nothing that the zombie could take for its own");
    });
}

#[test]
fn a_journal_of_another_pipeline_is_refused_with_what_differs() {
    run(async {
        let mut bench = Bench::new(4);
        bench.open().await.expect("opens");
        bench.schema.fingerprint.insert("window".to_owned(), "session".to_owned());
        let Err(error) = bench.open().await else { panic!("the journal must be refused") };
        let text = error.to_string();
        assert!(text.contains("window: stored \"tumbling\", now \"session\""), "{text}");
    });
}

#[test]
fn a_journal_of_another_stream_is_refused_with_its_name() {
    run(async {
        let mut bench = Bench::new(4);
        let mut holder = bench.open().await.expect("opens");
        bench.write(&mut holder, vec![change(1, Some(1))]).await.expect("writes");
        // Its items, put under the key of another stream's journal.
        let other = JournalId {
            stream: "arn:aws:kinesis:us-east-1:123456789012:stream/trains".to_owned(),
            ..bench.journal.clone()
        };
        for (slot, item) in bench.store.read_slots(&bench.journal, 0..=3, 4).await.expect("read") {
            bench.store.put_slot(&other, slot, &item, Guard::Vacant).await.expect("stored");
        }
        bench.schema.journal = other.clone();
        let written_for = bench.journal.to_string();
        bench.journal = other;
        let Err(error) = bench.open().await else { panic!("the journal must be refused") };
        let text = error.to_string();
        assert!(text.contains(&format!("it was written for {written_for}")), "{text}");
    });
}

#[test]
fn nothing_follows_the_end_of_input() {
    run(async {
        let mut bench = Bench::new(4);
        let mut holder = bench.open().await.expect("opens");
        let draft = Draft { kind: Kind::Drain, may_spill: false, ..draft(Vec::new()) };
        let flushed = flush(&bench.store, &bench.sink, &bench.journal, &mut holder.view, Deadline::NONE).await;
        let drained = commit(
            &bench.store,
            &bench.journal,
            flushed.expect("flushes"),
            draft,
            holder.state.as_ref(),
            Deadline::NONE,
        );
        assert_eq!(drained.await.expect("commits"), Committed::Done);
        let refused = bench.write(&mut holder, vec![change(1, Some(1))]).await.expect_err("refused");
        assert!(matches!(refused, Error::Closed { kind: Kind::Drain, number: 2, .. }), "{refused}");
    });
}
