//! What stands in the table: records, part images, the flush mark.

use crate::step::Cells;

/// What moved the shard on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Init,
    Data,
    Tick,
    Seal,
}

/// An entry that a cell's log grows by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Change {
    pub(crate) cell: u8,
    pub(crate) entry: u8,
}

/// Why an output was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Said {
    Emitted,
    Fired,
    Late,
}

/// One output, with the cell as it was then: a result that saw another state is another output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Output {
    pub(crate) cell: u8,
    pub(crate) said: Said,
    pub(crate) id: u8,
    pub(crate) log: u64,
}

/// A watermark that holds for some cells, where it is higher than the shard's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Floor {
    pub(crate) first: u8,
    pub(crate) last: u8,
    pub(crate) watermark: u8,
}

/// How far a shard has come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Progress {
    /// The id of the last record taken.
    pub(crate) position: u8,
    pub(crate) watermark: u8,
    pub(crate) highest: u8,
    pub(crate) floors: Vec<Floor>,
}

impl Progress {
    /// Takes in an event time; floors that the watermark reached go.
    pub(crate) fn raise(&mut self, time: u8) {
        self.highest = self.highest.max(time);
        self.watermark = self.watermark.max(self.highest);
        self.floors.retain(|floor| floor.watermark > self.watermark);
    }

    /// The watermark that a record of this cell is judged under.
    pub(crate) fn judges(&self, cell: u8) -> u8 {
        let floors = self.floors.iter().filter(|floor| floor.first <= cell && cell <= floor.last);
        floors.map(|floor| floor.watermark).chain([self.watermark]).max().unwrap_or(self.watermark)
    }
}

/// What an image is called: incarnation, range, s and a stand-in for the hash of its bytes, the format that they are
/// encoded in (two versions of the code encode one state differently).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ImageId {
    pub(crate) incarnation: u8,
    pub(crate) first: u8,
    pub(crate) last: u8,
    pub(crate) as_of: u8,
    pub(crate) content: u8,
}

/// An item beside the ring: the cells of a range as of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Image {
    pub(crate) id: ImageId,
    pub(crate) format: u8,
    pub(crate) cells: Cells,
}

/// Names the image that stands for a range of cells, as of a commit; no image for cells that were never written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    pub(crate) first: u8,
    pub(crate) last: u8,
    pub(crate) image: Option<ImageId>,
    pub(crate) as_of: u8,
}

/// Record n of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    pub(crate) incarnation: u8,
    pub(crate) number: u8,
    pub(crate) format: u8,
    pub(crate) kind: Kind,
    pub(crate) progress: Progress,
    /// Cells as they were before it, each with its whole log: those that changed since the image of a part that it names
    /// again.
    pub(crate) again: Vec<(u8, u64)>,
    pub(crate) changes: Vec<Change>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) parts: Vec<Name>,
    pub(crate) oldest: u8,
    /// Of a Seal: what its journal held is deleted.
    pub(crate) is_freed: bool,
}

/// The flush mark: outputs of `incarnation` up to `number` are acknowledged. Beside it, when something is due next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mark {
    pub(crate) incarnation: u8,
    pub(crate) number: u8,
    pub(crate) due: DueTime,
}

/// When something is due next, as a mark says it. Ordered by how early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum DueTime {
    /// Not known: read the journal.
    Unknown,
    /// Then.
    At(u8),
    /// Nothing is.
    Never,
}

impl DueTime {
    pub(crate) fn of(earliest: Option<u8>) -> Self {
        earliest.map_or(Self::Never, Self::At)
    }
}
