//! [`Store`] on a DynamoDB table.

use std::ops::RangeInclusive;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{ConditionCheck, Put as TransactPut, ReturnConsumedCapacity, TransactWriteItem};
use bytes::Bytes;
use futures_util::future::try_join_all;
use tidemill_core::EventTime;
use tidemill_journal::{
    Attempt, Erasable, Guard, Incarnation, JournalId, Mark, PartId, Put, SlotItem, Store, StoreError,
};

use super::item::{self, Attributes, Stored};
use super::request::{self, Request};
use crate::backoff::Backoff;
use crate::clients::CHECK_TIMEOUT;

/// How often a write is sent that meets a transaction on its items. The caller repeats beyond that.
const CONTENDED_ATTEMPTS: u32 = 4;
/// How many chunks of a part are written at once.
const CHUNKS_AT_ONCE: usize = 8;

const IS_VACANT: &str = "attribute_not_exists(pk)";
/// [`Mark::raises`].
const RAISES: &str = "attribute_not_exists(pk) OR inc <> :inc OR num < :num";
/// [`Mark::lowers`]. A comparison with an attribute that is not there is false.
const LOWERS: &str = "attribute_not_exists(pk) OR inc <> :inc OR num < :num OR (num = :num AND due > :due)";
const HOLDS: &str = "num = :num AND inc = :inc";

/// The journals in one DynamoDB table with partition key `pk` and sort key `sk`, both strings.
///
/// Every request asks for the consumed capacity, so that what a run costs can be read off the answers.
#[derive(Clone, Debug)]
pub struct DynamoStore {
    pub(super) client: Client,
    pub(super) table: String,
}

impl DynamoStore {
    /// The journals in `table`: its name, or its ARN.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Looks for the table with one small read, and gives what is wrong with its fix: no such table, no permission,
    /// another primary key. Also opens the first connection. No answer says nothing about the table, and is no problem.
    pub async fn check(&self) -> Option<String> {
        match tokio::time::timeout(CHECK_TIMEOUT, self.get("check", "check")).await {
            Ok(Err(refused @ StoreError::Refused { .. })) => Some(refused.to_string()),
            _ => None,
        }
    }
}

/// How one try of a guarded write ended.
enum Try {
    Answered(Put),
    /// Another transaction holds the item: nothing was decided, which is not a lost race.
    Contended(StoreError),
}

impl Store for DynamoStore {
    async fn read_slot(&self, journal: &JournalId, slot: u32) -> Result<Option<SlotItem>, StoreError> {
        let found = self.get(&journal.to_string(), &item::slot_key(slot)).await?;
        Ok(found.map(Stored::slot).transpose()?.map(|(_, item)| item))
    }

    async fn read_slots(
        &self,
        journal: &JournalId,
        slots: RangeInclusive<u32>,
        limit: usize,
    ) -> Result<Vec<(u32, SlotItem)>, StoreError> {
        let (from, to) = (item::slot_key(*slots.start()), item::slot_key(*slots.end()));
        let found = self.query(&journal.to_string(), &from, &to, limit).await?;
        found.into_iter().map(Stored::slot).collect()
    }

    async fn put_slot(&self, journal: &JournalId, slot: u32, item: &SlotItem, guard: Guard) -> Result<Put, StoreError> {
        let (pk, sk) = (journal.to_string(), item::slot_key(slot));
        let mut backoff = Backoff::default();
        let mut attempts = 1;
        loop {
            let attempt = match guard {
                Guard::Vacant => self.put_if(&pk, &sk, item, None).await?,
                Guard::Replaces { number, incarnation } => {
                    self.put_if(&pk, &sk, item, Some((number, incarnation))).await?
                }
                Guard::VacantAfter { slot, number, incarnation } => {
                    let before = item::slot_key(slot);
                    self.put_after(&pk, &sk, item, &before, (number, incarnation)).await?
                }
            };
            match attempt {
                Try::Answered(put) => return Ok(put),
                Try::Contended(_) if attempts < CONTENDED_ATTEMPTS => attempts += 1,
                Try::Contended(error) => return Err(error),
            }
            tokio::time::sleep(backoff.pause()).await;
        }
    }

    async fn read_mark(&self, journal: &JournalId) -> Result<Option<Mark>, StoreError> {
        self.get(&journal.to_string(), item::MARK).await?.map(Stored::mark).transpose()
    }

