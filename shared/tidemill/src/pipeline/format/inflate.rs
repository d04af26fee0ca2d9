//! What the compressions share: inflating up to a bound, then decoding what came out of it.

use std::io::Read;

use tidemill_core::{Reason, Reject};

use super::OwnedFormat;

/// A format inside a compression, and how far payloads may inflate.
pub(super) struct Compressed<F> {
    compression: &'static str,
    format: F,
    max_inflated: usize,
}

impl<F> Compressed<F> {
    pub(super) const fn of(compression: &'static str, format: F) -> Self {
        Self { compression, format, max_inflated: 16 << 20 }
    }

    pub(super) fn max_inflated(self, bytes: usize) -> Self {
        Self { max_inflated: bytes, ..self }
    }

    pub(super) const fn bound(&self) -> usize {
        self.max_inflated
    }

    /// Reads to the end, or to one byte behind the bound: memory follows what was inflated, never what the input claims.
    pub(super) fn inflate(&self, inflating: impl Read) -> Result<Vec<u8>, Reject> {
        let (compression, bound) = (self.compression, self.max_inflated);
        let mut inflated = Vec::new();
        if let Err(e) = inflating.take((bound as u64).saturating_add(1)).read_to_end(&mut inflated) {
            let at = inflated.len();
            let message = format!("the payload does not inflate as {compression}, at byte {at} of its content: {e}");
            return Err(Reject::new(Reason::Undecodable, message));
        }
        if inflated.len() > bound {
            let message = format!(
                "the payload inflates to more than {bound} bytes of content and was given up. If that is no attack, raise \
                 `.max_inflated(..)` of the source's {compression} format"
            );
            return Err(Reject::new(Reason::Undecodable, message));
        }
        Ok(inflated)
    }
}

impl<F: OwnedFormat> Compressed<F> {
    /// The event in what was inflated.
    pub(super) fn event(&self, inflated: &[u8]) -> Result<F::Owned, Reject> {
        self.format
            .decode(inflated)
            .map_err(|inner| Reject { message: format!("inside {}: {}", self.compression, inner.message), ..inner })
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// Zeros without end, counted.
    #[derive(Default)]
    struct Endless {
        read: usize,
    }

    impl Read for &mut Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(0);
            self.read += buffer.len();
            Ok(buffer.len())
        }
    }

    #[test]
    fn inflating_stops_one_byte_behind_the_bound() {
        let mut endless = Endless::default();
        let reject = Compressed::of("gzip", ()).max_inflated(100_000).inflate(&mut endless).unwrap_err();
        assert_eq!(endless.read, 100_001);
        assert_eq!(
            reject.to_string(),
            "undecodable: the payload inflates to more than 100000 bytes of content and was given up. If that is no \
             attack, raise `.max_inflated(..)` of the source's gzip format"
        );
    }

    #[test]
    fn content_as_large_as_the_bound_passes() {
        let five = Compressed::of("gzip", ()).max_inflated(5);
        assert_eq!(five.inflate(&b"12345"[..]).unwrap(), b"12345");
        assert!(five.inflate(&b"123456"[..]).is_err());
    }
}
