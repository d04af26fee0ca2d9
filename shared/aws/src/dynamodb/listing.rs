//! Which journals a table holds, for tools that look at them from outside.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use tidemill_journal::{JournalId, StoreError};

use super::item::{self, Attributes};
use crate::fault::{Fault, Kind};

/// Every journal has its first slot from its first commit on: slots are overwritten, never deleted.
pub(super) const FIRST_SLOT: u32 = 1;

/// The journals in `table` (its name, or its ARN), in order of pipeline, stream and shard.
///
/// This is a Scan: it reads the **whole table**, and is paid for all of it (one read unit per 4 KB, slots and parts
/// included), whatever it gives back. Tools only; a function knows its journal.
///
/// # Errors
/// If DynamoDB refuses or does not answer, or a first slot lies under a key that names no journal.
pub async fn list_journals(client: &Client, table: &str) -> Result<Vec<JournalId>, StoreError> {
    let mut journals = BTreeSet::new();
    let mut page_start: Option<Attributes> = None;
    loop {
        let page = client
            .scan()
            .table_name(table)
            .filter_expression("sk = :first")
            .expression_attribute_values(":first", item::text(item::slot_key(FIRST_SLOT)))
            .projection_expression("pk")
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .set_exclusive_start_key(page_start)
            .send()
            .await
            .map_err(|error| failed(table, Fault::of(&error)))?;
        for item in page.items.unwrap_or_default() {
            journals.insert(journal_with(table, &item)?);
        }
        page_start = page.last_evaluated_key;
        if page_start.is_none() {
            return Ok(journals.into_iter().collect());
        }
    }
}

pub(super) fn failed(table: &str, Fault { kind, text }: Fault) -> StoreError {
    let what = format!("Scan of table `{table}`");
    let fix = match kind {
        Kind::Passing => return StoreError::Unavailable { what, why: text },
        Kind::Absent => "there is no such table in this account and region, or it is not active yet",
        Kind::Denied => "allow yourself dynamodb:Scan, dynamodb:Query and dynamodb:GetItem on the table",
        Kind::Untrusted => "correct the credentials of this process",
        Kind::Rejected => "the journal's table has the keys pk and sk, both strings",
    };
    StoreError::Refused { what, why: format!("{text}: {fix}") }
}

pub(super) fn is_first_slot(item: &Attributes) -> bool {
    item.get("sk") == Some(&item::text(item::slot_key(FIRST_SLOT)))
}

/// The journal whose first slot this is.
pub(super) fn journal_with(table: &str, item: &Attributes) -> Result<JournalId, StoreError> {
    let key = item.get("pk").and_then(|pk| AttributeValue::as_s(pk).ok()).map_or("", String::as_str);
    item::journal_of(key).ok_or_else(|| StoreError::Foreign {
        what: format!("item `{key}` `{}` in table `{table}`", item::slot_key(FIRST_SLOT)),
        why: "its key is not `pipeline/stream ARN/shard`".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tidemill_journal::{Guard, Incarnation, PartId, SlotItem, Store};

    use super::*;
    use crate::DynamoStore;
    use crate::testing::{clients, dynamodb, serve, unreachable};

    fn journal(pipeline: &str, shard: u32) -> JournalId {
        JournalId {
            pipeline: pipeline.to_owned(),
            stream: "arn:aws:kinesis:us-east-1:000000000000:stream/flights".to_owned(),
            shard: format!("shardId-{shard:012}"),
        }
    }

    #[tokio::test]
    async fn each_journal_is_listed_once_over_all_pages_and_parts_are_not() {
        let client = dynamodb("journal").await;
        let store = DynamoStore::new(client.clone(), "journal");
        let journals = [journal("arrivals", 0), journal("departures", 0), journal("departures", 1)];
        for journal in &journals {
            // A page ends at 1 MB.
            let body = Bytes::from(vec![0; 390_000]);
            for slot in 1..=3 {
                let item = SlotItem { incarnation: Incarnation(7), number: slot.into(), body: body.clone() };
                store.put_slot(journal, slot, &item, Guard::Vacant).await.expect("stored");
            }
            let id = PartId { id: "part".to_owned(), chunks: 1, bytes: 390_000, plain: 390_000 };
            store.write_part(journal, &id, &[body]).await.expect("stored");
        }
        assert_eq!(list_journals(&client, "journal").await.expect("listed"), journals);
    }

    #[tokio::test]
    async fn a_table_that_is_not_there_is_named() {
        let error = list_journals(&dynamodb("other").await, "journal").await.unwrap_err().to_string();
        assert!(error.contains("Scan of table `journal`") && error.contains("there is no such table"), "{error}");
    }

    #[tokio::test]
    async fn a_denied_scan_names_the_permissions() {
        let denied = |_: &str, _: &serde_json::Value| {
            (400, serde_json::json!({"__type": "AccessDeniedException", "message": "not authorized"}))
        };
        let clients = clients(&serve(denied).await).await;
        let error = list_journals(&clients.dynamodb, "journal").await.unwrap_err().to_string();
        assert!(error.contains("table `journal`") && error.contains("dynamodb:Scan"), "{error}");
    }

    #[tokio::test]
    async fn an_endpoint_that_does_not_answer_is_unavailable() {
        let dynamodb = clients(&unreachable()).await.dynamodb;
        let error = list_journals(&dynamodb, "journal").await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    }

    #[test]
    fn a_key_is_taken_apart_at_its_first_and_last_slash() {
        let named = journal("departures", 3);
        let found = journal_with("t", &item::key(&named.to_string(), "slot:0000000001"));
        assert_eq!(found.ok(), Some(named));
        for odd in ["", "departures", "departures/shard"] {
            assert!(journal_with("t", &item::key(odd, "slot:0000000001")).is_err(), "{odd}");
        }
    }
}
