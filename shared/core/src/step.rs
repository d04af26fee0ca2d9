//! The step: records in, changes and outputs out.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::ingest::{Event, Intake};
use crate::operator::{Applied, Operator};
use crate::reject::guard;
use crate::state::Cells;
use crate::{
    Change, Corrupt, EventTime, Format, Key, KeyBytes, LateRecord, Origin, Output, PartRange, Progress, Quarantined,
    Record, Reject, Span, Watermark,
};

/// What stored state depends on, by name: `window`, `aggregate`, … A journal with another fingerprint is refused.
pub type Fingerprint = BTreeMap<String, String>;

/// How much one commit may hold. A step stops at the first cap that it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Records taken.
    pub records: usize,
    /// Outputs.
    pub outputs: usize,
    /// Their bytes, by [`Output::weight`].
    pub output_bytes: usize,
}

impl Default for Caps {
    /// 500 outputs (one PutRecords request) and 256 KB of them, any number of records.
    fn default() -> Self {
        Self { records: usize::MAX, outputs: 500, output_bytes: 256 << 10 }
    }
}

impl Caps {
    /// Twice as much, up to `most`.
    pub fn doubled(self, most: Self) -> Self {
        Self {
            records: self.records.saturating_mul(2).min(most.records),
            outputs: self.outputs.saturating_mul(2).min(most.outputs),
            ..most
        }
    }

    /// About half of what a step with these caps held, `taken` records among it; `None` if there is no less.
    pub fn halved(self, step: &Step) -> Option<Self> {
        let (records, outputs) = (step.taken / 2, step.outputs.len() / 2);
        let less = step.taken > 1 || step.outputs.len() > 1;
        less.then(|| Self { records: records.max(1), outputs: outputs.max(1), ..self })
    }
}

/// What a step did. Its changes lie in the overlay until [`Shard::install`] or [`Shard::discard`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many of the records were taken, from the front.
    pub taken: usize,
    /// How far the shard is now.
    pub progress: Progress,
    /// What to send, in order.
    pub outputs: Vec<Output>,
    /// How many records were late.
    pub late: usize,
}

/// A pipeline's erased operator: opens the typed state of any number of shards.
pub trait Processor: Send + Sync {
    /// The state of a shard without any record.
    fn open(&self) -> Box<dyn Shard>;

    /// What stored state depends on.
    fn fingerprint(&self) -> Fingerprint;

    /// The partition key under which a producer must put this payload; `None` if its key cannot be read.
    fn partition_key(&self, payload: &[u8]) -> Option<String>;
}

/// An open pane, for tests and for people who look at state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPane {
    /// The key as a person reads it.
    pub key_text: String,
    /// The window.
    pub window: Span,
    /// The accumulator, CBOR.
    pub accumulator: Vec<u8>,
}

