//! Short byte strings that take no allocation of their own.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::io;
use std::num::NonZeroU8;
use std::ops::Deref;
use std::sync::Arc;

/// Bytes, up to `N` of them in place; more are shared. Compared and hashed as the slice that they are.
#[derive(Clone)]
pub(crate) enum Compact<const N: usize> {
    Short(Short<N>),
    Shared(Arc<[u8]>),
}

/// Bytes, and behind them zeros.
///
/// Aligned, so that it is moved word by word: a processor waits for bytes that were written in other pieces than those that
/// it reads.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(align(8))]
pub(crate) struct Short<const N: usize> {
    bytes: [u8; N],
    /// How many there are, and one.
    end: NonZeroU8,
}

impl<const N: usize> Short<N> {
    const EMPTY: Self = Self { bytes: [0; N], end: NonZeroU8::MIN };

    fn len(&self) -> usize {
        usize::from(self.end.get()) - 1
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len()]
    }

    /// Adds the bytes behind those that are there, if there is room.
    fn push(&mut self, more: &[u8]) -> Option<()> {
        let start = self.len();
        let end = u8::try_from(more.len()).ok().and_then(|more| self.end.checked_add(more))?;
        self.bytes.get_mut(start..start + more.len())?.copy_from_slice(more);
        self.end = end;
        Some(())
    }
}

impl<const N: usize> From<&[u8]> for Compact<N> {
    fn from(slice: &[u8]) -> Self {
        let mut short = Short::EMPTY;
        short.push(slice).map_or_else(|| Self::Shared(slice.into()), |()| Self::Short(short))
    }
}

impl<const N: usize> Deref for Compact<N> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Short(short) => short.as_slice(),
            Self::Shared(bytes) => bytes,
        }
    }
}

impl<const N: usize> PartialEq for Compact<N> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Short(a), Self::Short(b)) => a == b,
            _ => **self == **other,
        }
    }
}

impl<const N: usize> Eq for Compact<N> {}

impl<const N: usize> PartialOrd for Compact<N> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<const N: usize> Ord for Compact<N> {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(other)
    }
}

impl<const N: usize> Hash for Compact<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

/// Takes what is written, in place as long as it is short.
pub(crate) struct Filling<const N: usize> {
    short: Short<N>,
    /// All of it, once it is longer.
    long: Vec<u8>,
}

impl<const N: usize> Filling<N> {
    pub(crate) const fn new() -> Self {
        Self { short: Short::EMPTY, long: Vec::new() }
    }

    pub(crate) fn finish(self) -> Compact<N> {
        if self.long.is_empty() { Compact::Short(self.short) } else { Compact::Shared(self.long.into()) }
    }
}

impl<const N: usize> io::Write for Filling<N> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.long.is_empty() {
            self.long.extend_from_slice(bytes);
        } else if self.short.push(bytes).is_none() {
            self.long.extend_from_slice(self.short.as_slice());
            self.long.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![Just(0), any::<u8>()], 0..7)
    }

    proptest! {
        #[test]
        fn it_is_what_was_written(writes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 0..8)) {
            let mut filling = Filling::<8>::new();
            for write in &writes {
                filling.write_all(write).expect("takes all");
            }
            let (compact, all) = (filling.finish(), writes.concat());
            prop_assert_eq!(&*compact, &all[..]);
            prop_assert_eq!(matches!(compact, Compact::Short(_)), all.len() <= 8);
            prop_assert!(compact == Compact::from(&all[..]));
        }

        #[test]
        fn order_is_that_of_the_bytes(a in bytes(), b in bytes()) {
            let (short, long) = (Compact::<4>::from(&a[..]), Compact::from(&b[..]));
            prop_assert_eq!(short.cmp(&long), a.cmp(&b));
            prop_assert_eq!(short == long, a == b);
        }
    }
}
