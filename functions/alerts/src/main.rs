//! The Lambda function of the pipeline `alerts`.

#[tokio::main]
async fn main() -> Result<(), tidemill::Error> {
    tidemill::lambda::run(alerts::alerts()?).await
}
