//! Servers in process for the tests: emulators, and one that answers as it is told.

use std::sync::Arc;

use aws_sdk_dynamodb::config::{Credentials, Region};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType as Scalar,
};
use aws_sdk_kinesis::types::{Record, ShardIteratorType};
use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, StatusCode, header};
use ferrokinesis::store::StoreOptions;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::Clients;
use crate::clients::loader;

const LARGEST_BODY: usize = 16 << 20;

/// Clients of the server at `endpoint`, configured as the real ones.
pub(crate) async fn clients(endpoint: &str) -> Clients {
    let config = loader()
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(endpoint)
        .load()
        .await;
    Clients::of(&config)
}

/// An endpoint where nobody listens.
pub(crate) fn unreachable() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    (listener, endpoint)
}

async fn serve_app(app: Router) -> String {
    let (listener, endpoint) = listener().await;
    let app = app.layer(DefaultBodyLimit::max(LARGEST_BODY));
    tokio::spawn(async move { axum::serve(listener, app).await });
    endpoint
}

/// A server that answers each request, by operation and body, with a status and a body.
pub(crate) async fn serve(answer: impl Fn(&str, &Value) -> (u16, Value) + Send + Sync + 'static) -> String {
    let answer = Arc::new(answer);
    let handle = async move |headers: HeaderMap, body: Bytes| {
        let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default();
        let (status, body) = answer(operation, &serde_json::from_slice(&body).expect("a JSON request"));
        let status = StatusCode::from_u16(status).expect("a status");
        (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.1")], body.to_string())
    };
    serve_app(Router::new().fallback(handle)).await
}

/// A DynamoDB emulator with one table.
pub(crate) async fn dynamodb(table: &str) -> aws_sdk_dynamodb::Client {
    let (listener, endpoint) = listener().await;
    let database = dynoxide::Database::memory().expect("a database");
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    let client = clients(&endpoint).await.dynamodb;
    let key = |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().expect("a key");
    let text = |name| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(Scalar::S).build().expect("a definition")
    };
    client
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(vec![key("pk", KeyType::Hash), key("sk", KeyType::Range)]))
        .set_attribute_definitions(Some(vec![text("pk"), text("sk")]))
        .send()
        .await
        .expect("the table is created");
    client
}

/// A Kinesis emulator.
pub(crate) struct KinesisServer {
    pub(crate) client: aws_sdk_kinesis::Client,
}

impl KinesisServer {
    /// With these streams, each of so many shards.
    pub(crate) async fn start(streams: &[(&str, i32)]) -> Self {
        Self::with(streams, false).await
    }

    /// The same, but a shard takes no more than it does on AWS: 1,000 records and 1 MiB a second.
    pub(crate) async fn throttled(streams: &[(&str, i32)]) -> Self {
        Self::with(streams, true).await
    }

    async fn with(streams: &[(&str, i32)], enforce_limits: bool) -> Self {
        let options = StoreOptions { create_stream_ms: 0, shard_limit: 100, enforce_limits, ..StoreOptions::default() };
        let client = clients(&serve_app(ferrokinesis::create_app(options).0).await).await.kinesis;
        for (name, shards) in streams {
            client.create_stream().stream_name(*name).shard_count(*shards).send().await.expect("the stream is created");
            let active = async || {
                let described = client.describe_stream_summary().stream_name(*name).send().await.expect("described");
                let summary = described.stream_description_summary.expect("a summary");
                summary.stream_status.as_str() == "ACTIVE"
            };
            while !active().await {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        }
        Self { client }
    }

    /// All records of a stream, shard after shard.
    pub(crate) async fn records(&self, stream: &str) -> Vec<Record> {
        let shards = self.client.list_shards().stream_name(stream).send().await.expect("the shards").shards;
        let mut records = Vec::new();
        for shard in shards.unwrap_or_default() {
            let first = self
                .client
                .get_shard_iterator()
                .stream_name(stream)
                .shard_id(shard.shard_id)
                .shard_iterator_type(ShardIteratorType::TrimHorizon)
                .send()
                .await
                .expect("an iterator");
            let mut iterator = first.shard_iterator;
            loop {
                let page = self.client.get_records().set_shard_iterator(iterator.take()).send().await.expect("a page");
                if page.records.is_empty() {
                    break;
                }
                records.extend(page.records);
                iterator = page.next_shard_iterator;
            }
        }
        records
    }
}
