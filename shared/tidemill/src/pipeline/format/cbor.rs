//! CBOR.

use std::marker::PhantomData;

use ciborium::de::Error;
use serde::de::DeserializeOwned;
use tidemill_core::{Format, Reason, Reject};

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

/// `read` is how far the decoder came: where an error has no place of its own, it lies before that.
fn undecodable<E>(error: Error<E>, read: usize) -> Reject {
    let message = match error {
        Error::Io(_) => format!("the CBOR value is cut off: the payload ends inside it, at byte {read}"),
        Error::Syntax(at) => format!("the payload is no CBOR: byte {at} begins no value"),
        Error::Semantic(Some(at), what) => format!("the CBOR value is of another shape at byte {at}: {what}"),
        Error::Semantic(None, what) => format!("the CBOR value is of another shape before byte {read}: {what}"),
        Error::RecursionLimitExceeded => format!("the CBOR value is nested deeper than 256 levels at byte {read}"),
    };
    Reject::new(Reason::Undecodable, message)
}