    async fn write_mark(&self, journal: &JournalId, mark: &Mark) -> Result<(), StoreError> {
        self.put_mark(journal, mark, None).await
    }

    async fn lower_mark(&self, journal: &JournalId, mark: &Mark) -> Result<(), StoreError> {
        self.put_mark(journal, mark, mark.due).await
    }

    async fn read_attempt(&self, journal: &JournalId) -> Result<Option<Attempt>, StoreError> {
        self.get(&journal.to_string(), item::ATTEMPT).await?.map(Stored::attempt).transpose()
    }

    async fn write_attempt(&self, journal: &JournalId, attempt: &Attempt) -> Result<(), StoreError> {
        let pk = journal.to_string();
        self.put(&pk, item::ATTEMPT, item::attempt_item(&pk, attempt)).await
    }

    async fn write_part(&self, journal: &JournalId, id: &PartId, chunks: &[Bytes]) -> Result<(), StoreError> {
        let pk = item::part_key(journal, id);
        let numbered: Vec<(u32, &Bytes)> = (0..).zip(chunks).collect();
        for together in numbered.chunks(CHUNKS_AT_ONCE) {
            try_join_all(together.iter().map(|(number, body)| self.put_chunk(&pk, *number, body))).await?;
        }
        Ok(())
    }

    async fn read_part(&self, journal: &JournalId, id: &PartId) -> Result<Option<Vec<Bytes>>, StoreError> {
        let last = item::chunk_key(id.chunks.saturating_sub(1));
        let found = self.query(&item::part_key(journal, id), &item::chunk_key(0), &last, usize::MAX).await?;
        let chunks: Vec<(u32, Bytes)> = found.into_iter().map(Stored::chunk).collect::<Result<_, _>>()?;
        let complete = chunks.iter().map(|(number, _)| *number).eq(0..id.chunks);
        Ok(complete.then(|| chunks.into_iter().map(|(_, body)| body).collect()))
    }

    async fn delete_part(&self, journal: &JournalId, id: &PartId) -> Result<(), StoreError> {
        let pk = item::part_key(journal, id);
        let numbers: Vec<u32> = (0..id.chunks).collect();
        for together in numbers.chunks(CHUNKS_AT_ONCE) {
            try_join_all(together.iter().map(|number| self.delete_chunk(&pk, *number))).await?;
        }
        Ok(())
    }
}

