//! The bytes around every stored record, image and spill.
//!
//! ```text
//! "tdm"  format  CRC-32 of all else  plain length  zstd frame of the plain bytes
//!  3 B    1 B     4 B, big-endian   4 B, b.-e.
//! ```
//!
//! Plain bytes are a CBOR value; in format 2 its changes stand [packed](crate::packed) behind it.

use std::cell::RefCell;
use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_core::{Change, codec};
use zstd::bulk::{Compressor, Decompressor};

use crate::{Format, packed};

const MAGIC: &[u8; 3] = b"tdm";
const HEADER: usize = 12;
/// What a stored record may inflate to. An item has at most 400 KB; JSON envelopes compress by 10 to 30.
const PLAIN_LIMIT: usize = 64 << 20;
/// zstd's level 1: outputs are repetitive JSON, higher levels gain little and cost much.
const LEVEL: i32 = 1;

/// A value whose changes are laid out as the format says.
pub(crate) trait Stored: Serialize + DeserializeOwned {
    /// Its changes; left out of the CBOR if there are none.
    fn changes(&mut self) -> &mut Vec<Change>;
}

/// The stored bytes of `value`, which is the same afterwards.
///
/// # Errors
/// If it does not encode, or is over 64 MiB plain.
pub(crate) fn seal<T: Stored>(format: Format, value: &mut T) -> Result<Vec<u8>, String> {
    let plain = plain_bytes(format, value)?;
    if plain.len() > PLAIN_LIMIT {
        return Err(format!("{} bytes plain, at most {PLAIN_LIMIT} can be stored", plain.len()));
    }
    let packed = compress(&plain).map_err(|e| format!("zstd: {e}"))?;
    let length = u32::try_from(plain.len()).map_err(|e| e.to_string())?.to_be_bytes();
    let checksum = checksum(format, &length, &packed);
    Ok([MAGIC.as_slice(), &[format.version()], &checksum, &length, &packed].concat())
}

/// With a context that is made once a thread: making one takes longer than compressing most records.
fn compress(plain: &[u8]) -> io::Result<Vec<u8>> {
    thread_local! {
        static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    }
    COMPRESSOR.with_borrow_mut(|made| match made {
        Some(compressor) => compressor.compress(plain),
        None => made.insert(Compressor::new(LEVEL)?).compress(plain),
    })
}

/// With a context that is made once a thread, as for [`compress`].
fn decompress(packed: &[u8], length: usize) -> io::Result<Vec<u8>> {
    thread_local! {
        static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
    }
    DECOMPRESSOR.with_borrow_mut(|made| match made {
        Some(decompressor) => decompressor.decompress(packed, length),
        None => made.insert(Decompressor::new()?).decompress(packed, length),
    })
}

fn plain_bytes<T: Stored>(format: Format, value: &mut T) -> Result<Vec<u8>, String> {
    let encode = |value: &T| codec::encode(value).map_err(|reject| reject.message);
    match format {
        Format::V1 => encode(value),
        Format::V2 => {
            let changes = std::mem::take(value.changes());
            let encoded = encode(value);
            *value.changes() = changes;
            let mut plain = encoded?;
            packed::pack(value.changes(), &mut plain);
            Ok(plain)
        }
    }
}

/// A frame's content, inflated.
pub(crate) struct Plain {
    pub(crate) format: Format,
    bytes: Vec<u8>,
}

impl Plain {
    /// Opens a frame.
    ///
    /// # Errors
    /// What is wrong with it: no such frame, an unknown format, a wrong checksum.
    pub(crate) fn open(bytes: &[u8]) -> Result<Self, String> {
        let frame = bytes.split_at_checked(HEADER).filter(|(header, _)| header.starts_with(MAGIC));
        let Some((header, packed)) = frame else { return Err("it is no tidemill record".to_owned()) };
        let format = Format::of_version(header[3]).ok_or_else(|| unknown_format(header[3]))?;
        if checksum(format, &header[8..12], packed) != header[4..8] {
            return Err("its checksum does not fit: the bytes are damaged".to_owned());
        }
        let length = header[8..12].iter().fold(0, |length, byte| (length << 8) | usize::from(*byte));
        if length > PLAIN_LIMIT {
            return Err(format!("it says that it inflates to {length} bytes, at most {PLAIN_LIMIT} are read"));
        }
        let bytes = decompress(packed, length).map_err(|e| format!("zstd: {e}"))?;
        Ok(Self { format, bytes })
    }

