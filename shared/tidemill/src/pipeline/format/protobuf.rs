//! Protocol buffers.

use std::marker::PhantomData;

use prost::Message;
use tidemill_core::{Format, Reason, Reject};

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
