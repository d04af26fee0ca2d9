//! The clients, and a first look at what they will meet.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_sdk_dynamodb::types::{KeyType, ScalarAttributeType, TableDescription};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use futures_util::future::join_all;

use crate::fault::{Fault, Kind};
use crate::{SinkStream, SinkTable, UsageMeter};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
const ATTEMPTS: u32 = 4;
/// Throttles of DynamoDB and Kinesis are counted by the second and pass soon; the SDK's own first pause of up to a
/// second would cost an invocation more than the work that it does.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);
/// How long a start waits for a stream's description. Lambda gives an init phase 10 s.
pub(crate) const CHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// The clients of one process. They share connections and credentials.
#[derive(Clone, Debug)]
pub struct Clients {
    /// For the journal.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// For the sinks.
    pub kinesis: aws_sdk_kinesis::Client,
    /// What both took and met.
    pub usage: UsageMeter,
}

impl Clients {
    pub(crate) fn of(config: &SdkConfig) -> Self {
        let usage = UsageMeter::default();
        let dynamodb = aws_sdk_dynamodb::config::Builder::from(config).interceptor(usage.clone()).build();
        let kinesis = aws_sdk_kinesis::config::Builder::from(config).interceptor(usage.clone()).build();
        Self {
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb),
            kinesis: aws_sdk_kinesis::Client::from_conf(kinesis),
            usage,
        }
    }
}

/// Makes the clients from the environment: region, credentials, and endpoints (`AWS_ENDPOINT_URL`,
/// `AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL_KINESIS`). Nothing is sent yet.
///
/// An attempt takes at most 5 s, its connection 1 s; a request is tried up to 4 times.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html>
pub async fn connect() -> Clients {
    Clients::of(&loader().load().await)
}

pub(crate) fn loader() -> ConfigLoader {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(FIRST_BACKOFF)
        .with_max_backoff(LONGEST_BACKOFF);
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(retries)
}

/// Looks at the sinks' streams, all at once, and gives every problem found with its fix. Also opens the first
/// connection, which costs a cold start more than all the rest.
///
/// Only a definite answer is a problem: no such stream, no permission. Throttling or no answer says nothing about the
/// stream, and sending will tell.
pub async fn check_streams(kinesis: &aws_sdk_kinesis::Client, streams: &[SinkStream]) -> Vec<String> {
    let checks = join_all(streams.iter().map(|stream| check_stream(kinesis, stream))).await;
    checks.into_iter().flatten().collect()
}

async fn check_stream(kinesis: &aws_sdk_kinesis::Client, stream: &SinkStream) -> Option<String> {
    let describe = kinesis.describe_stream_summary().set_stream_name(stream.name()).set_stream_arn(stream.arn()).send();
    let error = tokio::time::timeout(CHECK_TIMEOUT, describe).await.ok()?.err()?;
    let Fault { kind, text } = Fault::of(&error);
    let fix = stream.fix(kind, "kinesis:DescribeStreamSummary and kinesis:PutRecords")?;
    [Kind::Absent, Kind::Denied].contains(&kind).then(|| format!("{stream}: {text}: {fix}"))
}

/// Looks at the sinks' tables, all at once, and gives every problem found with its fix: no such table, another primary
/// key, no permission. Throttling or no answer says nothing about the table, and sending will tell.
pub async fn check_tables(dynamodb: &aws_sdk_dynamodb::Client, tables: &[SinkTable]) -> Vec<String> {
    let checks = join_all(tables.iter().map(|table| check_table(dynamodb, table))).await;
    checks.into_iter().flatten().collect()
}

async fn check_table(dynamodb: &aws_sdk_dynamodb::Client, table: &SinkTable) -> Option<String> {
    let describe = dynamodb.describe_table().table_name(&table.table).send();
    let problem = match tokio::time::timeout(CHECK_TIMEOUT, describe).await.ok()? {
        Ok(answer) => wrong_key(&answer.table?, &table.variable)?,
        Err(error) => {
            let Fault { kind, text } = Fault::of(&error);
            let fix = table.fix(kind, "dynamodb:DescribeTable and dynamodb:UpdateItem")?;
            [Kind::Absent, Kind::Denied].contains(&kind).then(|| format!("{text}: {fix}"))?
        }
    };
    Some(format!("{table}: {problem}"))
}

/// What is wrong with a table's primary key.
fn wrong_key(table: &TableDescription, variable: &str) -> Option<String> {
    let kind = |name: &str| {
        let of_name = table.attribute_definitions().iter().find(|definition| definition.attribute_name() == name);
        of_name.map_or("?", |definition| definition.attribute_type().as_str())
    };
    let keys: Vec<(&str, &str, &str)> = table
        .key_schema()
        .iter()
        .map(|key| (key.key_type().as_str(), key.attribute_name(), kind(key.attribute_name())))
        .collect();
    let text = ScalarAttributeType::S;
    let right = [(KeyType::Hash.as_str(), "pk", text.as_str()), (KeyType::Range.as_str(), "sk", text.as_str())];
    (keys != right).then(|| {
        format!(
            "its primary key is {keys:?}, and must be {right:?}. A table's key cannot be changed: create another, and              correct {variable}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{KinesisServer, clients, serve, unreachable};

    fn stream(name: &str) -> SinkStream {
        SinkStream { sink: name.to_owned(), stream: name.to_owned(), variable: format!("TIDEMILL_STREAM_{name}") }
    }

    #[tokio::test]
    async fn streams_that_are_missing_are_all_reported_with_their_variable() {
        let server = KinesisServer::start(&[("here", 1)]).await;
        let problems = check_streams(&server.client, &["gone", "here", "lost"].map(stream)).await;
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("stream `gone`") && problems[0].contains("correct TIDEMILL_STREAM_gone"));
        assert!(problems[1].contains("stream `lost`"));
    }

    #[tokio::test]
    async fn a_denied_description_names_the_permissions() {
        let denied = |_: &str, _: &serde_json::Value| {
            (400, serde_json::json!({"__type": "AccessDeniedException", "message": "not authorized"}))
        };
        let problems = check_streams(&clients(&serve(denied).await).await.kinesis, &[stream("departures")]).await;
        assert!(problems[0].contains("kinesis:DescribeStreamSummary and kinesis:PutRecords"), "{problems:?}");
    }

    #[tokio::test]
    async fn no_answer_says_nothing_about_a_stream() {
        let kinesis = clients(&unreachable()).await.kinesis;
        assert_eq!(check_streams(&kinesis, &[stream("departures")]).await, Vec::<String>::new());
    }
}