    /// The value, whose changes go to `take` if they are packed behind it.
    ///
    /// # Errors
    /// If it has another shape; the first error of `take`.
    pub(crate) fn read<T: Stored>(&self, take: impl FnMut(&Change) -> Result<(), String>) -> Result<T, String> {
        match self.format {
            Format::V1 => codec::decode(&self.bytes).map_err(|corrupt| corrupt.0),
            Format::V2 => {
                let mut rest = self.bytes.as_slice();
                let mut value: T = ciborium::from_reader(&mut rest).map_err(|e| e.to_string())?;
                if !value.changes().is_empty() {
                    return Err("it has changes within its CBOR value, as only format 1 has".to_owned());
                }
                packed::unpack(rest, take)?;
                Ok(value)
            }
        }
    }
}

/// The format and value in stored bytes.
///
/// # Errors
/// What is wrong with them: no such frame, an unknown format, a wrong checksum, another shape.
pub(crate) fn open<T: Stored>(bytes: &[u8]) -> Result<(Format, T), String> {
    let plain = Plain::open(bytes)?;
    let mut changes = Vec::new();
    let mut value: T = plain.read(|change| {
        changes.push(change.clone());
        Ok(())
    })?;
    value.changes().append(&mut changes);
    Ok((plain.format, value))
}

/// Format 1 leaves its own number out.
fn checksum(format: Format, length: &[u8], packed: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    if format > Format::V1 {
        hasher.update(&[format.version()]);
    }
    hasher.update(length);
    hasher.update(packed);
    hasher.finalize().to_be_bytes()
}

fn unknown_format(version: u8) -> String {
    format!(
        "it has format version {version}, this code reads versions {} to {}: run the version of tidemill that wrote it, \
         or a later one",
        Format::OLDEST,
        Format::NEWEST
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::SpilledContent;

    const FORMATS: [Format; 2] = [Format::V1, Format::V2];

    fn content() -> SpilledContent {
        let change = |value| Change { key: b"cJFK".to_vec(), slot: vec![1], value };
        SpilledContent { changes: vec![change(Some(vec![7; 100])), change(None)], outputs: Vec::new() }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        for format in FORMATS {
            let bytes = seal(format, &mut content()).expect("seals");
            assert_eq!(open::<SpilledContent>(&bytes), Ok((format, content())));
            for bit in 0..bytes.len() * 8 {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                // A format that is another one of ours reads no such content.
                assert!(open::<SpilledContent>(&damaged).is_err(), "format {format}, bit {bit}");
            }
            for length in 0..bytes.len() {
                assert!(open::<SpilledContent>(&bytes[..length]).is_err(), "format {format}, cut to {length}");
            }
        }
    }

    #[test]
    fn an_unknown_format_is_named_with_what_to_do() {
        let mut bytes = seal(Format::V2, &mut content()).expect("seals");
        for version in [0, 3, 9] {
            bytes[3] = version;
            let why = open::<SpilledContent>(&bytes).expect_err("refused");
            let expected = format!("format version {version}, this code reads versions 1 to 2: run the version");
            assert!(why.contains(&expected), "{why}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            for magic in [&b""[..], b"tdm\x01", b"tdm\x02"] {
                let _ = open::<SpilledContent>(&[magic, &bytes].concat());
            }
        }

        /// Behind a checksum that fits.
        #[test]
        fn arbitrary_plain_bytes_never_panic(bytes: Vec<u8>) {
            for format in FORMATS {
                let plain = Plain { format, bytes: bytes.clone() };
                let _ = plain.read::<SpilledContent>(|_| Ok(()));
                let behind = Plain { format, bytes: [b"\xa0".as_slice(), &bytes].concat() };
                let _ = behind.read::<SpilledContent>(|_| Ok(()));
            }
        }
    }
}
