//! Journals written by earlier code are read by this code: whole ones are kept as files, with what must come of them.
//!
//! `BLESS=1 cargo test --test journals` writes the file of the newest format if there is none. A file that has landed stays
//! as it is; a new kind of state or a new format gets a file of its own.

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use departures::departures;
use serde::{Deserialize, Serialize};
use tidemill::handler::{Handler, Limits, Work};
use tidemill_journal::{Deadline, Format, Guard, Incarnation, JournalId, MemoryStore, PartId, Ring, SlotItem, Store};
use tidemill_tests::{FaultyStore, Flight, Inbox, records};

const HOUR: i64 = 3_600_000;

/// The items of one journal, bodies in hexadecimal.
#[derive(Serialize, Deserialize)]
struct Kept {
    journal: JournalId,
    slots: Vec<(u32, u64, u64, String)>,
    parts: Vec<(PartId, Vec<String>)>,
}

fn journal() -> JournalId {
    JournalId {
        pipeline: "departures".to_owned(),
        stream: "arn:aws:kinesis:us-east-1:123456789012:stream/flights".to_owned(),
        shard: "shardId-000000000000".to_owned(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(digits: &str) -> Bytes {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal");
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// Thirty hours of flights; the last seven or so are still open.
fn flights() -> Vec<Flight> {
    (0..60)
        .map(|number| Flight::new(["JFK", "EWR", "LGA"][number % 3], number as i64 * HOUR / 2, number as i64))
        .collect()
}

/// Writes the journal of the present code: a ring of eight slots, gone round more than once, with an image.
async fn write() -> Kept {
    let (store, inbox) = (FaultyStore::default(), Inbox::default());
    let limits = Limits { ring: Ring::of(8).expect("a ring"), ..Limits::default() };
    let pipeline = departures().expect("sound");
    let mut handler = Handler::new(pipeline, &store, &inbox, limits, Box::new(|| Incarnation(0xfeed)));
    let journal = journal();
    let flights = flights();
    for batch in records(&flights).chunks(3) {
        handler.handle(&journal.stream, &journal.shard, Work::Records(batch), Deadline::NONE).await.expect("done");
    }
    let mut parts = Vec::new();
    let slots = store.items().read_slots(&journal, 0..=7, 8).await.expect("read");
    for (_, item) in &slots {
        let record = tidemill_journal::Record::decode(&item.body).expect("a record");
        for id in record.parts.into_iter().filter_map(|part| part.image) {
            if let Some(chunks) = store.items().read_part(&journal, &id).await.expect("read") {
                parts.push((id, chunks.iter().map(|chunk| hex(chunk)).collect()));
            }
        }
    }
    let slot = |(slot, item): &(u32, SlotItem)| (*slot, item.number, item.incarnation.0, hex(&item.body));
    Kept { slots: slots.iter().map(slot).collect(), parts, journal }
}

async fn put_back(kept: &Kept, store: &MemoryStore) {
    for (slot, number, incarnation, body) in &kept.slots {
        let item = SlotItem { incarnation: Incarnation(*incarnation), number: *number, body: unhex(body) };
        store.put_slot(&kept.journal, *slot, &item, Guard::Vacant).await.expect("stored");
    }
    for (id, chunks) in &kept.parts {
        let chunks: Vec<Bytes> = chunks.iter().map(|chunk| unhex(chunk)).collect();
        store.write_part(&kept.journal, id, &chunks).await.expect("stored");
    }
}

/// The formats of all that the journal holds now.
async fn formats(store: &MemoryStore, kept: &Kept) -> Vec<Format> {
    let slots = store.read_slots(&kept.journal, 0..=7, 8).await.expect("read");
    assert_eq!(slots.len(), 8);
    let format = |body: &[u8]| Format::of_version(body[3]).expect("a format of ours");
    let mut formats: Vec<Format> = slots.iter().map(|(_, item)| format(&item.body)).collect();
    for (_, item) in &slots {
        let record = tidemill_journal::Record::decode(&item.body).expect("a record");
        for id in record.parts.into_iter().filter_map(|part| part.image) {
            let chunks = store.read_part(&kept.journal, &id).await.expect("read");
            formats.extend(chunks.map(|chunks| format(&chunks[0])));
        }
    }
    formats
}

#[test]
fn a_journal_of_format_1_goes_on() {
    goes_on(Format::V1);
}

#[test]
fn a_journal_of_format_2_goes_on() {
    goes_on(Format::V2);
}

fn goes_on(format: Format) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("golden/departures-v{format}.json"));
    if std::env::var_os("BLESS").is_some() && format == Format::NEWEST && !path.exists() {
        let kept = runtime.block_on(write());
        fs::write(&path, serde_json::to_string_pretty(&kept).expect("serialises")).expect("written");
    }
    let kept: Kept = serde_json::from_str(&fs::read_to_string(&path).expect("the kept journal")).expect("JSON");
    assert_eq!(kept.parts.len(), 1, "the state stands in an image and in the records behind it");

    let (store, inbox) = (FaultyStore::default(), Inbox::default());
    runtime.block_on(async {
        put_back(&kept, store.items()).await;
        let pipeline = departures().expect("sound");
        let draw = Box::new(|| -> Incarnation { panic!("the journal goes on, it is not begun") });
        let mut handler = Handler::new(pipeline, &store, &inbox, Limits::default(), draw);
        let mut flights = flights();
        flights.push(Flight::new("JFK", 30 * HOUR, 1));
        let again = records(&flights);
        let work = Work::Records(&again);
        let done = handler.handle(&kept.journal.stream, &kept.journal.shard, work, Deadline::NONE).await.expect("done");
        assert_eq!((done.taken, done.repeats), (1, 60), "the position is known");
        handler.handle(&kept.journal.stream, &kept.journal.shard, Work::Drain, Deadline::NONE).await.expect("drained");
    });
    let formats = runtime.block_on(formats(store.items(), &kept));
    assert!(formats.iter().all(|found| *found == format), "it is written as it was begun: {formats:?}");
    let received = inbox.received();
    let flights: u64 = received.events["departures"].iter().map(|r| r["flights"].as_u64().expect("a number")).sum();
    // Flights from 23:00 on were open (14), the two from 22:00 on stood as results in the last record and are sent again
    // for want of a flush mark, and one came.
    assert_eq!(flights, 14 + 2 + 1, "{received:?}");
}
