//! How payload bytes become events.

use crate::Reject;

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
}
