//! What functions ask of the emulated account, and what it costs.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tidemill_journal::Record;

use crate::history::History;

use super::call::Call;
use crate::permission::Permission;

/// What Kinesis counts a record by.
const PAYLOAD_UNIT: usize = 25 << 10;

/// Counts requests and capacity over all environments of a function, and writes its history if there is one.
#[derive(Debug, Default)]
pub struct Meter {
    usage: Mutex<Usage>,
    history: Option<Arc<History>>,
    commits: bool,
}

/// What was counted.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Usage {
    /// Requests by kind.
    pub requests: BTreeMap<String, u64>,
    /// Write capacity units, as the answers state them.
    pub write_units: f64,
    /// Those of them that transactions took.
    pub transaction_units: f64,
    /// Read capacity units, as the answers state them.
    pub read_units: f64,
    /// What the requests need of IAM.
    pub permissions: BTreeSet<Permission>,
    /// PutRecords requests.
    pub put_requests: u64,
    /// Payload units of the records in them: pieces of 25 KB, one at least.
    pub put_units: u64,
    /// The time of all invocations, each rounded up to a millisecond as Lambda does.
    pub billed_ms: u64,
}

/// A PutRecords request, as far as it is billed.
#[derive(Deserialize)]
struct Put<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<PutRecord<'a>>,
}

#[derive(Deserialize)]
struct PutRecord<'a> {
    #[serde(rename = "Data", borrow)]
    data: Cow<'a, str>,
    #[serde(rename = "PartitionKey", borrow)]
    key: Cow<'a, str>,
}

impl Meter {
    /// A meter that writes a history; `commits` says whether the function keeps a journal.
    pub fn of(history: Arc<History>, commits: bool) -> Self {
        Self { usage: Mutex::default(), history: Some(history), commits }
    }

    /// The history that it writes.
    pub(crate) fn history(&self) -> Option<&History> {
        self.history.as_deref()
    }

    /// Counts an invocation.
    pub(crate) fn invoked(&self, time: Duration) {
        let millis = u64::try_from(time.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX);
        self.usage().billed_ms += millis;
        self.history().into_iter().for_each(|history| history.invoked(time));
    }

    /// Counts a request that reached its service.
    pub(crate) fn request(&self, call: &Call, body: &[u8]) {
        let mut usage = self.usage();
        *usage.requests.entry(call.kind()).or_default() += 1;
        for permission in &call.permissions {
            if !usage.permissions.contains(permission) {
                usage.permissions.insert(permission.clone());
            }
        }
        if !call.puts_records() {
            return;
        }
        usage.put_requests += 1;
        let Ok(put) = serde_json::from_slice::<Put<'_>>(body) else { return };
        let bytes = |record: &PutRecord<'_>| record.data.len() / 4 * 3 + record.key.len();
        usage.put_units +=
            put.records.iter().map(|record| bytes(record).div_ceil(PAYLOAD_UNIT).max(1) as u64).sum::<u64>();
        drop(usage);
        if let Some(history) = self.history().filter(|_| !self.commits) {
            history.sent(put.records.len() as u64);
        }
    }

    /// Takes note of a request that succeeded, which may be a commit.
    pub(crate) fn succeeded(&self, call: &Call, body: &[u8]) {
        let Some(history) = self.history().filter(|_| call.commits()) else { return };
        let Ok(request) = serde_json::from_slice::<Value>(body) else { return };
        let items = match request["TransactItems"].as_array() {
            Some(actions) => actions.iter().map(|action| &action["Put"]["Item"]).collect(),
            None => vec![&request["Item"]],
        };
        for item in items {
            let stored = item["body"]["B"].as_str().map(str::as_bytes);
            let stored = stored.and_then(|stored| base64_simd::STANDARD.decode_to_vec(stored).ok());
            let record = stored.and_then(|stored| Record::decode(&stored).ok());
            if let Some((partition, record)) = item["pk"]["S"].as_str().zip(record) {
                history.committed(partition, &record);
            }
        }
    }

    /// Counts the capacity that an answer of DynamoDB states.
    pub(crate) fn answer(&self, call: &Call, body: &[u8]) {
        let body = std::str::from_utf8(body).ok();
        let Some(answer) = body.and_then(|body| body.parse::<Value>().ok()) else {
            return;
        };
        let stated = &answer["ConsumedCapacity"];
        let tables = stated.as_array().map_or(std::slice::from_ref(stated), Vec::as_slice);
        for table in tables {
            self.capacity(call, table);
        }
    }

    fn capacity(&self, call: &Call, table: &Value) {
        let units = |name: &str| table[name].as_f64();
        let (reads, writes) = (units("ReadCapacityUnits"), units("WriteCapacityUnits"));
        let (reads, writes) = match units("CapacityUnits") {
            _ if reads.is_some() || writes.is_some() => (reads.unwrap_or_default(), writes.unwrap_or_default()),
            Some(all) if call.reads() => (all, 0.0),
            Some(all) => (0.0, all),
            None => return,
        };
        let mut usage = self.usage();
        usage.read_units += reads;
        usage.write_units += writes;
        if call.is_transaction() {
            usage.transaction_units += writes;
        }
        drop(usage);
        if let Some(history) = self.history() {
            history.wrote(writes);
        }
    }

    /// What was counted so far.
    pub fn total(&self) -> Usage {
        self.usage().clone()
    }

    /// Counters stay usable whatever a task that panicked was about to add.
    fn usage(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::*;

    fn call(target: &'static str) -> Call {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", HeaderValue::from_static(target));
        Call::read(&headers, b"{}", &BTreeSet::new())
    }

    #[test]
    fn units_are_summed_by_what_the_operation_does_or_the_answer_says() {
        let meter = Meter::default();
        let put = call("DynamoDB_20120810.PutItem");
        meter.request(&put, b"{}");
        meter.answer(&put, br#"{"ConsumedCapacity":{"TableName":"t","CapacityUnits":2.0}}"#);
        meter.answer(&call("DynamoDB_20120810.Query"), br#"{"ConsumedCapacity":{"CapacityUnits":1.5}}"#);
        meter.answer(
            &call("DynamoDB_20120810.TransactWriteItems"),
            br#"{"ConsumedCapacity":[{"CapacityUnits":5.0,"WriteCapacityUnits":4.0,"ReadCapacityUnits":1.0}]}"#,
        );
        meter.answer(&put, b"no json");
        let usage = meter.total();
        assert_eq!((usage.write_units, usage.read_units, usage.transaction_units), (6.0, 2.5, 4.0));
        assert_eq!(usage.requests, BTreeMap::from([(String::from("PutItem"), 1)]));
    }

    #[test]
    fn records_are_billed_by_pieces_of_25_kilobytes() {
        let meter = Meter::default();
        let put = call("Kinesis_20131202.PutRecords");
        let record = |bytes: usize| serde_json::json!({"PartitionKey": "k", "Data": "A".repeat(bytes / 3 * 4)});
        let records = [record(3), record(30_000), record(60_000)];
        meter.request(&put, serde_json::json!({"Records": records}).to_string().as_bytes());
        assert_eq!((meter.total().put_requests, meter.total().put_units), (1, 1 + 2 + 3));
    }

    #[test]
    fn invocations_are_billed_by_the_millisecond() {
        let meter = Meter::default();
        meter.invoked(Duration::from_micros(1_001));
        meter.invoked(Duration::from_millis(3));
        assert_eq!(meter.total().billed_ms, 5);
    }
}
