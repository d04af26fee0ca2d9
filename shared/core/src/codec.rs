//! How state is encoded: CBOR (RFC 8949), self-describing, with named fields.

use std::io::Write;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Corrupt, Reason, Reject};

/// Most keys, slots and cells are no longer: they need not the 4 KB that ciborium clears to read strings into.
const SHORT: usize = 64;

/// The CBOR bytes of `value`.
///
/// # Errors
/// Only if the type's own `Serialize` fails.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Reject> {
    let mut bytes = Vec::new();
    encode_into(value, &mut bytes)?;
    Ok(bytes)
}

pub(crate) fn encode_into<T: Serialize + ?Sized>(value: &T, bytes: impl Write) -> Result<(), Reject> {
    ciborium::into_writer(value, bytes)
        .map_err(|e| Reject::new(Reason::Failed, format!("state cannot be encoded: {e}")))
}

/// The value whose CBOR bytes these are, all of them.
///
/// # Errors
/// [`Corrupt`] if the bytes are no CBOR of this type, or go on behind it.
pub fn decode<T: DeserializeOwned>(mut bytes: &[u8]) -> Result<T, Corrupt> {
    let read = if bytes.len() <= SHORT {
        ciborium::de::from_reader_with_buffer(&mut bytes, &mut [0; SHORT])
    } else {
        ciborium::from_reader(&mut bytes)
    };
    let value = read.map_err(|e| Corrupt(format!("no {}: {e}", name::<T>())))?;
    if bytes.is_empty() { Ok(value) } else { Err(Corrupt(format!("{} bytes behind a {}", bytes.len(), name::<T>()))) }
}

fn name<T>() -> &'static str {
    std::any::type_name::<T>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_value_is_refused() {
        let mut bytes = encode(&(1_u8, "x")).expect("encodes");
        assert_eq!(decode::<(u8, String)>(&bytes), Ok((1, "x".to_owned())));
        bytes.push(0);
        assert!(decode::<(u8, String)>(&bytes).is_err());
        assert!(decode::<u64>(&bytes).is_err());
    }
}
