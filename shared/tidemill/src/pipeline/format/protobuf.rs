//! Protocol buffers.

use std::marker::PhantomData;

use prost::Message;
use tidemill_core::{Format, Reason, Reject};

use super::OwnedFormat;

/// Protocol buffers payloads as a message of [prost](https://docs.rs/prost/0.14) 0.14, made by `prost-build` or derived:
/// `Protobuf::<FlightEvent>::new()`.
///
/// The encoding has no field names and every field of proto3 is optional, so that an empty payload, and often a message of
/// another type, decodes as one with defaults. Let the event-time closure refuse what cannot be, with an `Option`.
pub struct Protobuf<T>(PhantomData<fn() -> T>);

impl<T: Message + Default + 'static> Protobuf<T> {
    /// Payloads are messages of type `T`, without a length before them. Declare only the fields that you use: the rest is
    /// skipped.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: Message + Default + 'static> Default for Protobuf<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Message + Default + 'static> Format for Protobuf<T> {
    type Event<'a> = T;

    fn decode(&self, payload: &[u8]) -> Result<T, Reject> {
        T::decode(payload).map_err(|e| Reject::new(Reason::Undecodable, e.to_string()))
    }
}

impl<T: Message + Default + 'static> OwnedFormat for Protobuf<T> {
    type Owned = T;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    #[derive(Clone, PartialEq, Message)]
    struct Click {
        #[prost(string, tag = "1")]
        page: String,
        #[prost(int64, tag = "2")]
        at: i64,
        #[prost(message, repeated, tag = "3")]
        followed: Vec<Click>,
    }

    fn clicks() -> Protobuf<Click> {
        Protobuf::new()
    }

    fn message(payload: &[u8]) -> String {
        clicks().decode(payload).unwrap_err().to_string()
    }

    #[test]
    fn a_message_of_another_encoder_is_read() {
        // `printf 'page: "/" at: 150' | protoc --encode=Click`, and a field 9 that is not declared.
        let click = Click { page: "/".to_owned(), at: 150, followed: Vec::new() };
        assert_eq!(clicks().decode(b"\x0a\x01/\x10\x96\x01\x48\x01"), Ok(click));
    }

    #[test]
    fn an_empty_payload_is_a_message_of_defaults() {
        assert_eq!(clicks().decode(b""), Ok(Click::default()));
    }

    #[test]
    fn what_does_not_decode_says_where() {
        for (payload, part) in [
            (&b"\x0a\x05/"[..], "Click.page: buffer underflow"),
            (b"\x0a\x01\xff", "Click.page: invalid string value"),
            (b"\x12\x00", "Click.at: invalid wire type"),
            (b"\x1a\x02\x12\x00", "Click.at: Click.followed: invalid wire type"),
        ] {
            let message = message(payload);
            assert!(message.starts_with("undecodable: failed to decode Protobuf message: "), "{message}");
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn nesting_without_end_is_refused() {
        let nested = |inner: Vec<u8>, _| {
            let mut outer = vec![0x1a];
            prost::encoding::encode_varint(inner.len() as u64, &mut outer);
            outer.extend(inner);
            outer
        };
        let payload = (0..10_000).fold(Vec::new(), nested);
        assert!(message(&payload).contains("recursion limit reached"), "{}", message(&payload));
    }

    prop_compose! {
        fn arb_click()(page in ".{0,20}", at in any::<i64>(), followed in prop::collection::vec((".{0,5}", any::<i64>()), 0..4)) -> Click {
            let followed = followed.into_iter().map(|(page, at)| Click { page, at, followed: Vec::new() });
            Click { page, at, followed: followed.collect() }
        }
    }

    proptest! {
        #[test]
        fn what_was_packed_is_read(click in arb_click()) {
            prop_assert_eq!(clicks().decode(&click.encode_to_vec()), Ok(click));
        }

        #[test]
        fn damage_never_panics(
            click in arb_click(),
            hits in prop::collection::vec((any::<Index>(), any::<u8>()), 0..5),
            cut in any::<Option<Index>>(),
        ) {
            let mut payload = click.encode_to_vec();
            payload.push(0);
            for (at, byte) in hits {
                let at = at.index(payload.len());
                payload[at] = byte;
            }
            if let Some(cut) = cut {
                payload.truncate(cut.index(payload.len()));
            }
            let _ = clicks().decode(&payload);
        }
    }
}
