//! The pipeline's semantics, record by record: what is late, what closes when, what is refused.

use std::time::Duration;

use serde_json::{Value, json};
use tidemill::testing::Driver;
use tidemill::{Early, EventTime, Json, JsonRef, Kinesis, OutOfOrder, Pipeline, Reason, Session, Tumbling};
use tidemill_core::Origin;

#[derive(serde::Deserialize)]
struct Click {
    page: String,
    at: i64,
    #[serde(default)]
    weight: i64,
}

const SECOND: Duration = Duration::from_secs(1);

/// Clicks per page in windows of ten seconds, five seconds out of order.
fn clicks() -> Driver {
    let pipeline = Pipeline::named("clicks")
        .source(Json::<Click>::new())
        .event_time(|click| click.at, OutOfOrder::at_most(5 * SECOND).max_ahead(60 * SECOND))
        .key_by(|click| click.page.clone())
        .window(Tumbling::every(10 * SECOND))
        .late_to(Kinesis::stream("late"))
        .aggregate(|over| (over.count(), over.sum(|click| click.weight)))
        .emit(|pane, (clicks, weight)| (pane.key, pane.window.start, clicks, weight))
        .to(Kinesis::stream("clicks-per-page"))
        .build();
    Driver::new(pipeline.expect("the pipeline is sound"))
}

fn click(page: &str, at: i64) -> Value {
    json!({"page": page, "at": at})
}

type Counted = (String, i64, u64, i64);

fn reasons(driver: &Driver) -> Vec<Reason> {
    driver.quarantined().iter().map(|entry| entry.reject.reason).collect()
}

#[test]
fn a_window_closes_when_the_watermark_reaches_its_end_and_not_before() {
    let mut driver = clicks();
    driver.push(click("a", 9_999)).push(click("a", 14_999));
    assert_eq!(driver.results::<Counted>(), []);
    driver.push(click("b", 15_000));
    assert_eq!(driver.results::<Counted>(), [("a".to_owned(), 0, 1, 0)]);
}

#[test]
fn a_record_is_judged_under_the_watermark_before_it() {
    let mut driver = clicks();
    // The second record would close its own window only after it was counted.
    driver.push(click("a", 0)).push(click("a", 9_000)).push(click("a", 15_000)).push(click("a", 9_999));
    assert_eq!(driver.results::<Counted>(), [("a".to_owned(), 0, 2, 0)]);
    assert_eq!(driver.late::<Value>(), [click("a", 9_999)], "W = 10 000 has reached the end of its window");
}

#[test]
fn late_records_raise_no_window_from_the_dead_and_the_watermark_never_moves_back() {
    let mut driver = clicks();
    driver.push(click("a", 40_000)).push(click("b", 1_000)).push(click("b", 29_999));
    assert_eq!(driver.watermark().time(), EventTime::from_millis(35_000));
    assert_eq!(driver.late::<Value>().len(), 2);
    driver.drain();
    assert_eq!(driver.results::<Counted>(), [("a".to_owned(), 40_000, 1, 0)]);
}

#[test]
fn what_is_due_together_fires_in_order_of_time_then_key() {
    let mut driver = clicks();
    for page in ["b", "a", "c"] {
        driver.push(click(page, 11_000));
        driver.push(click(page, 9_000));
    }
    driver.push(click("z", 100_000));
    let fired: Vec<_> = driver.results::<Counted>().into_iter().map(|(page, start, ..)| (start, page)).collect();
    let expected = [(0, "a"), (0, "b"), (0, "c"), (10_000, "a"), (10_000, "b"), (10_000, "c")];
    assert_eq!(fired, expected.map(|(start, page)| (start, page.to_owned())));
}

