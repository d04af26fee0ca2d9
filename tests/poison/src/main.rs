//! A function that its records can kill: it counts them per key, and each does in the aggregate's closure what it says.

mod deed;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill::{EventTime, Json, Kinesis, OutOfOrder, Pipeline, PipelineError, Tumbling};

use deed::Deed;

/// A record, good or bad.
#[derive(Debug, Deserialize)]
struct Record {
    key: String,
    /// Epoch milliseconds.
    at: i64,
    /// What it does to the process; nothing if it is a good one.
    #[serde(rename = "do")]
    deed: Option<Deed>,
}

impl Record {
    /// One, if the process lives to count it.
    fn counted(&self) -> i64 {
        if let Some(deed) = self.deed {
            deed.perform();
        }
        1
    }
}

/// How many records a key has in ten seconds.
#[derive(Debug, Serialize)]
struct Count {
    key: String,
    window_start: EventTime,
    window_end: EventTime,
    records: i64,
}

fn poison() -> Result<Pipeline, PipelineError> {
    Pipeline::named("poison")
        .source(Json::<Record>::new())
        .event_time(|r| r.at, OutOfOrder::at_most(Duration::from_secs(2)))
        .key_by(|r| r.key.clone())
        .window(Tumbling::every(Duration::from_secs(10)))
        .aggregate(|over| over.sum(Record::counted))
        .emit(|pane, records| Count {
            key: pane.key,
            window_start: pane.window.start,
            window_end: pane.window.end,
            records,
        })
        .to(Kinesis::stream("counts"))
        .build()
}

#[tokio::main]
async fn main() -> Result<(), tidemill::Error> {
    tidemill::lambda::run(poison()?).await
}
