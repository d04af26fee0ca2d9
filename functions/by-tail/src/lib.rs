//! Sends each flight on under its aircraft's tail number, for pipelines that are keyed by it. A routing function: it keeps
//! no state, and what reads its stream drops what it sent twice.

use serde::{Deserialize, Serialize};
use tidemill::{Json, Kinesis, Pipeline, PipelineError};

/// A flight, as far as pipelines behind need it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Flight {
    /// The aircraft's tail number; unknown of some flights.
    pub tail: Option<String>,
    /// When it left, epoch milliseconds.
    pub departed_at: i64,
    /// How far it flew, miles.
    pub distance_mi: i64,
}

/// The pipeline.
///
/// # Errors
/// None, as declared here.
pub fn by_tail() -> Result<Pipeline, PipelineError> {
    Pipeline::named("by-tail")
        .source(Json::<Flight>::new())
        .filter(|flight| flight.tail.is_some())
        .partitioned_by(|flight| flight.tail.clone().unwrap_or_default())
        .to(Kinesis::stream("tail-flights"))
        .build()
}
