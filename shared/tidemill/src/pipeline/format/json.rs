//! JSON, as an owned type or as one that borrows from the payload.

use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tidemill_core::{Format, Reason, Reject};

use super::{OwnedFormat, plain};

/// JSON payloads as an owned type.
pub struct Json<T>(PhantomData<fn() -> T>);

impl<T: DeserializeOwned + 'static> Json<T> {
    /// Payloads are JSON of `T`. Declare only the fields that you use: the rest is skipped, and that is faster.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: DeserializeOwned + 'static> Default for Json<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: DeserializeOwned + 'static> Format for Json<T> {
    type Event<'a> = T;

    fn decode(&self, payload: &[u8]) -> Result<T, Reject> {
        read(payload)
    }
}

impl<T: DeserializeOwned + 'static> OwnedFormat for Json<T> {
    type Owned = T;
}

/// A type that borrows from its payload, named by its `'static` form. Implemented by [`borrows!`](crate::borrows).
pub trait Borrows: 'static {
    /// The type with the payload's lifetime.
    type Of<'a>: Deserialize<'a>;
}

/// Lets a type with one lifetime be used with [`JsonRef`]: `tidemill::borrows!(FlightRef);`.
#[macro_export]
macro_rules! borrows {
    ($type:ident) => {
        impl $crate::Borrows for $type<'static> {
            type Of<'a> = $type<'a>;
        }
    };
}

/// JSON payloads as a type that borrows its strings from them: `JsonRef::<FlightRef>::new()`.
///
/// A string with escapes cannot be borrowed as `&str`; use `Cow<'a, str>` where they may come.
pub struct JsonRef<B>(PhantomData<fn() -> B>);

impl<B: Borrows> JsonRef<B> {
    /// Payloads are JSON of the borrowing type.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<B: Borrows> Default for JsonRef<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: Borrows> Format for JsonRef<B> {
    type Event<'a> = B::Of<'a>;

    fn decode<'a>(&self, payload: &'a [u8]) -> Result<B::Of<'a>, Reject> {
        read(payload)
    }
}

/// As `serde_json::from_slice` reads it, whose word counts wherever the fast way gives up.
fn read<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, Reject> {
    let fast = str::from_utf8(payload).ok().and_then(plain::read);
    fast.map_or_else(|| serde_json::from_slice(payload), Ok)
        .map_err(|error: serde_json::Error| Reject::new(Reason::Undecodable, error.to_string()))
}
