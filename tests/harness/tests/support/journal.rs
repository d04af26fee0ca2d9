//! Journals written by hand, so that their tests need no pipeline.

use ciborium::Value as Cbor;
use serde_json::{Value, json};
use tidemill_aws::DynamoStore;
use tidemill_harness::emulators::DynamoDb;
use tidemill_harness::findings::Findings;
use tidemill_harness::kept::{Kept, Label};
use tidemill_harness::state::client;
use tidemill_harness::template::Template;
use tidemill_journal::{Guard, JournalId, PartId, Record, SlotItem, Store};

use crate::support::Project;

/// 2013-01-31T17:00:00Z.
pub(crate) const FIVE: i64 = 1_359_651_600_000;
const HOUR: i64 = 3_600_000;

/// The journal of a shard of the stream `in`.
pub(crate) fn journal(pipeline: &str, shard: u32) -> JournalId {
    JournalId {
        pipeline: pipeline.to_owned(),
        stream: String::from("arn:aws:kinesis:us-east-1:000000000000:stream/in"),
        shard: format!("shardId-{shard:012}"),
    }
}

/// Record 1, which names all keys' part and holds nothing.
pub(crate) fn init(journal: &JournalId) -> Value {
    json!({
        "inc": 7, "ring": 4, "n": 1, "kind": "init", "oldest": 0, "progress": {"watermark": i64::MIN},
        "parts": [{"range": {"first": 0, "last": u64::MAX}, "s": 0}],
        "schema": {"journal": journal, "fingerprint": {}},
    })
}

/// A record of data: its changes, its outputs.
pub(crate) fn data(number: u64, changes: &[Value], outputs: &[Value]) -> Value {
    json!({
        "inc": 7, "ring": 4, "n": number, "kind": "data", "oldest": 0, "changes": changes, "outputs": outputs,
        "position": {"sequence": "49680515409358873387554671875540874409417932758577053698", "sub": 3},
        "progress": {"watermark": FIVE + 840_000, "highest": FIVE + 6 * HOUR + 840_000, "arrival": FIVE + 7 * HOUR},
    })
}

/// A change of a key's window that starts `hours` after [`FIVE`]; `None` removes it. Key and
/// accumulator are CBOR.
pub(crate) fn change(key: &[u8], hours: i64, accumulator: Option<&[u8]>) -> Value {
    let start = FIVE + hours * HOUR;
    let slot = [b"\xa1\x61w\x82", &time(start)[..], &time(start + HOUR)].concat();
    let value = accumulator.map(|accumulator| [b"\xa1\x63acc", accumulator].concat());
    json!([key, slot, value])
}

/// A change of any cell of a key; `None` removes it.
pub(crate) fn cell(key: &[u8], slot: &Cbor, value: Option<&Cbor>) -> Value {
    json!([key, encoded(slot), value.map(encoded)])
}

/// A value's bytes in CBOR.
pub(crate) fn encoded(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("written");
    bytes
}

/// An integer of 8 bytes in CBOR.
fn time(millis: i64) -> Vec<u8> {
    [&[0x1b][..], &millis.to_be_bytes()].concat()
}

/// An output of the sink `out`.
pub(crate) fn output(key: &str, data: &Value) -> Value {
    json!(["out", key, data.to_string().into_bytes()])
}

impl Project {
    /// Keeps a run of the scenario `test` whose table holds these journals, each with its records.
    pub(crate) fn keep(&self, journals: &[(JournalId, Vec<Value>)]) {
        let kept = Kept::beside(self.folder());
        let new = kept.begin("test").expect("a folder");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let tables = self.tables().await;
            let store = DynamoStore::new(client::local(tables.address()), "Journal");
            for (journal, records) in journals {
                write(&store, journal, records).await;
            }
            tables.save(&new.tables()).expect("saved");
        });
        let journal_tables = vec![String::from("Journal")];
        new.set_label(&Label { made_by: String::from("test"), journal_tables }).expect("labelled");
        kept.install(&new, "test").expect("installed");
    }

    /// Stores a part that no record of the kept run names.
    pub(crate) fn strew(&self, journal: &JournalId, body: &'static [u8]) {
        let file = Kept::beside(self.folder()).run("test").tables();
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let tables = DynamoDb::open(&file).await.expect("tables");
            let store = DynamoStore::new(client::local(tables.address()), "Journal");
            let bytes = u32::try_from(body.len()).expect("small");
            let id = PartId { id: String::from("orphan"), chunks: 1, bytes, plain: bytes };
            store.write_part(journal, &id, &[body.into()]).await.expect("stored");
        });
    }

    async fn tables(&self) -> DynamoDb {
        let tables = DynamoDb::start().await.expect("tables");
        let path = self.folder().join("template.yaml");
        let template = Template::load(&path, &mut Findings::default()).expect("read").expect("a template");
        for table in &template.tables {
            tables.create_table(table).expect("created");
        }
        tables
    }
}

async fn write(store: &DynamoStore, journal: &JournalId, records: &[Value]) {
    for record in records {
        let mut record: Record = serde_json::from_value(record.clone()).expect("a record");
        let body = record.encode().expect("encodes");
        let item = SlotItem { incarnation: record.incarnation, number: record.number, body };
        let slot = record.ring.slot(record.number);
        let guard = match record.ring.lap_before(record.number) {
            None => Guard::Vacant,
            Some(number) => Guard::Replaces { number, incarnation: record.incarnation },
        };
        store.put_slot(journal, slot, &item, guard).await.expect("stored");
    }
}
