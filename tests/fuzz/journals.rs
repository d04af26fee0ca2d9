//! What lies in the journal's table: frames as they come, and sound frames of hostile content, for the record or image of
//! a journal that is read whole.

use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tidemill::Pipeline;
use tidemill::handler::{Handler, Limits, Work};
use tidemill_core::{Change, Corrupt, PartRange, Reject};
use tidemill_journal::{
    Deadline, Guard, Incarnation, JournalId, MemoryStore, PartId, Put, Record, Ring, SlotItem, State, Store as _, load,
};
use tidemill_tests::{FaultyStore, Flight, Inbox, STREAM, records};

use crate::targets::files;

/// Of a frame, before its packed content.
const HEADER: usize = 12;
pub(crate) const SHARD: &str = "shardId-000000000000";
pub(crate) const SLOTS: u32 = 5;
/// How many records the journal has taken.
pub(crate) const GROWN: usize = 40;

pub(crate) fn frames() -> Vec<Vec<u8>> {
    files("shared/journal/testdata", "bin")
}

pub(crate) fn frame(bytes: &[u8]) {
    let _ = Record::decode(bytes);
}

/// The number of a place, the format's, and what shall lie there.
pub(crate) fn contents() -> Vec<Vec<u8>> {
    let number = |number: usize| u8::try_from(number).expect("few places");
    let places = JOURNAL.places.iter().enumerate();
    let own = places.map(|(at, place)| [&[number(at), 2][..], &plain(place.body())].concat());
    let golden = frames().into_iter().map(|frame| [&[0, frame[3]][..], &plain(&frame)].concat());
    own.chain(golden).collect()
}

/// The journal is read, with this content in one place.
pub(crate) fn journal(bytes: &[u8]) {
    let Some(([place, format], content)) = bytes.split_first_chunk() else { return };
    let place = &JOURNAL.places[usize::from(*place) % JOURNAL.places.len()];
    let items = JOURNAL.with(place, frame_of(*format, content));
    if let Ok(Some((view, _))) = at_once(load(&items, &JOURNAL.id, None, || Box::new(Counted(0)))) {
        assert!(view.number() > 0);
    }
}

fn plain(frame: &[u8]) -> Vec<u8> {
    zstd::bulk::decompress(&frame[HEADER..], 1 << 20).expect("a sound frame")
}

/// As `shared/journal/src/frame.rs` says, with a checksum that fits.
fn frame_of(format: u8, content: &[u8]) -> Bytes {
    let packed = zstd::bulk::compress(content, 1).expect("it compresses");
    let length = u32::try_from(content.len()).expect("short").to_be_bytes();
    let mut hasher = crc32fast::Hasher::new();
    if format > 1 {
        hasher.update(&[format]);
    }
    hasher.update(&length);
    hasher.update(&packed);
    Bytes::from([&b"tdm"[..], &[format], &hasher.finalize().to_be_bytes(), &length, &packed].concat())
}

/// A journal, and where its items lie.
pub(crate) struct Journal {
    pub(crate) id: JournalId,
    pub(crate) store: FaultyStore,
    pub(crate) places: Vec<Place>,
}

/// One item.
pub(crate) enum Place {
    Slot(u32, SlotItem),
    Part(PartId, Bytes),
}

impl Place {
    pub(crate) const fn is_slot(&self) -> bool {
        matches!(self, Self::Slot(..))
    }

    pub(crate) const fn body(&self) -> &Bytes {
        match self {
            Self::Slot(_, item) => &item.body,
            Self::Part(_, body) => body,
        }
    }
}

pub(crate) static JOURNAL: LazyLock<Journal> = LazyLock::new(Journal::grown);

pub(crate) fn pipeline() -> Pipeline {
    departures::departures().expect("sound")
}

pub(crate) fn limits() -> Limits {
    Limits { ring: Ring::of(SLOTS).expect("a ring"), ..Limits::default() }
}

pub(crate) fn flights(many: usize) -> Vec<Flight> {
    let time = |n| 1_893_400_000_000 + 1_800_000 * i64::try_from(n).expect("few");
    (0..many).map(|n| Flight::new(["EWR", "JFK", "LGA"][n % 3], time(n), 7)).collect()
}

impl Journal {
    /// One that went around its ring some times.
    fn grown() -> Self {
        let (store, inbox) = (FaultyStore::default(), Inbox::default());
        let id = JournalId { pipeline: "departures".to_owned(), stream: STREAM.to_owned(), shard: SHARD.to_owned() };
        let mut handler = Handler::new(pipeline(), &store, &inbox, limits(), Box::new(|| Incarnation(1)));
        for batch in records(&flights(GROWN)).chunks(3) {
            at_once(handler.handle(STREAM, SHARD, Work::Records(batch), Deadline::NONE)).expect("it is taken");
        }
        drop(handler);
        let slot = |slot| at_once(store.items().read_slot(&id, slot)).expect("memory").map(|item| (slot, item));
        let slots: Vec<(u32, SlotItem)> = (0..SLOTS).filter_map(slot).collect();
        let names = slots.iter().flat_map(|(_, item)| Record::decode(&item.body).expect("sound").parts);
        let image = |id_of: PartId| {
            let chunks = at_once(store.items().read_part(&id, &id_of)).expect("memory")?;
            Some(Place::Part(id_of, Bytes::from(chunks.concat())))
        };
        let parts: Vec<Place> = names.filter_map(|name| name.image).filter_map(image).collect();
        let places = slots.into_iter().map(|(slot, item)| Place::Slot(slot, item)).chain(parts).collect();
        Self { id, store, places }
    }

    /// The same with other content in one place.
    fn with(&self, place: &Place, body: Bytes) -> MemoryStore {
        let items = self.store.items().copy();
        match place {
            Place::Slot(slot, item) => {
                let guard = Guard::Replaces { number: item.number, incarnation: item.incarnation };
                let put = at_once(items.put_slot(&self.id, *slot, &SlotItem { body, ..item.clone() }, guard));
                assert!(matches!(put, Ok(Put::Stored)));
            }
            Place::Part(id, _) => at_once(items.write_part(&self.id, id, &[body])).expect("memory"),
        }
        items
    }
}

/// A state that counts its cells.
pub(crate) struct Counted(pub(crate) usize);

impl State for Counted {
    fn restore(&mut self, _: &Change) -> Result<(), Corrupt> {
        self.0 += 1;
        Ok(())
    }

    fn image(&self, _: &PartRange) -> Result<Vec<Change>, Reject> {
        Ok(Vec::new())
    }

    fn bytes(&self) -> usize {
        self.0
    }
}

/// The answer of something that never waits.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("memory answers at once"),
    }
}
