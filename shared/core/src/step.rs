//! The step, as its callers see it: records in, changes and outputs out.

use std::collections::BTreeMap;

use crate::{Change, Corrupt, EventTime, HashRange, Output, PartRange, Progress, Record, Reject, Span, Watermark};

/// What stored state depends on, by name: `window`, `aggregate`, … A journal with another fingerprint is refused.
pub type Fingerprint = BTreeMap<String, String>;

/// How much one commit may hold. A step stops at the first cap that it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Records taken.
    pub records: usize,
    /// Cells fired.
    pub firings: usize,
    /// Outputs.
    pub outputs: usize,
    /// Their bytes, by [`Output::weight`].
    pub output_bytes: usize,
}

impl Default for Caps {
    /// 500 outputs (one PutRecords request) and 256 KB of them, 5,000 firings, any number of records.
    fn default() -> Self {
        Self { records: usize::MAX, firings: 5_000, outputs: 500, output_bytes: 256 << 10 }
    }
}

impl Caps {
    /// Twice as much, up to `most`.
    pub fn doubled(self, most: Self) -> Self {
        Self {
            records: self.records.saturating_mul(2).min(most.records),
            firings: self.firings.saturating_mul(2).min(most.firings),
            ..most
        }
    }

    /// About half of what a step with these caps held; `None` if there is no less than a record or a firing, which are
    /// never divided.
    pub fn halved(self, step: &Step) -> Option<Self> {
        let half = |count: usize| (count / 2).max(1);
        let less = step.taken + step.fired > 1;
        less.then(|| Self { records: half(step.taken), firings: half(step.fired), ..self })
    }
}

/// What a step did. Its changes lie in the overlay until [`Shard::install`] or [`Shard::discard`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many of the records were taken, from the front.
    pub taken: usize,
    /// How many cells were fired.
    pub fired: usize,
    /// How far the shard is now.
    pub progress: Progress,
    /// What to send, in order.
    pub outputs: Vec<Output>,
    /// How many records were late.
    pub late: usize,
    /// How many records were repeats of what was taken before, and dropped.
    pub repeats: usize,
}

impl Step {
    pub(crate) const fn begin(progress: Progress) -> Self {
        Self { taken: 0, fired: 0, progress, outputs: Vec::new(), late: 0, repeats: 0 }
    }
}

/// A pipeline's erased operator: opens the typed state of any number of shards.
pub trait Processor: Send + Sync {
    /// The state of a shard without any record, in this version of the pipeline.
    fn open(&self, version: u32) -> Box<dyn Shard>;

    /// What stored state depends on.
    fn fingerprint(&self) -> Fingerprint;

    /// The earlier versions of the pipeline whose stored state can be migrated. Aggregates may differ there.
    fn migrates_from(&self) -> Vec<u32>;

    /// The partition key under which a producer must put this payload; `None` if its key cannot be read.
    fn partition_key(&self, payload: &[u8]) -> Option<String>;
}

/// A cell of the state, for tests and for people who look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCell {
    /// The key as a person reads it.
    pub key_text: String,
    /// Which cell of the key: the name of a process function's state, or what kind of cell it is.
    pub name: String,
    /// The window, if it is one's.
    pub window: Option<Span>,
    /// When it is due, if ever.
    pub due: Option<EventTime>,
    /// Its content, CBOR.
    pub value: Vec<u8>,
}

/// The typed state of one shard behind an erased interface.
///
/// Invariant: between steps the overlay is empty. Whoever calls [`step`](Self::step) calls `install` once the commit is
/// acknowledged, and `discard` in every other case.
pub trait Shard: Send + Sync {
    /// Takes records in order until they end or a cap is reached, from where `progress` stands. What is due is fired
    /// before any record is taken, so a step that stopped inside a firing is continued by the next one.
    fn step(&mut self, progress: &Progress, records: &[Record<'_>], caps: Caps) -> Step;

    /// Takes one record without looking at it: straight to the quarantine. It does not raise the watermark. Nothing may be
    /// due.
    fn refuse(&mut self, progress: &Progress, record: &Record<'_>, reject: Reject) -> Step;

    /// Tells which partition keys the shard owns, by hash: all, until it is told. A key of which it has nothing yet is
    /// refused as misrouted if its record came under another one.
    fn own(&mut self, range: HashRange);

    /// Whether something is due at `watermark`: a firing is in progress.
    fn is_due(&self, watermark: Watermark) -> bool;

    /// When the cell that is due first is due, with the step in progress; the end of all time if none ever is. `None` if
    /// event time goes on with records alone, so that no scheduled tick asks.
    fn next_due(&self) -> Option<EventTime>;

    /// What the step in progress changed.
    ///
    /// # Errors
    /// Only if the accumulator's own `Serialize` fails.
    fn changes(&mut self) -> Result<Vec<Change>, Reject>;

    /// About how many bytes the state takes when stored, without the step in progress.
    fn bytes(&self) -> usize;

    /// Keeps what the step changed: its commit is acknowledged.
    fn install(&mut self);

    /// Throws away what the step changed.
    fn discard(&mut self);

    /// All cells of a part as of the last installed commit.
    ///
    /// # Errors
    /// As for [`changes`](Self::changes).
    fn image(&self, range: &PartRange) -> Result<Vec<Change>, Reject>;

    /// Takes in a change read from the journal.
    ///
    /// # Errors
    /// [`Corrupt`] if the bytes are of another pipeline's state.
    fn restore(&mut self, change: &Change) -> Result<(), Corrupt>;

    /// Takes in a cell of a parent shard's last state, if this shard goes on with it: those of keys in its own range of
    /// hashes, and what was taken of producers, which all children need and parents of one child each know a part of.
    ///
    /// # Errors
    /// As for [`restore`](Self::restore).
    fn inherit(&mut self, change: &Change, range: HashRange) -> Result<(), Corrupt>;

    /// All cells of the operator as of the last installed commit, in the order in which they are due.
    fn cells(&self) -> Vec<OpenCell>;
}
