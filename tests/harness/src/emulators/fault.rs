//! What a service answers that cannot do as it is asked.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>,
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html#API_PutRecords_Errors>

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::chaos::{FaultKind, Faults};

use super::call::{Call, Service};

/// A request's fate, where there are faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It passes.
    Passes,
    /// It is refused, and has no effect.
    Throttled,
    /// It has its effect, and an answer that says otherwise.
    Unanswered,
    /// It is refused, since another transaction is at its item.
    Conflict,
}

impl Fate {
    /// What becomes of a request now.
    pub(super) fn of(call: &Call, faults: &Faults) -> Self {
        let (throttled, unanswered) = match call.service {
            Service::DynamoDb => (FaultKind::DynamodbThrottled, FaultKind::DynamodbUnanswered),
            Service::Kinesis => (FaultKind::KinesisThrottled, FaultKind::KinesisUnanswered),
            // tidemill's functions have no queues.
            Service::Sqs => return Self::Passes,
        };
        if faults.strikes(throttled) {
            Self::Throttled
        } else if call.writes_items() && faults.strikes(FaultKind::TransactionConflict) {
            Self::Conflict
        } else if faults.strikes(unanswered) {
            Self::Unanswered
        } else {
            Self::Passes
        }
    }
}

/// The answer to a request that is one too many.
pub(super) fn throttled(service: Service) -> Response {
    let code = "ProvisionedThroughputExceededException";
    error(service, StatusCode::BAD_REQUEST, code, "The level of configured throughput was exceeded.")
}

/// The answer of a service that does not know what became of a request.
pub(super) fn unanswered(service: Service) -> Response {
    let code = match service {
        Service::DynamoDb => "InternalServerError",
        Service::Kinesis | Service::Sqs => "InternalFailure",
    };
    error(service, StatusCode::INTERNAL_SERVER_ERROR, code, "Internal server error")
}

/// The answer to a write of an item that another transaction is at: to a transaction, that its first item was in the way.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling>
pub(super) fn conflict(call: &Call, body: &[u8]) -> Response {
    const MESSAGE: &str = "Transaction is ongoing for the item";
    if !call.is_transaction() {
        return error(Service::DynamoDb, StatusCode::BAD_REQUEST, "TransactionConflictException", MESSAGE);
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let others = body["TransactItems"].as_array().map_or(0, Vec::len).saturating_sub(1);
    let mut reasons = vec![json!({"Code": "TransactionConflict", "Message": MESSAGE})];
    reasons.extend((0..others).map(|_| json!({"Code": "None"})));
    let codes: Vec<&str> = reasons.iter().filter_map(|reason| reason["Code"].as_str()).collect();
    let message =
        format!("Transaction cancelled, please refer cancellation reasons for specific reasons [{}]", codes.join(", "));
    let answer = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": message,
        "CancellationReasons": reasons,
    });
    (StatusCode::BAD_REQUEST, [(CONTENT_TYPE, "application/x-amz-json-1.0")], Body::from(answer.to_string()))
        .into_response()
}

fn error(service: Service, status: StatusCode, code: &str, message: &str) -> Response {
    let (kind, version) = match service {
        Service::DynamoDb => (format!("com.amazonaws.dynamodb.v20120810#{code}"), "application/x-amz-json-1.0"),
        Service::Kinesis => (code.to_owned(), "application/x-amz-json-1.1"),
        Service::Sqs => (code.to_owned(), "application/x-amz-json-1.0"),
    };
    let body = json!({"__type": kind, "message": message}).to_string();
    (status, [(CONTENT_TYPE, version)], Body::from(body)).into_response()
}
