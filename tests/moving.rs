//! A pipeline's state moves: half of January's flights under one name, an export, an import under another name or a restore
//! under the same, the rest of the flights there. The results are Flink's, each once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use departures::{Departures, Flight};
use serde_json::Value;
use tempfile::TempDir;
use tidemill::handler::{Handler, Limits, Work};
use tidemill::testing::simulation::Message;
use tidemill::{EventTime, Json, Kinesis, OutOfOrder, Pipeline, Tumbling};
use tidemill_aws::DynamoStore;
use tidemill_core::SequenceNumber;
use tidemill_harness::emulators::DynamoDb;
use tidemill_harness::findings::Findings;
use tidemill_harness::state::archive::Reader;
use tidemill_harness::state::client;
use tidemill_harness::state::moving::{Dropped, Into, begin_at, bring, drop_journal, export};
use tidemill_harness::template::Template;
use tidemill_journal::{Deadline, Incarnation, JournalId};
use tidemill_tests::{Inbox, STREAM, of_batch};

const SHARD: &str = "shardId-000000000000";
const BATCH: usize = 500;

type Batch = Vec<(SequenceNumber, EventTime, Message)>;

/// `departures`, under any name and of any version.
fn pipeline(name: &str, version: u32) -> Pipeline {
    Pipeline::named(name)
        .source(Json::<Flight>::new())
        .event_time(|f| f.departed_at, OutOfOrder::at_most(Duration::from_hours(6)))
        .key_by(|f| f.origin.clone())
        .window(Tumbling::every(Duration::from_hours(1)))
        .late_to(Kinesis::stream("late-flights"))
        .aggregate(|over| (over.count(), over.sum(|f| f.delay_min), over.max(|f| f.delay_min)))
        .emit(|pane, (flights, total, max)| Departures {
            origin: pane.key,
            window_start: pane.window.start,
            window_end: pane.window.end,
            flights,
            delay_min_total: total,
            delay_min_max: max,
        })
        .to(Kinesis::stream("departures"))
        .version(version)
        .build()
        .expect("sound")
}

fn events(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/departures").join(file)
}

fn flights() -> Batch {
    let text = std::fs::read_to_string(events("input.jsonl")).expect("the flights");
    let flight = |(number, line): (usize, &str)| {
        let value: Value = serde_json::from_str(line).expect("JSON");
        let sequence = SequenceNumber::parse(&(number + 1).to_string()).expect("digits");
        let arrival = EventTime::from_millis(value["landed_at"].as_i64().expect("a time"));
        let partition_key = value["origin"].as_str().expect("an airport").to_owned();
        (sequence, arrival, Message { partition_key, payload: line.to_owned().into() })
    };
    text.lines().enumerate().map(flight).collect()
}

fn expected() -> Vec<String> {
    let text = std::fs::read_to_string(events("expected.jsonl")).expect("the results");
    let mut lines: Vec<String> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON").to_string()).collect();
    lines.sort();
    lines
}

/// A table for journals, and what has arrived of all that was sent.
struct Account {
    store: DynamoStore,
    inbox: Inbox,
    flights: Batch,
    folder: TempDir,
    _tables: DynamoDb,
}

impl Account {
    async fn new() -> Self {
        let tables = DynamoDb::start().await.expect("tables");
        let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
        let template = Template::load(&template, &mut Findings::default()).expect("read").expect("a template");
        let journal = template.tables.iter().find(|table| table.name == "Journal").expect("a table of journals");
        tables.create_table(journal).expect("created");
        let store = DynamoStore::new(client::local(tables.address()), "Journal");
        let folder = tempfile::tempdir().expect("a folder");
        Self { store, inbox: Inbox::default(), flights: flights(), folder, _tables: tables }
    }

    fn handler(&self, name: &str, version: u32, life: u64) -> Handler<DynamoStore, &Inbox> {
        let draw = Box::new(move || Incarnation(life));
        Handler::new(pipeline(name, version), self.store.clone(), &self.inbox, Limits::default(), draw)
    }

    /// Takes the flights up to `to` in batches, from the stream's start as a mapping at TRIM_HORIZON delivers them.
    async fn deliver(&self, handler: &mut Handler<DynamoStore, &Inbox>, to: usize) {
        for batch in self.flights[..to].chunks(BATCH) {
            let records = of_batch(SHARD, batch);
            let done = handler.handle(STREAM, SHARD, Work::Records(&records), Deadline::NONE).await;
            assert!(done.expect("it goes well").is_complete());
        }
    }

    async fn end(&self, handler: &mut Handler<DynamoStore, &Inbox>) {
        handler.handle(STREAM, SHARD, Work::Drain, Deadline::NONE).await.expect("it ends");
    }

