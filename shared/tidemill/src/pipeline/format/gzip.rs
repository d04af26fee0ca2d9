//! gzip around another format.

use flate2::bufread::MultiGzDecoder;
use tidemill_core::{Format, Reject};

use super::OwnedFormat;
use super::inflate::Compressed;

/// gzip payloads ([RFC 1952](https://www.rfc-editor.org/rfc/rfc1952), one member or several) of another format:
/// `Gzip::of(Json::<Flight>::new())`.
///
/// The event must not borrow, since the inflated bytes are gone when it comes out:
///
/// ```compile_fail,E0277
/// # use tidemill::{Gzip, JsonRef};
/// #[derive(serde::Deserialize)]
/// struct FlightRef<'a> { origin: &'a str }
/// tidemill::borrows!(FlightRef);
///
/// Gzip::of(JsonRef::<FlightRef>::new());
/// ```
///
/// Late records and the quarantine get the payload as it came, compressed.
pub struct Gzip<F>(Compressed<F>);

impl<F> Gzip<F> {
    /// Payloads inflate to those of `format`.
    pub const fn of(format: F) -> Self
    where
        F: OwnedFormat,
    {
        Self(Compressed::of("gzip", format))
    }

    /// A payload that inflates to more bytes than this is quarantined. Default: 16 MiB.
    #[must_use]
    pub fn max_inflated(self, bytes: usize) -> Self {
        Self(self.0.max_inflated(bytes))
    }
}

impl<F: OwnedFormat> Format for Gzip<F> {
    type Event<'a> = F::Owned;

    fn decode(&self, payload: &[u8]) -> Result<F::Owned, Reject> {
        let inflated = self.0.inflate(MultiGzDecoder::new(payload))?;
        self.0.event(&inflated)
    }
}

impl<F: OwnedFormat> OwnedFormat for Gzip<F> {
    type Owned = F::Owned;
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::Json;

    fn pack(content: impl Read) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        io::copy(&mut { content }, &mut encoder).unwrap();
        encoder.finish().unwrap()
    }

    fn numbers() -> Gzip<Json<Vec<u64>>> {
        Gzip::of(Json::new())
    }

    fn message(payload: &[u8]) -> String {
        numbers().decode(payload).unwrap_err().to_string()
    }

    #[test]
    fn a_member_of_another_encoder_is_read() {
        // `printf '[1,2]' | gzip -n9`
        let payload =
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x8b\x36\xd4\x31\x8a\x05\x00\xbf\x50\x8b\x08\x05\x00\x00\x00";
        assert_eq!(numbers().decode(payload).unwrap(), [1, 2]);
    }

    #[test]
    fn several_members_are_one_content() {
        let payload = [pack(&b"[1,"[..]), pack(&b"2]"[..])].concat();
        assert_eq!(numbers().decode(&payload).unwrap(), [1, 2]);
    }

    #[test]
    fn compressions_nest() {
        let payload = pack(pack(&b"[1]"[..]).as_slice());
        assert_eq!(Gzip::of(numbers()).decode(&payload).unwrap(), [1]);
    }

    #[test]
    fn what_does_not_inflate_says_where() {
        assert_eq!(
            message(b"[1,2] is no gzip"),
            "undecodable: the payload does not inflate as gzip, at byte 0 of its content: invalid gzip header"
        );
        let cut = pack(&b"[1,2]"[..]);
        assert!(message(&cut[..cut.len() - 1]).contains("as gzip, at byte 5 of its content: "));
        let trailing = [cut.as_slice(), b"x"].concat();
        assert!(message(&trailing).contains("as gzip, at byte 5 of its content: "));
    }

    #[test]
    fn what_does_not_decode_inside_says_where() {
        let reject = message(&pack(&b"[1,x]"[..]));
        assert_eq!(reject, "undecodable: inside gzip: expected value at line 1 column 4");
    }

    #[test]
    fn bombs_are_given_up_at_the_bound() {
        // 256 MiB in as many KB.
        let bomb = pack(io::repeat(b' ').take(64 << 20)).repeat(4);
        assert!(bomb.len() < 300_000, "{}", bomb.len());
        assert!(message(&bomb).contains("inflates to more than 16777216 bytes"));
        let reject = numbers().max_inflated(1_000).decode(&bomb).unwrap_err();
        assert!(reject.message.contains("inflates to more than 1000 bytes"), "{reject}");
    }

    #[test]
    fn members_without_content_are_no_trap() {
        let payload = pack(io::empty()).repeat(50_000);
        assert_eq!(message(&payload), "undecodable: inside gzip: EOF while parsing a value at line 1 column 0");
    }

    proptest! {
        #[test]
        fn what_was_packed_is_read(content in prop::collection::vec(any::<u64>(), 0..200)) {
            let payload = pack(serde_json::to_vec(&content).unwrap().as_slice());
            prop_assert_eq!(numbers().decode(&payload).unwrap(), content);
        }

        #[test]
        fn damage_never_panics_and_never_passes_unseen(
            content in prop::collection::vec(any::<u64>(), 0..50),
            at in any::<Index>(), byte in any::<u8>(), cut in any::<Option<Index>>(),
        ) {
            let mut payload = pack(serde_json::to_vec(&content).unwrap().as_slice());
            let at = at.index(payload.len());
            payload[at] = byte;
            if let Some(cut) = cut {
                payload.truncate(cut.index(payload.len()));
            }
            if let Ok(read) = numbers().decode(&payload) {
                prop_assert_eq!(read, content);
            }
        }

        #[test]
        fn noise_never_panics(mut payload in prop::collection::vec(any::<u8>(), 0..200), like_gzip in any::<bool>()) {
            if like_gzip {
                payload.splice(0..0, *b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03");
            }
            let _ = numbers().decode(&payload);
        }
    }
}
