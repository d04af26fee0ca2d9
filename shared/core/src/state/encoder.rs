//! Cells as the journal stores them.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Cell, Change, Slot, StateKey};
use crate::{EventTime, Reject, codec};

/// Encodes cells of a version of the pipeline.
pub(super) struct Encoder {
    version: u32,
    buffer: Vec<u8>,
}

impl Encoder {
    pub(super) const fn of(version: u32) -> Self {
        Self { version, buffer: Vec::new() }
    }

    pub(super) fn change<C: Serialize + DeserializeOwned>(
        &mut self,
        key: &StateKey,
        slot: &Slot,
        cell: Option<&Cell<C>>,
    ) -> Result<Change, Reject> {
        let Self { version, buffer } = self;
        buffer.clear();
        encode_slot(slot, buffer)?;
        let slot = buffer.as_slice().to_vec();
        buffer.clear();
        cell.map_or(Ok(()), |cell| cell.encode(*version, buffer))?;
        let value = cell.map(|_| buffer.as_slice().to_vec());
        Ok(Change { key: key.bytes.as_slice().to_vec(), slot, value })
    }
}

/// What most slots are is written by hand.
fn encode_slot(slot: &Slot, bytes: &mut Vec<u8>) -> Result<(), Reject> {
    match slot {
        Slot::Window(start, end) => {
            bytes.extend_from_slice(b"\xa1\x61w\x82");
            put_time(*start, bytes);
            put_time(*end, bytes);
            Ok(())
        }
        Slot::Slice(start) => {
            bytes.extend_from_slice(b"\xa1\x61s");
            put_time(*start, bytes);
            Ok(())
        }
        _ => codec::encode_into(slot, bytes),
    }
}

/// An integer in CBOR: the major type, 0 for positive and 1 for negative ones, and as few bytes as hold it.
fn put_time(time: EventTime, bytes: &mut Vec<u8>) {
    let (major, number) = match time.as_millis() {
        millis @ 0.. => (0x00, millis.unsigned_abs()),
        millis => (0x20, !millis as u64),
    };
    let all = number.to_be_bytes();
    let (info, kept) = match number {
        0..=0x17 => (number as u8, &all[8..]),
        0x18..=0xff => (24, &all[7..]),
        0x100..=0xffff => (25, &all[6..]),
        0x1_0000..=0xffff_ffff => (26, &all[4..]),
        _ => (27, &all[..]),
    };
    bytes.push(major | info);
    bytes.extend_from_slice(kept);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn slots_are_stored_as_serde_stores_them(start: i64, shift in 0..64_u32, end in -70_000..70_000_i64) {
            let [start, end] = [start >> shift, end].map(EventTime::from_millis);
            for slot in [Slot::Window(start, end), Slot::Slice(start), Slot::Slice(end), Slot::Timer(start), Slot::Commits] {
                let mut bytes = Vec::new();
                encode_slot(&slot, &mut bytes).expect("encodes");
                prop_assert_eq!(bytes, codec::encode(&slot).expect("encodes"), "{}", slot);
            }
        }
    }
}
