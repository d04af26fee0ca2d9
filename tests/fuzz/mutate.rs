//! Bytes changed as damage or malice would change them.

use fastrand::Rng;

/// Numbers at which something begins or ends.
const EDGES: [u64; 12] =
    [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 32, u64::MAX >> 1, u64::MAX];

/// One of the inputs, changed in one to eight places; at most `longest` bytes.
pub(crate) fn mutate(rng: &mut Rng, inputs: &[Vec<u8>], words: &[&str], longest: usize) -> Vec<u8> {
    let mut bytes = rng.choice(inputs).cloned().unwrap_or_default();
    for _ in 0..1 << rng.u8(0..4) {
        change(rng, &mut bytes, inputs, words);
    }
    bytes.truncate(longest);
    bytes
}

fn change(rng: &mut Rng, bytes: &mut Vec<u8>, inputs: &[Vec<u8>], words: &[&str]) {
    let at = rng.usize(0..=bytes.len());
    let length = rng.usize(0..=16.min(bytes.len() - at));
    match rng.u8(0..12) {
        0 => overwrite(bytes, at, &[rng.u8(..)]),
        1 => flip(rng, bytes),
        2 => drop(bytes.drain(at..at + length)),
        3 => bytes.truncate(at),
        4 => insert(bytes, at, &std::iter::repeat_with(|| rng.u8(..)).take(length + 1).collect::<Vec<u8>>()),
        5 => insert(bytes, at, rng.choice(words).copied().unwrap_or("0").as_bytes()),
        6 => overwrite(bytes, at, rng.choice(words).copied().unwrap_or("0").as_bytes()),
        7 => edge(rng, bytes, at),
        8 => digits(rng, bytes, at),
        9 => {
            let part = bytes[at..at + length].to_vec();
            insert(bytes, at, &part);
        }
        10 => {
            // Nesting, and lists without end.
            let part = bytes[at..(at + 1 + length % 3).min(bytes.len())].to_vec();
            insert(bytes, at, &part.repeat(rng.usize(1..2_000)));
        }
        _ => splice(rng, bytes, at, inputs),
    }
}

fn flip(rng: &mut Rng, bytes: &mut [u8]) {
    if let Some(byte) = rng.choice(bytes) {
        *byte ^= 1 << rng.u8(0..8);
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, part: &[u8]) {
    bytes.splice(at..at, part.iter().copied());
}

fn overwrite(bytes: &mut Vec<u8>, at: usize, part: &[u8]) {
    let end = (at + part.len()).min(bytes.len());
    bytes.splice(at..end, part.iter().copied());
}

/// A length or number of one to eight bytes, in either order.
fn edge(rng: &mut Rng, bytes: &mut Vec<u8>, at: usize) {
    let number = rng.choice(EDGES).unwrap_or_default();
    let width = 1 << rng.u8(0..4);
    match rng.bool() {
        true => overwrite(bytes, at, &number.to_le_bytes()[..width]),
        false => overwrite(bytes, at, &number.to_be_bytes()[8 - width..]),
    }
}

/// The number that stands there, or the next one, becomes another.
fn digits(rng: &mut Rng, bytes: &mut Vec<u8>, at: usize) {
    let Some(first) = bytes[at..].iter().position(u8::is_ascii_digit).map(|offset| at + offset) else { return };
    let end =
        bytes[first..].iter().position(|byte| !byte.is_ascii_digit()).map_or(bytes.len(), |length| first + length);
    let number = rng.choice(EDGES).unwrap_or_default();
    let text = match rng.u8(0..4) {
        0 => format!("-{number}"),
        1 => format!("{number}.5e{}", rng.u16(..)),
        2 => number.to_string().repeat(rng.usize(1..20)),
        _ => number.to_string(),
    };
    bytes.splice(first..end, text.bytes());
}

/// Goes on as another input does.
fn splice(rng: &mut Rng, bytes: &mut Vec<u8>, at: usize, inputs: &[Vec<u8>]) {
    let Some(other) = rng.choice(inputs) else { return };
    bytes.truncate(at);
    bytes.extend_from_slice(&other[rng.usize(0..=other.len())..]);
}
