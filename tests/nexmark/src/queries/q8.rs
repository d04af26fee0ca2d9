//! Q8: who registered and opened an auction within the same ten seconds.
//!
//! ```sql
//! SELECT P.id, P.name, P.starttime
//! FROM (SELECT id, name, window_start AS starttime, window_end AS endtime
//!       FROM TABLE(TUMBLE(TABLE person, DESCRIPTOR(dateTime), INTERVAL '10' SECOND))
//!       GROUP BY id, name, window_start, window_end) P
//! JOIN (SELECT seller, window_start AS starttime, window_end AS endtime
//!       FROM TABLE(TUMBLE(TABLE auction, DESCRIPTOR(dateTime), INTERVAL '10' SECOND))
//!       GROUP BY seller, window_start, window_end) A
//! ON P.id = A.seller AND P.starttime = A.starttime AND P.endtime = A.endtime
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill::{EventTime, Json, Kinesis, Pipeline, PipelineError, Tumbling};

use crate::event::{ALL, Event, OUT_OF_ORDER, Skipped};

#[derive(Deserialize)]
struct Person {
    id: u64,
    name: String,
}

#[derive(Deserialize)]
struct Auction {
    seller: u64,
}

/// What is kept of an event until its window closes.
#[derive(Clone, Deserialize, Serialize)]
enum Entry {
    Registered { id: u64, name: String },
    Opened { seller: u64 },
}

impl Entry {
    fn of(event: Event<Skipped, Auction, Person>) -> Option<Self> {
        let registered = event.person.map(|Person { id, name }| Self::Registered { id, name });
        registered.or(event.auction.map(|Auction { seller }| Self::Opened { seller }))
    }

    const fn person(&self) -> u64 {
        match self {
            Self::Registered { id, .. } => *id,
            Self::Opened { seller } => *seller,
        }
    }

    fn name(self) -> Option<String> {
        match self {
            Self::Registered { name, .. } => Some(name),
            Self::Opened { .. } => None,
        }
    }
}

#[derive(Serialize)]
struct Row {
    id: u64,
    name: String,
    starttime: EventTime,
}

/// New sellers in tumbling windows of ten seconds. One row a person, however many auctions: so no join, which would give
/// one a pair, but a look at all events of the window.
///
/// # Errors
/// None, as declared here.
pub fn q8() -> Result<Pipeline, PipelineError> {
    Pipeline::named("nexmark-q8")
        .source(Json::<Event<Skipped, Auction, Person>>::new())
        .event_time(|event| event.ts, OUT_OF_ORDER)
        .flat_map(Entry::of)
        .key_by(Entry::person)
        .routed_by_constant(ALL)
        .window(Tumbling::every(Duration::from_secs(10)))
        .process(|pane, entries| {
            let sells = entries.iter().any(|entry| matches!(entry, Entry::Opened { .. }));
            let name = entries.into_iter().find_map(Entry::name).filter(|_| sells);
            name.map(|name| Row { id: pane.key, name, starttime: pane.window.start })
        })
        .to(Kinesis::stream("results"))
        .build()
}
