//! The Lambda function of the pipeline `relay`.

#[tokio::main]
async fn main() -> Result<(), tidemill::Error> {
    tidemill::lambda::run(relay::relay()?).await
}