/// The typed state of one shard behind an erased interface.
///
/// Invariant: between steps the overlay is empty. Whoever calls [`step`](Self::step) calls `install` once the commit is
/// acknowledged, and `discard` in every other case.
pub trait Shard: Send {
    /// Takes records in order until they end or a cap is reached, from where `progress` stands. What is due is fired
    /// before any record is taken, so a step that stopped inside a firing is continued by the next one.
    fn step(&mut self, progress: &Progress, records: &[Record<'_>], caps: Caps) -> Step;

    /// Takes one record without looking at it: straight to the quarantine. It does not raise the watermark. Nothing may be
    /// due.
    fn refuse(&mut self, progress: &Progress, record: &Record<'_>, reject: Reject) -> Step;

    /// Whether something is due at `watermark`: a firing is in progress.
    fn is_due(&self, watermark: Watermark) -> bool;

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

    /// The open panes, in the order in which they are due.
    fn open_panes(&self) -> Vec<OpenPane>;
}

struct TypedShard<F, K, O: Operator<F, K>>
where
    F: Format,
    K: Key,
{
    operator: Arc<O>,
    cells: Cells<O::Accumulator>,
    source: PhantomData<fn() -> (F, K)>,
}

/// Erases an operator.
struct Erased<F, K, O> {
    operator: Arc<O>,
    source: PhantomData<fn() -> (F, K)>,
}

impl<F: Format, K: Key, O: Operator<F, K>> Processor for Erased<F, K, O> {
    fn open(&self) -> Box<dyn Shard> {
        Box::new(TypedShard { operator: Arc::clone(&self.operator), cells: Cells::new(), source: PhantomData })
    }

    fn fingerprint(&self) -> Fingerprint {
        self.operator.fingerprint()
    }

    fn partition_key(&self, payload: &[u8]) -> Option<String> {
        self.operator.ingest().payload_partition_key(payload)
    }
}

pub(crate) fn erase<F: Format, K: Key, O: Operator<F, K>>(operator: O) -> Box<dyn Processor> {
    Box::new(Erased { operator: Arc::new(operator), source: PhantomData::<fn() -> (F, K)> })
}

impl<F: Format, K: Key, O: Operator<F, K>> TypedShard<F, K, O> {
    /// Fires the cell that is due first, if any is due at the step's watermark.
    fn fire_next(&mut self, step: &mut Step) -> bool {
        let Some((id, cell)) = self.cells.first_due(step.progress.watermark) else { return false };
        step.outputs.extend(self.operator.fire(id, cell));
        let id = id.clone();
        self.cells.remove(id);
        true
    }

    /// Judges and applies one record under the present watermark, then raises the watermark.
    fn take(&mut self, record: &Record<'_>, step: &mut Step) {
        let ingest = self.operator.ingest();
        let time = match ingest.read(record) {
            Intake::Refused(reject) => {
                step.outputs.push(quarantined(record, reject));
                None
            }
            Intake::Keyless(time, reject) => {
                step.outputs.push(quarantined(record, reject));
                Some(time)
            }
            Intake::Timed(event) => {
                let time = event.time;
                self.apply(record, &event, step);
                Some(time)
            }
        };
        if let Some(time) = time {
            step.progress.raise(time, self.operator.ingest().bound());
        }
        step.progress.arrival = Some(record.arrival);
        step.taken += 1;
    }

    fn apply(&mut self, record: &Record<'_>, event: &Event<'_, F, K>, step: &mut Step) {
        let watermark = step.progress.watermark;
        // All of the user's code that a record meets here runs guarded; cells change only behind it.
        let applied = guard("the operator", || {
            let key = KeyBytes::of(&event.key)?;
            Ok(match self.operator.apply(event, &key, watermark, &mut self.cells)? {
                Applied::Kept => None,
                Applied::Late => Some(late(record, event.time, event.key.text())),
            })
        });
        match applied {
            Ok(None) => {}
            Ok(Some(late)) => {
                step.late += 1;
                step.outputs.push(late);
            }
            Err(reject) => step.outputs.push(quarantined(record, reject)),
        }
    }
}

impl<F: Format, K: Key, O: Operator<F, K>> Shard for TypedShard<F, K, O> {
    fn step(&mut self, progress: &Progress, records: &[Record<'_>], caps: Caps) -> Step {
        self.cells.discard();
        let mut step = Step { taken: 0, progress: progress.clone(), outputs: Vec::new(), late: 0 };
        let (mut weighed, mut bytes) = (0, 0);
        loop {
            bytes += step.outputs[weighed..].iter().map(Output::weight).sum::<usize>();
            weighed = step.outputs.len();
            if weighed >= caps.outputs || bytes >= caps.output_bytes {
                return step;
            }
            if self.fire_next(&mut step) {
                continue;
            }
            match records.get(step.taken) {
                Some(record) if step.taken < caps.records => self.take(record, &mut step),
                _ => return step,
            }
        }
    }

    fn refuse(&mut self, progress: &Progress, record: &Record<'_>, reject: Reject) -> Step {
        self.cells.discard();
        let progress = Progress { arrival: Some(record.arrival), ..progress.clone() };
        Step { taken: 1, progress, outputs: vec![quarantined(record, reject)], late: 0 }
    }

    fn is_due(&self, watermark: Watermark) -> bool {
        self.cells.first_due(watermark).is_some()
    }

    fn changes(&mut self) -> Result<Vec<Change>, Reject> {
        guard("encoding the state", || self.cells.changes())
    }

    fn bytes(&self) -> usize {
        self.cells.bytes()
    }

    fn install(&mut self) {
        self.cells.install();
    }

    fn discard(&mut self) {
        self.cells.discard();
    }

    fn image(&self, range: &PartRange) -> Result<Vec<Change>, Reject> {
        guard("encoding the state", || self.cells.image(range))
    }

    fn restore(&mut self, change: &Change) -> Result<(), Corrupt> {
        self.cells.restore(change)
    }

    fn open_panes(&self) -> Vec<OpenPane> {
        let pane = |(id, cell): (&crate::state::CellId, &crate::state::Cell<O::Accumulator>)| {
            let key_text = id.key.key::<K>().map_or_else(|Corrupt(e)| e, |key| key.text());
            let accumulator = crate::codec::encode(&cell.accumulator).unwrap_or_default();
            OpenPane { key_text, window: id.window(), accumulator }
        };
        self.cells.iter().map(pane).collect()
    }
}

fn quarantined(record: &Record<'_>, reject: Reject) -> Output {
    let origin = Origin::Record {
        position: record.position.clone(),
        partition_key: record.partition_key.to_owned(),
        arrival: record.arrival,
        payload: record.payload.to_vec(),
    };
    Output::Quarantined(Quarantined { reject, origin })
}

fn late(record: &Record<'_>, event_time: EventTime, key_text: String) -> Output {
    Output::Late(LateRecord {
        position: record.position.clone(),
        partition_key: record.partition_key.to_owned(),
        key_text,
        event_time,
        arrival: record.arrival,
        payload: record.payload.to_vec(),
    })
}