#[test]
fn bad_records_are_quarantined_with_payload_and_reason_and_the_rest_goes_on() {
    let mut driver = clicks();
    driver.arriving_at(EventTime::from_millis(1_000));
    driver
        .push_raw("a", b"{\"page\":")
        .push_raw("a", br#"{"page":"a","at":"noon"}"#)
        .push_raw("a", br#"{"page":"a"}"#)
        .push_raw("a", br#"{"page":"a","at":61001}"#)
        .push_raw("a", br#"{"page":"a","at":9223372036854775807}"#)
        .push_raw("b", br#"{"page":"a","at":5}"#)
        .push_raw("a", br#"{"page":"a","at":6}"#);
    let expected = [
        Reason::Undecodable,
        Reason::Undecodable,
        Reason::Undecodable,
        Reason::TooFarAhead,
        Reason::TimeOutOfRange,
        Reason::Misrouted,
    ];
    assert_eq!(reasons(&driver), expected);
    let Origin::Record { payload, partition_key, .. } = &driver.quarantined()[5].origin else { panic!("a record") };
    assert_eq!((payload.as_slice(), partition_key.as_str()), (br#"{"page":"a","at":5}"#.as_slice(), "b"));
    driver.drain();
    assert_eq!(driver.results::<Counted>(), [("a".to_owned(), 0, 1, 0)]);
}

#[test]
fn refused_records_do_not_raise_the_watermark() {
    let mut driver = clicks();
    driver.arriving_at(EventTime::from_millis(0));
    driver.push_raw("b", br#"{"page":"a","at":60000}"#).push_raw("a", br#"{"page":"a","at":60001}"#);
    assert_eq!(reasons(&driver), [Reason::Misrouted, Reason::TooFarAhead]);
    driver.push(click("a", 5_000));
    assert_eq!(driver.watermark().time(), EventTime::from_millis(0));
}

#[test]
fn the_furthest_event_time_allowed_is_exactly_max_ahead_past_arrival() {
    let mut driver = clicks();
    driver.arriving_at(EventTime::from_millis(0));
    driver.push(click("a", 60_000)).push(click("a", 60_001));
    assert_eq!(reasons(&driver), [Reason::TooFarAhead]);
}

#[test]
fn a_sum_that_overflows_quarantines_the_record_and_keeps_the_pane() {
    let mut driver = clicks();
    driver
        .push(json!({"page": "a", "at": 1, "weight": i64::MAX}))
        .push(json!({"page": "a", "at": 2, "weight": 1}))
        .push(json!({"page": "a", "at": 3, "weight": -1}))
        .drain();
    assert_eq!(reasons(&driver), [Reason::Overflow]);
    assert_eq!(driver.results::<Counted>(), [("a".to_owned(), 0, 2, i64::MAX - 1)], "the count is undone too");
}

#[test]
fn failing_and_panicking_closures_quarantine_their_record_alone() {
    let pipeline = Pipeline::named("brittle")
        .source(Json::<Click>::new())
        .event_time(|click| (click.weight != 1).then_some(click.at), OutOfOrder::at_most(Duration::ZERO))
        .key_by(|click| if click.weight == 2 { Err("no page") } else { Ok(click.page.clone()) })
        .window(Tumbling::every(SECOND))
        .aggregate(|over| {
            over.sum(|click| if click.weight == 3 { panic!("weight {}", click.weight) } else { click.weight })
        })
        .emit(|pane, total| (pane.key, total))
        .to(Kinesis::stream("out"))
        .build();
    let mut driver = Driver::new(pipeline.expect("sound"));
    for weight in [1, 2, 3, 4] {
        let payload = json!({"page": "a", "at": weight, "weight": weight});
        driver.push_raw("a", payload.to_string().as_bytes());
    }
    assert_eq!(reasons(&driver), [Reason::NoEventTime, Reason::Failed, Reason::Panicked]);
    assert!(driver.quarantined()[2].reject.message.contains("weight 3"));
    assert_eq!(
        driver.watermark().time(),
        EventTime::from_millis(4),
        "failing records raise it, those without time do not"
    );
    driver.drain();
    assert_eq!(driver.results::<(String, i64)>(), [("a".to_owned(), 4)]);
}

#[test]
fn a_record_whose_key_fails_raises_the_watermark_all_the_same() {
    let pipeline = Pipeline::named("keyless")
        .source(Json::<Click>::new())
        .event_time(|click| click.at, OutOfOrder::at_most(Duration::ZERO))
        .key_by(|click| if click.weight == 1 { Err("no page") } else { Ok(click.page.clone()) })
        .window(Tumbling::every(SECOND))
        .aggregate(|over| over.count())
        .emit(|pane, clicks| (pane.key, clicks))
        .to(Kinesis::stream("out"))
        .build();
    let mut driver = Driver::new(pipeline.expect("sound"));
    driver.push(click("a", 1)).push_raw("a", br#"{"page":"a","at":1000,"weight":1}"#);
    assert_eq!(reasons(&driver), [Reason::Failed]);
    assert_eq!(driver.results::<(String, u64)>(), [("a".to_owned(), 1)], "it closed the window of the first");
}

/// A key whose text cannot be told.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
struct Mute(String);

impl tidemill::Key for Mute {
    fn name() -> String {
        "mute".to_owned()
    }

    fn text(&self) -> String {
        panic!("no text for {}", self.0)
    }
}

#[test]
fn a_key_that_panics_on_its_text_stops_nothing() {
    let pipeline = Pipeline::named("mute")
        .source(Json::<Click>::new())
        .event_time(|click| click.at, OutOfOrder::at_most(Duration::ZERO))
        .key_by(|click| Mute(click.page.clone()))
        .routed_by(|key| &key.0)
        .window(Tumbling::every(SECOND))
        .aggregate(|over| over.count())
        .emit(|_, clicks| clicks)
        .to(Kinesis::stream("out"))
        .build();
    let mut driver = Driver::new(pipeline.expect("sound"));
    let payload = br#"{"page":"a","at":5000}"#;
    driver.push_raw("b", payload).push_raw("a", payload).push_raw("a", br#"{"page":"a","at":9000}"#);
    driver.push_raw("a", br#"{"page":"a","at":1}"#);
    assert_eq!(reasons(&driver), [Reason::Misrouted]);
    assert_eq!((driver.results::<u64>(), driver.late::<Value>().len()), (vec![1], 1));
    assert_eq!(driver.emissions()[0].key_text, "[61, 61]", "the key's stored bytes stand in for its text");
}

#[test]
fn a_pane_whose_result_fails_goes_to_the_quarantine_with_its_state() {
    let pipeline = Pipeline::named("refusing")
        .source(Json::<Click>::new())
        .event_time(|click| click.at, OutOfOrder::at_most(Duration::ZERO))
        .key_by(|click| click.page.clone())
        .window(Tumbling::every(SECOND))
        .aggregate(|over| over.count())
        .try_emit(|pane, clicks| match pane.key.as_str() {
            "bad" => Err("no result for it"),
            "worse" => panic!("no result at all"),
            _ => Ok(clicks),
        })
        .to(Kinesis::stream("out"))
        .build();
    let mut driver = Driver::new(pipeline.expect("sound"));
    driver.push(click("bad", 1)).push(click("worse", 1)).push(click("good", 1)).drain();
    assert_eq!(reasons(&driver), [Reason::Failed, Reason::Panicked]);
    let keys = driver.quarantined().iter().map(|entry| match &entry.origin {
        Origin::Pane { key_text, state, .. } => (key_text.as_str(), tidemill_core::codec::decode::<u64>(state)),
        other => panic!("no record is to blame: {other:?}"),
    });
    assert_eq!(keys.collect::<Vec<_>>(), [("bad", Ok(1)), ("worse", Ok(1))]);
    assert_eq!(driver.results::<u64>(), [1]);
}

#[derive(serde::Deserialize)]
struct ClickRef<'a> {
    page: &'a str,
    at: i64,
}
tidemill::borrows!(ClickRef);

#[test]
fn events_may_borrow_and_keys_may_be_coarser_than_they_are_routed() {
    let borrowed = Pipeline::named("borrowed")
        .source(JsonRef::<ClickRef>::new())
        .event_time(|click| click.at, OutOfOrder::at_most(Duration::ZERO))
        .key_by_str(|click| click.page)
        .window(Tumbling::every(SECOND).offset(SECOND / 2))
        .aggregate(|over| (over.min(|click| click.at), over.max(|click| click.at), over.mean(|click| click.at)))
        .emit(|pane, (first, last, mean)| (pane.window.start, first, last, mean))
        .to(Kinesis::stream("out"))
        .build();
    let mut driver = Driver::new(borrowed.expect("sound"));
    driver.push(click("a", 600)).push(click("a", 1_499)).push(click("a", 1_500)).drain();
    assert_eq!(driver.results::<(i64, i64, i64, f64)>(), [(500, 600, 1_499, 1_049.5), (1_500, 1_500, 1_500, 1_500.0)]);

    let routed = Pipeline::named("routed")
        .source(Json::<Click>::new())
        .event_time(|click| click.at, OutOfOrder::at_most(Duration::ZERO))
        .key_by(|click| (click.page.clone(), click.weight))
        .routed_by(|(page, _)| page)
        .window(Tumbling::every(SECOND))
        .aggregate(|over| over.count())
        .emit(|pane, clicks| (pane.key, clicks))
        .to(Kinesis::stream("out"))
        .build();
    let mut driver = Driver::new(routed.expect("sound"));
    driver.push_raw("a", br#"{"page":"a","at":1,"weight":7}"#).push_raw("a/7", br#"{"page":"a","at":1,"weight":7}"#);
    assert_eq!(reasons(&driver), [Reason::Misrouted]);
    driver.drain();
    assert_eq!(driver.results::<((String, i64), u64)>(), [(("a".to_owned(), 7), 1)]);
    assert_eq!(driver.emissions()[0].key_text, "a/7");
}

#[test]
fn the_watermark_never_falls_back_after_it_was_moved_on() {
    let mut driver = clicks();
    driver.push(click("a", 1_000)).advance_to(EventTime::from_millis(50_000)).push(click("a", 20_000));
    assert_eq!(driver.watermark().time(), EventTime::from_millis(50_000));
    assert_eq!(driver.late::<Value>().len(), 1);
}

#[test]
fn a_driver_shows_timers_and_state() {
    let mut driver = clicks();
    driver.push(json!({"page": "a", "at": 1, "weight": 3})).push(click("b", 11_000)).push(click("a", 2));
    let timers = driver.timers();
    assert_eq!(timers, [(10_000, "a"), (20_000, "b")].map(|(at, page)| (EventTime::from_millis(at), page.to_owned())));
    assert_eq!(driver.state("a").into_values().collect::<Vec<_>>(), [json!({"acc": [2, 3]})]);
    driver.advance_to(EventTime::from_millis(10_000));
    assert_eq!(driver.results::<Counted>(), [("a".to_owned(), 0, 2, 3)]);
    assert!(driver.state("a").is_empty());
}

#[test]
fn every_mistake_of_a_pipeline_is_reported_at_once() {
    let error = Pipeline::named("Bad Name")
        .source(Json::<Click>::new())
        .event_time(|click| click.at, OutOfOrder::at_most(Duration::MAX).max_ahead(Duration::from_nanos(1)))
        .key_by(|click| click.page.clone())
        .window(Tumbling::every(Duration::ZERO))
        .late_to(Kinesis::stream("late_flights"))
        .aggregate(|over| over.count())
        .emit(|_, clicks| clicks)
        .to(Kinesis::stream("quarantine"))
        .build()
        .expect_err("it is unsound");
    assert_eq!(error.problems.len(), 6, "{error}");
    assert_eq!(format!("{error:?}"), error.to_string(), "main prints Debug: it must be the report for people");
}

#[test]
fn a_window_that_the_watermark_jumped_over_with_its_early_result_closes_in_its_turn() {
    let pipeline = Pipeline::named("early")
        .source(Json::<Click>::new())
        .event_time(|click| click.at, OutOfOrder::at_most(Duration::ZERO))
        .key_by(|click| click.page.clone())
        .window(Session::gap(10 * SECOND))
        .early(Early::every(SECOND))
        .aggregate(|over| over.count())
        .emit(|pane, clicks| (pane.key, pane.window.end, pane.timing.as_str(), clicks))
        .to(Kinesis::stream("visits"))
        .build();
    let mut driver = Driver::new(pipeline.expect("the pipeline is sound"));
    driver.push(click("a", 500)).push(click("b", 300)).drain();
    // Both would have given an early result at 1 000, `a` first.
    let closed = [("b", 10_300), ("a", 10_500)].map(|(page, end)| (page.to_owned(), end, "on_time".to_owned(), 1));
    assert_eq!(driver.results::<(String, i64, String, u64)>(), closed);
}

#[test]
fn results_of_sessions_that_grew_are_void_once_a_result_says_so() {
    let pipeline = Pipeline::named("visits")
        .source(Json::<Click>::new())
        .event_time(|click| click.at, OutOfOrder::at_most(Duration::ZERO))
        .key_by(|click| click.page.clone())
        .window(Session::gap(10 * SECOND))
        .early(Early::every_records(1))
        .aggregate(|over| over.count())
        .emit(|pane, clicks| (pane.window.end, clicks, pane.replaces))
        .filter(|(_, clicks, _)| *clicks != 2 && *clicks != 3)
        .to(Kinesis::stream("visits"))
        .build();
    let mut driver = Driver::new(pipeline.expect("the pipeline is sound"));
    for at in [0, 1_000, 2_000, 3_000] {
        driver.push(click("a", at));
    }
    let replaced = json!([{"start": 0, "end": 10_000}]);
    assert_eq!(driver.results::<Value>(), [json!([10_000, 1, []]), json!([13_000, 4, replaced])]);
}
