//! [`Sink`] on DynamoDB tables.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure as OnFailure,
};
use futures_util::future::join_all;
use futures_util::{TryStreamExt, stream};
use tidemill_journal::{Deadline, Output, Sink, SinkError};

use super::SinkTable;
use super::held::Held;
use super::row::{Change, Row, VALUES};
use crate::backoff::Backoff;
use crate::emit::{passed, worse};
use crate::fault::Fault;

/// How many items of one table are written at once.
const AT_ONCE: usize = 16;

/// Keeps the latest result of each key and window in DynamoDB tables, each output in that of its logical name.
///
/// ```text
/// pk       sk                                                   attributes
/// <key>    2013-01-01T10:00:00.000Z/2013-01-01T11:00:00.000Z    data (S, JSON)  time (S)  id (S)  resultkey (S)
///                                                               panetiming (S)  paneindex (N)  producer (S)
///                                                               commit (N)  index (N)  order (S)  former (L of S)
/// <key>    -                                                    the same of a result without window
/// <key>    <window>#2                                           the third result of one firing
/// <key>    <window>                                             void: replacedby (S, the sort key of the new window), no data
/// ```
///
/// `pk` is the key's text, `-` if that is empty; keys with the same text share their items. Results of pipelines without
/// commits have `sequence` (S) and `subsequence` (N) in place of `commit`. A table belongs to one sink. Nothing is deleted.
///
/// # Writing
///
/// A result is written unless the item has already had it, or a later one, of the same producer. Within a producer (one
/// life of one shard's journal) results are ordered by commit and index: `order` is that order as text. When a producer
/// follows another, `former` keeps how far the item had come with the one before, for the last 8 of them. So a repeat
/// changes nothing, and a zombie that comes late with what was acknowledged long ago is turned away, whatever was written
/// since: its successors and the children of its shard began only when all that it had sent was acknowledged (I3, I6).
/// What nobody had seen acknowledged when a journal was dropped may come late; the next result of the key mends that.
///
/// The stored pane index is no part of the condition: the order holds for results without window too, and a life that
/// begins anew counts its panes from 0 and shall replace what an earlier one left.
///
/// Of several results of one send at one address only the last is written. Results of one firing that carry no number
/// share an address. A write costs a write unit for each KB of the item, a repeat as much; the first result of another
/// producer takes two.
///
/// When windows merge, the items of the replaced windows are voided after the new one is written. A void item stays, with
/// the order of the result that replaced it: a late copy of the old result meets a later one.
///
/// # Reading
///
/// - An item without `data` is void.
/// - An item `<window>#<n>` counts only while the item `<window>` is not void and has the same `paneindex`: a firing with
///   fewer results leaves the others of the firing before. A firing without results leaves all of them.
/// - Between the writes of a merge the old windows and the new one are there at once.
#[derive(Clone, Debug)]
pub struct TableSink {
    client: Client,
    tables: BTreeMap<String, SinkTable>,
}

impl TableSink {
    /// A sink of these tables. Of two with one logical name the last counts.
    pub fn new(client: Client, tables: impl IntoIterator<Item = SinkTable>) -> Self {
        Self { client, tables: tables.into_iter().map(|table| (table.sink.clone(), table)).collect() }
    }

    /// The logical names, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    pub(crate) fn knows(&self, sink: &str) -> bool {
        self.tables.contains_key(sink)
    }
}

impl Sink for TableSink {
    fn objection(&self, output: &Output) -> Option<String> {
        if !self.knows(&output.sink) {
            return Some(self.unknown(&output.sink));
        }
        Change::parse(&output.data).err()
    }

    async fn send(&self, outputs: &[Output], deadline: Deadline) -> Result<(), SinkError> {
        let mut by_sink: BTreeMap<&str, Vec<&Output>> = BTreeMap::new();
        for output in outputs {
            by_sink.entry(&output.sink).or_default().push(output);
        }
        let sends = by_sink.into_iter().map(|(sink, outputs)| self.send_to(sink, outputs, deadline));
        join_all(sends).await.into_iter().fold(Ok(()), worse)
    }
}

/// How one try of a write ended.
enum Try {
    Written,
    /// The item holds something that the condition did not foresee.
    Holds(Held),
    /// Nothing is known.
    Unknown(String),
}

