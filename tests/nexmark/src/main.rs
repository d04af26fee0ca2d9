//! The Lambda function of the benchmark: the query that `NEXMARK_QUERY` names.

#[tokio::main]
async fn main() -> Result<(), tidemill::Error> {
    // What is not text cannot be one of ours.
    let text =
        |(name, value): (std::ffi::OsString, std::ffi::OsString)| name.into_string().ok().zip(value.into_string().ok());
    let variables = std::env::vars_os().filter_map(text).collect();
    tidemill::lambda::run(tidemill_nexmark::select(&variables)?).await
}
