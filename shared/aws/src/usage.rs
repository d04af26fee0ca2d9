//! What requests took and met, read off the answers as the SDK gets them: its own retries included, which callers never
//! see.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemOutput;
use aws_sdk_dynamodb::operation::get_item::GetItemOutput;
use aws_sdk_dynamodb::operation::put_item::PutItemOutput;
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsOutput;
use aws_sdk_dynamodb::operation::update_item::{UpdateItemInput, UpdateItemOutput};
use aws_sdk_dynamodb::types::ConsumedCapacity;
use aws_sdk_kinesis::operation::put_records::{PutRecordsInput, PutRecordsOutput};
use serde::Deserialize;

/// What requests took and met.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Read units of the journal table, as its answers state them.
    pub read_units: f64,
    /// Write units of the journal table, as its answers state them. A write whose condition fails is charged, but its
    /// answer does not say so.
    pub write_units: f64,
    /// Write units of tables for results.
    pub sink_write_units: f64,
    /// Requests to sinks that left outputs unacknowledged, so that they had to be sent again.
    pub flush_retries: u64,
    /// How often DynamoDB or Kinesis refused a request, or Kinesis a record, because it came too fast.
    pub throttles: u64,
}

/// Counts over all requests of a process's [`Clients`](crate::Clients).
#[derive(Clone, Debug, Default)]
pub struct UsageMeter(Arc<Mutex<Usage>>);

impl UsageMeter {
    /// What was counted since it was last taken.
    pub fn take(&self) -> Usage {
        std::mem::take(&mut *self.usage())
    }

    fn usage(&self) -> MutexGuard<'_, Usage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for UsageMeter {
    fn name(&self) -> &'static str {
        "UsageMeter"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let mut usage = self.usage();
        match context.output_or_error() {
            Some(Ok(output)) => {
                if let Some(put) = output.downcast_ref::<PutRecordsOutput>() {
                    usage.put(put);
                } else if let Some(update) = output.downcast_ref::<UpdateItemOutput>() {
                    usage.sink_write_units += units(update.consumed_capacity.as_ref());
                } else if let Some(put) = output.downcast_ref::<PutItemOutput>() {
                    usage.write_units += units(put.consumed_capacity.as_ref());
                } else if let Some(get) = output.downcast_ref::<GetItemOutput>() {
                    usage.read_units += units(get.consumed_capacity.as_ref());
                } else if let Some(query) = output.downcast_ref::<QueryOutput>() {
                    usage.read_units += units(query.consumed_capacity.as_ref());
                } else if let Some(delete) = output.downcast_ref::<DeleteItemOutput>() {
                    usage.write_units += units(delete.consumed_capacity.as_ref());
                } else if let Some(transaction) = output.downcast_ref::<TransactWriteItemsOutput>() {
                    transaction.consumed_capacity().iter().for_each(|capacity| usage.transaction(capacity));
                }
            }
            Some(Err(_)) => {
                let code = context.response().and_then(code);
                usage.throttles += u64::from(code.as_deref().is_some_and(is_throttle));
                let is_decided = code.as_deref() == Some("ConditionalCheckFailedException");
                let to_sink = context.input().is_some_and(|input| {
                    input.downcast_ref::<PutRecordsInput>().is_some()
                        || input.downcast_ref::<UpdateItemInput>().is_some()
                });
                usage.flush_retries += u64::from(to_sink && !is_decided);
            }
            None => {}
        }
        Ok(())
    }
}

impl Usage {
    fn put(&mut self, put: &PutRecordsOutput) {
        let failed = || put.records().iter().filter_map(|record| record.error_code());
        self.flush_retries += u64::from(failed().next().is_some());
        self.throttles += failed().map(|code| u64::from(is_throttle(code))).sum::<u64>();
    }

    /// Reads and writes apart where the answer has them apart.
    fn transaction(&mut self, capacity: &ConsumedCapacity) {
        match (capacity.read_capacity_units, capacity.write_capacity_units) {
            (None, None) => self.write_units += units(Some(capacity)),
            (reads, writes) => {
                self.read_units += reads.unwrap_or_default();
                self.write_units += writes.unwrap_or_default();
            }
        }
    }
}

