//! What a service answers that cannot do as it is asked.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>,
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html#API_PutRecords_Errors>

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

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

fn error(service: Service, status: StatusCode, code: &str, message: &str) -> Response {
    let (kind, version) = match service {
        Service::DynamoDb => (format!("com.amazonaws.dynamodb.v20120810#{code}"), "application/x-amz-json-1.0"),
        Service::Kinesis => (code.to_owned(), "application/x-amz-json-1.1"),
        Service::Sqs => (code.to_owned(), "application/x-amz-json-1.0"),
    };
    let body = json!({"__type": kind, "message": message}).to_string();
    (status, [(CONTENT_TYPE, version)], Body::from(body)).into_response()
}
