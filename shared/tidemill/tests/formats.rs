//! The same clicks through one pipeline in every format give the same results.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;
use serde::{Deserialize, Serialize};
use tidemill::testing::Driver;
use tidemill::{Cbor, Gzip, Json, Kinesis, OutOfOrder, OwnedFormat, Pipeline, Protobuf, Reason, Tumbling, Zstd};
use tidemill_core::Origin;

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
struct Click {
    #[prost(string, tag = "1")]
    page: String,
    #[prost(int64, tag = "2")]
    at: i64,
}

fn cbor(click: &Click) -> Vec<u8> {
    let mut payload = Vec::new();
    ciborium::into_writer(click, &mut payload).expect("CBOR");
    payload
}

fn json(click: &Click) -> Vec<u8> {
    serde_json::to_vec(click).expect("JSON")
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("memory to write to");
    encoder.finish().expect("memory to write to")
}

fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(content, 1).expect("a frame")
}

/// Clicks per page in windows of ten seconds.
fn clicks<F: OwnedFormat<Owned = Click>>(format: F) -> Driver {
    let clicks = Pipeline::named("clicks")
        .source(format)
        .event_time(|click| click.at, OutOfOrder::at_most(Duration::from_secs(5)))
        .key_by(|click| click.page.clone())
        .window(Tumbling::every(Duration::from_secs(10)))
        .aggregate(|over| over.count())
        .emit(|pane, clicks| (pane.key, pane.window.end, clicks))
        .to(Kinesis::stream("clicks-per-page"))
        .build()
        .expect("a sound pipeline");
    Driver::new(clicks)
}

/// Two clicks of one window, one that is cut off, and one that closes the window.
fn assert_counts<F: OwnedFormat<Owned = Click>>(format: F, pack: impl Fn(&Click) -> Vec<u8>) {
    let mut driver = clicks(format);
    let [first, second, third] =
        [("/", 1_000), ("/", 9_999), ("/help", 15_000)].map(|(page, at)| pack(&Click { page: page.to_owned(), at }));
    let cut = &second[..second.len() - 1];
    driver.push_raw("/", &first).push_raw("/", &second).push_raw("/", cut).push_raw("/help", &third);
    assert_eq!(driver.results::<(String, i64, u64)>(), [("/".to_owned(), 10_000, 2)]);
    let [quarantined] = driver.quarantined() else { panic!("one record: {:?}", driver.quarantined()) };
    assert_eq!(quarantined.reject.reason, Reason::Undecodable);
    match &quarantined.origin {
        Origin::Record { payload, .. } => assert_eq!(payload, cut, "as it came"),
        other => panic!("not a record: {other:?}"),
    }
}

#[test]
fn json_is_counted() {
    assert_counts(Json::<Click>::new(), json);
}

#[test]
fn cbor_is_counted() {
    assert_counts(Cbor::<Click>::new(), cbor);
}

#[test]
fn protobuf_is_counted() {
    assert_counts(Protobuf::<Click>::new(), Click::encode_to_vec);
}

#[test]
fn gzip_is_counted_whatever_is_inside() {
    assert_counts(Gzip::of(Json::<Click>::new()), |click| gzip(&json(click)));
    assert_counts(Gzip::of(Cbor::<Click>::new()).max_inflated(100), |click| gzip(&cbor(click)));
    assert_counts(Gzip::of(Protobuf::<Click>::new()), |click| gzip(&click.encode_to_vec()));
}

#[test]
fn zstd_is_counted_whatever_is_inside() {
    assert_counts(Zstd::of(Json::<Click>::new()), |click| zstd(&json(click)));
    assert_counts(Zstd::of(Cbor::<Click>::new()).max_inflated(100), |click| zstd(&cbor(click)));
    assert_counts(Zstd::of(Gzip::of(Protobuf::<Click>::new())), |click| zstd(&gzip(&click.encode_to_vec())));
}

#[test]
fn a_bomb_is_quarantined_and_the_pipeline_goes_on() {
    let mut driver = clicks(Gzip::of(Json::<Click>::new()).max_inflated(1_000));
    let bomb = gzip(&vec![b' '; 1_000_000]);
    let click = |at| gzip(&json(&Click { page: "/".to_owned(), at }));
    driver.push_raw("/", &click(1_000)).push_raw("/", &bomb).push_raw("/", &click(15_000));
    assert_eq!(driver.results::<(String, i64, u64)>(), [("/".to_owned(), 10_000, 1)]);
    assert!(driver.quarantined()[0].reject.message.contains("inflates to more than 1000 bytes"));
}
