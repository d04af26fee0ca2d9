//! Records that are not delivered any more: the document that their destination gets.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html>

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::template::{Destination, function_arn};

use super::Mapping;
use super::event::Rendered;
use super::pieces::GivenUp;

/// Why records are given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    RetryAttemptsExhausted,
    RecordAgeExceeded,
}

/// What the function said at the last attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// An answer, by which records failed.
    Handled,
    /// An error, or nothing before its time was up.
    Unhandled,
}

impl<F> Mapping<F> {
    /// Sends records' metadata to where the mapping says. What cannot be sent is lost, as on AWS: it counts
    /// as dropped, and the shard goes on.
    pub(super) fn give_up(
        &self,
        shard: &str,
        request: &str,
        given_up: &GivenUp,
        condition: Condition,
        answer: Option<Answer>,
    ) {
        let count = given_up.batch.len() as u64;
        self.tally.given_up.fetch_add(count, Ordering::Relaxed);
        let sent = match &self.source.on_failure {
            None => Err(String::from("the mapping has no OnFailure destination")),
            Some(destination) => {
                let document = self.document(shard, request, given_up, condition, answer);
                self.send(destination, shard, document, given_up)
            }
        };
        if let Err(why) = sent {
            self.tally.dropped.fetch_add(count, Ordering::Relaxed);
            self.destinations.note_lost(format!("{count} records of {shard}: {why}"));
        }
    }

    /// What was given up, and what of that nobody was told, in words for the user.
    pub fn what_is_lost(&self) -> impl Iterator<Item = String> {
        let id = &self.function.id;
        let given_up = self.tally.given_up.load(Ordering::Relaxed);
        let given_up =
            (given_up > 0).then(|| format!("`{id}`: {given_up} records were given up, as its event source says"));
        given_up.into_iter().chain(self.destinations.lost().into_iter().map(move |lost| format!("`{id}`: {lost}")))
    }

    fn send(&self, to: &Destination, shard: &str, mut document: Value, given_up: &GivenUp) -> Result<(), String> {
        match to {
            Destination::Queue(name) => self.destinations.queues.send(name, document.to_string()).map(drop),
            Destination::Bucket(name) => {
                let event = given_up.batch.event();
                document["payload"] = String::from_utf8_lossy(&event).into();
                let now = self.now();
                let key = format!(
                    "aws/lambda/{}/{shard}/{}-{}",
                    self.destinations.mapping,
                    now.strftime("%Y/%m/%d/%Y-%m-%dT%H.%M.%S"),
                    document["requestContext"]["requestId"].as_str().unwrap_or_default(),
                );
                self.destinations.write(name, &key, document.to_string().as_bytes())
            }
            Destination::Topic(name) => Err(format!("the topic `{name}` is not emulated")),
        }
    }

    fn document(
        &self,
        shard: &str,
        request: &str,
        given_up: &GivenUp,
        condition: Condition,
        answer: Option<Answer>,
    ) -> Value {
        let records = given_up.batch.records();
        let (first, last) = (records.first(), records.last());
        let sequence = |record: Option<&Rendered>| record.map(|record| record.sequence_number.clone());
        let arrival = |record: Option<&Rendered>| record.map(|record| iso(at(record.arrival)));
        let mut document = json!({
            "requestContext": {
                "requestId": request,
                "functionArn": function_arn(&self.function.name),
                "condition": match condition {
                    Condition::RetryAttemptsExhausted => "RetryAttemptsExhausted",
                    Condition::RecordAgeExceeded => "RecordAgeExceeded",
                },
                "approximateInvokeCount": given_up.attempts,
            },
            "version": "1.0",
            "timestamp": iso(self.now()),
            "KinesisBatchInfo": {
                "shardId": shard,
                "startSequenceNumber": sequence(first),
                "endSequenceNumber": sequence(last),
                "approximateArrivalOfFirstRecord": arrival(first),
                "approximateArrivalOfLastRecord": arrival(last),
                "batchSize": records.len(),
                "streamArn": self.source.arn(),
            },
        });
        if let Some(answer) = answer {
            let error = match answer {
                Answer::Handled => Value::Null,
                Answer::Unhandled => "Unhandled".into(),
            };
            document["responseContext"] =
                json!({"statusCode": 200, "executedVersion": "$LATEST", "functionError": error});
        }
        document
    }

    fn now(&self) -> Timestamp {
        at(self.kinesis.now())
    }
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millisecond(i64::try_from(millis).unwrap_or(i64::MAX)).unwrap_or(Timestamp::MAX)
}

fn iso(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
