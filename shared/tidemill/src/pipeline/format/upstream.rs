//! What another tidemill pipeline sent.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use tidemill_core::{Format, Position, Reason, Reject, Sent, SentPlace, SequenceNumber};

use super::OwnedFormat;

/// The outputs of another tidemill pipeline, whose values are of the format within: `Upstream::of(Json::<Flight>::new())`.
///
/// Sending is at least once; what comes twice is dropped, by what each output says of its producer. A payload that is no
/// such output is taken as it is, and then nothing tells its repeats: a stream may have both.
pub struct Upstream<F>(F);

impl<F: OwnedFormat> Upstream<F> {
    /// Values of this format.
    pub const fn of(format: F) -> Self {
        Self(format)
    }
}

/// The attributes of an output that matter here. <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>
#[derive(Deserialize)]
struct Output<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    producer: Cow<'a, str>,
    index: u32,
    #[serde(borrow, default)]
    commit: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    sequence: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    subsequence: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    floor: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    floorsub: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data_base64: Option<Cow<'a, str>>,
}

impl<'a> Output<'a> {
    /// `None` if the payload is no output of a tidemill pipeline.
    fn of(payload: &'a [u8]) -> Option<Self> {
        let output: Self = serde_json::from_slice(payload).ok()?;
        ["tidemill.result", "tidemill.late"].contains(&output.kind.as_ref()).then_some(output)
    }

    fn place(&self) -> Option<SentPlace> {
        if let Some(commit) = &self.commit {
            return Some(SentPlace::Commit { number: commit.parse().ok()?, index: self.index });
        }
        let floor = position(self.floor.as_ref()?, self.floorsub.as_ref()?)?;
        let position = position(self.sequence.as_ref()?, self.subsequence.as_ref()?)?;
        Some(SentPlace::Record { position, index: self.index, floor })
    }
}

fn position(sequence: &str, sub_sequence: &str) -> Option<Position> {
    Some(Position { sequence: SequenceNumber::parse(sequence)?, sub_sequence: sub_sequence.parse().ok()? })
}

impl<F: OwnedFormat> Format for Upstream<F> {
    type Event<'a> = F::Owned;

    fn decode(&self, payload: &[u8]) -> Result<F::Owned, Reject> {
        let Some(output) = Output::of(payload) else { return self.0.decode(payload) };
        match (output.data, output.data_base64) {
            (Some(data), _) => self.0.decode(data.get().as_bytes()),
            (None, Some(base64)) => {
                let bytes = base64_simd::STANDARD.decode_to_vec(base64.as_bytes());
                let wrong = |e| Reject::new(Reason::Undecodable, format!("data_base64 is no base64: {e}"));
                self.0.decode(&bytes.map_err(wrong)?)
            }
            (None, None) => Err(Reject::new(Reason::Undecodable, "an output of a pipeline without data")),
        }
    }

    fn sent<'a>(&self, payload: &'a [u8]) -> Result<Option<Sent<'a>>, Reject> {
        let Some(output) = Output::of(payload) else { return Ok(None) };
        let unreadable = "an output of a tidemill pipeline that does not say of which commit or record it is: expected \
                          `commit`, or `sequence`, `subsequence`, `floor` and `floorsub`, as decimal text";
        let place = output.place().ok_or_else(|| Reject::new(Reason::Undecodable, unreadable))?;
        Ok(Some(Sent { producer: output.producer, place }))
    }
}

impl<F: OwnedFormat> OwnedFormat for Upstream<F> {
    type Owned = F::Owned;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Json;

    fn sent(event: &serde_json::Value) -> Result<Option<SentPlace>, Reject> {
        let payload = serde_json::to_vec(event).expect("serialises");
        Upstream::of(Json::<u64>::new()).sent(&payload).map(|sent| sent.map(|sent| sent.place))
    }

    #[test]
    fn both_kinds_of_producer_are_understood() {
        let committed = json!({"type": "tidemill.result", "producer": "p", "commit": "7", "index": 2, "data": 1});
        assert_eq!(sent(&committed), Ok(Some(SentPlace::Commit { number: 7, index: 2 })));
        let relayed = json!({"type": "tidemill.result", "producer": "p", "sequence": "12", "subsequence": "1",
            "index": 0, "floor": "9", "floorsub": "0", "data": 1});
        let at = |sequence, sub| position(sequence, sub).expect("a position");
        let place = SentPlace::Record { position: at("12", "1"), index: 0, floor: at("9", "0") };
        assert_eq!(sent(&relayed), Ok(Some(place)));
    }

    #[test]
    fn what_is_no_output_is_taken_as_it_is() {
        let format = Upstream::of(Json::<serde_json::Value>::new());
        for plain in [json!(7), json!({"type": "other", "producer": "p", "index": 1, "data": 1}), json!({"data": 1})] {
            let payload = serde_json::to_vec(&plain).expect("serialises");
            assert_eq!(format.sent(&payload), Ok(None));
            assert_eq!(format.decode(&payload), Ok(plain));
        }
    }

    #[test]
    fn an_output_that_does_not_say_which_is_refused() {
        let unplaced = json!({"type": "tidemill.result", "producer": "p", "index": 2, "data": 1});
        assert_eq!(sent(&unplaced).expect_err("refused").reason, Reason::Undecodable);
    }

    #[test]
    fn values_come_out_of_text_and_bytes() {
        let format = Upstream::of(Json::<u64>::new());
        let event = |data: &str| format!(r#"{{"type":"tidemill.late","producer":"p","commit":"1","index":0,{data}}}"#);
        assert_eq!(format.decode(event(r#""data": 41"#).as_bytes()), Ok(41));
        assert_eq!(format.decode(event(r#""data_base64": "NDI=""#).as_bytes()), Ok(42));
        assert!(format.decode(event(r#""data_base64": "!""#).as_bytes()).is_err());
    }
}
