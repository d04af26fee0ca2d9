//! Items of the journal's table as DynamoDB answers with them: what is read of them is put into a sound journal, which is
//! then taken further and ticked.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, Region};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use base64_simd::STANDARD;
use serde_json::{Value, json};
use tidemill::handler::{Handler, ShardInfo, Source, Work};
use tidemill_aws::DynamoStore;
use tidemill_core::{EventTime, HashRange, SequenceNumber};
use tidemill_journal::{
    Deadline, Guard, Incarnation, MemoryStore, PartId, Put, Record, SlotItem, Store as _, Sweepable as _, load,
};
use tidemill_tests::{Inbox, Metered, STREAM, records};
use tokio::runtime::{Builder, Runtime};

use crate::journals::{Counted, GROWN, JOURNAL, Place, SHARD, SLOTS, flights, limits, pipeline};

/// What an item is asked for as.
const KINDS: [Kind; 6] = [Kind::Mark, Kind::Attempt, Kind::Slot, Kind::Slots, Kind::Part, Kind::Beside];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Mark,
    Attempt,
    Slot,
    Slots,
    Part,
    Beside,
}

/// The number of a kind, and an item of it in DynamoDB's JSON, sound or with one attribute spoilt.
pub(crate) fn items() -> Vec<Vec<u8>> {
    let mut items = vec![
        (Kind::Mark, json!({"inc": {"S": "0000000000000001"}, "num": {"N": "13"}, "due": {"N": "1893463200000"}})),
        (Kind::Attempt, json!({"seq": {"S": "40"}, "sub": {"N": "0"}, "count": {"N": "3"}})),
        (
            Kind::Beside,
            json!({"pk": {"S": format!("{}/part:1-2", JOURNAL.id)}, "sk": {"S": "chunk:0000"},
            "bytes": {"N": "7"}, "written": {"N": "1893463200000"}}),
        ),
    ];
    let find = |wanted: fn(&&Place) -> bool| JOURNAL.places.iter().find(wanted).expect("a slot and a part");
    let (slot, part) = (find(|place| place.is_slot()), find(|place| !place.is_slot()));
    items.extend([Kind::Slot, Kind::Slots].map(|kind| (kind, json_of(slot))));
    items.push((Kind::Part, json_of(part)));
    let number = |kind| KINDS.iter().position(|known| *known == kind).and_then(|at| u8::try_from(at).ok());
    let input = |kind, item: Value| [&[number(kind).unwrap_or(0)][..], item.to_string().as_bytes()].concat();
    items.into_iter().flat_map(|(kind, item)| spoilt(item).into_iter().map(move |item| input(kind, item))).collect()
}

fn json_of(place: &Place) -> Value {
    let body = STANDARD.encode_to_string(place.body());
    match place {
        Place::Slot(slot, item) => json!({"sk": {"S": format!("slot:{slot:010}")}, "body": {"B": body},
            "inc": {"S": item.incarnation.to_string()}, "num": {"N": item.number.to_string()}}),
        Place::Part(..) => json!({"sk": {"S": "chunk:0000"}, "body": {"B": body}}),
    }
}

/// The item, and the item with each attribute missing, of another type, and at each edge of its own; and with one more.
fn spoilt(item: Value) -> Vec<Value> {
    let attributes = item.as_object().cloned().unwrap_or_default();
    let more = Value::Object(attributes.clone().into_iter().chain([("more".to_owned(), json!({"S": ""}))]).collect());
    let mut all = vec![item, more];
    for (name, value) in &attributes {
        let others = others(value).into_iter().map(Some).chain([None]);
        all.extend(others.map(|other| {
            let mut spoilt = attributes.clone();
            spoilt.remove(name);
            spoilt.extend(other.map(|other| (name.clone(), other)));
            Value::Object(spoilt)
        }));
    }
    all
}

/// Other values of an attribute.
fn others(value: &Value) -> Vec<Value> {
    const NUMBERS: [&str; 10] = [
        "0",
        "1",
        "-1",
        "4294967295",
        "4294967296",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551615",
        "1E+125",
        "0.5",
    ];
    let types =
        json!([{"S": "x"}, {"N": "1"}, {"B": "eA=="}, {"BOOL": true}, {"NULL": true}, {"L": []}, {"M": {}}, {}]);
    let mut others = types.as_array().cloned().unwrap_or_default();
    if value["N"].is_string() {
        others.extend(NUMBERS.map(|number| json!({"N": number})));
    }
    if let Some(text) = value["S"].as_str() {
        let texts = NUMBERS.map(str::to_owned).into_iter().chain([text.repeat(40), text[..text.len() / 2].to_owned()]);
        others.extend(texts.map(|text| json!({"S": text})));
    }
    if let Some(body) = value["B"].as_str() {
        // Base64 stays so if it ends with a group of four.
        others.extend([0, 4, body.len() / 8 * 4, body.len() - 4].map(|end| json!({"B": body[..end]})));
    }
    others
}

