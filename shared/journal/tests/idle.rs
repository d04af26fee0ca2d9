//! Few busy cells beside many that lie idle: their images stay, and every load is exact all the same.

#[path = "support/draft.rs"]
mod draft;
#[path = "support/nowhere.rs"]
mod nowhere;

use std::collections::{BTreeMap, BTreeSet};

use draft::draft;
use nowhere::Nowhere;
use proptest::prelude::*;
use tidemill_core::{Change, Corrupt, PartRange, Reject};
use tidemill_journal::{
    Beginning, CaughtUp, Committed, Deadline, Incarnation, JournalId, MemoryStore, PartId, Ring, Schema, State, View,
    catch_up, commit, flush, init, load,
};

type CellId = (Vec<u8>, Vec<u8>);

/// Cells by key and slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Cells(BTreeMap<CellId, Vec<u8>>);

impl State for Cells {
    fn restore(&mut self, change: &Change) -> Result<(), Corrupt> {
        let id = (change.key.clone(), change.slot.clone());
        match &change.value {
            Some(value) => self.0.insert(id, value.clone()),
            None => self.0.remove(&id),
        };
        Ok(())
    }

    fn image(&self, range: &PartRange) -> Result<Vec<Change>, Reject> {
        let inside = self.0.iter().filter(|((key, _), _)| range.contains(key));
        let cell = |((key, slot), value): (&CellId, &Vec<u8>)| Change {
            key: key.clone(),
            slot: slot.clone(),
            value: Some(value.clone()),
        };
        Ok(inside.map(cell).collect())
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|((key, slot), value)| key.len() + slot.len() + value.len() + 4).sum()
    }
}

/// Who holds the journal.
struct Holder {
    view: View,
    state: Box<Cells>,
}

struct Bench {
    store: MemoryStore,
    journal: JournalId,
    schema: Schema,
}

impl Bench {
    async fn begin(slots: u32) -> Self {
        let journal = JournalId { pipeline: "clicks".into(), stream: "arn".into(), shard: "shard".into() };
        let fingerprint = BTreeMap::from([("window".to_owned(), "tumbling".to_owned())]);
        let schema = Schema { journal: journal.clone(), fingerprint, starting_sequence: None, hash_range: None };
        let store = MemoryStore::new();
        let beginning = Beginning::empty(Incarnation(7), Ring::of(slots).expect("a ring"), schema.clone());
        init(&store, &journal, beginning, &Cells::default()).await.expect("begins");
        Self { store, journal, schema }
    }

    async fn load(&self) -> Holder {
        let loaded = load(&self.store, &self.journal, Some((&self.schema).into()), || Box::new(Cells::default())).await;
        let (view, state) = loaded.expect("loads").expect("record 1 is there");
        Holder { view, state }
    }

    async fn catch_up(&self, holder: &mut Holder) {
        let caught = catch_up(&self.store, &self.journal, &mut holder.view, holder.state.as_mut()).await;
        if caught.expect("catches up") == CaughtUp::Lost {
            *holder = self.load().await;
        }
    }

    async fn write(&self, holder: &mut Holder, changes: Vec<Change>) {
        let draft = draft(changes.clone());
        let flushed = flush(&self.store, &Nowhere, &self.journal, &mut holder.view, Deadline::NONE).await;
        let state = holder.state.as_ref();
        let flushed = flushed.expect("flushes");
        let done = commit(&self.store, &self.journal, flushed, draft, state, Deadline::NONE).await.expect("commits");
        assert_eq!(done, Committed::Done);
        changes.iter().for_each(|change| holder.state.restore(change).expect("restores"));
    }
}

fn change(key: u16, slot: u16, value: Option<u16>) -> Change {
    let bytes = |number: u16| number.to_be_bytes().to_vec();
    Change { key: bytes(key), slot: bytes(slot), value: value.map(bytes) }
}

fn images(holder: &Holder) -> BTreeSet<&PartId> {
    holder.view.parts().filter_map(|part| part.image.as_ref()).collect()
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(test);
}

/// One key counts by the window, beside thirty thousand whose windows are open and get nothing: thousands of windows that come
/// and go leave nothing behind that had to be told of.
#[test]
fn idle_cells_are_not_written_anew() {
    run(async {
        let bench = Bench::begin(64).await;
        let mut holder = bench.load().await;
        let idle = (0..30_000).map(|key| change(key, 0, Some(key))).collect();
        bench.write(&mut holder, idle).await;
        for _ in 0..2 * 64 {
            bench.write(&mut holder, Vec::new()).await;
        }
        let before: BTreeSet<PartId> = images(&holder).into_iter().cloned().collect();
        assert!(before.len() > 1, "{} parts", before.len());
        for window in 1..1_000 {
            bench.write(&mut holder, vec![change(7, window, Some(1)), change(7, window - 1, None)]).await;
        }
        let after = images(&holder).into_iter().cloned().collect();
        assert_eq!(before, after, "an image was written anew");
        let loaded = bench.load().await;
        assert_eq!(loaded.state, holder.state);
        assert!(!loaded.state.0.contains_key(&(7_u16.to_be_bytes().to_vec(), vec![0, 0])), "what is gone stays gone");
    });
}

/// What shrinks gets smaller images some day, though each deletion alone is a small change.
#[test]
fn what_is_gone_does_not_stay_in_the_images() {
    run(async {
        let bench = Bench::begin(64).await;
        let mut holder = bench.load().await;
        bench.write(&mut holder, (0..10_000).map(|key| change(key, 0, Some(key))).collect()).await;
        for key in 0..9_990 {
            bench.write(&mut holder, vec![change(key, 0, None)]).await;
        }
        for _ in 0..3 * 64 {
            bench.write(&mut holder, Vec::new()).await;
        }
        let bytes: u32 = images(&holder).iter().map(|image| image.plain).sum();
        assert!(bytes < 500, "{bytes} bytes of images for ten cells");
        assert_eq!(bench.load().await.state, holder.state);
    });
}

/// Which holder acts, and what it changes: key, slot, value.
type Act = (usize, Vec<(u16, u16, Option<u16>)>);

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let changes = prop::collection::vec((0..6_u16, 0..3_u16, prop::option::of(any::<u16>())), 0..4);
    prop::collection::vec((0..2_usize, changes), 1..60)
}

proptest! {
    /// Two holders by turns, over a ring of few slots: both, and whoever loads, see what was written, whether a part was
    /// written anew by oneself or by the other, or its cells stated again.
    #[test]
    fn every_load_is_exact(slots in 2..6_u32, idle in 0..120_u16, acts in acts()) {
        run(async {
            let bench = Bench::begin(slots).await;
            let mut holders = [bench.load().await, bench.load().await];
            let mut expected = Cells::default();
            let cells: Vec<Change> = (0..idle).map(|key| change(key, 0, Some(key))).collect();
            cells.iter().for_each(|cell| expected.restore(cell).expect("restores"));
            bench.write(&mut holders[0], cells).await;
            for (who, changes) in acts {
                let holder = &mut holders[who];
                bench.catch_up(holder).await;
                let changes: Vec<Change> = changes.iter().map(|(key, slot, value)| change(*key, *slot, *value)).collect();
                changes.iter().for_each(|change| expected.restore(change).expect("restores"));
                bench.write(holder, changes).await;
                assert_eq!(*holder.state, expected);
                assert_eq!(*bench.load().await.state, expected);
            }
            for holder in &mut holders {
                bench.catch_up(holder).await;
                assert_eq!(*holder.state, expected);
            }
        });
    }
}