impl TableSink {
    fn unknown(&self, sink: &str) -> String {
        let known: Vec<&str> = self.names().collect();
        format!(
            "there is no sink `{sink}`, only {known:?}. Set the variable TIDEMILL_TABLE_… of that sink, at least until the \
             outputs that wait for it in the journal are sent"
        )
    }

    async fn send_to(&self, sink: &str, outputs: Vec<&Output>, deadline: Deadline) -> Result<(), SinkError> {
        let table = self.tables.get(sink).ok_or_else(|| SinkError::Refused(self.unknown(sink)))?;
        let refused = |why| SinkError::Refused(format!("an output for {table} cannot be sent: {why}"));
        let changes = outputs.into_iter().map(|output| Change::parse(&output.data));
        let changes = changes.collect::<Result<Vec<_>, _>>().map_err(refused)?;
        let (rows, voids): (Vec<Row>, Vec<Vec<Row>>) =
            changes.into_iter().map(|change| (change.row, change.voids)).unzip();
        // A reader finds a window twice rather than not at all.
        self.write_all(table, latest(rows), deadline).await?;
        self.write_all(table, latest(voids.concat()), deadline).await
    }

    async fn write_all(&self, table: &SinkTable, rows: Vec<Row>, deadline: Deadline) -> Result<(), SinkError> {
        let rows = stream::iter(rows.into_iter().map(Ok));
        rows.try_for_each_concurrent(AT_ONCE, |row| self.write(table, row, deadline)).await
    }

    /// Writes the row until that is acknowledged, or the item has had it.
    async fn write(&self, table: &SinkTable, row: Row, deadline: Deadline) -> Result<(), SinkError> {
        let mut backoff = Backoff::default();
        let mut held = None;
        loop {
            let trouble = match self.attempt(table, &row, held.as_ref(), deadline).await? {
                Try::Written => return Ok(()),
                Try::Holds(now) if now.has_had(&row) => return Ok(()),
                Try::Holds(now) => {
                    held = Some(now);
                    continue;
                }
                Try::Unknown(trouble) => trouble,
            };
            held = None;
            let report = format!("item `{}` `{}` in {table} not written: {trouble}", row.pk, row.sk);
            let pause = backoff.pause();
            if !deadline.allows(pause) {
                return Err(SinkError::Unavailable(format!("{report}; out of time, the next invocation sends again")));
            }
            tracing::warn!(pause_ms = pause.as_millis(), "{report}");
            tokio::time::sleep(pause).await;
        }
    }

