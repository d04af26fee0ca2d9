//! The Lambda function of the pipeline `rotations`.

#[tokio::main]
async fn main() -> Result<(), tidemill::Error> {
    tidemill::lambda::run(rotations::rotations()?).await
}
