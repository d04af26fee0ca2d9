//! The door between a client and the emulated account: both services at one address.
//!
//! A replay has one for each environment: every request of its process passes here, is counted, may meet
//! a fault, and may be the one that the process does not survive.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{StatusCode, Uri, request, response};
use axum::response::{IntoResponse, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::chaos::{FaultKind, Faults};
use crate::environment::KillSwitch;
use crate::error::Error;

use super::call::{Call, Service};
use super::fault::{self, Fate};
use super::limits::{Judged, Limits};
use super::meter::Meter;
use super::stale::Stale;
use super::{Emulators, MAX_BODY, Queues, listen};

/// Serves the emulated account to one process, until it is dropped.
pub struct Front {
    address: SocketAddr,
    _server: JoinSet<()>,
}

#[derive(Clone)]
struct Door {
    kinesis: Router,
    dynamodb: SocketAddr,
    queues: Queues,
    client: Client<HttpConnector, Body>,
    meter: Arc<Meter>,
    switch: Arc<KillSwitch>,
    limits: Option<Arc<Limits>>,
    faults: Arc<Faults>,
    result_tables: Arc<BTreeSet<String>>,
    stale: Option<Arc<Stale>>,
}

impl Front {
    /// Opens a front before `emulators`, on a port of the system's choice.
    pub async fn open(emulators: &Emulators, meter: Arc<Meter>, switch: Arc<KillSwitch>) -> Result<Self, Error> {
        let (listener, address) = listen().await?;
        Ok(Self::on(listener, address, emulators, meter, switch))
    }

    /// Opens a front before `emulators` where a listener listens.
    pub fn on(
        listener: TcpListener,
        address: SocketAddr,
        emulators: &Emulators,
        meter: Arc<Meter>,
        switch: Arc<KillSwitch>,
    ) -> Self {
        let door = Door {
            kinesis: emulators.kinesis.router(),
            dynamodb: emulators.dynamodb.address(),
            queues: emulators.queues.clone(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            meter,
            switch,
            limits: emulators.limits.clone(),
            faults: Arc::clone(&emulators.faults),
            result_tables: Arc::clone(&emulators.result_tables),
            stale: emulators.stale.clone(),
        };
        let router = Router::new().fallback(pass).with_state(door);
        let mut server = JoinSet::new();
        server.spawn(async move {
            // Accepting on loopback fails only with the process itself.
            let _ = axum::serve(listener, router).await;
        });
        Self { address, _server: server }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// One request. Where the process is to be killed, this never returns: the connection ends with
/// the process.
async fn pass(State(door): State<Door>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let call = Call::read(&parts.headers, &body, &door.result_tables);
    let (parts, body) = asking_for_capacity(&call, parts, body);
    door.switch.before_call().await;
    let fate = Fate::of(&call, &door.faults);
    door.tell(fate, call.service);
    match fate {
        Fate::Throttled => return fault::throttled(call.service),
        Fate::Conflict => return fault::conflict(&call, &body),
        Fate::Passes | Fate::Unanswered => {}
    }
    if door.refuses_read(&call, &body) {
        return fault::throttled(call.service);
    }
    door.meter.request(&call, &body);
    if let Some(stale) = &door.stale {
        stale.note(&call, &body);
    }
    let passed = match door.judge(&call, &body) {
        None => door.forward(&call, parts, body.clone()).await,
        Some(mut judged) => match judged.admitted() {
            Some(admitted) => door.forward_admitted(&call, parts, admitted, judged).await,
            // No record reaches its stream: no moment to be killed at.
            None => return throttled(judged),
        },
    };
    let Some((head, answer)) = passed else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let (head, answer) = door.earlier(&call, &body, head, answer);
    if call.service == Service::DynamoDb {
        door.meter.answer(&call, &answer);
    }
    if head.status.is_success() {
        door.meter.succeeded(&call, &body);
    }
    if fate == Fate::Unanswered {
        return fault::unanswered(call.service);
    }
    if head.status.is_success() {
        door.switch.after_success(&call).await;
    }
    Response::from_parts(head, Body::from(answer))
}

/// The request, so that it asks what capacity it takes: a function need not, and what it costs is counted all the same.
fn asking_for_capacity(call: &Call, mut parts: request::Parts, body: Bytes) -> (request::Parts, Bytes) {
    const MEMBER: &[u8] = br#"{"ReturnConsumedCapacity":"TOTAL","#;
    let asks = || body.windows(MEMBER.len() - 11).any(|bytes| bytes == &MEMBER[1..MEMBER.len() - 10]);
    let Some(rest) = body.strip_prefix(b"{").filter(|rest| rest.len() > 1 && call.takes_capacity() && !asks()) else {
        return (parts, body);
    };
    let body = [MEMBER, rest].concat().into();
    parts.headers.remove(CONTENT_LENGTH);
    (parts, body)
}

/// The answer to a request of which no shard takes any record now.
fn throttled(judged: Judged) -> Response {
    let answer = judged.answer(None).unwrap_or_default();
    ([(CONTENT_TYPE, "application/x-amz-json-1.1")], answer).into_response()
}

impl Door {
    /// What a shard's limits, or a fault, let through of a request that puts records; `None` if all of it.
    fn judge(&self, call: &Call, body: &[u8]) -> Option<Judged> {
        if !call.puts_records() {
            return None;
        }
        let limits = self.limits.as_ref().and_then(|limits| limits.judge(body, Instant::now()));
        if limits.is_some() || self.faults.is_none() {
            return limits;
        }
        let judged = Judged::of(body, |count| self.faults.strike_among(FaultKind::PartlyPut, count));
        if let Some(history) = self.meter.history().filter(|_| judged.is_some()) {
            history.happened("PutRecords failed in part");
        }
        judged
    }

    /// Whether a shard's limits refuse a request for records.
    fn refuses_read(&self, call: &Call, body: &[u8]) -> bool {
        let limits = self.limits.as_ref().filter(|_| call.gets_records());
        limits.is_some_and(|limits| limits.refuses_read(body, Instant::now()))
    }

    /// The answer, or what a read that is not strongly consistent gets in its place; how much of a shard was read is noted.
    fn earlier(&self, call: &Call, body: &[u8], mut head: response::Parts, answer: Bytes) -> (response::Parts, Bytes) {
        if let Some(limits) = self.limits.as_ref().filter(|_| call.gets_records()) {
            // In base64.
            limits.was_read(body, answer.len() / 4 * 3);
        }
        let stale = self.stale.as_ref().filter(|_| call.reads() && head.status.is_success());
        let earlier = stale.and_then(|stale| stale.earlier(call, body, &answer));
        let Some(earlier) = earlier.filter(|_| self.faults.strikes(FaultKind::StaleRead)) else {
            return (head, answer);
        };
        if let Some(history) = self.meter.history() {
            history.happened("stale read");
        }
        head.headers.remove(CONTENT_LENGTH);
        (head, earlier.to_string().into())
    }

    fn tell(&self, fate: Fate, service: Service) {
        let Some(history) = self.meter.history() else { return };
        match (fate, service) {
            // Queues have no faults.
            (Fate::Passes, _) | (_, Service::Sqs) => {}
            (Fate::Conflict, _) => history.happened("transaction conflict"),
            (Fate::Throttled, Service::DynamoDb) => history.happened("DynamoDB throttled"),
            (Fate::Throttled, Service::Kinesis) => history.happened("Kinesis throttled"),
            (Fate::Unanswered, Service::DynamoDb) => history.happened("DynamoDB failed behind a success"),
            (Fate::Unanswered, Service::Kinesis) => history.happened("Kinesis failed behind a success"),
        }
    }

    /// Passes on what is left of a request, and answers all of it.
    async fn forward_admitted(
        &self,
        call: &Call,
        mut parts: request::Parts,
        admitted: Bytes,
        judged: Judged,
    ) -> Option<(response::Parts, Bytes)> {
        parts.headers.remove(CONTENT_LENGTH);
        let (mut head, answer) = self.forward(call, parts, admitted).await?;
        if !head.status.is_success() {
            return Some((head, answer));
        }
        head.headers.remove(CONTENT_LENGTH);
        Some((head, judged.answer(Some(&answer))?))
    }

    async fn forward(&self, call: &Call, mut parts: request::Parts, body: Bytes) -> Option<(response::Parts, Bytes)> {
        let response = match call.service {
            Service::Kinesis => {
                let request = Request::from_parts(parts, Body::from(body));
                let Ok(response) = self.kinesis.clone().oneshot(request).await;
                response
            }
            Service::DynamoDb => {
                parts.uri = Uri::try_from(format!("http://{}/", self.dynamodb)).ok()?;
                let request = Request::from_parts(parts, Body::from(body));
                self.client.request(request).await.ok()?.map(Body::new)
            }
            Service::Sqs => self.queues.answer(call.operation(), &body),
        };
        let (head, body) = response.into_parts();
        Some((head, to_bytes(body, usize::MAX).await.ok()?))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use crate::emulators::{DynamoDb, Kinesis, Queues};
    use crate::environment::Kill;
    use crate::template::Stream;

    use super::*;

    /// A front before an account with limits, and its switch.
    async fn limited() -> (Emulators, Front, Arc<KillSwitch>) {
        let (kinesis, dynamodb) = (Kinesis::new(), DynamoDb::start().await.unwrap());
        kinesis.create_stream("S", 1).await.unwrap();
        let stream = Stream { id: String::from("S"), name: String::from("S"), shards: 1 };
        let limits = Limits::read(&kinesis, &[stream]).await.unwrap();
        let limits = Some(Arc::new(limits));
        let queues = Queues::default();
        let (faults, result_tables) = (Arc::default(), Arc::default());
        let emulators = Emulators { kinesis, dynamodb, limits, queues, faults, result_tables, stale: None };
        let switch = Arc::new(KillSwitch::default());
        let front = Front::open(&emulators, Arc::default(), Arc::clone(&switch)).await.unwrap();
        (emulators, front, switch)
    }

    /// Puts so many records of so many bytes each.
    async fn put(front: &Front, count: usize, size: usize) -> Value {
        let data = base64_simd::STANDARD.encode_to_string(vec![b'x'; size]);
        let records = vec![json!({"PartitionKey": "k", "Data": data}); count];
        let request = axum::http::Request::post(format!("http://{}/", front.address()))
            .header("x-amz-target", "Kinesis_20131202.PutRecords")
            .header("content-type", "application/x-amz-json-1.1")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=c")
            .header("x-amz-date", "20260101T000000Z")
            .body(Body::from(json!({"StreamName": "S", "Records": records}).to_string()));
        let client: Client<HttpConnector, Body> = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let body = to_bytes(Body::new(response.into_body()), usize::MAX).await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    #[tokio::test]
    async fn records_over_a_limit_fail_and_the_rest_is_put() {
        let (emulators, front, _) = limited().await;
        // With its key each takes a little more than half of what the shard takes in a second.
        let answer = put(&front, 3, 1 << 19).await;
        assert!(answer["Records"][0]["SequenceNumber"].is_string(), "{answer}");
        assert_eq!(answer["Records"][2]["ErrorCode"], "ProvisionedThroughputExceededException");
        let failed = answer["FailedRecordCount"].as_u64().unwrap();
        assert_eq!(emulators.kinesis.all("S").await.unwrap().len() as u64, 3 - failed);
        assert_eq!(emulators.limits.unwrap().throttled(), failed);
    }

    #[tokio::test]
    async fn a_flush_of_which_nothing_is_put_is_none_to_be_killed_at() {
        let (_emulators, front, switch) = limited().await;
        put(&front, 1, 1 << 20).await;
        switch.arm(vec![Kill::Flushed]);
        let answer = tokio::time::timeout(Duration::from_secs(5), put(&front, 1, 1 << 20)).await.unwrap();
        assert_eq!(answer["FailedRecordCount"], 1);
        assert_eq!(switch.has_fired(), None);
    }
}