    /// One request: after what `held` says of another producer, or without it after earlier rows of the same producer.
    async fn attempt(
        &self,
        table: &SinkTable,
        row: &Row,
        held: Option<&Held>,
        deadline: Deadline,
    ) -> Result<Try, SinkError> {
        let update = self.client.update_item().table_name(&table.table);
        let update = update.return_consumed_capacity(ReturnConsumedCapacity::Total);
        let update = self::update(update, row, held);
        // Dropping the request ends it: nothing outlives the call.
        let answer = tokio::select! {
            answer = update.send() => answer,
            () = passed(deadline) => return Ok(Try::Unknown("no answer before the deadline".to_owned())),
        };
        let Err(error) = answer else { return Ok(Try::Written) };
        let what = || format!("UpdateItem of item `{}` `{}` in {table}", row.pk, row.sk);
        if let Some(UpdateItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() {
            // Gone since, or an endpoint that does not give it back.
            let Some(item) = failed.item() else {
                return Ok(Try::Unknown("its condition failed, and the answer does not hold the item".to_owned()));
            };
            return Held::of(item).map(Try::Holds).ok_or_else(|| SinkError::Refused(format!(
                "{}: the item has no attributes `producer` and `order`: somebody else wrote it. Give the sink a table of \
                 its own, or delete the item", what()
            )));
        }
        let Fault { kind, text } = Fault::of(&error);
        match table.fix(kind, "dynamodb:UpdateItem") {
            None => Ok(Try::Unknown(text)),
            Some(fix) => Err(SinkError::Refused(format!("{}: {text}: {fix}", what()))),
        }
    }
}

/// The last row of each item and producer, in the order of the items.
fn latest(rows: Vec<Row>) -> Vec<Row> {
    let mut latest: BTreeMap<(String, String, String), Row> = BTreeMap::new();
    for row in rows {
        let item = (row.pk.clone(), row.sk.clone(), row.producer.clone());
        if latest.get(&item).is_none_or(|before| before.order < row.order) {
            latest.insert(item, row);
        }
    }
    latest.into_values().collect()
}

/// Names are written `#name`, for DynamoDB reserves many words.
fn update(request: UpdateItemFluentBuilder, row: &Row, held: Option<&Held>) -> UpdateItemFluentBuilder {
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let mut set: BTreeMap<&str, AttributeValue> = row.values.clone();
    set.extend([("producer", text(&row.producer)), ("order", text(&row.order))]);
    set.extend(held.map(|held| ("former", held.followed_by(row))));
    let gone: Vec<&str> = VALUES.into_iter().filter(|name| !set.contains_key(name)).collect();

    let sets = set.keys().map(|name| format!("#{name} = :{name}")).collect::<Vec<_>>().join(", ");
    let removes = gone.iter().map(|name| format!("#{name}")).collect::<Vec<_>>().join(", ");
    let mut request = request
        .key("pk", text(&row.pk))
        .key("sk", text(&row.sk))
        .update_expression(format!("SET {sets} REMOVE {removes}"))
        .return_values_on_condition_check_failure(OnFailure::AllOld);
    for name in set.keys().chain(&gone) {
        request = request.expression_attribute_names(format!("#{name}"), *name);
    }
    for (name, value) in set {
        request = request.expression_attribute_values(format!(":{name}"), value);
    }
    match held {
        None => request.condition_expression("attribute_not_exists(pk) OR (#producer = :producer AND #order < :order)"),
        Some(held) => request
            .condition_expression("#producer = :held_producer AND #order = :held_order")
            .expression_attribute_values(":held_producer", text(&held.producer))
            .expression_attribute_values(":held_order", text(&held.order)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use aws_sdk_dynamodb::types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType as Scalar,
    };
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use tokio::time::Instant;

    use super::*;
    use crate::check_tables;
    use crate::testing::{clients, dynamodb, serve, unreachable};

    const A: &str = "departures/arn/shard/a";
    const B: &str = "departures/arn/shard/b";

    fn table(sink: &str, table: &str) -> SinkTable {
        let variable = format!("TIDEMILL_TABLE_{}", sink.to_uppercase());
        SinkTable { sink: sink.to_owned(), table: table.to_owned(), variable }
    }

    fn at(client: &Client) -> TableSink {
        TableSink::new(client.clone(), [table("results", "departures")])
    }

    /// One result, as the tests need it.
    #[derive(Clone, Debug)]
    struct Made {
        producer: &'static str,
        commit: u64,
        index: u64,
        key: &'static str,
        /// The hour that the window is.
        window: Option<u8>,
        replaces: Option<u8>,
    }

    impl Made {
        fn output(&self) -> Output {
            let Self { producer, commit, index, key, window, replaces } = self;
            let millis = |hour: u8| u64::from(hour) * 3_600_000;
            let mut event = json!({
                "id": format!("{producer}-{commit}-{index}"), "producer": producer, "commit": commit.to_string(),
                "index": index, "subject": key, "data": [producer, commit, index],
            });
            if let Some(hour) = window {
                event["windowstart"] = json!(millis(*hour).to_string());
                event["windowend"] = json!(millis(hour + 1).to_string());
                event["paneindex"] = json!(commit);
            }
            if let Some(hour) = replaces {
                event["panereplaces"] = json!(format!("{}/{}", millis(*hour), millis(hour + 1)));
            }
            Output { sink: "results".to_owned(), partition_key: (*key).to_owned(), data: event.to_string().into() }
        }
    }

    /// A result of JFK.
    fn made(producer: &'static str, commit: u64, window: Option<u8>) -> Made {
        Made { producer, commit, index: 0, key: "JFK", window, replaces: None }
    }

    async fn send(sink: &TableSink, made: &[Made]) {
        let outputs: Vec<Output> = made.iter().map(Made::output).collect();
        for output in &outputs {
            assert_eq!(sink.objection(output), None);
        }
        sink.send(&outputs, Deadline::NONE).await.expect("all acknowledged");
    }

    type Items = BTreeMap<(String, String), HashMap<String, AttributeValue>>;

    async fn items(client: &Client) -> Items {
        let found = client.scan().table_name("departures").send().await.expect("scanned").items.unwrap_or_default();
        let text = |item: &HashMap<String, AttributeValue>, name| item[name].as_s().expect("text").clone();
        found.into_iter().map(|item| ((text(&item, "pk"), text(&item, "sk")), item)).collect()
    }

    /// The data of JFK's item; `None` if there is none, or it is void.
    async fn data(client: &Client, window: Option<u8>) -> Option<String> {
        let hour = |hour: u8| format!("1970-01-01T{hour:02}:00:00.000Z");
        let sk = window.map_or_else(|| "-".to_owned(), |from| format!("{}/{}", hour(from), hour(from + 1)));
        let item = items(client).await.remove(&("JFK".to_owned(), sk))?;
        item.get("data").map(|data| data.as_s().expect("text").clone())
    }

    #[tokio::test]
    async fn an_item_holds_the_latest_result_of_its_key_and_window() {
        let client = dynamodb("departures").await;
        let sink = at(&client);
        for window in [None, Some(10)] {
            for (commit, held) in [(9, 9), (9, 9), (10, 10), (9, 10), (11, 11), (10, 11)] {
                send(&sink, &[made(A, commit, window)]).await;
                assert_eq!(data(&client, window).await, Some(json!([A, held, 0]).to_string()), "after {commit}");
            }
        }
        assert_eq!(items(&client).await.len(), 2);
    }

    #[tokio::test]
    async fn the_last_result_of_one_send_stays() {
        let client = dynamodb("departures").await;
        let indices = [0, 2, 10, 1];
        send(&at(&client), &indices.map(|index| Made { index, ..made(A, 1, Some(3)) })).await;
        assert_eq!(data(&client, Some(3)).await, Some(json!([A, 1, 10]).to_string()));
    }

    #[tokio::test]
    async fn a_new_life_takes_over_and_the_old_one_cannot_come_back() {
        let client = dynamodb("departures").await;
        let sink = at(&client);
        for window in [None, Some(10)] {
            for (producer, commit, held) in [
                (A, 7, (A, 7)),
                (B, 2, (B, 2)),
                (A, 7, (B, 2)),
                (A, 6, (B, 2)),
                (B, 1, (B, 2)),
                (B, 3, (B, 3)),
                (A, 5, (B, 3)),
            ] {
                send(&sink, &[made(producer, commit, window)]).await;
                assert_eq!(data(&client, window).await, Some(json!([held.0, held.1, 0]).to_string()));
            }
            // What nobody had acknowledged when the old life was dropped does come late, but does not stay.
            send(&sink, &[made(A, 8, window)]).await;
            send(&sink, &[made(B, 3, window)]).await;
            assert_eq!(data(&client, window).await, Some(json!([A, 8, 0]).to_string()));
            send(&sink, &[made(B, 4, window)]).await;
            assert_eq!(data(&client, window).await, Some(json!([B, 4, 0]).to_string()));
        }
    }

    #[tokio::test]
    async fn a_replaced_window_is_void_and_stays_so() {
        let client = dynamodb("departures").await;
        let sink = at(&client);
        send(&sink, &[made(A, 1, Some(3))]).await;
        let merged = Made { replaces: Some(3), ..made(A, 2, Some(4)) };
        for outputs in [[merged.clone(), made(A, 1, Some(3))], [made(A, 1, Some(3)), merged]] {
            send(&sink, &outputs).await;
            assert_eq!(data(&client, Some(3)).await, None);
            assert_eq!(data(&client, Some(4)).await, Some(json!([A, 2, 0]).to_string()));
        }
        let items = items(&client).await;
        assert_eq!(items.len(), 2, "{items:?}");
        let replaced = &items[&("JFK".to_owned(), "1970-01-01T03:00:00.000Z/1970-01-01T04:00:00.000Z".to_owned())];
        let by = "1970-01-01T04:00:00.000Z/1970-01-01T05:00:00.000Z".to_owned();
        assert_eq!(replaced["replacedby"], AttributeValue::S(by));
        assert_eq!((replaced.get("paneindex"), replaced.get("time")), (None, None));
        send(&sink, &[made(A, 3, Some(3))]).await;
        assert_eq!(data(&client, Some(3)).await, Some(json!([A, 3, 0]).to_string()), "the window came to life again");
    }

    #[tokio::test]
    async fn a_window_is_replaced_before_it_is_ever_written() {
        let client = dynamodb("departures").await;
        let sink = at(&client);
        send(&sink, &[Made { replaces: Some(3), ..made(A, 2, Some(4)) }]).await;
        send(&sink, &[made(A, 1, Some(3))]).await;
        assert_eq!(data(&client, Some(3)).await, None);
    }

    #[tokio::test]
    async fn the_new_window_is_written_before_the_old_one_is_voided() {
        let (sink, requests) = told(|_| (200, json!({}))).await;
        send(&sink, &[Made { replaces: Some(3), ..made(A, 2, Some(4)) }]).await;
        let requests = requests.lock().expect("no panic before");
        let hours: Vec<&str> =
            requests.iter().map(|request| &request["Key"]["sk"]["S"].as_str().expect("text")[11..13]).collect();
        assert_eq!(hours, ["04", "03"]);
    }

    #[tokio::test]
    async fn many_items_are_written_at_once() {
        let client = dynamodb("departures").await;
        let made: Vec<Made> = (0..300).map(|n| Made { index: n, ..made(A, 1, u8::try_from(n % 200).ok()) }).collect();
        let mut large = made[0].output();
        let data = "x".repeat(390_000);
        let event = json!({"id": "1", "producer": A, "commit": "1", "index": 999, "data": data});
        large.data = event.to_string().into();
        let outputs: Vec<Output> = made.iter().map(Made::output).chain([large]).collect();
        assert_eq!(at(&client).objection(&outputs[300]), None);
        at(&client).send(&outputs, Deadline::NONE).await.expect("all acknowledged");
        assert_eq!(client.scan().table_name("departures").send().await.expect("scanned").count, 201);
    }

    fn results(producer: &'static str) -> impl Strategy<Value = Vec<Made>> {
        let window = prop::option::weighted(0.7, 0..4_u8);
        let one = (prop::sample::select(vec!["JFK", "LGA"]), window, prop::option::weighted(0.3, 0..4_u8), 0..2_u64);
        prop::collection::vec(one, 1..12).prop_map(move |made| {
            let mut commit = 1;
            let of = |(at, (key, window, replaces, step)): (usize, (_, Option<u8>, Option<u8>, u64))| {
                commit += step;
                let replaces = replaces.filter(|hour| window.is_some_and(|window| window != *hour));
                Made { producer, commit, index: at as u64, key, window, replaces }
            };
            made.into_iter().enumerate().map(of).collect()
        })
    }

    /// All of `must` and some of `may`, repeated, in any order.
    fn shuffled(must: Vec<Made>, may: Vec<Made>) -> impl Strategy<Value = Vec<Made>> {
        let all = [must.clone(), may].concat();
        prop::collection::vec(prop::sample::select(all), 0..12)
            .prop_flat_map(move |repeats| Just([must.clone(), repeats].concat()).prop_shuffle())
    }

    async fn table_of(sends: &[&[Made]]) -> Items {
        let client = dynamodb("departures").await;
        for made in sends {
            send(&at(&client), made).await;
        }
        items(&client).await
    }

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("a runtime").block_on(work)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn repeats_and_zombies_in_any_order_leave_the_same_table(
            (in_order, any_order, size) in results(A)
                .prop_flat_map(|made| (Just(made.clone()), shuffled(made.clone(), made), 1..8_usize)),
        ) {
            let expected = block_on(table_of(&in_order.chunks(1).collect::<Vec<_>>()));
            let found = block_on(table_of(&any_order.chunks(size).collect::<Vec<_>>()));
            prop_assert_eq!(&found, &expected);
            let at_once = block_on(async {
                let client = dynamodb("departures").await;
                let sink = at(&client);
                join_all(any_order.chunks(size).map(|made| send(&sink, made))).await;
                items(&client).await
            });
            prop_assert_eq!(at_once, expected);
        }

        #[test]
        fn a_life_that_began_when_all_was_acknowledged_is_not_undone_by_its_ancestor(
            (old, new, first, then, size) in (results(A), results(B)).prop_flat_map(|(old, new)| {
                let shuffles = (shuffled(old.clone(), old.clone()), shuffled(new.clone(), old.clone()), 1..8_usize);
                (Just(old), Just(new), shuffles)
            }).prop_map(|(old, new, (first, then, size))| (old, new, first, then, size)),
        ) {
            let in_order: Vec<Made> = [old, new].concat();
            let expected = block_on(table_of(&in_order.chunks(1).collect::<Vec<_>>()));
            let sends: Vec<&[Made]> = first.chunks(size).chain(then.chunks(size)).collect();
            prop_assert_eq!(block_on(table_of(&sends)), expected);
        }
    }

    /// A sink whose table answers its n-th request, from 1, as told, and the requests.
    async fn told(
        answer: impl Fn(usize) -> (u16, Value) + Send + Sync + 'static,
    ) -> (TableSink, Arc<Mutex<Vec<Value>>>) {
        let requests: Arc<Mutex<Vec<Value>>> = Arc::default();
        let seen = Arc::clone(&requests);
        let answer = move |_: &str, body: &Value| {
            let mut seen = seen.lock().expect("no panic before");
            seen.push(body.clone());
            answer(seen.len())
        };
        (at(&clients(&serve(answer).await).await.dynamodb), requests)
    }

    fn error(code: &str) -> (u16, Value) {
        (400, json!({"__type": code, "message": "as told"}))
    }

    fn soon() -> Deadline {
        Deadline::at(Instant::now() + Duration::from_millis(300))
    }

    #[tokio::test]
    async fn a_throttled_write_is_sent_until_it_is_acknowledged() {
        let (sink, requests) = told(|n| if n < 9 { error("ThrottlingException") } else { (200, json!({})) }).await;
        send(&sink, &[made(A, 1, None)]).await;
        assert_eq!(requests.lock().expect("no panic before").len(), 9, "more than the SDK tries");
    }

    #[tokio::test]
    async fn out_of_time_is_unavailable_and_names_the_item() {
        let (throttled, _) = told(|_| error("ProvisionedThroughputExceededException")).await;
        let silent = at(&clients(&unreachable()).await.dynamodb);
        for sink in [throttled, silent] {
            let failed = sink.send(&[made(A, 1, None).output()], soon()).await.expect_err("no time");
            let SinkError::Unavailable(text) = &failed else { panic!("{failed}") };
            assert!(text.contains("item `JFK` `-` in table `departures` of sink `results`"), "{text}");
            assert!(text.contains("the next invocation sends again"), "{text}");
        }
    }

    #[tokio::test]
    async fn a_failed_condition_without_the_item_is_no_success() {
        let (sink, _) = told(|_| error("ConditionalCheckFailedException")).await;
        let failed = sink.send(&[made(A, 1, None).output()], soon()).await.expect_err("nothing is known");
        assert!(matches!(&failed, SinkError::Unavailable(text) if text.contains("does not hold the item")), "{failed}");
    }

    #[tokio::test]
    async fn an_item_that_moves_on_while_another_life_takes_over_is_remembered_as_it_is() {
        let holds = |commit: u64| {
            let item = json!({"producer": {"S": A}, "order": {"S": format!("001:{commit}/001:0")}});
            (400, json!({"__type": "ConditionalCheckFailedException", "message": "as told", "Item": item}))
        };
        let (sink, requests) = told(move |n| if n < 3 { holds(n as u64) } else { (200, json!({})) }).await;
        send(&sink, &[made(B, 1, None)]).await;
        let requests = requests.lock().expect("no panic before");
        assert_eq!(requests[0]["ExpressionAttributeValues"].get(":former"), None);
        for (request, order) in requests[1..].iter().zip(["001:1/001:0", "001:2/001:0"]) {
            assert_eq!(request["ConditionExpression"], "#producer = :held_producer AND #order = :held_order");
            let values = &request["ExpressionAttributeValues"];
            assert_eq!((&values[":held_producer"]["S"], &values[":held_order"]["S"]), (&json!(A), &json!(order)));
            assert_eq!(values[":former"], json!({"L": [{"S": format!("{order} {A}")}]}));
        }
        assert_eq!(requests.len(), 3);
    }

    #[tokio::test]
    async fn a_missing_table_is_refused_once_with_its_variable() {
        let client = dynamodb("other").await;
        let outputs: Vec<Output> = (0..40).map(|hour| made(A, 1, Some(hour)).output()).collect();
        let failed = at(&client).send(&outputs, Deadline::NONE).await.expect_err("no table");
        let SinkError::Refused(text) = &failed else { panic!("{failed}") };
        assert_eq!(text.matches("there is no such table").count(), 1, "{text}");
        assert!(text.contains("correct TIDEMILL_TABLE_RESULTS"), "{text}");
    }

    #[tokio::test]
    async fn a_missing_permission_is_refused_by_name() {
        let (sink, _) = told(|_| error("AccessDeniedException")).await;
        let failed = sink.send(&[made(A, 1, None).output()], Deadline::NONE).await.expect_err("denied");
        assert!(
            matches!(&failed, SinkError::Refused(text) if text.contains("role dynamodb:UpdateItem on")),
            "{failed}"
        );
    }

    #[tokio::test]
    async fn an_item_of_somebody_else_is_not_overwritten() {
        let client = dynamodb("departures").await;
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let put = client.put_item().table_name("departures").item("pk", text("JFK")).item("sk", text("-"));
        put.send().await.expect("stored");
        let failed = at(&client).send(&[made(A, 1, None).output()], Deadline::NONE).await.expect_err("foreign");
        assert!(matches!(&failed, SinkError::Refused(text) if text.contains("somebody else wrote it")), "{failed}");
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_refused_and_objected_to() {
        let client = dynamodb("departures").await;
        let plain = Output { data: "[1]".into(), ..made(A, 1, None).output() };
        let lost = Output { sink: "alerts".to_owned(), ..made(A, 1, None).output() };
        for (output, why) in
            [(plain, "no event of a pipeline"), (lost, "there is no sink `alerts`, only [\"results\"]")]
        {
            assert!(at(&client).objection(&output).is_some_and(|objection| objection.contains(why)));
            let failed = at(&client).send(&[output], Deadline::NONE).await.expect_err("refused");
            assert!(matches!(&failed, SinkError::Refused(text) if text.contains(why)), "{failed}");
        }
    }

    async fn create(client: &Client, name: &str, keys: &[(&str, Scalar)]) {
        let kinds = [KeyType::Hash, KeyType::Range];
        let schema = keys.iter().zip(kinds).map(|((name, _), kind)| {
            KeySchemaElement::builder().attribute_name(*name).key_type(kind).build().expect("a key")
        });
        let definitions = keys.iter().map(|(name, kind)| {
            AttributeDefinition::builder().attribute_name(*name).attribute_type(kind.clone()).build().expect("a kind")
        });
        let create = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
        let create = create.set_key_schema(Some(schema.collect()));
        create.set_attribute_definitions(Some(definitions.collect())).send().await.expect("created");
    }

    #[tokio::test]
    async fn a_check_finds_missing_tables_and_wrong_keys() {
        let client = dynamodb("departures").await;
        create(&client, "number", &[("pk", Scalar::S), ("sk", Scalar::N)]).await;
        create(&client, "name", &[("id", Scalar::S), ("sk", Scalar::S)]).await;
        create(&client, "single", &[("pk", Scalar::S)]).await;
        let tables = ["departures", "number", "name", "single", "gone"].map(|name| table(name, name));
        let problems = check_tables(&client, &tables).await;
        assert_eq!(problems.len(), 4, "{problems:?}");
        for (problem, name) in problems.iter().zip(["number", "name", "single"]) {
            assert!(problem.starts_with(&format!("table `{name}` of sink `{name}`: its primary key is")), "{problem}");
            assert!(problem.ends_with(&format!("correct TIDEMILL_TABLE_{}", name.to_uppercase())), "{problem}");
        }
        assert!(problems[0].contains(r#"("RANGE", "sk", "N")"#), "{problems:?}");
        assert!(problems[3].contains("there is no such table"), "{problems:?}");
        for name in ["number", "name", "single"] {
            let sink = TableSink::new(client.clone(), [table("results", name)]);
            let failed = sink.send(&[made(A, 1, None).output()], Deadline::NONE).await.expect_err("another key");
            let SinkError::Refused(text) = &failed else { panic!("{failed}") };
            assert!(text.contains("partition key must be `pk`, its sort key `sk`"), "{text}");
        }
    }

    #[tokio::test]
    async fn a_check_names_missing_permissions_and_takes_no_answer_for_none() {
        let denied = clients(&serve(|_, _| error("AccessDeniedException")).await).await.dynamodb;
        let problems = check_tables(&denied, &[table("results", "departures")]).await;
        assert!(problems[0].contains("dynamodb:DescribeTable and dynamodb:UpdateItem"), "{problems:?}");
        let silent = clients(&unreachable()).await.dynamodb;
        assert_eq!(check_tables(&silent, &[table("results", "departures")]).await, Vec::<String>::new());
    }
}
