//! Compressed payloads of any format whose events are owned.

use std::io::{self, Read};

use tidemill_core::{Format, Reason, Reject};

/// What a payload may inflate to unless the pipeline says otherwise.
const MAX_INFLATED: usize = 16 << 20;

/// A [`Format`] whose events own what they hold: the inflated bytes do not outlive the decoding, so that nothing can be
/// borrowed from them. Every such format has it.
#[diagnostic::on_unimplemented(
    message = "the events of `{Self}` borrow from the payload, but inflated bytes do not live long enough for that",
    note = "use a format whose events are owned, such as `Json` in place of `JsonRef`"
)]
pub trait OwnedFormat: Format {
    /// The event.
    type Owned;

    /// The event in `payload`.
    ///
    /// # Errors
    /// As [`Format::decode`].
    fn decode_owned(&self, payload: &[u8]) -> Result<Self::Owned, Reject>;
}

impl<F, T> OwnedFormat for F
where
    F: for<'a> Format<Event<'a> = T>,
{
    type Owned = T;

    fn decode_owned(&self, payload: &[u8]) -> Result<T, Reject> {
        self.decode(payload)
    }
}

/// gzip payloads ([RFC 1952](https://www.rfc-editor.org/rfc/rfc1952), one or more members) of another format:
/// `Gzip::of(Json::<Flight>::new())`.
pub struct Gzip<F> {
    format: F,
    max_inflated: usize,
}

impl<F: OwnedFormat> Gzip<F> {
    /// Payloads inflate to those of `format`.
    pub const fn of(format: F) -> Self {
        Self { format, max_inflated: MAX_INFLATED }
    }
}

impl<F: OwnedFormat> Format for Gzip<F> {
    type Event<'a> = F::Owned;

    fn decode(&self, payload: &[u8]) -> Result<F::Owned, Reject> {
        let mut out = Vec::new();
        flate2::bufread::MultiGzDecoder::new(payload).take(self.max_inflated as u64 + 1).read_to_end(&mut out).unwrap();
        self.format.decode_owned(&out)
    }
}
pub struct Zstd<F>(F);
#[cfg(test)]
mod tests {
    use super::*;
    #[derive(serde::Deserialize)]
    struct E<'a> {
        x: &'a str,
        at: i64,
    }
    crate::borrows!(E);
    #[test]
    fn t() {
        let p = crate::Pipeline::named("x")
            .source(Gzip::of(crate::JsonRef::<E>::new()))
            .event_time(|e| e.at, crate::OutOfOrder::at_most(std::time::Duration::from_secs(5)));
    }
    #[derive(serde::Deserialize)]
    struct O {
        x: String,
        at: i64,
    }
    #[test]
    fn t2() {
        let p = crate::Pipeline::named("x")
            .source(Gzip::of(Gzip::of(crate::Json::<O>::new())))
            .event_time(|e| e.at, crate::OutOfOrder::at_most(std::time::Duration::from_secs(5)));
    }
}
