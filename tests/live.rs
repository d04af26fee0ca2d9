//! January 2013 as it happened: each flight arrives when it lands, and a tick comes each minute. Nothing ends the input;
//! what closes windows is the clock.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use tidemill::EventTime;
use tidemill::handler::{Handler, Limits, Work};
use tidemill::testing::Driver;
use tidemill_core::partition_hash;
use tidemill_journal::{Deadline, Incarnation};
use tidemill_tests::{FaultyStore, Flight, Inbox, STREAM, Stream, of_batch};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// The bound of `departures`, its hour of silence, the window, and the minute within which a tick comes.
const UNTIL_CLOSED: i64 = 6 * HOUR + HOUR + HOUR + MINUTE;

/// A flight, and when it landed.
#[derive(Clone, Debug, Deserialize)]
struct Landing {
    origin: String,
    landed_at: i64,
    #[serde(skip)]
    line: String,
}

fn lines(file: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/departures").join(file);
    std::fs::read_to_string(path).expect("the file").lines().map(str::to_owned).collect()
}

fn january() -> Vec<Landing> {
    let landing = |line: String| Landing { line: line.clone(), ..serde_json::from_str(&line).expect("a flight") };
    lines("input.jsonl").into_iter().map(landing).collect()
}

/// What lands before so many hours of the first day are over.
fn first_hours(hours: i64) -> Vec<Landing> {
    let all = january();
    let end = all[0].landed_at + hours * HOUR;
    all.into_iter().take_while(|landing| landing.landed_at < end).collect()
}

/// A function that is live: stream, schedule, and what has come of it.
struct Live<'w> {
    stream: &'w Stream,
    inbox: &'w Inbox,
    handler: Handler<&'w FaultyStore, &'w Inbox, &'w Stream>,
    /// How many records of each shard the event source has delivered.
    delivered: BTreeMap<String, usize>,
    now: i64,
}

impl<'w> Live<'w> {
    fn new(stream: &'w Stream, store: &'w FaultyStore, inbox: &'w Inbox, now: i64) -> Self {
        let draw = Box::new(|| Incarnation(1));
        let handler = Handler::new(departures::departures().expect("sound"), store, inbox, Limits::default(), draw);
        Self { stream, inbox, handler: handler.watching(stream), delivered: BTreeMap::new(), now }
    }

    /// Minute by minute, until all have landed.
    async fn land(&mut self, landings: &[Landing]) {
        let mut rest = landings;
        while !rest.is_empty() {
            let count = rest.iter().take_while(|landing| landing.landed_at < self.now + MINUTE).count();
            let (now, later) = rest.split_at(count);
            for landing in now {
                let flight =
                    Flight { partition_key: landing.origin.clone(), payload: landing.line.clone().into_bytes() };
                self.stream.put(&flight.into(), EventTime::from_millis(landing.landed_at));
            }
            rest = later;
            self.minute().await;
        }
    }

    /// Nothing lands for so long.
    async fn pass(&mut self, millis: i64) {
        for _ in 0..millis / MINUTE {
            self.minute().await;
        }
    }

    /// What has arrived is delivered, parents before children, then a tick comes.
    async fn minute(&mut self) {
        self.now += MINUTE;
        for info in self.stream.all() {
            let delivered = self.delivered.entry(info.shard.clone()).or_default();
            let batch = self.stream.batch(&info.shard, *delivered, usize::MAX);
            if batch.is_empty() {
                continue;
            }
            let records = of_batch(&info.shard, &batch);
            let done = self.handler.handle(STREAM, &info.shard, Work::Records(&records), Deadline::NONE).await;
            assert!(done.expect("it is taken").is_complete());
            *delivered += batch.len();
        }
        let ticked = self.handler.tick(STREAM, EventTime::from_millis(self.now), Deadline::NONE).await;
        assert_eq!(ticked.expect("a tick").left, 0);
    }

