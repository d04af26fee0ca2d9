//! From what a step wants sent to what is sent.

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;
use tidemill_core::{Cause, Emission, LateRecord, Output, PaneId, Position, Timing};
use twox_hash::XxHash3_128;

use super::event::{self, Content, Event, Pane, Place, ResultKey};
use super::{Destination, Destinations, Producer};

/// What the outputs of one commit share, or those of one record in a pipeline without commits.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// Who sends.
    pub producer: &'a Producer,
    /// Where to.
    pub destinations: &'a Destinations,
    /// How outputs are numbered.
    pub numbers: Numbers<'a>,
}

/// How outputs are numbered, so that repeats can be told.
#[derive(Clone, Copy, Debug)]
pub enum Numbers<'a> {
    /// Within the commit with this number, which will hold them.
    Commit(u64),
    /// Within their record.
    Record {
        /// The record.
        position: &'a Position,
        /// Everything of records before this place is acknowledged: it is the first of the batch.
        floor: &'a Position,
    },
}

impl<'a> Envelope<'a> {
    /// The output with the number `index` in its commit or of its record, from 0, as it is sent: a function of its arguments alone, so
    /// that a step done again gives the same bytes. `None` for a late record of a pipeline that only counts them.
    ///
    /// Results go under the partition key of their records, late and quarantined records under their own, quarantined
    /// panes under the key's text: cut to the 256 characters that a stream takes, `-` if empty.
    ///
    /// Its bytes are written into `buffer` and split off, so that outputs that live as long share their memory.
    pub fn wrap(&self, index: usize, output: &Output, buffer: &mut BytesMut) -> Option<tidemill_journal::Output> {
        match output {
            Output::Result(result) => Some(self.result(index, result, buffer)),
            Output::Late(late) => self.late(index, late, buffer),
            Output::Quarantined(entry) => Some(self.quarantined(index, entry, buffer)),
        }
    }

    fn result(&self, index: usize, result: &Emission, buffer: &mut BytesMut) -> tidemill_journal::Output {
        let to = self.destinations.result(result.sink);
        if to.plain {
            return output(to, &result.partition_key, result.value.clone().into());
        }
        let event = Event {
            time: event::time(result.time),
            subject: event::subject(&result.key_text),
            pane: match &result.cause {
                Cause::Pane(id) => Some(pane(id)),
                Cause::Record(_) | Cause::Timer(_) => None,
            },
            panenumber: (result.number > 0).then_some(result.number),
            resultkey: Some(self.result_key(&to.sink, result)),
            ..self.event(index, "tidemill.result", Content::Json(&result.value))
        };
        output(to, &result.partition_key, event.bytes(buffer))
    }

    fn late(&self, index: usize, late: &LateRecord, buffer: &mut BytesMut) -> Option<tidemill_journal::Output> {
        let to = self.destinations.late.as_ref()?;
        if to.plain {
            return Some(output(to, &late.partition_key, late.payload.clone().into()));
        }
        let event = Event {
            time: event::time(late.event_time),
            subject: event::subject(&late.key_text),
            ..self.event(index, "tidemill.late", Content::found(&late.payload))
        };
        Some(output(to, &late.partition_key, event.bytes(buffer)))
    }

    /// The attributes that every event has.
    pub(super) fn event<'e>(&self, index: usize, kind: &'static str, content: Content<'e>) -> Event<'e>
    where
        'a: 'e,
    {
        let producer = self.producer;
        let (name, place) = match self.numbers {
            Numbers::Commit(commit) => (&producer.name, Place::Commit { life: &producer.life, commit, index }),
            Numbers::Record { position, floor } => (&producer.place, Place::Record { position, index, floor }),
        };
        Event {
            source: &producer.source,
            kind,
            time: None,
            subject: None,
            producer: name,
            place,
            pane: None,
            panenumber: None,
            resultkey: None,
            content,
        }
    }

    /// The same for the same result in every life and every replay of the pipeline: for stores that a repeat overwrites.
    /// Every part is preceded by its length, so that no two results hash the same bytes.
    fn result_key(&self, sink: &str, result: &Emission) -> ResultKey {
        let mut hashed = SmallVec::<[u8; 256]>::new();
        let mut add = |part: &[u8]| {
            hashed.extend_from_slice(&(part.len() as u64).to_le_bytes());
            hashed.extend_from_slice(part);
        };
        add(self.producer.pipeline.as_bytes());
        add(sink.as_bytes());
        add(result.key.as_slice());
        match &result.cause {
            Cause::Pane(PaneId { window, index, .. }) => {
                add(&window.start.as_millis().to_le_bytes());
                add(&window.end.as_millis().to_le_bytes());
                add(&index.to_le_bytes());
            }
            Cause::Record(position) => {
                add(self.producer.shard.as_bytes());
                add(position.sequence.as_str().as_bytes());
                add(&position.sub_sequence.to_le_bytes());
                add(b"record");
            }
            Cause::Timer(at) => add(&at.as_millis().to_le_bytes()),
        }
        if result.number > 0 {
            add(&result.number.to_be_bytes());
        }
        ResultKey::of(XxHash3_128::oneshot(&hashed))
    }
}

