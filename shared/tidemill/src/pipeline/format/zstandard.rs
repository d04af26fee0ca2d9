//! Zstandard around another format.

use std::cell::RefCell;
use std::io;

use tidemill_core::{Format, Reason, Reject};
use zstd::stream::read::Decoder;
use zstd::zstd_safe::{DCtx, ResetDirective, get_error_name};

use super::OwnedFormat;
use super::inflate::Compressed;

/// Zstandard payloads ([RFC 8878](https://www.rfc-editor.org/rfc/rfc8878), one frame or several, no dictionary) of another
/// format: `Zstd::of(Json::<Flight>::new())`.
///
/// The event must not borrow, since the inflated bytes are gone when it comes out:
///
/// ```compile_fail,E0277
/// # use tidemill::{JsonRef, Zstd};
/// #[derive(serde::Deserialize)]
/// struct FlightRef<'a> { origin: &'a str }
/// tidemill::borrows!(FlightRef);
///
/// Zstd::of(JsonRef::<FlightRef>::new());
/// ```
///
/// Late records and the quarantine get the payload as it came, compressed.
pub struct Zstd<F>(Compressed<F>);

impl<F> Zstd<F> {
    /// Payloads inflate to those of `format`.
    pub const fn of(format: F) -> Self
    where
        F: OwnedFormat,
    {
        Self(Compressed::of("zstd", format))
    }

    /// A payload that inflates to more bytes than this is quarantined, and so is one whose frame asks for a larger window
    /// than this and than 8 MiB. Default: 16 MiB.
    #[must_use]
    pub fn max_inflated(self, bytes: usize) -> Self {
        Self(self.0.max_inflated(bytes))
    }
}

impl<F: OwnedFormat> Format for Zstd<F> {
    type Event<'a> = F::Owned;

    fn decode(&self, payload: &[u8]) -> Result<F::Owned, Reject> {
        // Given back before the event is decoded, which may take zstd again.
        let inflated = CONTEXT.with_borrow_mut(|context| {
            let inflating = inflating(payload, context, self.0.bound())
                .map_err(|e| Reject::new(Reason::Undecodable, format!("zstd could not be set up: {e}")))?;
            self.0.inflate(inflating)
        })?;
        self.0.event(&inflated)
    }
}

impl<F: OwnedFormat> OwnedFormat for Zstd<F> {
    type Owned = F::Owned;
}