    fn results(&self, of: impl Fn(&Value) -> bool) -> Vec<String> {
        let received = self.inbox.received();
        assert_eq!(received.repeats, 0);
        sorted(received.events.get("departures").into_iter().flatten().filter(|result| of(result)))
    }
}

fn sorted<'v>(values: impl Iterator<Item = &'v Value>) -> Vec<String> {
    let mut lines: Vec<String> = values.map(Value::to_string).collect();
    lines.sort();
    lines
}

fn values(file: &str) -> Vec<Value> {
    lines(file).iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test]
async fn january_has_sixty_late_flights_and_closes_by_the_clock_alone() {
    let (stream, store, inbox, landings) = (Stream::default(), FaultyStore::default(), Inbox::default(), january());
    let mut live = Live::new(&stream, &store, &inbox, landings[0].landed_at);
    live.land(&landings).await;
    live.pass(UNTIL_CLOSED).await;
    assert!(live.results(|_| true) == sorted(values("expected.jsonl").iter()), "results differ");
    let late = inbox.received().sorted("late-flights");
    assert_eq!(late.len(), 60);
    assert!(late == sorted(values("expected-late.jsonl").iter()), "late flights differ");
}

/// What a driver makes of the flights of one airport, all windows closed.
fn closed(landings: &[Landing], airport: &str) -> Vec<String> {
    let mut driver = Driver::new(departures::departures().expect("sound"));
    for landing in landings.iter().filter(|landing| landing.origin == airport) {
        driver.push_raw(airport, landing.line.as_bytes());
    }
    driver.drain();
    assert!(driver.late::<Value>().is_empty(), "a late flight would make a difference between shards");
    sorted(driver.results::<Value>().iter())
}

/// Splits until the airport has an open shard for itself.
fn isolate(stream: &Stream, airport: &str) {
    let others = ["EWR", "JFK", "LGA"].into_iter().filter(|other| *other != airport);
    let others: Vec<u128> = others.map(partition_hash).collect();
    for _ in 0..10 {
        let open: Vec<_> = stream.all().into_iter().filter(|info| !info.is_closed).collect();
        let at = open.iter().position(|info| info.hash_range.contains(partition_hash(airport))).expect("an owner");
        if !others.iter().any(|other| open[at].hash_range.contains(*other)) {
            return;
        }
        stream.split(at);
    }
    panic!("ten splits part any three keys");
}

#[tokio::test]
async fn the_windows_of_an_airport_that_falls_silent_close() {
    let (stream, store, inbox, all) = (Stream::default(), FaultyStore::default(), Inbox::default(), first_hours(24));
    isolate(&stream, "LGA");
    let silent_from = all[0].landed_at + 6 * HOUR;
    let heard: Vec<Landing> =
        all.into_iter().filter(|landing| landing.origin != "LGA" || landing.landed_at < silent_from).collect();
    let mut live = Live::new(&stream, &store, &inbox, heard[0].landed_at);
    let (before, after): (Vec<Landing>, Vec<Landing>) =
        heard.iter().cloned().partition(|landing| landing.landed_at < silent_from + UNTIL_CLOSED);
    live.land(&before).await;
    let expected = closed(&heard, "LGA");
    assert!(expected.len() > 4);
    assert_eq!(live.results(|result| result["origin"] == "LGA"), expected);
    assert!(!after.is_empty(), "the others go on");
}

#[tokio::test]
async fn a_child_of_a_split_that_stays_silent_closes_its_parents_windows() {
    let (stream, store, inbox, all) = (Stream::default(), FaultyStore::default(), Inbox::default(), first_hours(6));
    let mut live = Live::new(&stream, &store, &inbox, all[0].landed_at);
    live.land(&all).await;
    let expected = closed(&all, "LGA");
    assert!(live.results(|result| result["origin"] == "LGA").len() < expected.len(), "windows are open yet");
    isolate(&stream, "LGA");
    live.pass(UNTIL_CLOSED).await;
    assert_eq!(live.results(|result| result["origin"] == "LGA"), expected);
}