/// The item is read as what it is asked for, and stands in the journal from then on.
pub(crate) fn item(bytes: &[u8]) {
    let Some((kind, item)) = bytes.split_first() else { return };
    let kind = KINDS[usize::from(*kind) % KINDS.len()];
    TABLE.answers.tell(match kind {
        Kind::Mark | Kind::Attempt | Kind::Slot => [b"{\"Item\":", item, b"}"].concat(),
        Kind::Slots | Kind::Part | Kind::Beside => [b"{\"Items\":[", item, b"]}"].concat(),
    });
    RUNTIME.block_on(async {
        let Some(items) = with_item(kind).await else { return };
        let _ = load(&items, &JOURNAL.id, None, || Box::new(Counted(0))).await;
        go_on(items).await;
    });
}

/// The journal with the item that the table answers with, if that is one.
async fn with_item(kind: Kind) -> Option<MemoryStore> {
    let (items, id, table) = (JOURNAL.store.items().copy(), &JOURNAL.id, &TABLE.store);
    match kind {
        Kind::Mark => items.write_mark(id, &table.read_mark(id).await.ok()??).await.ok()?,
        Kind::Attempt => items.write_attempt(id, &table.read_attempt(id).await.ok()??).await.ok()?,
        Kind::Slot => put(&items, 1, table.read_slot(id, 1).await.ok()??).await,
        Kind::Slots => {
            for (slot, item) in table.read_slots(id, 0..=SLOTS, usize::MAX).await.ok()? {
                put(&items, slot, item).await;
            }
        }
        Kind::Part => {
            let part = part()?;
            items.write_part(id, part, &table.read_part(id, part).await.ok()??).await.ok()?;
        }
        Kind::Beside => drop(table.list().await.ok()?),
    }
    Some(items)
}

fn part() -> Option<&'static PartId> {
    JOURNAL.places.iter().find_map(|place| match place {
        Place::Part(id, _) => Some(id),
        Place::Slot(..) => None,
    })
}

/// What the item says of its record, the record says too, so that it is not refused at once.
async fn put(items: &MemoryStore, slot: u32, item: SlotItem) {
    let body = Record::decode(&item.body).ok().and_then(|record| {
        let mut record = Record { number: item.number, incarnation: item.incarnation, ..record };
        record.oldest = record.oldest.min(record.number);
        record.encode().ok()
    });
    let item = SlotItem { body: body.map_or(item.body, Into::into), ..item };
    let there = items.read_slot(&JOURNAL.id, slot).await.expect("memory");
    let guard =
        there.map_or(Guard::Vacant, |there| Guard::Replaces { number: there.number, incarnation: there.incarnation });
    assert!(matches!(items.put_slot(&JOURNAL.id, slot, &item, guard).await, Ok(Put::Stored)));
}

/// Records and a tick come to processes that know nothing yet.
async fn go_on(items: MemoryStore) {
    const LATER: EventTime = EventTime::from_millis(1_900_000_000_000);
    let (table, inbox, flights) = (Metered::over(items), Inbox::default(), flights(GROWN + 6));
    let draw = || Box::new(|| Incarnation(9));
    let new = || Handler::new(pipeline(), &table, &inbox, limits(), draw()).watching(OneShard);
    let _ = new().handle(STREAM, SHARD, Work::Records(&records(&flights)[GROWN..]), Deadline::NONE).await;
    let _ = new().tick(STREAM, LATER, Deadline::NONE).await;
}

/// A stream of one shard, in which nothing waits.
struct OneShard;

impl Source for OneShard {
    async fn next_after(&self, _: &str, _: &str, _: Option<&SequenceNumber>) -> Result<Option<SequenceNumber>, String> {
        Ok(None)
    }

    async fn shards(&self, _: &str) -> Result<Vec<ShardInfo>, String> {
        let starting_sequence = SequenceNumber::parse("0").expect("a number");
        let (shard, hash_range) = (SHARD.to_owned(), HashRange::ALL);
        Ok(vec![ShardInfo { shard, parents: Vec::new(), hash_range, starting_sequence, is_closed: false }])
    }

    async fn shard(&self, stream: &str, _: &str) -> Result<Option<ShardInfo>, String> {
        Ok(self.shards(stream).await?.pop())
    }
}

/// One thread, whose clock goes on by itself while all wait.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime"));

/// A table that answers as it is told.
struct Table {
    store: DynamoStore,
    answers: Answers,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let answers = Answers::default();
    let connector = SharedHttpConnector::new(answers.clone());
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .retry_config(RetryConfig::disabled())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"));
    Table { store: DynamoStore::new(Client::from_conf(config.build()), "journal"), answers }
});

/// The body of the next answer; those behind it are empty.
#[derive(Clone, Debug, Default)]
struct Answers(Arc<Mutex<Option<Vec<u8>>>>);

impl Answers {
    fn tell(&self, body: Vec<u8>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
    }
}

impl HttpConnector for Answers {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let body = self.0.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_else(|| b"{}".to_vec());
        let status = 200.try_into().expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
    }
}
