//! What sweeping asks of a table.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use tidemill_core::EventTime;
use tidemill_journal::{Beside, Listed, Stamp, StoreError, Sweepable};

use super::item::{self, Attributes, Stored};
use super::{DynamoStore, listing, request};
use crate::fault::Fault;

const CONDITION_FAILED: &str = "ConditionalCheckFailedException";

/// A Scan of the **whole table** lists the chunks and the first slots; it is paid for all of it, but gives no bodies back.
impl Sweepable for DynamoStore {
    async fn list(&self) -> Result<Listed, StoreError> {
        let mut found = Listed::default();
        let mut page_start: Option<Attributes> = None;
        loop {
            let page = self
                .client
                .scan()
                .table_name(&self.table)
                .filter_expression("begins_with(sk, :chunk) OR sk = :first")
                .expression_attribute_values(":chunk", item::text("chunk:"))
                .expression_attribute_values(":first", item::text(item::slot_key(listing::FIRST_SLOT)))
                .projection_expression("pk, sk, #written, #seen, #bytes")
                .expression_attribute_names("#written", item::WRITTEN)
                .expression_attribute_names("#seen", item::SEEN)
                .expression_attribute_names("#bytes", item::BYTES)
                .consistent_read(true)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .set_exclusive_start_key(page_start)
                .send()
                .await
                .map_err(|error| listing::failed(&self.table, Fault::of(&error)))?;
            for item in page.items.unwrap_or_default() {
                if listing::is_first_slot(&item) {
                    found.journals.insert(listing::journal_with(&self.table, &item)?);
                } else {
                    found.beside.push(Stored::new(&self.table, item).beside()?);
                }
            }
            page_start = page.last_evaluated_key;
            if page_start.is_none() {
                return Ok(found);
            }
        }
    }

    async fn stamp(&self, item: &Beside, seen: EventTime) -> Result<(), StoreError> {
        let (pk, sk) = key(item);
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(item::key(&pk, &sk)))
            .update_expression("SET #seen = :seen")
            .condition_expression(
                "attribute_exists(pk) AND attribute_not_exists(#written) AND attribute_not_exists(#seen)",
            )
            .expression_attribute_names("#written", item::WRITTEN)
            .expression_attribute_names("#seen", item::SEEN)
            .expression_attribute_values(":seen", time(seen))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        match sent {
            Err(error) if error.code() != Some(CONDITION_FAILED) => {
                Err(self.request(request::UPDATE, &pk, &sk).failed(&error))
            }
            _ => Ok(()),
        }
    }

    async fn delete_beside(&self, item: &Beside) -> Result<bool, StoreError> {
        let (name, stamped) = match item.stamp {
            Some(Stamp::Written(written)) => (item::WRITTEN, written),
            Some(Stamp::Seen(seen)) => (item::SEEN, seen),
            None => return Ok(false),
        };
        let (pk, sk) = key(item);
        let sent = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(item::key(&pk, &sk)))
            // A write takes `seen` away, and brings another `written`.
            .condition_expression("#stamp = :stamp")
            .expression_attribute_names("#stamp", name)
            .expression_attribute_values(":stamp", time(stamped))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some(CONDITION_FAILED) => Ok(false),
            Err(error) => Err(self.request(request::DELETE, &pk, &sk).failed(&error)),
        }
    }
}

fn key(item: &Beside) -> (String, String) {
    (item::part_key_of(&item.journal, &item.id), item::chunk_key(item.chunk))
}

