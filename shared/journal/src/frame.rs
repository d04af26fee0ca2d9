//! The bytes around every stored record and part image.
//!
//! ```text
//! "tdm"  version  CRC-32 of what follows  plain length  zstd frame of the CBOR
//!  3 B     1 B          4 B, big-endian    4 B, b.-e.
//! ```

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_core::codec;

use crate::record::FORMAT_VERSION;

const MAGIC: &[u8; 3] = b"tdm";
const HEADER: usize = 12;
/// What a stored record may inflate to. An item has at most 400 KB; JSON envelopes compress by 10 to 30.
const PLAIN_LIMIT: usize = 64 << 20;
/// zstd's level 1: outputs are repetitive JSON, higher levels gain little and cost much.
const LEVEL: i32 = 1;

/// The stored bytes of `value`.
///
/// # Errors
/// If it does not encode, or is over 64 MiB plain.
pub(crate) fn seal<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
    let plain = codec::encode(value).map_err(|reject| reject.message)?;
    if plain.len() > PLAIN_LIMIT {
        return Err(format!("{} bytes plain, at most {PLAIN_LIMIT} can be stored", plain.len()));
    }
    let packed = zstd::bulk::compress(&plain, LEVEL).map_err(|e| format!("zstd: {e}"))?;
    let length = u32::try_from(plain.len()).map_err(|e| e.to_string())?.to_be_bytes();
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(&packed);
    let checksum = hasher.finalize().to_be_bytes();
    Ok([MAGIC.as_slice(), &[FORMAT_VERSION], &checksum, &length, &packed].concat())
}

/// The value in stored bytes.
///
/// # Errors
/// What is wrong with them: no such frame, an unknown version, a wrong checksum, another shape.
pub(crate) fn open<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let Some((header, packed)) = bytes.split_at_checked(HEADER).filter(|(header, _)| header.starts_with(MAGIC)) else {
        return Err("it is no tidemill record".to_owned());
    };
    if header[3] != FORMAT_VERSION {
        return Err(format!(
            "it has format version {}, this code reads version {FORMAT_VERSION}: run the version of tidemill that wrote it, or a later one",
            header[3]
        ));
    }
    if crc32fast::hash(&bytes[8..]).to_be_bytes() != header[4..8] {
        return Err("its checksum does not fit: the bytes are damaged".to_owned());
    }
    let length = header[8..12].iter().fold(0, |length, byte| (length << 8) | usize::from(*byte));
    if length > PLAIN_LIMIT {
        return Err(format!("it says that it inflates to {length} bytes, at most {PLAIN_LIMIT} are read"));
    }
    let plain = zstd::bulk::decompress(packed, length).map_err(|e| format!("zstd: {e}"))?;
    codec::decode(&plain).map_err(|corrupt| corrupt.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = seal(&("windows", vec![7_u64; 100])).expect("seals");
        assert!(open::<(String, Vec<u64>)>(&bytes).is_ok());
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(open::<(String, Vec<u64>)>(&damaged).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(open::<(String, Vec<u64>)>(&bytes[..length]).is_err(), "cut to {length}");
        }
    }

    #[test]
    fn another_version_is_named() {
        let mut bytes = seal(&1_u8).expect("seals");
        bytes[3] = 9;
        assert!(open::<u8>(&bytes).expect_err("refused").contains("format version 9"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = open::<(String, u64)>(&bytes);
            let _ = open::<(String, u64)>(&[b"tdm\x01".as_slice(), &bytes].concat());
        }
    }
}
