//! CBOR.

use std::marker::PhantomData;

use ciborium::de::Error;
use serde::de::DeserializeOwned;
use tidemill_core::{Format, Reason, Reject};

use super::OwnedFormat;

/// CBOR payloads ([RFC 8949](https://www.rfc-editor.org/rfc/rfc8949)) as an owned type: one value each, nested at most
/// 256 deep.
pub struct Cbor<T>(PhantomData<fn() -> T>);

impl<T: DeserializeOwned + 'static> Cbor<T> {
    /// Payloads are CBOR of `T`. Declare only the fields that you use: the rest is skipped.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: DeserializeOwned + 'static> Default for Cbor<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: DeserializeOwned + 'static> Format for Cbor<T> {
    type Event<'a> = T;

    fn decode(&self, payload: &[u8]) -> Result<T, Reject> {
        let mut rest = payload;
        let event = ciborium::from_reader(&mut rest).map_err(|e| undecodable(e, payload.len() - rest.len()))?;
        if rest.is_empty() {
            return Ok(event);
        }
        let (end, extra) = (payload.len() - rest.len(), rest.len());
        let message =
            format!("the CBOR value ends at byte {end}, but {extra} more follow: put one value into a record");
        Err(Reject::new(Reason::Undecodable, message))
    }
}

impl<T: DeserializeOwned + 'static> OwnedFormat for Cbor<T> {
    type Owned = T;
}

/// `read` is how far the decoder came: where an error has no place of its own, it lies before that.
fn undecodable<E>(error: Error<E>, read: usize) -> Reject {
    let message = match error {
        Error::Io(_) => format!("the payload ends after {read} bytes, inside the CBOR value"),
        Error::Syntax(at) => format!("the payload is no CBOR: it breaks at byte {at}"),
        Error::Semantic(Some(at), what) => format!("the CBOR value is of another shape at byte {at}: {what}"),
        Error::Semantic(None, what) => format!("the CBOR value is of another shape before byte {read}: {what}"),
        Error::RecursionLimitExceeded => format!("the CBOR value is nested deeper than 256 levels at byte {read}"),
    };
    Reject::new(Reason::Undecodable, message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Click {
        page: String,
        at: i64,
        tags: Vec<Option<String>>,
    }

    fn clicks() -> Cbor<Click> {
        Cbor::new()
    }

    fn pack(value: &impl Serialize) -> Vec<u8> {
        let mut payload = Vec::new();
        ciborium::into_writer(value, &mut payload).unwrap();
        payload
    }

    fn message(payload: &[u8]) -> String {
        clicks().decode(payload).unwrap_err().to_string()
    }

    #[test]
    fn a_value_of_another_encoder_is_read() {
        // RFC 8949, appendix A.
        assert_eq!(
            Cbor::<(u8, (u8, u8), (u8, u8))>::new().decode(b"\x83\x01\x82\x02\x03\x82\x04\x05"),
            Ok((1, (2, 3), (4, 5)))
        );
        assert_eq!(Cbor::<String>::new().decode(b"\x7f\x65strea\x64ming\xff"), Ok("streaming".to_owned()));
    }

    #[test]
    fn fields_that_are_not_declared_are_skipped() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Page {
            page: String,
        }
        let payload = pack(&Click { page: "/".to_owned(), at: 1, tags: vec![None] });
        assert_eq!(Cbor::<Page>::new().decode(&payload), Ok(Page { page: "/".to_owned() }));
    }

    #[test]
    fn bytes_behind_the_value_are_refused() {
        let mut payload = pack(&Click { page: String::new(), at: 0, tags: Vec::new() });
        let end = payload.len();
        payload.extend(*b"\x00\x00\x00");
        assert_eq!(
            message(&payload),
            format!("undecodable: the CBOR value ends at byte {end}, but 3 more follow: put one value into a record")
        );
    }

    #[test]
    fn what_does_not_decode_says_where() {
        for (payload, expected) in [
            (&b""[..], "the payload ends after 0 bytes, inside the CBOR value"),
            (b"\xa1\x64pa", "the payload ends after 4 bytes, inside the CBOR value"),
            (b"\xa1\x64page\x1c", "the payload is no CBOR: it breaks at byte 6"),
            (
                b"\xa1\x64page\x01",
                "the CBOR value is of another shape before byte 7: invalid type: integer `1`, expected string",
            ),
            (b"\xa0", "the CBOR value is of another shape before byte 1: missing field `page`"),
        ] {
            assert_eq!(message(payload), format!("undecodable: {expected}"), "{payload:x?}");
        }
    }

    #[test]
    fn nesting_without_end_is_refused() {
        let reject = Cbor::<ciborium::Value>::new().decode(&b"\x81".repeat(1_000_000)).unwrap_err();
        assert!(reject.message.starts_with("the CBOR value is nested deeper than 256 levels"), "{reject}");
    }

    #[test]
    fn lengths_that_lie_take_no_memory() {
        let claims = |kind: u8| [&[kind][..], b"\x7f\xff\xff\xff\xff\xff\xff\xff", b"x"].concat();
        assert!(Cbor::<String>::new().decode(&claims(0x7b)).is_err());
        assert!(Cbor::<serde_bytes::ByteBuf>::new().decode(&claims(0x5b)).is_err());
        assert!(Cbor::<Vec<u64>>::new().decode(&claims(0x9b)).is_err());
        assert!(Cbor::<ciborium::Value>::new().decode(&claims(0xbb)).is_err());
    }

    prop_compose! {
        fn arb_click()(page in ".{0,20}", at in any::<i64>(), tags in prop::collection::vec(any::<Option<String>>(), 0..4)) -> Click {
            Click { page, at, tags }
        }
    }

    proptest! {
        #[test]
        fn what_was_packed_is_read(click in arb_click()) {
            prop_assert_eq!(clicks().decode(&pack(&click)), Ok(click));
        }

        #[test]
        fn every_cut_is_refused(click in arb_click(), cut in any::<Index>()) {
            let payload = pack(&click);
            prop_assert!(clicks().decode(&payload[..cut.index(payload.len())]).is_err());
        }

        #[test]
        fn damage_never_panics(click in arb_click(), hits in prop::collection::vec((any::<Index>(), any::<u8>()), 1..5)) {
            let mut payload = pack(&click);
            for (at, byte) in hits {
                let at = at.index(payload.len());
                payload[at] = byte;
            }
            let _ = clicks().decode(&payload);
            let _ = Cbor::<ciborium::Value>::new().decode(&payload);
        }
    }
}
