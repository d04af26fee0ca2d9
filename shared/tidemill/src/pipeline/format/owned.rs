//! Formats whose events do not borrow.

use tidemill_core::Format;

/// A [`Format`] whose events own what they hold, as one inside [`Gzip`](crate::Gzip) or [`Zstd`](crate::Zstd) must: the
/// inflated bytes are gone when the event comes out.
///
/// A format of one's own becomes one by saying so:
///
/// ```
/// use tidemill::{Format, Gzip, OwnedFormat, Reason, Reject};
///
/// struct Text;
///
/// impl Format for Text {
///     type Event<'a> = String;
///     fn decode(&self, payload: &[u8]) -> Result<String, Reject> {
///         String::from_utf8(payload.to_vec()).map_err(|e| Reject::new(Reason::Undecodable, e.to_string()))
///     }
/// }
///
/// impl OwnedFormat for Text {
///     type Owned = String;
/// }
///
/// let gzipped_text = Gzip::of(Text);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be compressed: its events borrow from the payload, or it does not say that they own what they hold",
    note = "inflated bytes are gone when the event comes out: use `Json` in place of `JsonRef`",
    note = "for a format of your own: `impl OwnedFormat for .. {{ type Owned = <its event>; }}`"
)]
pub trait OwnedFormat: for<'a> Format<Event<'a> = Self::Owned> {
    /// The event.
    type Owned;
}
