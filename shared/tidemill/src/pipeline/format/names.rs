//! Names of members, expected where they stood before.
//!
//! Payloads of a pipeline are mostly alike. A name that is the expected one is compared at one look, and where it ends is
//! known before it is read: the processor goes on with what stands behind it at once.

use std::cell::Cell;

/// How many names of a text are remembered.
const NAMES: usize = 32;
/// How many bytes of a text are looked at for a name and its closing quote.
const WIDTH: usize = size_of::<u128>();

/// The names in the text that the thread read before, in order, and how many of this text were met.
pub(super) struct Names {
    expected: Box<[Name; NAMES]>,
    met: usize,
}

/// A name and its closing quote, as they stand in a text.
#[derive(Clone, Copy)]
struct Name {
    bytes: u128,
    /// Which of the bytes count.
    mask: u128,
    length: usize,
}

impl Name {
    /// Which no text has.
    const NONE: Self = Self { bytes: 1, mask: 0, length: 0 };

    fn of(name: &str) -> Self {
        let mut bytes = [0; WIDTH];
        let Some(place) = bytes.get_mut(..=name.len()) else { return Self::NONE };
        place[..name.len()].copy_from_slice(name.as_bytes());
        place[name.len()] = b'"';
        let behind = 8 * (WIDTH - 1 - name.len());
        Self { bytes: u128::from_le_bytes(bytes), mask: u128::MAX >> behind, length: name.len() }
    }
}

thread_local! {
    static KEPT: Cell<Option<Box<[Name; NAMES]>>> = const { Cell::new(None) };
}

impl Names {
    /// Those that the thread kept.
    pub(super) fn of_thread() -> Self {
        Self { expected: KEPT.take().unwrap_or_else(|| Box::new([Name::NONE; NAMES])), met: 0 }
    }

    /// Keeps them for the next text of the thread.
    pub(super) fn keep(self) {
        KEPT.set(Some(self.expected));
    }

    /// How long the next name is, if it stands at this place of the text; then it is met.
    #[inline]
    pub(super) fn length_if_next(&mut self, text: &[u8], at: usize) -> Option<usize> {
        let name = self.expected.get(self.met)?;
        let bytes = text.get(at..)?.first_chunk().map(|bytes| u128::from_le_bytes(*bytes))?;
        (bytes & name.mask == name.bytes).then(|| {
            self.met += 1;
            name.length
        })
    }

    /// Another one stood there: it is met, and expected next time. It must be one without escapes.
    pub(super) fn expect(&mut self, name: &str) {
        if let Some(place) = self.expected.get_mut(self.met) {
            *place = Name::of(name);
        }
        self.met += 1;
    }
}