impl Erasable for DynamoStore {
    async fn delete_slot(
        &self,
        journal: &JournalId,
        slot: u32,
        number: u64,
        incarnation: Incarnation,
    ) -> Result<(), StoreError> {
        let (pk, sk) = (journal.to_string(), item::slot_key(slot));
        let sent = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(item::key(&pk, &sk)))
            .condition_expression(HOLDS)
            .expression_attribute_values(":num", item::number(number))
            .expression_attribute_values(":inc", item::text(incarnation.to_string()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        match sent {
            Err(error) if error.code() != Some("ConditionalCheckFailedException") => {
                Err(self.request(request::DELETE, &pk, &sk).failed(&error))
            }
            _ => Ok(()),
        }
    }
}

impl DynamoStore {
    pub(super) const fn request<'a>(&'a self, call: request::Call, pk: &'a str, sk: &'a str) -> Request<'a> {
        Request { call, table: self.table.as_str(), pk, sk }
    }

    async fn get(&self, pk: &str, sk: &str) -> Result<Option<Stored>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(item::key(pk, sk)))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| self.request(request::GET, pk, sk).failed(&error))?;
        Ok(answer.item.map(|attributes| Stored::new(&self.table, attributes)))
    }

    /// The items from sort key `from` to `to`, both included, in order, at most `limit`.
    async fn query(&self, pk: &str, from: &str, to: &str, limit: usize) -> Result<Vec<Stored>, StoreError> {
        let mut found = Vec::new();
        let mut page_start: Option<Attributes> = None;
        // DynamoDB takes neither an empty range nor a limit of 0.
        while from <= to && found.len() < limit {
            let page = self
                .range(pk, from, to)
                .set_limit(i32::try_from(limit - found.len()).ok())
                .set_exclusive_start_key(page_start)
                .send()
                .await
                .map_err(|error| self.request(request::QUERY, pk, from).failed(&error))?;
            found.extend(page.items.unwrap_or_default().into_iter().map(|item| Stored::new(&self.table, item)));
            page_start = page.last_evaluated_key;
            if page_start.is_none() {
                break;
            }
        }
        Ok(found)
    }

    fn range(&self, pk: &str, from: &str, to: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", item::text(pk))
            .expression_attribute_values(":from", item::text(from))
            .expression_attribute_values(":to", item::text(to))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
    }

    async fn put(&self, pk: &str, sk: &str, attributes: Attributes) -> Result<(), StoreError> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(attributes));
        let sent = put.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await;
        sent.map(drop).map_err(|error| self.request(request::PUT, pk, sk).failed(&error))
    }

    /// Writes a mark that raises the one that stands there, or takes an earlier due time than one of the same number.
    async fn put_mark(&self, journal: &JournalId, mark: &Mark, earlier: Option<EventTime>) -> Result<(), StoreError> {
        let pk = journal.to_string();
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item::mark_item(&pk, mark)))
            .condition_expression(if earlier.is_some() { LOWERS } else { RAISES })
            .expression_attribute_values(":num", item::number(mark.number))
            .expression_attribute_values(":inc", item::text(mark.incarnation.to_string()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        if let Some(due) = earlier {
            put = put.expression_attribute_values(":due", item::number(due.as_millis()));
        }
        match put.send().await {
            Err(error) if error.code() != Some("ConditionalCheckFailedException") => {
                Err(self.request(request::PUT, &pk, item::MARK).failed(&error))
            }
            _ => Ok(()),
        }
    }

    async fn put_chunk(&self, pk: &str, number: u32, body: &Bytes) -> Result<(), StoreError> {
        let sk = item::chunk_key(number);
        self.put(pk, &sk, item::chunk_item(pk, &sk, body, now())).await
    }

    async fn delete_chunk(&self, pk: &str, number: u32) -> Result<(), StoreError> {
        let sk = item::chunk_key(number);
        let delete = self.client.delete_item().table_name(&self.table).set_key(Some(item::key(pk, &sk)));
        let sent = delete.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await;
        sent.map(drop).map_err(|error| self.request(request::DELETE, pk, &sk).failed(&error))
    }

    /// Writes the slot if it holds record `replaced`, or with `None` if it is empty.
    async fn put_if(
        &self,
        pk: &str,
        sk: &str,
        item: &SlotItem,
        replaced: Option<(u64, Incarnation)>,
    ) -> Result<Try, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item::slot_item(pk, sk, item)))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let put = match replaced {
            None => put.condition_expression(IS_VACANT),
            Some((number, incarnation)) => put
                .condition_expression(HOLDS)
                .expression_attribute_values(":num", item::number(number))
                .expression_attribute_values(":inc", item::text(incarnation.to_string())),
        };
        let Err(error) = put.send().await else { return Ok(Try::Answered(Put::Stored)) };
        let request = self.request(request::PUT, pk, sk);
        match error.code() {
            Some("ConditionalCheckFailedException") => Ok(Try::Answered(Put::Conflict)),
            Some("TransactionConflictException") => Ok(Try::Contended(request.failed(&error))),
            _ => Err(request.failed(&error)),
        }
    }

    /// Writes the slot if it is empty and slot `before` holds record `held`, as one transaction. The SDK gives the
    /// transaction a token of its own, so that its retries of one call meet their own success as success.
    async fn put_after(
        &self,
        pk: &str,
        sk: &str,
        item: &SlotItem,
        before: &str,
        held: (u64, Incarnation),
    ) -> Result<Try, StoreError> {
        let request = self.request(request::TRANSACT, pk, sk);
        let invalid = |error: &dyn std::error::Error| request.unavailable(error.to_string());
        let put = TransactPut::builder()
            .table_name(&self.table)
            .set_item(Some(item::slot_item(pk, sk, item)))
            .condition_expression(IS_VACANT)
            .build()
            .map_err(|error| invalid(&error))?;
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(item::key(pk, before)))
            .condition_expression(HOLDS)
            .expression_attribute_values(":num", item::number(held.0))
            .expression_attribute_values(":inc", item::text(held.1.to_string()))
            .build()
            .map_err(|error| invalid(&error))?;
        let sent = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(put).build())
            .transact_items(TransactWriteItem::builder().condition_check(check).build())
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Try::Answered(Put::Stored)),
            Err(error) => cancelled(&request, &error),
        }
    }
}

