//! The Lambda function of the pipeline `departures`.

#[tokio::main]
async fn main() -> Result<(), tidemill::Error> {
    tidemill::lambda::run(departures::departures()?).await
}
