//! Consume, transform, produce: each record's text goes on as `Processed: …`. The smallest pipeline there is.

use tidemill::{Kinesis, Pipeline, PipelineError, Text};

/// The pipeline.
///
/// # Errors
/// None, as declared here.
pub fn relay() -> Result<Pipeline, PipelineError> {
    Pipeline::named("relay")
        .source(Text)
        .map(|text| format!("Processed: {text}"))
        .to(Kinesis::stream("relayed"))
        .build()
}
