//! What is measured: a pipeline, and the payloads that it takes.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use departures::departures;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tidemill::{Json, Kinesis, OutOfOrder, Pipeline, PipelineError, Session, Sliding, Tumbling};
use tidemill_nexmark::generate::{Order, Plan};
use tidemill_nexmark::queries;

use crate::event::Payload;

/// A workload.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Workload {
    /// A window query of Nexmark, over generated events or a file of them.
    Nexmark(Query, Option<PathBuf>),
    /// The flights of the example `departures`.
    Departures,
    /// Clicks on pages, made to be varied.
    Clicks(Clicks),
}

/// The queries of Nexmark that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Query {
    W1,
    W2,
    W3,
}

/// Clicks: a pipeline that differs from others in one respect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Clicks {
    /// How many pages are clicked, at random.
    pub(crate) keys: u64,
    /// How long a payload is at least, bytes.
    pub(crate) payload: usize,
    /// Which windows.
    pub(crate) windows: Windows,
}

/// Windows of clicks. A second of event time holds a thousand clicks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Windows {
    /// Tumbling, so many seconds long.
    Tumbling(u64),
    /// Sliding by a second, so many seconds long: as many windows of a key are open.
    Sliding(u64),
    /// Sessions with so many seconds of gap.
    Sessions(u64),
}

impl Clicks {
    /// What the others are compared with.
    pub(crate) const PLAIN: Self = Self { keys: 1_000, payload: 100, windows: Windows::Tumbling(60) };
    /// In windows that no event closes.
    pub(crate) const FOR_EVER: Self = Self { windows: Windows::Tumbling(100_000_000), ..Self::PLAIN };
}

#[derive(Deserialize)]
struct Click {
    page: String,
    at: i64,
    weight: i64,
}

#[derive(Serialize)]
struct Total {
    page: String,
    clicks: u64,
    weight: i64,
}

impl Workload {
    /// Its short name.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Nexmark(Query::W1, _) => "w1",
            Self::Nexmark(Query::W2, _) => "w2",
            Self::Nexmark(Query::W3, _) => "w3",
            Self::Departures => "departures",
            Self::Clicks(_) => "clicks",
        }
    }

    /// The same, with the events of a file if one is given; only Nexmark's are read from files.
    pub(crate) fn of_file(self, path: Option<PathBuf>) -> Self {
        match self {
            Self::Nexmark(query, _) => Self::Nexmark(query, path),
            other => other,
        }
    }

    /// The pipeline, new.
    pub(crate) fn pipeline(&self) -> Pipeline {
        let pipeline = match self {
            Self::Nexmark(Query::W1, _) => queries::w1(),
            Self::Nexmark(Query::W2, _) => queries::w2(),
            Self::Nexmark(Query::W3, _) => queries::w3(),
            Self::Departures => departures(),
            Self::Clicks(clicks) => clicks.pipeline(),
        };
        pipeline.expect("the pipeline is sound")
    }

    /// So many payloads, always the same.
    pub(crate) fn payloads(&self, events: u64) -> Box<dyn Iterator<Item = Payload>> {
        match self {
            Self::Nexmark(_, Some(path)) => Box::new(lines(path).map(of_nexmark)),
            Self::Nexmark(_, None) => {
                let plan = Plan { events, rate: 1_000, order: Order::InOrder, seed: 1 };
                Box::new(plan.lines().map(|line| of_nexmark(line.expect("an event in JSON"))))
            }
            Self::Departures => Box::new((0..events).map(flight)),
            Self::Clicks(clicks) => {
                let clicks = *clicks;
                Box::new((0..events).map(move |number| clicks.click(number)))
            }
        }
    }
}

fn lines(path: &Path) -> impl Iterator<Item = String> + use<> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()));
    BufReader::new(file).lines().map(|line| line.expect("a line of text"))
}

/// All of Nexmark comes through one shard.
fn of_nexmark(line: String) -> Payload {
    Payload { partition_key: "all".to_owned(), bytes: line.into_bytes() }
}

/// A thousand flights an hour from three airports.
fn flight(number: u64) -> Payload {
    let origin = ["EWR", "JFK", "LGA"][random(number) as usize % 3];
    let departed_at = 1_357_020_000_000 + number * 3_600 - random(number ^ 7) % 14_400_000;
    let bytes = json!({
        "carrier": "UA", "flight": 1545, "tailnum": "N14228", "origin": origin, "dest": "IAH",
        "departed_at": departed_at, "landed_at": departed_at + 14_000_000, "delay_min": random(number) % 60,
        "air_time_min": 227, "distance_mi": 1400,
    });
    Payload { partition_key: origin.to_owned(), bytes: bytes.to_string().into_bytes() }
}

impl Clicks {
    fn pipeline(self) -> Result<Pipeline, PipelineError> {
        let seconds = Duration::from_secs;
        macro_rules! over {
            ($windows:expr) => {
                Pipeline::named("clicks")
                    .source(Json::<Click>::new())
                    .event_time(|click| click.at, OutOfOrder::at_most(seconds(1)))
                    .key_by(|click| click.page.clone())
                    .window($windows)
                    .aggregate(|over| (over.count(), over.sum(|click| click.weight)))
                    .emit(|pane, (clicks, weight)| Total { page: pane.key, clicks, weight })
                    .to(Kinesis::stream("totals"))
                    .build()
            };
        }
        match self.windows {
            Windows::Tumbling(size) => over!(Tumbling::every(seconds(size))),
            Windows::Sliding(size) => over!(Sliding::of(seconds(size), seconds(1))),
            Windows::Sessions(gap) => over!(Session::gap(seconds(gap))),
        }
    }

    fn click(self, number: u64) -> Payload {
        let page = format!("/page/{:08}", random(number) % self.keys);
        let mut bytes =
            format!(r#"{{"page":"{page}","at":{},"weight":{},"agent":""#, 1_700_000_000_000 + number, number % 100);
        while bytes.len() + 2 < self.payload {
            bytes.push('x');
        }
        bytes.push_str("\"}");
        Payload { partition_key: page, bytes: bytes.into_bytes() }
    }
}

/// splitmix64.
const fn random(number: u64) -> u64 {
    let mut hash = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}
