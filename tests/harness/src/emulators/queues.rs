//! SQS: the few operations that reading a queue of given-up records needs, in the JSON protocol.
//!
//! `SendMessage`, `ReceiveMessage` (with its visibility timeout, without waiting), `DeleteMessage`,
//! `GetQueueUrl`, `GetQueueAttributes`, `ListQueues` and `PurgeQueue`.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html>

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::template::{queue_arn, queue_url};

/// How long a message that was received is hidden, unless the request says.
const VISIBILITY: u64 = 30;
/// The most messages in one answer.
const MOST: u64 = 10;

/// The account's queues. Clones are the same queues.
#[derive(Debug, Clone, Default)]
pub struct Queues {
    queues: Arc<Mutex<BTreeMap<String, Queue>>>,
}

#[derive(Debug, Default)]
struct Queue {
    sent: u64,
    messages: Vec<Message>,
}

#[derive(Debug)]
struct Message {
    id: String,
    body: String,
    /// How often it was received.
    received: u64,
    hidden_until: Instant,
}

/// An error's type and message.
type Refusal = (&'static str, String);

impl Queues {
    /// Creates a queue, unless there is one of that name.
    pub fn create(&self, name: &str) {
        self.queues().entry(name.to_owned()).or_default();
    }

    /// Sends a message and returns its id, or says that there is no such queue.
    pub fn send(&self, name: &str, body: String) -> Result<String, String> {
        let mut queues = self.queues();
        let queue = queues.get_mut(name).ok_or_else(|| format!("there is no queue `{name}`"))?;
        queue.sent += 1;
        let id = format!("00000000-0000-4000-a000-{:012x}", queue.sent);
        queue.messages.push(Message { id: id.clone(), body, received: 0, hidden_until: Instant::now() });
        Ok(id)
    }

    /// The messages in a queue, the oldest first, those included that somebody has received.
    pub fn messages(&self, name: &str) -> Vec<String> {
        let queues = self.queues();
        queues.get(name).map_or(Vec::new(), |queue| queue.messages.iter().map(|one| one.body.clone()).collect())
    }

    /// Answers a request.
    pub(super) fn answer(&self, operation: &str, body: &[u8]) -> Response {
        let asked = serde_json::from_slice(body).unwrap_or(Value::Null);
        let (status, answer) = match self.perform(operation, &asked) {
            Ok(answer) => (StatusCode::OK, answer),
            Err((kind, message)) => {
                (StatusCode::BAD_REQUEST, json!({"__type": format!("com.amazonaws.sqs#{kind}"), "message": message}))
            }
        };
        (status, [("content-type", "application/x-amz-json-1.0")], answer.to_string()).into_response()
    }

    fn perform(&self, operation: &str, asked: &Value) -> Result<Value, Refusal> {
        if operation == "ListQueues" {
            let urls: Vec<String> = self.queues().keys().map(|name| queue_url(name)).collect();
            return Ok(json!({"QueueUrls": urls}));
        }
        let url = asked["QueueUrl"].as_str().or_else(|| asked["QueueName"].as_str()).unwrap_or_default();
        let name = url.rsplit('/').next().unwrap_or_default();
        if operation == "SendMessage" {
            let body = asked["MessageBody"].as_str().unwrap_or_default().to_owned();
            let id = self.send(name, body).map_err(|why| ("QueueDoesNotExist", why))?;
            return Ok(json!({"MessageId": id}));
        }
        let mut queues = self.queues();
        let no_queue = || ("QueueDoesNotExist", format!("The specified queue `{name}` does not exist."));
        let queue = queues.get_mut(name).ok_or_else(no_queue)?;
        match operation {
            "GetQueueUrl" => Ok(json!({"QueueUrl": queue_url(name)})),
            "GetQueueAttributes" => Ok(json!({"Attributes": queue.attributes(name)})),
            "ReceiveMessage" => Ok(queue.receive(asked)),
            "DeleteMessage" => queue.delete(asked["ReceiptHandle"].as_str().unwrap_or_default()),
            "PurgeQueue" => {
                queue.messages.clear();
                Ok(json!({}))
            }
            other => Err(("UnsupportedOperation", format!("`{other}` is not emulated."))),
        }
    }

    fn queues(&self) -> MutexGuard<'_, BTreeMap<String, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn attributes(&self, name: &str) -> Value {
        let now = Instant::now();
        let hidden = self.messages.iter().filter(|message| message.hidden_until > now).count();
        json!({
            "QueueArn": queue_arn(name),
            "ApproximateNumberOfMessages": (self.messages.len() - hidden).to_string(),
            "ApproximateNumberOfMessagesNotVisible": hidden.to_string(),
        })
    }

    fn receive(&mut self, asked: &Value) -> Value {
        let most = asked["MaxNumberOfMessages"].as_u64().unwrap_or(1).min(MOST);
        let hidden = Duration::from_secs(asked["VisibilityTimeout"].as_u64().unwrap_or(VISIBILITY));
        let now = Instant::now();
        let visible = self.messages.iter_mut().filter(|message| message.hidden_until <= now);
        let received = visible.take(usize::try_from(most).unwrap_or(1)).map(|message| {
            message.received += 1;
            message.hidden_until = now + hidden;
            json!({
                "MessageId": message.id,
                "ReceiptHandle": format!("{}/{}", message.id, message.received),
                "Body": message.body,
                "Attributes": {"ApproximateReceiveCount": message.received.to_string()},
            })
        });
        let received: Vec<Value> = received.collect();
        if received.is_empty() { json!({}) } else { json!({"Messages": received}) }
    }

    /// Deletes a message by any of its receipt handles; that of one that is gone is no error.
    fn delete(&mut self, handle: &str) -> Result<Value, Refusal> {
        let Some((id, _)) = handle.split_once('/') else {
            return Err(("ReceiptHandleIsInvalid", format!("The input receipt handle `{handle}` is invalid.")));
        };
        self.messages.retain(|message| message.id != id);
        Ok(json!({}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(queues: &Queues, operation: &str, asked: &Value) -> Value {
        queues.perform(operation, asked).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn messages_are_received_hidden_and_deleted() {
        let queues = Queues::default();
        queues.create("dlq");
        let url = ask(&queues, "GetQueueUrl", &json!({"QueueName": "dlq"}))["QueueUrl"].clone();
        ask(&queues, "SendMessage", &json!({"QueueUrl": url, "MessageBody": "one"}));
        ask(&queues, "SendMessage", &json!({"QueueUrl": url, "MessageBody": "two"}));
        let receive = || ask(&queues, "ReceiveMessage", &json!({"QueueUrl": url}))["Messages"][0].clone();
        let (one, two) = (receive(), receive());
        assert_eq!((&one["Body"], &two["Body"]), (&"one".into(), &"two".into()));
        assert!(receive().is_null());
        let attributes = ask(&queues, "GetQueueAttributes", &json!({"QueueUrl": url}));
        assert_eq!(attributes["Attributes"]["ApproximateNumberOfMessagesNotVisible"], "2");
        ask(&queues, "DeleteMessage", &json!({"QueueUrl": url, "ReceiptHandle": one["ReceiptHandle"]}));
        tokio::time::sleep(Duration::from_secs(VISIBILITY)).await;
        assert_eq!((&receive()["Body"], queues.messages("dlq").len()), (&"two".into(), 1));
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let queues = Queues::default();
        let refused =
            |operation: &str| queues.perform(operation, &json!({"QueueUrl": "x/q", "MessageBody": "m"})).unwrap_err();
        assert_eq!(refused("SendMessage").0, "QueueDoesNotExist");
        assert_eq!(refused("ReceiveMessage").0, "QueueDoesNotExist");
        queues.create("q");
        assert_eq!(refused("AddPermission").0, "UnsupportedOperation");
        assert_eq!(refused("DeleteMessage").0, "ReceiptHandleIsInvalid");
    }
}