    /// The last batch before `to` is committed, and of its outputs one arrives.
    async fn crash_at(&self, handler: &mut Handler<DynamoStore, &Inbox>, to: usize) {
        self.inbox.fail_next(1);
        let batch = &self.flights[to - BATCH..to];
        let records = of_batch(SHARD, batch);
        handler.handle(STREAM, SHARD, Work::Records(&records), Deadline::NONE).await.expect_err("not all is sent");
        self.inbox.fail_next(0);
    }

    async fn export(&self, name: &str, file: &str) -> PathBuf {
        let file = self.folder.path().join(file);
        export(&self.store, &[journal(name)], &file, |_| ()).await.expect("exported");
        file
    }

    fn results(&self) -> Vec<String> {
        self.inbox.received().sorted("departures")
    }
}

fn journal(name: &str) -> JournalId {
    JournalId { pipeline: name.to_owned(), stream: STREAM.to_owned(), shard: SHARD.to_owned() }
}

#[tokio::test]
async fn under_another_name_it_goes_on_without_a_gap_and_without_a_repeat() {
    let account = Account::new().await;
    let half = 26 * BATCH;
    let mut old = account.handler("departures", 0, 7);
    account.deliver(&mut old, half - BATCH).await;
    account.crash_at(&mut old, half).await;
    let file = account.export("departures", "half.zst").await;

    let contents = Reader::check(&file).expect("whole");
    assert!(!contents.shards[0].snapshot.outputs.is_empty(), "something is unsent");
    let last = account.flights[half - 1].1;
    assert_eq!(begin_at(&contents), Some(last.plus(-60_000)));

    bring(&account.store, &file, Some("departures-2"), Into::Nothing, |_, _| ()).await.expect("imported");
    // The old function sends what it owed, too: the same events by their ids.
    account.deliver(&mut old, half).await;
    let mut new = account.handler("departures-2", 0, 8);
    account.deliver(&mut new, account.flights.len()).await;
    account.end(&mut new).await;
    assert!(account.inbox.received().repeats > 0);
    assert_eq!(account.results().len(), 1_744);
    assert!(account.results() == expected(), "results differ");
    let received = account.inbox.received();
    assert_eq!(received.events["late-flights"].len(), 60);
}

#[tokio::test]
async fn a_function_of_another_version_refuses_what_is_imported() {
    let account = Account::new().await;
    let mut old = account.handler("departures", 0, 7);
    account.deliver(&mut old, BATCH).await;
    let file = account.export("departures", "one.zst").await;
    bring(&account.store, &file, Some("departures-2"), Into::Nothing, |_, _| ()).await.expect("imported");
    let mut other = account.handler("departures-2", 3, 8);
    let records = of_batch(SHARD, &account.flights[..1]);
    let refused = other.handle(STREAM, SHARD, Work::Records(&records), Deadline::NONE).await.expect_err("refused");
    assert!(refused.to_string().contains("version: stored \"0\", now \"3\""), "{refused}");
}

#[tokio::test]
async fn restored_to_an_earlier_state_it_sends_again_under_another_incarnation() {
    let account = Account::new().await;
    let mut handler = account.handler("departures", 0, 7);
    account.deliver(&mut handler, 10 * BATCH).await;
    let before = account.results().len();
    let file = account.export("departures", "ten.zst").await;
    account.deliver(&mut handler, 20 * BATCH).await;
    let again = account.results().len() - before;
    assert!(again > 100);

    bring(&account.store, &file, None, Into::Place, |_, _| ()).await.expect("restored");
    // Warm as it is, with a view of the life that is over.
    account.deliver(&mut handler, account.flights.len()).await;
    account.end(&mut handler).await;
    let mut results = account.results();
    assert_eq!(results.len(), 1_744 + again, "what was sent behind the export comes again");
    results.dedup();
    assert!(results == expected(), "and is the same");
}

#[tokio::test]
async fn dropped_it_begins_from_nothing_whatever_its_version() {
    let account = Account::new().await;
    let mut handler = account.handler("departures", 0, 7);
    account.deliver(&mut handler, 20 * BATCH).await;
    drop_journal(&account.store, &journal("departures"), Dropped::Begun).await.expect("dropped");
    let mut changed = account.handler("departures", 3, 8);
    account.deliver(&mut changed, account.flights.len()).await;
    account.end(&mut changed).await;
    let mut results = account.results();
    assert!(results.len() > 1_744);
    results.dedup();
    assert!(results == expected(), "results differ");
    // Whose it is now is written down.
    let records = of_batch(SHARD, &account.flights[..1]);
    let refused =
        account.handler("departures", 0, 9).handle(STREAM, SHARD, Work::Records(&records), Deadline::NONE).await;
    let refused = refused.expect_err("refused").to_string();
    assert!(refused.contains("version: stored \"3\", now \"0\""), "{refused}");
}
