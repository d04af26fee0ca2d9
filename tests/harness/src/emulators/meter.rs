//! What functions ask of the emulated account, and what it costs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::call::Call;
use crate::permission::Permission;

/// Counts requests and capacity over all environments of a run.
#[derive(Debug, Default)]
pub struct Meter {
    usage: Mutex<Usage>,
}

/// What was counted.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Usage {
    /// Requests by kind.
    pub requests: BTreeMap<String, u64>,
    /// Write capacity units, as the answers state them.
    pub write_units: f64,
    /// Read capacity units, as the answers state them.
    pub read_units: f64,
    /// What the requests need of IAM.
    pub permissions: BTreeSet<Permission>,
}

impl Meter {
    /// Counts a request that reached its service.
    pub(crate) fn request(&self, call: &Call) {
        let mut usage = self.usage();
        *usage.requests.entry(call.kind()).or_default() += 1;
        for permission in &call.permissions {
            if !usage.permissions.contains(permission) {
                usage.permissions.insert(permission.clone());
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
        let mut usage = self.usage();
        match units("CapacityUnits") {
            _ if reads.is_some() || writes.is_some() => {
                usage.read_units += reads.unwrap_or_default();
                usage.write_units += writes.unwrap_or_default();
            }
            Some(all) if call.reads() => usage.read_units += all,
            Some(all) => usage.write_units += all,
            None => {}
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
        meter.request(&put);
        meter.answer(&put, br#"{"ConsumedCapacity":{"TableName":"t","CapacityUnits":2.0}}"#);
        meter.answer(&call("DynamoDB_20120810.Query"), br#"{"ConsumedCapacity":{"CapacityUnits":1.5}}"#);
        meter.answer(
            &call("DynamoDB_20120810.TransactWriteItems"),
            br#"{"ConsumedCapacity":[{"CapacityUnits":5.0,"WriteCapacityUnits":4.0,"ReadCapacityUnits":1.0}]}"#,
        );
        meter.answer(&put, b"no json");
        let usage = meter.total();
        assert_eq!((usage.write_units, usage.read_units), (6.0, 2.5));
        assert_eq!(usage.requests, BTreeMap::from([(String::from("PutItem"), 1)]));
    }
}
