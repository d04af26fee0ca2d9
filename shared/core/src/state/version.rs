//! Which version of the pipeline wrote an operator's cell.
//!
//! Every operator's cell is a CBOR map, and [`FIRST`] stores it as it is. Other versions put their number before it (a CBOR
//! sequence, RFC 8742). So one state may hold cells of several versions, each tells its own, and code that knows no versions
//! refuses what it cannot read: no cell is ever taken for one of another version.

use crate::{Corrupt, Reject, codec};

/// The version whose cells say none.
const FIRST: u32 = 1;

/// Begins a cell's bytes with the version that writes it.
pub(super) fn mark(version: u32, bytes: &mut Vec<u8>) -> Result<(), Reject> {
    if version == FIRST { Ok(()) } else { codec::encode_into(&version, bytes) }
}

/// The version that wrote a cell of an operator, and the cell's bytes without it.
///
/// # Errors
/// If the number is none of a version.
pub fn version_of(bytes: &[u8]) -> Result<(u32, &[u8]), Corrupt> {
    // The major type of CBOR, 0: a number without sign.
    if bytes.first().is_none_or(|first| first >> 5 != 0) {
        return Ok((FIRST, bytes));
    }
    let mut rest = bytes;
    let version = ciborium::from_reader(&mut rest).map_err(|e| Corrupt(format!("no version of a cell: {e}")))?;
    Ok((version, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(version: u32, cell: Vec<u8>) -> Result<Vec<u8>, Reject> {
        let mut bytes = Vec::new();
        mark(version, &mut bytes)?;
        Ok([bytes, cell].concat())
    }

    #[test]
    fn a_cell_tells_its_version_and_the_first_is_stored_as_ever() {
        let cell = b"\xa1\x63acc\x07".to_vec();
        assert_eq!(marked(FIRST, cell.clone()).as_ref(), Ok(&cell));
        for version in [FIRST, 0, 2, 23, 24, 300, u32::MAX] {
            let stored = marked(version, cell.clone()).expect("encodes");
            assert_eq!(version_of(&stored), Ok((version, cell.as_slice())));
        }
        assert_eq!(version_of(&[]), Ok((FIRST, &[][..])));
        assert!(version_of(b"\x1b\xff").is_err(), "cut short");
        assert!(version_of(b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff").is_err(), "beyond any version");
    }

    #[test]
    fn code_that_knows_no_versions_refuses_another_one() {
        let stored = marked(2, codec::encode(&std::collections::BTreeMap::from([("acc", 7)])).expect("encodes"));
        let stored = stored.expect("encodes");
        assert!(codec::decode::<std::collections::BTreeMap<String, u64>>(&stored).is_err());
        assert!(codec::decode::<u64>(&stored).is_err(), "bytes behind the number");
    }
}