fn now() -> EventTime {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    EventTime::from_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

/// What a failed transaction means. It wrote nothing if it was cancelled; a condition that failed decides the race, even
/// if the other item was in conflict besides.
///
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html#API_TransactWriteItems_Errors>
fn cancelled(
    request: &Request<'_>,
    error: &SdkError<TransactWriteItemsError, HttpResponse>,
) -> Result<Try, StoreError> {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return Err(request.failed(error));
    };
    let reasons = || cancelled.cancellation_reasons().iter();
    let any = |codes: &[&str]| reasons().any(|reason| codes.contains(&reason.code().unwrap_or_default()));
    let told: Vec<String> = reasons()
        .filter(|reason| reason.code() != Some("None"))
        .map(|reason| format!("{} {}", reason.code().unwrap_or("?"), reason.message().unwrap_or_default()))
        .collect();
    let why = format!("the transaction was cancelled: {}", told.join("; "));
    if any(&["ConditionalCheckFailed"]) {
        Ok(Try::Answered(Put::Conflict))
    } else if any(&["ValidationError", "ItemCollectionSizeLimitExceeded", "AccessDenied"]) {
        Err(request.refused(why))
    } else {
        Ok(Try::Contended(request.unavailable(why)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tidemill_journal::laws;

    use super::*;
    use crate::testing::{clients, dynamodb, serve, unreachable};

    const LIFE: Incarnation = Incarnation(7);
    const AFTER: Guard = Guard::VacantAfter { slot: 1, number: 1, incarnation: LIFE };
    const REPLACES: Guard = Guard::Replaces { number: 1, incarnation: LIFE };

    fn journal() -> JournalId {
        JournalId {
            pipeline: "departures".to_owned(),
            stream: "arn:aws:kinesis:us-east-1:123456789012:stream/flights".to_owned(),
            shard: "shardId-000000000000".to_owned(),
        }
    }

    fn slot_item(number: u64, bytes: usize) -> SlotItem {
        SlotItem { incarnation: LIFE, number, body: vec![7; bytes].into() }
    }

    /// A store on a server that answers as told, and how many requests it got.
    async fn told(
        answer: impl Fn(usize) -> (u16, Value) + Send + Sync + 'static,
    ) -> (DynamoStore, Arc<Mutex<Vec<Value>>>) {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let endpoint = serve(move |_, body| {
            let mut seen = seen.lock().expect("no panic before");
            seen.push(body.clone());
            answer(seen.len())
        });
        (DynamoStore::new(clients(&endpoint.await).await.dynamodb, "journal"), requests)
    }

    fn told_error(code: &str) -> (u16, Value) {
        (400, json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "as told"}))
    }

    fn cancelled(codes: [&str; 2]) -> (u16, Value) {
        let (status, mut body) = told_error("TransactionCanceledException");
        body["CancellationReasons"] = codes.map(|code| json!({"Code": code, "Message": "as told"})).into();
        (status, body)
    }

    async fn put(store: &DynamoStore, guard: Guard) -> Result<Put, StoreError> {
        store.put_slot(&journal(), 2, &slot_item(2, 1), guard).await
    }

    #[tokio::test]
    async fn it_keeps_the_laws_of_a_store() {
        laws::check(&DynamoStore::new(dynamodb("journal").await, "journal")).await;
    }

    #[tokio::test]
    async fn it_keeps_the_law_of_erasing() {
        laws::check_erasable(&DynamoStore::new(dynamodb("journal").await, "journal")).await;
    }

    #[tokio::test]
    async fn what_exceeds_a_page_of_one_megabyte_is_read_whole() {
        let store = DynamoStore::new(dynamodb("journal").await, "journal");
        for slot in 0..8 {
            let item = slot_item(u64::from(slot) + 1, 350_000);
            store.put_slot(&journal(), slot, &item, Guard::Vacant).await.expect("stored");
        }
        let read = async |limit| {
            let items = store.read_slots(&journal(), 0..=7, limit).await.expect("read");
            items.into_iter().map(|(slot, _)| slot).collect::<Vec<_>>()
        };
        assert_eq!(read(100).await, [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(read(5).await, [0, 1, 2, 3, 4]);
        assert_eq!(read(0).await, [0_u32; 0]);

        let chunks: Vec<Bytes> = (0..12).map(|n| vec![n; 350_000].into()).collect();
        let id = PartId { id: "part".to_owned(), chunks: 12, bytes: 0, plain: 0 };
        store.write_part(&journal(), &id, &chunks).await.expect("stored");
        assert_eq!(store.read_part(&journal(), &id).await.expect("read").as_ref(), Some(&chunks));
    }

    #[tokio::test]
    async fn a_transaction_whose_condition_failed_is_a_conflict() {
        for codes in [["None", "ConditionalCheckFailed"], ["ConditionalCheckFailed", "TransactionConflict"]] {
            let (store, requests) = told(move |_| cancelled(codes)).await;
            assert_eq!(put(&store, AFTER).await.expect("decided"), Put::Conflict, "{codes:?}");
            assert_eq!(requests.lock().expect("no panic before").len(), 1);
        }
    }

    #[tokio::test]
    async fn another_transaction_on_the_item_is_no_lost_race() {
        let (store, requests) = told(|_| cancelled(["TransactionConflict", "None"])).await;
        let error = put(&store, AFTER).await.expect_err("not decided");
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
        assert!(error.to_string().contains("the transaction was cancelled: TransactionConflict as told"), "{error}");
        assert_eq!(requests.lock().expect("no panic before").len(), CONTENDED_ATTEMPTS as usize);

        for guard in [Guard::Vacant, REPLACES] {
            let (store, _) = told(|_| told_error("TransactionConflictException")).await;
            let error = put(&store, guard).await.expect_err("not decided");
            assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
        }
    }

    #[tokio::test]
    async fn a_write_that_meets_a_transaction_is_sent_again() {
        let twice = |then: fn() -> (u16, Value)| {
            move |n| if n <= 2 { told_error("TransactionConflictException") } else { then() }
        };
        let (store, _) = told(twice(|| (200, json!({})))).await;
        assert_eq!(put(&store, REPLACES).await.expect("decided"), Put::Stored);
        let (store, _) = told(twice(|| told_error("ConditionalCheckFailedException"))).await;
        assert_eq!(put(&store, REPLACES).await.expect("decided"), Put::Conflict);
        let (store, _) = told(|n| if n == 1 { cancelled(["ThrottlingError", "None"]) } else { (200, json!({})) }).await;
        assert_eq!(put(&store, AFTER).await.expect("decided"), Put::Stored);
    }

    #[tokio::test]
    async fn retries_of_one_transaction_carry_one_token() {
        let (store, requests) = told(|n| if n == 1 { (500, json!({})) } else { (200, json!({})) }).await;
        assert_eq!(put(&store, AFTER).await.expect("decided"), Put::Stored);
        let requests = requests.lock().expect("no panic before");
        assert_eq!(requests.len(), 2);
        assert!(requests[0]["ClientRequestToken"].is_string());
        assert_eq!(requests[0], requests[1]);
    }

    #[tokio::test]
    async fn throttling_and_faults_of_the_service_are_passing() {
        for code in ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"] {
            let (store, requests) = told(move |_| told_error(code)).await;
            let error = store.read_slot(&journal(), 2).await.expect_err("throttled");
            assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
            assert!(error.to_string().contains(&format!("{code}: as told")), "{error}");
            assert!(requests.lock().expect("no panic before").len() > 1, "the SDK tries again");
        }
        let (store, _) = told(|_| (500, json!({"__type": "InternalServerError"}))).await;
        assert!(matches!(put(&store, REPLACES).await, Err(StoreError::Unavailable { .. })));
    }

    #[tokio::test]
    async fn a_missing_table_is_named_with_its_variable() {
        let store = DynamoStore::new(dynamodb("other").await, "journal");
        for error in [
            store.read_slot(&journal(), 2).await.expect_err("no table"),
            put(&store, AFTER).await.expect_err("no table"),
        ] {
            let text = error.to_string();
            assert!(matches!(error, StoreError::Refused { .. }), "{text}");
            assert!(
                text.contains("`departures/arn:aws:kinesis:us-east-1:123456789012:stream/flights/shardId-0"),
                "{text}"
            );
            assert!(text.contains("there is no table `journal`"), "{text}");
            assert!(text.contains("correct TIDEMILL_JOURNAL_TABLE"), "{text}");
        }
    }

    #[tokio::test]
    async fn a_check_finds_what_is_definitely_wrong_with_the_table() {
        let client = dynamodb("journal").await;
        assert_eq!(DynamoStore::new(client.clone(), "journal").check().await, None);
        let problem = DynamoStore::new(client, "other").check().await.expect("a problem");
        assert!(problem.contains("there is no table `other`"), "{problem}");
        let (store, _) = told(|_| told_error("ValidationException")).await;
        assert!(store.check().await.is_some_and(|problem| problem.contains("ValidationException: as told")));
        let (store, _) = told(|_| told_error("ThrottlingException")).await;
        assert_eq!(store.check().await, None);
    }

    #[tokio::test]
    async fn a_missing_permission_is_named() {
        let (store, _) = told(|_| told_error("AccessDeniedException")).await;
        let denied = put(&store, AFTER).await.expect_err("denied").to_string();
        assert!(
            denied.contains("allow the function's role dynamodb:PutItem and dynamodb:ConditionCheckItem"),
            "{denied}"
        );
        let denied = store.read_slots(&journal(), 0..=3, 9).await.expect_err("denied").to_string();
        assert!(denied.contains("Query of item"), "{denied}");
        assert!(denied.contains("dynamodb:Query on the table"), "{denied}");
    }

    #[tokio::test]
    async fn an_item_that_is_too_large_is_refused() {
        let store = DynamoStore::new(dynamodb("journal").await, "journal");
        let large = slot_item(2, 410_000);
        let stored = slot_item(1, 1);
        store.put_slot(&journal(), 1, &stored, Guard::Vacant).await.expect("stored");
        for guard in [Guard::Vacant, AFTER] {
            let error = store.put_slot(&journal(), 2, &large, guard).await.expect_err("too large");
            assert!(matches!(error, StoreError::Refused { .. }), "{error}");
        }
    }

    #[tokio::test]
    async fn no_answer_names_the_item_and_the_cause() {
        let store = DynamoStore::new(clients(&unreachable()).await.dynamodb, "journal");
        let error = store.read_mark(&journal()).await.expect_err("nobody listens");
        let text = error.to_string();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{text}");
        assert!(text.starts_with("GetItem of item `departures/arn:aws:kinesis"), "{text}");
        assert!(text.contains("`mark` in table `journal`"), "{text}");
        assert!(text.to_lowercase().contains("connect"), "{text}");
    }

    #[tokio::test]
    async fn items_of_others_are_not_guessed_at() {
        let client = dynamodb("journal").await;
        let pk = journal().to_string();
        for sk in [item::slot_key(1).as_str(), item::MARK] {
            let put = client.put_item().table_name("journal").set_item(Some(item::key(&pk, sk)));
            put.send().await.expect("stored");
        }
        let store = DynamoStore::new(client, "journal");
        let slot = store.read_slot(&journal(), 1).await.expect_err("foreign");
        assert!(matches!(slot, StoreError::Foreign { .. }), "{slot}");
        assert!(slot.to_string().contains("`slot:0000000001` in table `journal`"), "{slot}");
        assert!(matches!(store.read_mark(&journal()).await, Err(StoreError::Foreign { .. })));
        assert!(matches!(store.read_slots(&journal(), 0..=9, 9).await, Err(StoreError::Foreign { .. })));
    }

    #[tokio::test]
    async fn reads_are_consistent_and_every_request_asks_for_its_capacity() {
        let (store, requests) = told(|_| (200, json!({}))).await;
        let (journal, id) = (journal(), PartId { id: "part".to_owned(), chunks: 1, bytes: 0, plain: 0 });
        store.read_slot(&journal, 1).await.expect("answered");
        store.read_slots(&journal, 1..=2, 1).await.expect("answered");
        store.read_mark(&journal).await.expect("answered");
        store.read_part(&journal, &id).await.expect("answered");
        let reads = requests.lock().expect("no panic before").len();
        let mark = Mark { incarnation: LIFE, number: 1, due: None };
        store.write_mark(&journal, &mark).await.expect("answered");
        store.write_part(&journal, &id, &[Bytes::new()]).await.expect("answered");
        store.delete_part(&journal, &id).await.expect("answered");
        for guard in [Guard::Vacant, REPLACES, AFTER] {
            put(&store, guard).await.expect("answered");
        }
        let requests = requests.lock().expect("no panic before");
        assert_eq!((reads, requests.len()), (4, 10));
        assert!(requests.iter().all(|request| request["ReturnConsumedCapacity"] == "TOTAL"));
        assert!(requests[..reads].iter().all(|request| request["ConsistentRead"] == true));
    }
}
