//! How payload bytes become events.

use std::marker::PhantomData;

use crate::{Reject, Sent};

/// Decodes a payload into an event, owned or borrowing from the payload.
///
/// ```
/// use tidemill_core::{Format, Reason, Reject};
///
/// struct Text;
/// impl Format for Text {
///     type Event<'a> = &'a str;
///     fn decode<'a>(&self, payload: &'a [u8]) -> Result<&'a str, Reject> {
///         std::str::from_utf8(payload).map_err(|e| Reject::new(Reason::Undecodable, e.to_string()))
///     }
/// }
/// assert_eq!(Text.decode(b"hello").unwrap(), "hello");
/// ```
pub trait Format: Send + Sync + 'static {
    /// The event, with the lifetime of the payload that it may borrow from.
    type Event<'a>;

    /// The event in `payload`.
    ///
    /// # Errors
    /// [`Reason::Undecodable`](crate::Reason::Undecodable), with what was wrong and where.
    fn decode<'a>(&self, payload: &'a [u8]) -> Result<Self::Event<'a>, Reject>;

    /// Which output of another tidemill pipeline the payload is, so that repeats of it are dropped; `None` if it is none.
    ///
    /// # Errors
    /// [`Reason::Undecodable`](crate::Reason::Undecodable) if it says that it is one but not which.
    fn sent<'a>(&self, payload: &'a [u8]) -> Result<Option<Sent<'a>>, Reject> {
        let _ = payload;
        Ok(None)
    }
}

/// A family of event types, one for each lifetime of the payload that an event may borrow from: what everything behind a
/// source is generic over. Every [`Format`] is one, and so is [`Mapped`].
pub trait Events: 'static {
    /// The event, with the lifetime of the payload that it may borrow from.
    type Event<'a>;
}

impl<F: Format> Events for F {
    type Event<'a> = <F as Format>::Event<'a>;
}

/// Owned events of type `T`, as a pipeline's `.map(..)` makes them.
pub struct Mapped<T>(PhantomData<fn() -> T>);

impl<T: 'static> Events for Mapped<T> {
    type Event<'a> = T;
}
