//! How state is encoded: CBOR (RFC 8949), self-describing, with named fields.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Corrupt, Reason, Reject};

/// The CBOR bytes of `value`.
///
/// # Errors
/// Only if the type's own `Serialize` fails.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Reject> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes)
        .map_err(|e| Reject::new(Reason::Failed, format!("state cannot be encoded: {e}")))?;
    Ok(bytes)
}

/// The value whose CBOR bytes these are, all of them.
///
/// # Errors
/// [`Corrupt`] if the bytes are no CBOR of this type, or go on behind it.
pub fn decode<T: DeserializeOwned>(mut bytes: &[u8]) -> Result<T, Corrupt> {
    let value = ciborium::from_reader(&mut bytes).map_err(|e| Corrupt(format!("no {}: {e}", name::<T>())))?;
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
