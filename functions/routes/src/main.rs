//! The Lambda function of the pipeline `routes`.

#[tokio::main]
async fn main() -> Result<(), tidemill::Error> {
    tidemill::lambda::run(routes::routes()?).await
}
