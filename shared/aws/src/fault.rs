//! What a failed AWS request means: whether the same again may succeed, and if not, who must mend what.

use std::error::Error;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// What a failed request means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No answer, throttled, in conflict with another request, a fault of the service: later it may succeed. What was
    /// asked may have happened, and may still.
    Passing,
    /// The table or stream does not exist.
    Absent,
    /// The role lacks a permission.
    Denied,
    /// The credentials are not accepted.
    Untrusted,
    /// The request itself is refused: too large, malformed, an unusable KMS key.
    Rejected,
}

/// A failed request: what it means, and the service's own words.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

impl Fault {
    /// Of an error that the SDK gave up on, after its own retries.
    pub(crate) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let Some(answer) = error.as_service_error() else {
            return Self { kind: Kind::Passing, text: chain(error) };
        };
        let status = || error.raw_response().map_or(0, |response| response.status().as_u16());
        let code = answer.code().map_or_else(|| format!("HTTP {} without an error code", status()), str::to_owned);
        let kind = kind(&code);
        Self { kind, text: answer.message().map_or_else(|| code.clone(), |message| format!("{code}: {message}")) }
    }
}

/// Codes that are not listed are taken for passing: a retry too many is harmless.
///
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>,
/// <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html#API_PutRecords_Errors>
fn kind(code: &str) -> Kind {
    match code {
        "ResourceNotFoundException" => Kind::Absent,
        "AccessDeniedException" | "AccessDenied" => Kind::Denied,
        "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "MissingAuthenticationTokenException"
        | "IncompleteSignatureException" => Kind::Untrusted,
        "ValidationException"
        | "InvalidArgumentException"
        | "ItemCollectionSizeLimitExceededException"
        | "SerializationException"
        | "KMSAccessDeniedException"
        | "KMSDisabledException"
        | "KMSInvalidStateException"
        | "KMSNotFoundException"
        | "KMSOptInRequired" => Kind::Rejected,
        _ => Kind::Passing,
    }
}

/// The error and its sources, outermost first, each text once.
fn chain(error: &dyn Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        source = error.source();
    }
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_to_be_final_is_passing() {
        for code in
            ["ThrottlingException", "KMSThrottlingException", "InternalServerError", "ExpiredTokenException", ""]
        {
            assert_eq!(kind(code), Kind::Passing, "{code}");
        }
        assert_eq!(kind("KMSDisabledException"), Kind::Rejected);
        assert_eq!(kind("UnrecognizedClientException"), Kind::Untrusted);
    }
}
