//! Short byte strings that take no allocation of their own.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::io;
use std::ops::Deref;
use std::sync::Arc;

/// Bytes, up to `N` of them in place; more are shared. Compared and hashed as the slice that they are.
#[derive(Clone)]
pub(crate) enum Compact<const N: usize> {
    Short { length: u8, bytes: [u8; N] },
    Shared(Arc<[u8]>),
}

impl<const N: usize> From<&[u8]> for Compact<N> {
    fn from(slice: &[u8]) -> Self {
        match u8::try_from(slice.len()) {
            Ok(length) if slice.len() <= N => {
                let mut bytes = [0; N];
                bytes[..slice.len()].copy_from_slice(slice);
                Self::Short { length, bytes }
            }
            _ => Self::Shared(slice.into()),
        }
    }
}

impl<const N: usize> Deref for Compact<N> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Short { length, bytes } => &bytes[..usize::from(*length)],
            Self::Shared(bytes) => bytes,
        }
    }
}

impl<const N: usize> PartialEq for Compact<N> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
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
    short: [u8; N],
    length: usize,
    /// All of it, once it is longer.
    long: Vec<u8>,
}

impl<const N: usize> Filling<N> {
    pub(crate) const fn new() -> Self {
        Self { short: [0; N], length: 0, long: Vec::new() }
    }

    pub(crate) fn finish(self) -> Compact<N> {
        if self.long.is_empty() { Compact::from(&self.short[..self.length]) } else { Compact::Shared(self.long.into()) }
    }
}

impl<const N: usize> io::Write for Filling<N> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.short.get_mut(self.length..self.length + bytes.len()) {
            Some(place) if self.long.is_empty() => {
                place.copy_from_slice(bytes);
                self.length += bytes.len();
            }
            _ => {
                if self.long.is_empty() {
                    self.long.extend_from_slice(&self.short[..self.length]);
                }
                self.long.extend_from_slice(bytes);
            }
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

    proptest! {
        #[test]
        fn it_is_what_was_written(writes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 0..8)) {
            let mut filling = Filling::<8>::new();
            for write in &writes {
                filling.write_all(write).expect("takes all");
            }
            let (compact, all) = (filling.finish(), writes.concat());
            prop_assert_eq!(&*compact, &all[..]);
            prop_assert_eq!(matches!(compact, Compact::Short { .. }), all.len() <= 8);
            prop_assert!(compact == Compact::from(&all[..]));
        }

        #[test]
        fn order_is_that_of_the_bytes(a: Vec<u8>, b: Vec<u8>) {
            prop_assert_eq!(Compact::<4>::from(&a[..]).cmp(&Compact::from(&b[..])), a.cmp(&b));
        }
    }
}
