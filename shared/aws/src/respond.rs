//! What a handler answers to a Kinesis event source.

use aws_lambda_events::streams::KinesisEventResponse;
use tidemill_core::SequenceNumber;

/// All records of the batch are done: the event source moves on.
pub fn succeeded() -> KinesisEventResponse {
    KinesisEventResponse::default()
}

/// The records before `first` are done; `first` and all after it come again, as a new batch with fresh retries.
///
/// `first` must be a sequence number of this batch: any other text fails the batch as a whole. The event source mapping
/// must have `ReportBatchItemFailures` among its `FunctionResponseTypes`, else this answer counts as success.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html>
pub fn failed_from(first: &SequenceNumber) -> KinesisEventResponse {
    let mut response = KinesisEventResponse::default();
    response.add_failure(first.as_str());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_is_an_empty_list_of_failures() {
        let json = serde_json::to_string(&succeeded()).expect("serialises");
        assert_eq!(json, r#"{"batchItemFailures":[]}"#);
    }

    #[test]
    fn a_partial_failure_names_the_first_record_to_come_again() {
        let sequence =
            SequenceNumber::parse("49678482213667495263467347962839741384025598392937742338").expect("digits");
        let json = serde_json::to_string(&failed_from(&sequence)).expect("serialises");
        assert_eq!(json, format!(r#"{{"batchItemFailures":[{{"itemIdentifier":"{sequence}"}}]}}"#));
    }
}
