//! A function without tidemill: the worst delay of each aircraft, in a table. A record that it cannot read it reports, and
//! leaves the rest to its event source.

use aws_config::BehaviorVersion;
use aws_lambda_events::event::kinesis::{KinesisEvent, KinesisEventRecord};
use aws_lambda_events::event::streams::{KinesisBatchItemFailure, KinesisEventResponse};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;

/// A flight, as far as it matters here.
#[derive(Deserialize)]
struct Flight {
    tail: String,
    carrier: String,
    flight: u32,
    delay_min: i64,
}

/// Where worst delays stand.
struct Table {
    client: Client,
    name: String,
}

impl Table {
    /// Puts a flight in the place of a shorter delay. The same flight again changes nothing.
    async fn worse(&self, flight: Flight) -> Result<(), Error> {
        let delay = AttributeValue::N(flight.delay_min.to_string());
        let put = self.client.put_item().table_name(&self.name);
        let sent = put
            .item("tail", AttributeValue::S(flight.tail))
            .item("flight", AttributeValue::S(format!("{} {}", flight.carrier, flight.flight)))
            .item("delay_min", delay.clone())
            .condition_expression("attribute_not_exists(tail) OR delay_min < :delay")
            .expression_attribute_values(":delay", delay)
            .send()
            .await;
        match sent.map_err(aws_sdk_dynamodb::Error::from) {
            Ok(_) | Err(aws_sdk_dynamodb::Error::ConditionalCheckFailedException(_)) => Ok(()),
            Err(error) => Err(DisplayErrorContext(error).to_string().into()),
        }
    }

    async fn take(&self, record: &KinesisEventRecord) -> Result<(), Error> {
        self.worse(serde_json::from_slice(&record.kinesis.data)?).await
    }

    /// Takes a batch up to the first record that fails.
    async fn take_all(&self, event: KinesisEvent) -> KinesisEventResponse {
        let mut response = KinesisEventResponse::default();
        for record in event.records {
            if let Err(error) = self.take(&record).await {
                let sequence_number = record.kinesis.sequence_number;
                eprintln!("{sequence_number}: {error}");
                let mut failure = KinesisBatchItemFailure::default();
                failure.item_identifier = Some(sequence_number);
                response.batch_item_failures.push(failure);
                break;
            }
        }
        response
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http).load().await;
    let table = Table { client: Client::new(&config), name: std::env::var("WORST_DELAYS")? };
    let table = &table;
    lambda_runtime::run(service_fn(|event: LambdaEvent<KinesisEvent>| async move {
        Ok::<_, Error>(table.take_all(event.payload).await)
    }))
    .await
}
