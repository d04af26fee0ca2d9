//! Where a holder of a journal stands.

use tidemill_core::{Change, Corrupt, EventTime, PartRange, Position, Progress, Reject, Shard};

use crate::parts::Parts;
use crate::spill::Spills;
use crate::{Format, Incarnation, Kind, Output, PartName, Record, Ring, Schema};

/// The keyed state beside a view: what records change, and what part images are taken from.
pub trait State {
    /// Takes in a cell from the journal.
    ///
    /// # Errors
    /// If the bytes are of another pipeline's state.
    fn restore(&mut self, change: &Change) -> Result<(), Corrupt>;

    /// All cells of a part as of the view's last commit, without a step in progress.
    ///
    /// # Errors
    /// If a cell does not encode.
    fn image(&self, range: &PartRange) -> Result<Vec<Change>, Reject>;

    /// About how many bytes all cells take, as of the view's last commit: the sum of [`Change::bytes`].
    fn bytes(&self) -> usize;

    /// When something is due next, in event time, with the step in progress; [`Mark::NEVER`](crate::Mark::NEVER) if nothing
    /// is. `None` where nobody asks, or by a state that does not know: the mark then says nothing.
    fn next_due(&self) -> Option<EventTime> {
        None
    }
}

impl<T: Shard + ?Sized> State for T {
    fn restore(&mut self, change: &Change) -> Result<(), Corrupt> {
        Shard::restore(self, change)
    }

    fn image(&self, range: &PartRange) -> Result<Vec<Change>, Reject> {
        Shard::image(self, range)
    }

    fn bytes(&self) -> usize {
        Shard::bytes(self)
    }

    fn next_due(&self) -> Option<EventTime> {
        Shard::next_due(self)
    }
}

/// After a conflict, a holder reads before it writes until it was alone this often in a row.
const WARY_FOR: u8 = 16;

/// The exact prefix 1..=n of a journal (I2), without its keyed state.
#[derive(Clone, Debug)]
pub struct View {
    pub(crate) format: Format,
    pub(crate) incarnation: Incarnation,
    pub(crate) ring: Ring,
    pub(crate) number: u64,
    pub(crate) kind: Kind,
    pub(crate) position: Option<Position>,
    pub(crate) progress: Progress,
    pub(crate) outputs: Vec<Output>,
    pub(crate) parts: Parts,
    pub(crate) spills: Spills,
    pub(crate) schema: Schema,
    /// When what the journal held was freed, if it was.
    pub(crate) freed: Option<EventTime>,
    /// When something is due next after record n, if the state says.
    pub(crate) due: Option<EventTime>,
    /// Whether the next record says whose it is: a drop left the journal to whatever code comes first, or its state is of
    /// an earlier schema.
    pub(crate) is_unclaimed: bool,
    /// Whether the outputs of record n are known to be acknowledged.
    pub(crate) flushed: bool,
    /// Whether record n was committed by this holder: then no one else can have flushed it before.
    pub(crate) own: bool,
    /// Whether others were ever seen to write to this journal.
    pub(crate) contended: bool,
    /// How many more times to catch up before working: others wrote to this journal lately.
    pub(crate) wary: u8,
}

impl View {
    /// The format of the last commit, in which the next one is written.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Which life of the journal.
    pub const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// n, the last commit.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// What the last commit was.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The last record taken.
    pub const fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// How far the shard is in event time.
    pub const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Whose state this is, and what it depends on.
    pub const fn schema(&self) -> &Schema {
        &self.schema
    }

    /// When a sweep freed what the journal held, if it did: behind a Seal, once all children had begun. Its state is gone.
    pub const fn freed(&self) -> Option<EventTime> {
        self.freed
    }

    /// The parts of the state, in order of their ranges.
    pub fn parts(&self) -> impl Iterator<Item = &PartName> {
        self.parts.names()
    }

    /// Whether others wrote to this journal lately: then a holder catches up before it works, rather than lose a put.
    pub const fn is_wary(&self) -> bool {
        self.wary > 0
    }

    /// Others write to this journal too: known to a holder that had to read it anew.
    pub const fn meet_others(&mut self) {
        self.contended = true;
        self.wary = WARY_FOR;
    }

    /// Nobody had written since the last commit of this holder.
    pub(crate) const fn find_itself_alone(&mut self) {
        self.wary = self.wary.saturating_sub(1);
    }

    /// Moves on to `record`, whose number is the next one and whose item has `size` bytes.
    pub(crate) fn advance(&mut self, record: Record, size: usize, own: bool) {
        self.parts.advance(&record, size);
        self.spills.advance(&record);
        self.format = record.format;
        self.freed = record.freed();
        self.number = record.number;
        self.kind = record.kind;
        self.position = record.position;
        self.progress = record.progress;
        self.flushed = record.outputs.is_empty();
        self.outputs = record.outputs;
        self.own = own;
        self.due = None;
        if !own {
            self.meet_others();
        }
        if let Some(schema) = record.schema {
            self.is_unclaimed = schema.is_unclaimed();
            self.schema = schema;
        }
    }
}
