//! Changes as format 2 stores them: one behind the other, up to the end of the bytes.
//!
//! ```text
//! flags   1: the key is that of the change before   2: so is the slot   4: the cell is removed
//! key     length, bytes; not if flag 1
//! slot    length, bytes; not if flag 2
//! value   length, bytes; not if flag 4
//! ```
//!
//! Lengths are LEB128. Before the first change, key and slot are empty. Cells of one key lie together, and in most states
//! neighbours lie in one window: what repeats takes a bit.

use tidemill_core::Change;

const SAME_KEY: u8 = 1;
const SAME_SLOT: u8 = 2;
const REMOVED: u8 = 4;

/// Appends `changes` to `bytes`.
pub(crate) fn pack(changes: &[Change], bytes: &mut Vec<u8>) {
    let (mut key, mut slot): (&[u8], &[u8]) = (&[], &[]);
    for change in changes {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let (same_key, same_slot) = (change.key == key, change.slot == slot);
        bytes.push(flag(same_key, SAME_KEY) | flag(same_slot, SAME_SLOT) | flag(change.value.is_none(), REMOVED));
        if !same_key {
            put(&change.key, bytes);
        }
        if !same_slot {
            put(&change.slot, bytes);
        }
        if let Some(value) = &change.value {
            put(value, bytes);
        }
        (key, slot) = (&change.key, &change.slot);
    }
}

/// Hands each of the packed changes to `take`: always the same one, refilled, so that a large image costs no allocation
/// a cell.
///
/// # Errors
/// The first one of `take`, or what is wrong with the bytes.
pub(crate) fn unpack(mut bytes: &[u8], mut take: impl FnMut(&Change) -> Result<(), String>) -> Result<(), String> {
    let mut change = Change { key: Vec::new(), slot: Vec::new(), value: None };
    while let Some((flags, rest)) = bytes.split_first() {
        bytes = rest;
        if flags & !(SAME_KEY | SAME_SLOT | REMOVED) != 0 {
            return Err(format!("a change has the unknown flags {flags:#04x}"));
        }
        if flags & SAME_KEY == 0 {
            refill(&mut change.key, cut(&mut bytes)?);
        }
        if flags & SAME_SLOT == 0 {
            refill(&mut change.slot, cut(&mut bytes)?);
        }
        if flags & REMOVED == 0 {
            refill(change.value.get_or_insert_default(), cut(&mut bytes)?);
        } else {
            change.value = None;
        }
        take(&change)?;
    }
    Ok(())
}

fn refill(buffer: &mut Vec<u8>, bytes: &[u8]) {
    buffer.clear();
    buffer.extend_from_slice(bytes);
}

fn put(field: &[u8], bytes: &mut Vec<u8>) {
    let mut length = field.len();
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(field);
}

/// Takes a field off the front.
fn cut<'b>(bytes: &mut &'b [u8]) -> Result<&'b [u8], String> {
    let length = cut_length(bytes)?;
    let (field, rest) = bytes
        .split_at_checked(length)
        .ok_or_else(|| format!("a field of {length} bytes begins {} before the end", bytes.len()))?;
    *bytes = rest;
    Ok(field)
}

fn cut_length(bytes: &mut &[u8]) -> Result<usize, String> {
    let mut length = 0;
    for shift in (0..32).step_by(7) {
        let Some((byte, rest)) = bytes.split_first() else { return Err("a length is cut off".to_owned()) };
        *bytes = rest;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(length);
        }
    }
    Err("a length has over five bytes".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unpacked(bytes: &[u8]) -> Result<Vec<Change>, String> {
        let mut changes = Vec::new();
        unpack(bytes, |change| {
            changes.push(change.clone());
            Ok(())
        })?;
        Ok(changes)
    }

    fn change(key: &[u8], slot: &[u8], value: Option<&[u8]>) -> Change {
        Change { key: key.to_vec(), slot: slot.to_vec(), value: value.map(<[u8]>::to_vec) }
    }

    #[test]
    fn what_repeats_takes_a_bit() {
        let changes = [
            change(b"", b"w1", Some(b"a")),
            change(b"JFK", b"w1", Some(b"")),
            change(b"JFK", b"w2", None),
            change(b"JFK", b"w2", Some(b"b")),
        ];
        let mut bytes = Vec::new();
        pack(&changes, &mut bytes);
        assert_eq!(bytes, b"\x01\x02w1\x01a\x02\x03JFK\x00\x05\x02w2\x03\x01b");
        assert_eq!(unpacked(&bytes).as_deref(), Ok(&changes[..]));
    }

    #[test]
    fn long_fields_have_long_lengths() {
        for length in [127, 128, 16_383, 16_384, 3_000_000] {
            let long = vec![7; length];
            let mut bytes = Vec::new();
            pack(&[change(&long, b"", None)], &mut bytes);
            assert_eq!(unpacked(&bytes).map(|changes| changes[0].key.len()), Ok(length));
        }
    }

    #[test]
    fn what_is_no_change_is_refused_with_why() {
        for (bytes, why) in [
            (&b"\x08"[..], "unknown flags 0x08"),
            (b"\x06\x03ab", "a field of 3 bytes begins 2 before the end"),
            (b"\x06", "a length is cut off"),
            (b"\x06\x80\x80\x80\x80\x80\x01", "over five bytes"),
            (b"\x06\xff\xff\xff\xff\x7f", "before the end"),
        ] {
            assert!(unpacked(bytes).is_err_and(|e| e.contains(why)), "{why}");
        }
    }

    prop_compose! {
        /// Few different fields, so that neighbours often share them.
        fn changes()(
            fields in proptest::collection::vec(
                ("[ab]{0,2}", "[w]{0,2}", proptest::option::of(any::<Vec<u8>>())), 0..40)
        ) -> Vec<Change> {
            fields.into_iter().map(|(k, s, value)| Change { key: k.into(), slot: s.into(), value }).collect()
        }
    }

    proptest! {
        #[test]
        fn changes_come_back_as_they_were(changes in changes()) {
            let mut bytes = Vec::new();
            pack(&changes, &mut bytes);
            prop_assert_eq!(unpacked(&bytes), Ok(changes));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = unpacked(&bytes);
        }
    }
}
