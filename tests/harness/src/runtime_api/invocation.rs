//! What is handed to a function, and what comes back.

use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::oneshot;

/// What a function is asked to do. Sent again unchanged, it is the same request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The request id.
    pub id: String,
    /// The event.
    pub event: Bytes,
}

/// A request on its way to a process.
#[derive(Debug)]
pub struct Invocation {
    /// What is asked.
    pub request: Request,
    /// When the function is stopped.
    pub deadline: SystemTime,
    /// Where the reply goes.
    pub reply: oneshot::Sender<Reply>,
}

/// What a function answered.
#[derive(Debug)]
pub enum Reply {
    /// A response.
    Response(Bytes),
    /// An error.
    Error(FunctionError),
}

/// An error as a runtime reports it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FunctionError {
    /// Its type.
    pub error_type: String,
    /// Its message.
    pub error_message: String,
}

impl FunctionError {
    /// Reads the body of an error report; one that is no JSON is all message.
    pub(super) fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_else(|_| Self {
            error_type: String::from("unknown"),
            error_message: String::from_utf8_lossy(body).into_owned(),
        })
    }
}

impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error_type, self.error_message)
    }
}
