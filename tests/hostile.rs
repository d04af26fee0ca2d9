//! What records can do to a pipeline on purpose, as far as no other test holds it: `docs/security.md` names each.

use departures::{Departures, Flight};
use serde_json::{Value, json};
use tidemill::EventTime;
use tidemill::testing::Driver;

/// 2013-01-01T10:00:00Z.
const TEN: i64 = 1_357_034_400_000;
const HOUR: i64 = 3_600_000;

fn flight(origin: &str, departed_at: i64) -> Flight {
    Flight { origin: origin.to_owned(), departed_at, delay_min: 0 }
}

fn departures_at(arrival: i64) -> Driver {
    let mut driver = Driver::new(departures::departures().expect("sound"));
    driver.arriving_at(EventTime::from_millis(arrival));
    driver
}

#[test]
fn an_event_time_past_the_bound_closes_nothing() {
    let mut driver = departures_at(TEN);
    driver.push(flight("JFK", TEN)).push(flight("JFK", TEN + 24 * HOUR + 1)).push(flight("JFK", i64::MAX));
    let reasons: Vec<&str> = driver.quarantined().iter().map(|entry| entry.reject.reason.as_str()).collect();
    assert_eq!(reasons, ["too_far_ahead", "time_out_of_range"]);
    driver.push(flight("JFK", TEN + 1));
    driver.drain();
    let flights: Vec<u64> = driver.results::<Departures>().iter().map(|result| result.flights).collect();
    assert_eq!((flights, driver.late::<Value>().len()), (vec![2], 0));
}

/// What nothing stops: up to `max_ahead` a record is believed. It costs others their time, but nothing gets lost.
#[test]
fn an_event_time_within_the_bound_makes_what_is_on_time_late() {
    let mut driver = departures_at(TEN);
    driver.push(flight("JFK", TEN)).push(flight("XXX", TEN + 24 * HOUR)).push(flight("JFK", TEN + 1));
    let flights: Vec<u64> = driver.results::<Departures>().iter().map(|result| result.flights).collect();
    assert_eq!((flights, driver.late::<Value>().len()), (vec![1], 1), "the hour closed before its second flight");
}

/// What nothing stops: each key is state. What ends is the state of a window, by its end.
#[test]
fn each_new_key_is_state_until_its_window_closes() {
    let mut driver = departures_at(TEN);
    for number in 0..1_000 {
        driver.push(flight(&format!("K{number}"), TEN));
    }
    assert_eq!(driver.timers().len(), 1_000);
    driver.push(flight("JFK", TEN + 7 * HOUR));
    assert_eq!(driver.timers().len(), 1, "theirs are gone");
}

/// An output of the pipeline before, of commit `number`.
fn sent(number: u64, departed_at: i64) -> Value {
    json!({"type": "tidemill.result", "producer": "p", "commit": number.to_string(), "index": 0,
        "data": {"tail": "N1", "departed_at": departed_at, "distance_mi": 1}})
}

/// What nothing stops: `Upstream` believes what an output says of its producer. Who may put records on the stream between
/// two pipelines can make the outputs of one pass for repeats.
#[test]
fn a_forged_output_hides_what_its_producer_sends_behind_it() {
    let flights = |commits: &[u64]| {
        let mut driver = Driver::new(rotations::rotations().expect("sound"));
        for commit in commits {
            driver.push_raw("N1", sent(*commit, TEN).to_string().as_bytes());
        }
        driver.drain();
        driver.results::<Value>()[0]["flights"].as_u64()
    };
    assert_eq!(flights(&[1, 2, 3]), Some(3));
    assert_eq!(flights(&[1, 1, 2, 3]), Some(3), "a repeat");
    assert_eq!(flights(&[1, u64::MAX, 2, 3]), Some(2), "the first and the forged one");
}

#[test]
fn a_record_under_a_foreign_partition_key_is_quarantined() {
    let mut driver = departures_at(TEN);
    let payload = serde_json::to_vec(&flight("JFK", TEN)).expect("it serialises");
    driver.push_raw("LGA", &payload).drain();
    assert_eq!(driver.quarantined()[0].reject.reason.as_str(), "misrouted");
    assert!(driver.results::<Value>().is_empty());
}