fn time(time: EventTime) -> AttributeValue {
    item::number(time.as_millis())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tidemill_core::{Change, Corrupt, HashRange, PartRange, Progress, Reject, SequenceNumber};
    use tidemill_journal::{
        Beginning, Deadline, Draft, Incarnation, JournalId, Kind, LONGEST_LIFE, Output, PartId, Ring, Schema, Sink,
        SinkError, State, Store, commit, flush, init, laws, load, sweep,
    };

    use super::*;
    use crate::testing::dynamodb;

    #[tokio::test]
    async fn it_keeps_the_laws_of_sweeping() {
        let time_passes = async || tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        laws::check_sweepable(&DynamoStore::new(dynamodb("journal").await, "journal"), time_passes).await;
    }

    /// Keeps nothing.
    struct Nothing;

    impl State for Nothing {
        fn restore(&mut self, _: &Change) -> Result<(), Corrupt> {
            Ok(())
        }

        fn image(&self, _: &PartRange) -> Result<Vec<Change>, Reject> {
            Ok(Vec::new())
        }

        fn bytes(&self) -> usize {
            0
        }
    }

    #[tokio::test]
    async fn a_sealed_journal_is_freed_a_day_after_a_sweep_found_its_children_begun() {
        let store = DynamoStore::new(dynamodb("journal").await, "journal");
        let schema = |shard: &str, began: &str, first, last| Schema {
            journal: JournalId { pipeline: "p".into(), stream: "arn".into(), shard: shard.into() },
            fingerprint: [("operator".to_owned(), "count".to_owned())].into(),
            starting_sequence: SequenceNumber::parse(began),
            hash_range: Some(HashRange { first, last }),
        };
        let ring = Ring::of(2).expect("a ring");
        let all = [schema("0", "1", 0, 99), schema("1", "5", 0, 49), schema("2", "5", 50, 99)];
        for schema in &all {
            let beginning = Beginning::empty(Incarnation(7), ring, schema.clone());
            init(&store, &schema.journal, beginning, &Nothing).await.expect("begun");
        }
        let parent = &all[0].journal;
        let load = async || load(&store, parent, None, || Box::new(Nothing)).await.expect("reads").expect("begun").0;
        let mut view = load().await;
        for kind in [Kind::Data, Kind::Seal] {
            let value = (kind == Kind::Data).then(|| vec![7; 5_000]);
            let draft = Draft {
                kind,
                position: None,
                progress: Progress::start(),
                changes: value
                    .map(|value| Change { key: vec![1], slot: vec![], value: Some(value) })
                    .into_iter()
                    .collect(),
                outputs: Vec::new(),
                gap: None,
                tick: None,
                may_spill: false,
            };
            let flushed = flush(&store, &Nowhere, parent, &mut view, Deadline::NONE).await.expect("flushed");
            commit(&store, parent, flushed, draft, &Nothing, Deadline::NONE).await.expect("committed");
        }
        let now = EventTime::from_millis(store_time());
        let swept = sweep(&store, |_| true, now, LONGEST_LIFE, false).await.expect("swept");
        assert_eq!((swept.waiting, swept.freed.items), (1, 0), "{swept:?}");
        let swept = sweep(&store, |_| true, now.plus(90_000_000), LONGEST_LIFE, false).await.expect("swept");
        assert_eq!((swept.waiting, swept.freed.items), (0, 2), "{swept:?}");
        let view = load().await;
        assert_eq!((view.number(), view.kind(), view.schema()), (3, Kind::Seal, &all[0]));
        assert!(view.freed().is_some());
        assert_eq!(store.list().await.expect("listed").beside, []);
    }

    fn store_time() -> i64 {
        let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
        i64::try_from(since_1970.as_millis()).expect("a date")
    }

    struct Nowhere;

    impl Sink for Nowhere {
        fn objection(&self, _: &Output) -> Option<String> {
            None
        }

        async fn send(&self, _: &[Output], _: Deadline) -> Result<(), SinkError> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_chunk_of_earlier_code_is_stamped_until_it_is_written_again() {
        let client = dynamodb("journal").await;
        let store = DynamoStore::new(client.clone(), "journal");
        let stream = "arn:aws:kinesis:us-east-1:000000000000:stream/flights".to_owned();
        let journal = JournalId { pipeline: "departures".to_owned(), stream, shard: "shardId-0".to_owned() };
        let id = PartId { id: "part".to_owned(), chunks: 1, bytes: 4, plain: 4 };
        let listed = async || store.list().await.expect("listed").beside.pop().expect("one");
        let (pk, sk) = (item::part_key(&journal, &id), item::chunk_key(0));
        let put = client.put_item().table_name("journal").set_item(Some(item::key(&pk, &sk)));
        put.send().await.expect("stored");

        let bare = listed().await;
        assert_eq!(bare, Beside { journal: journal.clone(), id: "part".to_owned(), chunk: 0, bytes: 0, stamp: None });
        assert!(!store.delete_beside(&bare).await.expect("answered"), "what has no stamp stays");
        for millis in [7, 8] {
            store.stamp(&bare, EventTime::from_millis(millis)).await.expect("answered");
        }
        let seen = listed().await;
        assert_eq!(seen.stamp, Some(Stamp::Seen(EventTime::from_millis(7))), "the first sweep counts");
        store.write_part(&journal, &id, &[Bytes::from_static(b"cell")]).await.expect("stored");
        assert!(!store.delete_beside(&seen).await.expect("answered"), "it was written again");
        assert!(matches!(listed().await.stamp, Some(Stamp::Written(_))));
    }
}
