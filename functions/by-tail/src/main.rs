//! The Lambda function of the pipeline `by-tail`.

#[tokio::main]
async fn main() -> Result<(), tidemill::Error> {
    tidemill::lambda::run(by_tail::by_tail()?).await
}