fn pane(id: &PaneId) -> Pane<'_> {
    let PaneId { window, timing, index, replaces } = id;
    let has_end = window.end.in_calendar();
    Pane {
        watermark: (has_end && *timing != Timing::Early).then_some(window.end),
        window: has_end.then_some(*window),
        paneindex: *index,
        panetiming: timing.as_str(),
        panereplaces: replaces,
    }
}

pub(super) fn output(to: &Destination, key: &str, data: Bytes) -> tidemill_journal::Output {
    tidemill_journal::Output { sink: to.sink.clone(), partition_key: event::partition_key(key), data }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use tidemill_core::{
        EventTime, KeyBytes, Origin, Position, Quarantined, Reason, Reject, SequenceNumber, Span, Timing,
    };
    use tidemill_journal::{Incarnation, JournalId};

    use super::*;
    use crate::MAX_RECORD_BYTES;

    fn producer() -> Producer {
        let journal = JournalId {
            pipeline: "departures".to_owned(),
            stream: "arn:aws:kinesis:us-east-1:123456789012:stream/flights".to_owned(),
            shard: "shardId-000000000003".to_owned(),
        };
        Producer::new(&journal, Incarnation(0xAB))
    }

    fn destinations() -> Destinations {
        let to = Destination::enveloped;
        Destinations::new(vec![to("results")], to("quarantine")).late_to(to("late"))
    }

    fn wrapped(output: &Output) -> tidemill_journal::Output {
        let (producer, destinations) = (producer(), destinations());
        let envelope = Envelope { producer: &producer, destinations: &destinations, numbers: Numbers::Commit(12) };
        envelope.wrap(3, output, &mut BytesMut::new()).expect("an output")
    }

    fn parsed(output: &tidemill_journal::Output) -> Value {
        serde_json::from_slice(&output.data).expect("JSON")
    }

    fn window() -> Span {
        Span { start: EventTime::from_millis(1_357_034_400_000), end: EventTime::from_millis(1_357_038_000_000) }
    }

    fn pane_id() -> PaneId {
        PaneId { window: window(), timing: Timing::OnTime, index: 0, replaces: Vec::new() }
    }

    fn of_pane(id: PaneId) -> Emission {
        Emission { cause: Cause::Pane(id), ..result("1") }
    }

    fn result(value: &str) -> Emission {
        Emission {
            sink: 0,
            key: KeyBytes::of(&"JFK".to_owned()).expect("a key"),
            key_text: "JFK".to_owned(),
            partition_key: "JFK".to_owned(),
            time: window().end,
            cause: Cause::Pane(pane_id()),
            number: 0,
            value: value.as_bytes().to_vec(),
        }
    }

    fn position() -> Position {
        Position { sequence: SequenceNumber::parse("4967").expect("digits"), sub_sequence: 0 }
    }

    fn late(payload: &[u8]) -> Output {
        Output::Late(LateRecord {
            position: position(),
            partition_key: "JFK".to_owned(),
            key_text: "JFK".to_owned(),
            event_time: EventTime::from_millis(1_357_000_000_000),
            arrival: EventTime::from_millis(1_357_000_000_500),
            payload: payload.to_vec(),
        })
    }

    fn quarantined(payload: &[u8], message: &str) -> Output {
        Output::Quarantined(Quarantined {
            reject: Reject::new(Reason::Undecodable, message),
            origin: Origin::Record {
                position: position(),
                partition_key: "JFK".to_owned(),
                arrival: EventTime::from_millis(1_357_034_400_123),
                payload: payload.to_vec(),
            },
        })
    }

    fn quarantined_pane(key_text: &str, state: &[u8]) -> Output {
        let window = window();
        Output::Quarantined(Quarantined {
            reject: Reject::new(Reason::Overflow, "the sum left its range"),
            origin: Origin::Pane { key_text: key_text.to_owned(), window, state: state.to_vec() },
        })
    }

    fn quarantined_timer(key_text: &str, at: i64) -> Output {
        Output::Quarantined(Quarantined {
            reject: Reject::new(Reason::Failed, "the timer's work failed"),
            origin: Origin::Timer { key_text: key_text.to_owned(), at: EventTime::from_millis(at) },
        })
    }

    #[test]
    fn a_result_carries_its_pane() {
        let output = wrapped(&Output::Result(result(r#"{"flights":2}"#)));
        assert_eq!((output.sink.as_str(), output.partition_key.as_str()), ("results", "JFK"));
        let expected = concat!(
            r#"{"specversion":"1.0","id":"00000000000000ab-12-3","#,
            r#""source":"/tidemill/departures/flights/shardId-000000000003","type":"tidemill.result","#,
            r#""time":"2013-01-01T11:00:00.000Z","subject":"JFK","datacontenttype":"application/json","#,
            r#""producer":"departures/arn:aws:kinesis:us-east-1:123456789012:stream/flights/shardId-000000000003"#,
            r#"/00000000000000ab","commit":"12","index":3,"watermark":"1357038000000","#,
            r#""windowstart":"1357034400000","windowend":"1357038000000","paneindex":0,"panetiming":"on_time","#,
            r#""resultkey":"RESULTKEY","data":{"flights":2}}"#
        );
        let key = parsed(&output)["resultkey"].as_str().expect("a key").to_owned();
        assert_eq!(key.len(), 32);
        assert_eq!(String::from_utf8_lossy(&output.data), expected.replace("RESULTKEY", &key));
    }

    #[test]
    fn the_result_key_tells_panes_apart_and_nothing_else() {
        let key = |result: Emission| parsed(&wrapped(&Output::Result(result)))["resultkey"].clone();
        let same = key(result("1"));
        assert_eq!(key(of_pane(PaneId { timing: Timing::Late, ..pane_id() })), same);
        let longer = Span { start: EventTime::from_millis(0), ..window() };
        for other in [
            of_pane(PaneId { index: 1, ..pane_id() }),
            of_pane(PaneId { window: longer, ..pane_id() }),
            Emission { key: KeyBytes::of(&"LGA".to_owned()).expect("a key"), ..result("1") },
            Emission { number: 1, ..result("1") },
            Emission { cause: Cause::Record(position()), ..result("1") },
            Emission { cause: Cause::Timer(window().end), ..result("1") },
        ] {
            assert_ne!(key(other), same);
        }
        assert_eq!(same, "8c255ef766a8876d77a45323852fce7b", "stores that go by it would take repeats for new results");
    }

    #[test]
    fn a_window_without_end_has_no_time() {
        let window = Span { start: EventTime::from_millis(i64::MIN), end: EventTime::from_millis(i64::MAX) };
        let event = parsed(&wrapped(&Output::Result(of_pane(PaneId { window, ..pane_id() }))));
        assert_eq!((event.get("windowstart"), event.get("windowend"), event.get("watermark")), (None, None, None));
        assert_eq!(event["time"], "2013-01-01T11:00:00.000Z", "that of the record which fired it");
    }

    #[test]
    fn an_early_result_says_no_watermark_and_a_merged_window_names_those_that_are_void() {
        let (start, end) = (EventTime::from_millis(1), EventTime::from_millis(2));
        let replaces = vec![Span { start, end }, Span { start: end, end: EventTime::from_millis(3) }];
        let event = parsed(&wrapped(&Output::Result(of_pane(PaneId { timing: Timing::Early, replaces, ..pane_id() }))));
        assert_eq!(event.get("watermark"), None);
        assert_eq!((&event["panetiming"], &event["panereplaces"]), (&json!("early"), &json!("1/2 2/3")));
    }

    #[test]
    fn outputs_without_a_commit_are_numbered_within_their_record() {
        let (producer, destinations) = (producer(), destinations());
        let (position, floor) = (position(), Position { sub_sequence: 2, ..Position::first() });
        let numbers = Numbers::Record { position: &position, floor: &floor };
        let envelope = Envelope { producer: &producer, destinations: &destinations, numbers };
        let result = Emission { cause: Cause::Record(position.clone()), ..result("1") };
        let event = parsed(&envelope.wrap(1, &Output::Result(result), &mut BytesMut::new()).expect("an output"));
        assert_eq!((&event["id"], &event["sequence"]), (&json!("4967-0-1"), &json!("4967")));
        assert_eq!((&event["index"], &event["floor"], &event["floorsub"]), (&json!(1), &json!("0"), &json!("2")));
        assert!(event["producer"].as_str().is_some_and(|name| name.ends_with("shardId-000000000003")));
        assert_eq!((event.get("commit"), event.get("paneindex")), (None, None));
    }

    #[test]
    fn an_empty_key_has_no_subject_and_a_partition_key_all_the_same() {
        let empty = Emission { key_text: String::new(), partition_key: String::new(), ..result("1") };
        let output = wrapped(&Output::Result(empty));
        assert_eq!(parsed(&output).get("subject"), None);
        assert_eq!(output.partition_key, "-");
    }

    #[test]
    fn a_late_record_is_sent_as_it_came() {
        let output = wrapped(&late(br#" {"origin" : "JFK"} "#));
        assert_eq!((output.sink.as_str(), output.partition_key.as_str()), ("late", "JFK"));
        let event = parsed(&output);
        assert_eq!(event["type"], "tidemill.late");
        assert_eq!(event["time"], "2013-01-01T00:26:40.000Z");
        assert_eq!(event["data"], json!({"origin": "JFK"}));
        assert_eq!(event.get("paneindex"), None);
    }

    #[test]
    fn what_would_make_the_event_unreadable_is_base64() {
        let deep = format!("{}{}", "[".repeat(127), "]".repeat(127));
        for payload in ["JFK,1", r#""\ud800""#, "1e999", &deep, "", "\u{0}"] {
            let event = parsed(&wrapped(&late(payload.as_bytes())));
            assert_eq!(event.get("data"), None, "{payload}");
            assert_eq!(event["data_base64"], base64_simd::STANDARD.encode_to_string(payload));
            assert_eq!(event["datacontenttype"], "application/octet-stream");
        }
    }

    #[test]
    fn late_records_that_are_only_counted_are_not_sent() {
        let (producer, counted) = (producer(), Destinations { late: None, ..destinations() });
        let envelope = Envelope { producer: &producer, destinations: &counted, numbers: Numbers::Commit(1) };
        assert_eq!(envelope.wrap(0, &late(b"{}"), &mut BytesMut::new()), None);
    }

    #[test]
    fn plain_destinations_get_the_bare_content() {
        let to = Destination::plain;
        let (producer, plain) =
            (producer(), Destinations::new(vec![to("results")], to("quarantine")).late_to(to("late")));
        let envelope = Envelope { producer: &producer, destinations: &plain, numbers: Numbers::Commit(1) };
        let data = |output| envelope.wrap(0, &output, &mut BytesMut::new()).expect("an output").data;
        assert_eq!(data(Output::Result(result("[1]"))), "[1]");
        assert_eq!(data(late(b"raw\xff")), b"raw\xff".as_slice());
        let entry: Value = serde_json::from_slice(&data(quarantined(b"x", "no"))).expect("JSON");
        assert_eq!(entry["payload"], "x");
    }

    #[test]
    fn a_quarantined_record_can_be_found_and_sent_again() {
        let output = wrapped(&quarantined(b"{\"origin", "it ends too early"));
        assert_eq!((output.sink.as_str(), output.partition_key.as_str()), ("quarantine", "JFK"));
        let event = parsed(&output);
        assert_eq!(event["type"], "tidemill.quarantine");
        assert_eq!(event["time"], "2013-01-01T10:00:00.123Z");
        let expected = json!({
            "reason": "undecodable", "message": "it ends too early", "payload": "{\"origin",
            "shard": "shardId-000000000003", "sequence": "4967", "sub_sequence": 0, "partition_key": "JFK",
            "arrival": 1_357_034_400_123_i64,
        });
        assert_eq!(event["data"], expected);
        let binary = parsed(&wrapped(&quarantined(b"\xff\x00", "no")));
        assert_eq!(binary["data"]["payload_base64"], "/wA=");
    }

    #[test]
    fn a_quarantined_pane_keeps_its_state() {
        let output = wrapped(&quarantined_pane("JFK", &[1, 2]));
        assert_eq!(output.partition_key, "JFK");
        let event = parsed(&output);
        assert_eq!((&event["subject"], &event["time"]), (&json!("JFK"), &json!("2013-01-01T11:00:00.000Z")));
        let expected = json!({
            "reason": "overflow", "message": "the sum left its range", "key": "JFK",
            "window_start": 1_357_034_400_000_i64, "window_end": 1_357_038_000_000_i64, "state_base64": "AQI=",
        });
        assert_eq!(event["data"], expected);
    }

    #[test]
    fn an_entry_that_no_stream_takes_keeps_its_head_and_what_identifies_it() {
        let worst = "\u{1}".repeat(MAX_RECORD_BYTES);
        for (output, name) in [
            (quarantined(worst.as_bytes(), &worst), "payload_head"),
            (quarantined(&vec![0xff; MAX_RECORD_BYTES], "no"), "payload_head_base64"),
            (quarantined_pane(&worst, &vec![1; MAX_RECORD_BYTES]), "state_head_base64"),
        ] {
            let wrapped = wrapped(&output);
            assert!(wrapped.data.len() < 512 << 10, "{}", wrapped.data.len());
            let data = &parsed(&wrapped)["data"];
            let head = data[name].as_str().expect("a head");
            assert!(head.len() >= 64 << 10);
            let stem = name.split('_').next().expect("a stem");
            assert_eq!(data[format!("{stem}_length")], MAX_RECORD_BYTES);
            assert_eq!(data[format!("{stem}_xxh3")].as_str().map(str::len), Some(32));
        }
    }

    #[test]
    fn names_are_encoded_into_the_source() {
        let journal = JournalId { pipeline: "a b/ö".to_owned(), stream: "s".to_owned(), shard: "1".to_owned() };
        assert_eq!(Producer::new(&journal, Incarnation(1)).source, "/tidemill/a%20b%2F%C3%B6/s/1");
    }

    /// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#attribute-naming-convention>
    fn assert_conforms(event: &Value) {
        for name in event.as_object().expect("an object").keys().filter(|name| *name != "data_base64") {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{name}");
        }
        for name in ["id", "source", "specversion", "type"] {
            assert!(event[name].as_str().is_some_and(|text| !text.is_empty()), "{name}");
        }
        let texts = event.as_object().expect("an object").iter().filter(|(name, _)| !name.starts_with("data"));
        for text in texts.filter_map(|(_, value)| value.as_str()) {
            assert!(!text.is_empty() && !text.contains(event::is_disallowed), "{text}");
        }
    }

    fn arb_output() -> impl Strategy<Value = Output> {
        let payload =
            || prop_oneof![any::<Vec<u8>>(), ".*".prop_map(|text| json!({ "text": text }).to_string().into())];
        prop_oneof![
            (any::<String>(), any::<i64>(), any::<u32>()).prop_map(|(key_text, millis, index)| {
                let window =
                    Span { start: EventTime::from_millis(millis), end: EventTime::from_millis(millis).plus(1) };
                let partition_key = key_text.clone();
                let value = json!({ "key": key_text }).to_string().into();
                let pane = of_pane(PaneId { window, index, ..pane_id() });
                Output::Result(Emission { key_text, partition_key, value, ..pane })
            }),
            payload().prop_map(|payload| late(&payload)),
            (payload(), any::<String>()).prop_map(|(payload, message)| quarantined(&payload, &message)),
            (any::<String>(), any::<Vec<u8>>()).prop_map(|(key, state)| quarantined_pane(&key, &state)),
            (any::<String>(), any::<i64>()).prop_map(|(key, at)| quarantined_timer(&key, at)),
        ]
    }

    /// The bytes that an event carries as `<name>` or `<name>_base64`.
    fn carried(of: &Value, name: &str) -> Option<Vec<u8>> {
        let binary = of.get(format!("{name}_base64")).and_then(Value::as_str);
        let binary = binary.map(|text| base64_simd::STANDARD.decode_to_vec(text).expect("base64"));
        binary.or_else(|| of.get(name).and_then(Value::as_str).map(|text| text.as_bytes().to_vec()))
    }

    proptest! {
        #[test]
        fn every_output_becomes_a_conforming_event_that_gives_its_content_back(output in arb_output()) {
            let wrapped = wrapped(&output);
            let event = parsed(&wrapped);
            assert_conforms(&event);
            prop_assert!((1..=256).contains(&wrapped.partition_key.chars().count()));
            match output {
                Output::Result(result) => {
                    prop_assert_eq!(&event["data"], &serde_json::from_slice::<Value>(&result.value).expect("JSON"));
                }
                Output::Late(late) => match event.get("data") {
                    Some(data) => prop_assert_eq!(data, &serde_json::from_slice::<Value>(&late.payload).expect("JSON")),
                    None => prop_assert_eq!(carried(&event, "data"), Some(late.payload)),
                },
                Output::Quarantined(entry) => match entry.origin {
                    Origin::Timer { .. } => prop_assert!(event["data"].is_object()),
                    Origin::Record { payload, .. } => prop_assert_eq!(carried(&event["data"], "payload"), Some(payload)),
                    Origin::Result { value, .. } => prop_assert_eq!(carried(&event["data"], "result"), Some(value)),
                    Origin::Pane { state, .. } => prop_assert_eq!(carried(&event["data"], "state"), Some(state)),
                },
            }
        }
    }
}
