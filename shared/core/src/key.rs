//! Keys: what results are grouped by, and how a key relates to the stream's partition key.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::compact::{Compact, Filling};
use crate::{Corrupt, Reason, Reject, codec};

/// What results are grouped by. Its stored bytes (CBOR) order results that are due at the same time.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key",
    note = "keys: String, integers, bool, tuples of up to three keys, or `impl Key` for your own type"
)]
pub trait Key: Clone + Ord + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The type of key, in the operator's fingerprint: a journal with keys of another name is refused. Choose it once;
    /// it need not be the type's name in Rust.
    fn name() -> String;

    /// The key as a person reads it: the `subject` of a result. Elements of a tuple are joined by `/`.
    fn text(&self) -> String;
}

/// A key with one text form, which the producer must have used as partition key: all records of a key then come through
/// one shard.
#[diagnostic::on_unimplemented(
    message = "a key of type `{Self}` has no partition-key text",
    note = "say which part of the key the producer used: `.routed_by(|(origin, _)| origin)`"
)]
pub trait PartitionKey {
    /// The text that the producer gives as partition key.
    fn partition_key(&self) -> Cow<'_, str>;
}

impl Key for String {
    fn name() -> String {
        "string".to_owned()
    }

    fn text(&self) -> String {
        self.clone()
    }
}

impl PartitionKey for String {
    fn partition_key(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

impl PartitionKey for str {
    fn partition_key(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

macro_rules! plain_keys {
    ($($type:ty),*) => {$(
        impl Key for $type {
            fn name() -> String {
                stringify!($type).to_owned()
            }

            fn text(&self) -> String {
                self.to_string()
            }
        }

        impl PartitionKey for $type {
            fn partition_key(&self) -> Cow<'_, str> {
                Cow::Owned(self.to_string())
            }
        }
    )*};
}
plain_keys!(bool, u8, u16, u32, u64, i8, i16, i32, i64);

impl<A: Key, B: Key> Key for (A, B) {
    fn name() -> String {
        format!("({}, {})", A::name(), B::name())
    }

    fn text(&self) -> String {
        format!("{}/{}", self.0.text(), self.1.text())
    }
}

impl<A: Key, B: Key, C: Key> Key for (A, B, C) {
    fn name() -> String {
        format!("({}, {}, {})", A::name(), B::name(), C::name())
    }

    fn text(&self) -> String {
        format!("{}/{}/{}", self.0.text(), self.1.text(), self.2.text())
    }
}

/// What a key closure may return: a key, or a `Result` of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a key",
    note = "return a key (String, integer, bool, tuple of keys, your `impl Key`) or `Result<key, E>`"
)]
pub trait IntoKey {
    /// The type of key.
    type Key: Key;

    /// The key.
    ///
    /// # Errors
    /// [`Reason::Failed`] with the closure's own error.
    fn into_key(self) -> Result<Self::Key, Reject>;
}

impl<K: Key> IntoKey for K {
    type Key = K;

    fn into_key(self) -> Result<K, Reject> {
        Ok(self)
    }
}

impl<K: Key, E: fmt::Display> IntoKey for Result<K, E> {
    type Key = K;

    fn into_key(self) -> Result<K, Reject> {
        self.map_err(|e| Reject::new(Reason::Failed, format!("the key closure failed: {e}")))
    }
}

/// The stored bytes of a key: its CBOR encoding. Their order decides between results due at the same time. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyBytes(Compact<23>);

impl KeyBytes {
    /// The bytes of `key`.
    ///
    /// # Errors
    /// Only if the key's own `Serialize` fails.
    pub fn of<K: Key>(key: &K) -> Result<Self, Reject> {
        Self::encoded(key)
    }

    /// The CBOR bytes of anything.
    pub(crate) fn encoded<T: Serialize + ?Sized>(key: &T) -> Result<Self, Reject> {
        let mut bytes = Filling::new();
        codec::encode_into(key, &mut bytes)?;
        Ok(Self(bytes.finish()))
    }

    /// Bytes read from the journal.
    pub fn stored(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The key again.
    ///
    /// # Errors
    /// [`Corrupt`] if the bytes are of no such key.
    pub fn key<K: Key>(&self) -> Result<K, Corrupt> {
        codec::decode(&self.0)
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyBytes").field(&self.as_slice()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_give_the_key_back() {
        let key = ("JFK".to_owned(), 7_i32);
        let bytes = KeyBytes::of(&key).expect("encodes");
        assert_eq!(bytes.key::<(String, i32)>(), Ok(key));
        assert!(bytes.key::<String>().is_err());
    }

    #[test]
    fn tuples_read_as_paths() {
        assert_eq!(("JFK".to_owned(), 7_i32, true).text(), "JFK/7/true");
    }
}