fn units(capacity: Option<&ConsumedCapacity>) -> f64 {
    capacity.and_then(|capacity| capacity.capacity_units).unwrap_or_default()
}

/// The error code of an answer of either service: they speak the same protocol.
fn code(response: &HttpResponse) -> Option<String> {
    #[derive(Deserialize)]
    struct Fault {
        #[serde(rename = "__type")]
        kind: String,
    }
    let fault: Fault = serde_json::from_slice(response.body().bytes()?).ok()?;
    fault.kind.rsplit('#').next().map(str::to_owned)
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>,
/// <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html>
fn is_throttle(code: &str) -> bool {
    matches!(
        code,
        "ProvisionedThroughputExceededException"
            | "ThrottlingException"
            | "RequestLimitExceeded"
            | "LimitExceededException"
            | "KMSThrottlingException"
    )
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use aws_sdk_dynamodb::types::AttributeValue;
    use serde_json::{Value, json};

    use super::*;
    use crate::Clients;
    use crate::testing::{clients, serve};

    /// Answers each request with the next of these.
    async fn answering(answers: Vec<(u16, Value)>) -> Clients {
        let next = AtomicU32::new(0);
        let answer = move |_: &str, _: &Value| {
            let at = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).expect("few");
            answers[at.min(answers.len() - 1)].clone()
        };
        clients(&serve(answer).await).await
    }

    fn text(value: &str) -> AttributeValue {
        AttributeValue::S(value.to_owned())
    }

    #[tokio::test]
    async fn a_throttled_write_that_the_sdk_repeats_is_counted_with_its_units() {
        let throttled =
            json!({"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slow down"});
        let stored = json!({"ConsumedCapacity": {"TableName": "t", "CapacityUnits": 2.5}});
        let clients = answering(vec![(400, throttled), (200, stored)]).await;
        clients.dynamodb.put_item().table_name("t").item("pk", text("a")).send().await.expect("stored");
        assert_eq!(clients.usage.take(), Usage { write_units: 2.5, throttles: 1, ..Usage::default() });
        assert_eq!(clients.usage.take(), Usage::default(), "taken once");
    }

    #[tokio::test]
    async fn reads_and_results_are_told_from_writes_of_the_journal() {
        let clients =
            answering(vec![(200, json!({"ConsumedCapacity": {"TableName": "t", "CapacityUnits": 1.0}}))]).await;
        clients.dynamodb.get_item().table_name("t").key("pk", text("a")).send().await.expect("read");
        clients.dynamodb.update_item().table_name("t").key("pk", text("a")).send().await.expect("written");
        clients.dynamodb.delete_item().table_name("t").key("pk", text("a")).send().await.expect("deleted");
        let expected = Usage { read_units: 1.0, write_units: 1.0, sink_write_units: 1.0, ..Usage::default() };
        assert_eq!(clients.usage.take(), expected);
    }

    #[tokio::test]
    async fn an_update_whose_condition_fails_is_no_retry() {
        let failed = json!({"__type": "x#ConditionalCheckFailedException", "message": "no"});
        let clients = answering(vec![(400, failed)]).await;
        clients.dynamodb.update_item().table_name("t").key("pk", text("a")).send().await.expect_err("refused");
        assert_eq!(clients.usage.take(), Usage::default());
    }

    #[tokio::test]
    async fn records_that_kinesis_refused_are_throttles_and_their_request_is_one_retry() {
        let refused = json!({"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "slow down"});
        let taken = json!({"SequenceNumber": "1", "ShardId": "s"});
        let clients =
            answering(vec![(200, json!({"FailedRecordCount": 2, "Records": [refused, taken, refused]}))]).await;
        let put = clients.kinesis.put_records().stream_name("s").set_records(Some(Vec::new()));
        put.send().await.expect("answered");
        assert_eq!(clients.usage.take(), Usage { throttles: 2, flush_retries: 1, ..Usage::default() });
    }
}