thread_local! {
    /// Used again, since setting one up takes four times as long as a small payload does.
    static CONTEXT: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

/// A decoder takes memory for the window that a frame asks for. RFC 8878, section 3.1.1.1.2, wants 8 MiB supported, and
/// more than may come out no honest frame needs.
fn inflating<'d>(payload: &'d [u8], context: &'d mut DCtx<'static>, bound: usize) -> io::Result<Decoder<'d, &'d [u8]>> {
    // The payload before may have ended inside a frame.
    context.reset(ResetDirective::SessionOnly).map_err(|code| io::Error::other(get_error_name(code)))?;
    let window = bound.clamp(8 << 20, 1 << 30).next_power_of_two();
    let mut decoder = Decoder::with_context(payload, context);
    decoder.window_log_max(window.ilog2())?;
    Ok(decoder)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::Json;

    fn pack(content: impl Read) -> Vec<u8> {
        let mut encoder = zstd::stream::read::Encoder::new(content, 1).unwrap();
        encoder.include_checksum(true).unwrap();
        let mut payload = Vec::new();
        encoder.read_to_end(&mut payload).unwrap();
        payload
    }

    fn numbers() -> Zstd<Json<Vec<u64>>> {
        Zstd::of(Json::new())
    }

    fn message(payload: &[u8]) -> String {
        numbers().decode(payload).unwrap_err().to_string()
    }

    /// A frame of the content `7` that asks for a window of 2^log bytes.
    fn frame_with_window(log: u8) -> Vec<u8> {
        [b"\x28\xb5\x2f\xfd\x00", [(log - 10) << 3].as_slice(), b"\x09\x00\x007"].concat()
    }

    #[test]
    fn several_frames_are_one_content() {
        let payload = [pack(&b"[1,"[..]), pack(&b"2]"[..])].concat();
        assert_eq!(numbers().decode(&payload).unwrap(), [1, 2]);
    }

    #[test]
    fn compressions_nest() {
        let payload = pack(pack(&b"[1]"[..]).as_slice());
        assert_eq!(Zstd::of(numbers()).decode(&payload).unwrap(), [1]);
    }

    #[test]
    fn a_payload_that_breaks_off_leaves_the_next_one_alone() {
        let whole = pack(&b"[1,2]"[..]);
        let noise: Vec<u8> = (0..=255).cycle().take(200_000).collect();
        let long = pack(noise.as_slice());
        for bad in [&whole[..whole.len() - 1], &long[..long.len() - 1], b"noise"] {
            assert!(numbers().decode(bad).is_err());
            assert!(numbers().max_inflated(100).decode(&long).is_err());
            assert_eq!(numbers().decode(&whole).unwrap(), [1, 2]);
        }
    }

    #[test]
    fn what_does_not_inflate_says_where() {
        assert_eq!(
            message(b"[1,2] is no zstd"),
            "undecodable: the payload does not inflate as zstd, at byte 0 of its content: Unknown frame descriptor"
        );
        let cut = pack(&b"[1,2]"[..]);
        assert!(message(&cut[..cut.len() - 1]).contains("as zstd, at byte 5 of its content: "));
        let trailing = [cut.as_slice(), b"x"].concat();
        assert!(message(&trailing).contains("as zstd, at byte 5 of its content: "));
    }

    #[test]
    fn what_does_not_decode_inside_says_where() {
        let reject = message(&pack(&b"[1,x]"[..]));
        assert_eq!(reject, "undecodable: inside zstd: expected value at line 1 column 4");
    }

    #[test]
    fn bombs_are_given_up_at_the_bound() {
        // 4 GiB in less than 1 MiB.
        let bomb = pack(io::repeat(b' ').take(64 << 20)).repeat(64);
        assert!(bomb.len() < 1 << 20, "{}", bomb.len());
        assert!(message(&bomb).contains("inflates to more than 16777216 bytes"));
        let reject = numbers().max_inflated(1_000).decode(&bomb).unwrap_err();
        assert!(reject.message.contains("inflates to more than 1000 bytes"), "{reject}");
    }

    #[test]
    fn a_window_may_be_as_large_as_the_bound_or_8_mib() {
        let number = Zstd::of(Json::<u64>::new());
        assert_eq!(number.decode(&frame_with_window(24)), Ok(7));
        let reject = number.decode(&frame_with_window(25)).unwrap_err();
        assert!(reject.message.contains("Frame requires too much memory"), "{reject}");
        let narrow = Zstd::of(Json::<u64>::new()).max_inflated(10);
        assert_eq!(narrow.decode(&frame_with_window(23)), Ok(7));
        assert!(narrow.decode(&frame_with_window(24)).is_err());
        let boundless = Zstd::of(Json::<u64>::new()).max_inflated(usize::MAX);
        assert_eq!(boundless.decode(&frame_with_window(30)), Ok(7));
    }

    #[test]
    fn a_content_size_that_lies_is_refused() {
        // One segment of 2^60 bytes, says the header.
        let payload = b"\x28\xb5\x2f\xfd\xe0\x00\x00\x00\x00\x00\x00\x00\x10\x09\x00\x007";
        assert!(message(payload).contains("Frame requires too much memory"), "{}", message(payload));
    }

    #[test]
    fn frames_without_content_are_no_trap() {
        let payload = pack(io::empty()).repeat(50_000);
        assert_eq!(message(&payload), "undecodable: inside zstd: EOF while parsing a value at line 1 column 0");
    }

    proptest! {
        #[test]
        fn what_was_packed_is_read(content in prop::collection::vec(any::<u64>(), 0..200)) {
            let payload = pack(serde_json::to_vec(&content).unwrap().as_slice());
            prop_assert_eq!(numbers().decode(&payload).unwrap(), content);
        }

        #[test]
        fn damage_never_panics(
            content in prop::collection::vec(any::<u64>(), 0..50),
            at in any::<Index>(), byte in any::<u8>(), cut in any::<Option<Index>>(),
        ) {
            let mut payload = pack(serde_json::to_vec(&content).unwrap().as_slice());
            let at = at.index(payload.len());
            payload[at] = byte;
            if let Some(cut) = cut {
                payload.truncate(cut.index(payload.len()));
            }
            let _ = numbers().decode(&payload);
        }

        #[test]
        fn noise_never_panics(mut payload in prop::collection::vec(any::<u8>(), 0..200), like_zstd in any::<bool>()) {
            if like_zstd {
                payload.splice(0..0, *b"\x28\xb5\x2f\xfd");
            }
            let _ = numbers().decode(&payload);
        }
    }
}
