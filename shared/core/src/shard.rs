//! The step at work: one shard's typed state.

use std::sync::Arc;

use crate::operator::{Applied, Now, Operator, Turn};
use crate::progress::Clock;
use crate::read::{Keying, Read, Reading, Subject};
use crate::reject::guard;
use crate::state::{Cell, Cells, Due, Edit, Rules, Slot};
use crate::step::{Caps, Fingerprint, OpenCell, Processor, Shard, Step};
use crate::{
    Change, Corrupt, EventTime, Events, HashRange, Key, KeyBytes, LateRecord, Origin, OutOfOrder, Output, PartRange,
    Position, Progress, Quarantined, Reason, Record, Reject, Watermark, codec, millis, partition_hash,
};

/// All of a keyed pipeline: how records become events with key and time, and what happens per key.
pub(crate) struct KeyedPipeline<E: Events, K, O> {
    reader: Box<dyn Read<E>>,
    clock: Clock,
    keying: Keying<E, K>,
    operator: O,
    /// Whether event time goes on in shards that are quiet.
    runs_on: bool,
}

/// How records become events of a key, in event time.
pub struct Source<E: Events, K> {
    /// Reads records.
    pub reader: Box<dyn Read<E>>,
    /// How far out of order they come.
    pub out_of_order: OutOfOrder,
    /// The inputs whose lowest event time makes the watermark; empty where there is one.
    pub inputs: Vec<String>,
    /// The key of an event.
    pub keying: Keying<E, K>,
}

impl<E: Events, K: Key> Source<E, K> {
    pub(crate) fn operate<O: Operator<E, K>>(self, operator: O) -> Box<dyn Processor> {
        let Self { reader, out_of_order, inputs, keying } = self;
        let clock = Clock { bound: millis(out_of_order.bound()).unwrap_or(i64::MAX), inputs };
        let runs_on = out_of_order.idle().is_some();
        Box::new(Arc::new(KeyedPipeline { reader, clock, keying, operator, runs_on }))
    }
}

impl<E: Events, K: Key, O: Operator<E, K>> Processor for Arc<KeyedPipeline<E, K, O>> {
    fn open(&self, version: u32) -> Box<dyn Shard> {
        let rules = CellRules { pipeline: Self::clone(self), version };
        Box::new(TypedShard { rules, own: HashRange::ALL, cells: Cells::new(version) })
    }

    fn fingerprint(&self) -> Fingerprint {
        let mut fingerprint = self.operator.fingerprint();
        fingerprint.insert("key".to_owned(), K::name());
        if !self.clock.inputs.is_empty() {
            fingerprint.insert("inputs".to_owned(), self.clock.inputs.join(", "));
        }
        fingerprint
    }

    fn migrates_from(&self) -> Vec<u32> {
        self.operator.migrates_from()
    }

    fn partition_key(&self, payload: &[u8]) -> Option<String> {
        let record = Record {
            shard: "",
            position: Position::first(),
            partition_key: "",
            arrival: EventTime::LAST,
            payload,
            enriched: None,
        };
        let mut partition_key = None;
        self.reader.read(&record, &mut |_, event| {
            partition_key = self.keying.partition_key(&event);
            Ok(())
        });
        partition_key
    }
}

impl<E: Events, K: Key, O: Operator<E, K>> KeyedPipeline<E, K, O> {
    /// Judges and applies one event of a record.
    fn apply(
        &self,
        record: &Record<'_>,
        event: E::Event<'_>,
        (time, watermark, own): (EventTime, Watermark, HashRange),
        edit: &mut Edit<'_, O::Cell>,
        verdict: &mut Verdict<'_>,
    ) -> Result<(), Reject> {
        let key = self.keying.key(&event, record)?;
        let bytes = guard("encoding the key", || KeyBytes::of(&key))?;
        let mut state = edit.key(bytes.clone());
        // A key that the shard has goes on, wherever its records came from when nobody looked.
        if !owns(own, record.partition_key) && !state.is_known() {
            return Err(self.keying.astray(record.partition_key, own));
        }
        if !self.keying.is_new(&event, time, watermark, &mut state)? {
            verdict.repeated = true;
            return Ok(());
        }
        let subject = Subject::new(&key, &bytes, &self.keying.route);
        let now = Now { watermark, time, record: Some(record) };
        let mut turn = Turn { subject, now, outputs: verdict.outputs };
        match guard("the operator", || self.operator.apply(event, &mut turn, &mut state))? {
            Applied::Kept => verdict.kept = true,
            Applied::Late => verdict.late = verdict.late.take().or_else(|| Some(turn.subject.text())),
        }
        Ok(())
    }

    fn fire(
        &self,
        due: &Due,
        watermark: Watermark,
        edit: &mut Edit<'_, O::Cell>,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Reject> {
        let key: K = due.key.key().map_err(|Corrupt(e)| Reject::new(Reason::Failed, e))?;
        let subject = Subject::new(&key, &due.key, &self.keying.route);
        let now = Now { watermark, time: due.at, record: None };
        let mut turn = Turn { subject, now, outputs };
        guard("the operator", || self.operator.fire(&due.slot, &mut turn, &mut edit.key_of(due)))
    }
}

/// What became of a record's events.
struct Verdict<'o> {
    kept: bool,
    repeated: bool,
    /// The key of the first event that was late for every window.
    late: Option<String>,
    outputs: &'o mut Vec<Output>,
}

/// What a version of the pipeline says of cells.
struct CellRules<E: Events, K, O> {
    pipeline: Arc<KeyedPipeline<E, K, O>>,
    version: u32,
}

impl<E: Events, K: Key, O: Operator<E, K>> Rules<O::Cell> for CellRules<E, K, O> {
    fn due(&self, slot: &Slot, cell: &Cell<O::Cell>) -> Option<EventTime> {
        match cell {
            Cell::Operator(cell) => self.pipeline.operator.due(slot, cell),
            Cell::Taken(until) => Some(*until),
            Cell::Commits(_) | Cell::Floor(_) | Cell::Output => None,
        }
    }

    fn decode(&self, version: u32, bytes: &[u8]) -> Result<O::Cell, Corrupt> {
        if version == self.version {
            return codec::decode(bytes);
        }
        self.pipeline.operator.migrate(version, bytes).unwrap_or_else(|| {
            let now = self.version;
            Err(Corrupt(format!(
                "a cell was written by version {version} of the pipeline, and the code is version {now}"
            )))
        })
    }
}

struct TypedShard<E: Events, K: Key, O: Operator<E, K>> {
    rules: CellRules<E, K, O>,
    /// Which partition keys the shard owns.
    own: HashRange,
    cells: Cells<O::Cell>,
}

impl<E: Events, K: Key, O: Operator<E, K>> TypedShard<E, K, O> {
    /// Fires the cell that is due first, if any is due at the step's watermark.
    fn fire_next(&mut self, step: &mut Step) -> bool {
        let Self { rules, cells, .. } = self;
        let pipeline = &rules.pipeline;
        let Some(due) = cells.first_due(step.progress.watermark) else { return false };
        step.fired += 1;
        let before = step.outputs.len();
        let mut edit = cells.edit(rules);
        if matches!(due.slot, Slot::Taken(_)) {
            edit.key_of(&due).remove(due.slot.clone());
        } else if let Err(reject) = pipeline.fire(&due, step.progress.watermark, &mut edit, &mut step.outputs) {
            // What it did is undone, but it must not fire again.
            drop(edit);
            step.outputs.truncate(before);
            step.outputs.push(failed(&due, key_text::<K>(&due.key), reject));
            edit = cells.edit(rules);
            edit.key_of(&due).remove(due.slot.clone());
        }
        edit.finish();
        true
    }

    /// Judges and applies one record under the present watermark, then raises the watermark.
    fn take(&mut self, record: &Record<'_>, step: &mut Step) {
        step.taken += 1;
        step.progress.arrival = Some(record.arrival);
        match self.is_new(record) {
            Ok(true) => {}
            Ok(false) => {
                step.repeats += 1;
                return;
            }
            Err(reject) => return step.outputs.push(quarantined(record, reject)),
        }
        let Self { rules, own, cells } = self;
        let pipeline = &rules.pipeline;
        let before = step.outputs.len();
        let mut edit = cells.edit(rules);
        let mut verdict = Verdict { kept: false, repeated: false, late: None, outputs: &mut step.outputs };
        let (watermark, own) = (step.progress.watermark_for(record.partition_key), *own);
        let reading = pipeline.reader.read(record, &mut |time, event| {
            pipeline.apply(record, event, (time, watermark, own), &mut edit, &mut verdict)
        });
        let Verdict { kept, repeated, late, .. } = verdict;
        let (reject, read) = match reading {
            Reading::Refused(reject) => (Some(reject), None),
            Reading::Timed { time, tag, taken } => (taken.err(), Some((time, tag))),
        };
        let raises = !matches!(&reject, Some(reject) if reject.reason == Reason::Misrouted);
        match (reject, read) {
            (None, Some((time, _))) => {
                edit.finish();
                conclude(record, time, (kept, repeated, late), step);
            }
            (reject, _) => {
                drop(edit);
                step.outputs.truncate(before);
                step.outputs.extend(reject.map(|reject| quarantined(record, reject)));
            }
        }
        if let Some((time, tag)) = read.filter(|_| raises) {
            step.progress.raise(time, tag, &pipeline.clock);
        }
    }

    /// Whether the record is no repeat of an output of another pipeline that was taken before. It is remembered whatever
    /// becomes of it.
    fn is_new(&mut self, record: &Record<'_>) -> Result<bool, Reject> {
        let Self { rules, cells, .. } = self;
        let pipeline = &rules.pipeline;
        let Some(sent) = pipeline.reader.sent(record)? else { return Ok(true) };
        let mut edit = cells.edit(rules);
        let is_new = sent.take(&mut edit.key(sent.key()?));
        edit.finish();
        Ok(is_new)
    }
}

fn key_text<K: Key>(key: &KeyBytes) -> String {
    guard("the key's text", || Ok(key.key::<K>().map_or_else(|Corrupt(e)| e, |key| key.text())))
        .unwrap_or_else(|reject| reject.message)
}

/// A record is late iff each of its events is.
fn conclude(
    record: &Record<'_>,
    time: EventTime,
    (kept, repeated, late_key): (bool, bool, Option<String>),
    step: &mut Step,
) {
    match late_key {
        Some(key_text) if !kept => {
            step.late += 1;
            step.outputs.push(late(record, time, key_text));
        }
        _ if repeated && !kept => step.repeats += 1,
        _ => {}
    }
}

impl<E: Events, K: Key, O: Operator<E, K>> Shard for TypedShard<E, K, O> {
    fn step(&mut self, progress: &Progress, records: &[Record<'_>], caps: Caps) -> Step {
        self.cells.discard();
        let mut step = Step::begin(progress.clone());
        let (mut weighed, mut bytes) = (0, 0);
        loop {
            bytes += step.outputs[weighed..].iter().map(Output::weight).sum::<usize>();
            weighed = step.outputs.len();
            if weighed >= caps.outputs || bytes >= caps.output_bytes || step.fired >= caps.firings {
                break;
            }
            if self.fire_next(&mut step) {
                continue;
            }
            match records.get(step.taken) {
                Some(record) if step.taken < caps.records => self.take(record, &mut step),
                _ => break,
            }
        }
        self.cells.settle();
        step
    }

    fn refuse(&mut self, progress: &Progress, record: &Record<'_>, reject: Reject) -> Step {
        self.cells.discard();
        let progress = Progress { arrival: Some(record.arrival), ..progress.clone() };
        Step { taken: 1, outputs: vec![quarantined(record, reject)], ..Step::begin(progress) }
    }

    fn own(&mut self, range: HashRange) {
        self.own = range;
    }

    fn is_due(&self, watermark: Watermark) -> bool {
        self.cells.next_due().is_some_and(|due| watermark.has_reached(due))
    }

    fn next_due(&self) -> Option<EventTime> {
        let never = EventTime::from_millis(i64::MAX);
        self.rules.pipeline.runs_on.then(|| self.cells.next_due().unwrap_or(never))
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
        self.cells.restore(change, &self.rules)
    }

    fn inherit(&mut self, change: &Change, range: HashRange) -> Result<(), Corrupt> {
        let Self { rules, cells, .. } = self;
        let pipeline = &rules.pipeline;
        let is_own = |key: &KeyBytes| {
            let key: K = key.key()?;
            let partition_key = guard("the routing closure", || Ok(pipeline.keying.route.of(&key).into_owned()));
            let partition_key = partition_key.map_err(|reject| Corrupt(reject.message))?;
            Ok(range.contains(partition_hash(&partition_key)))
        };
        cells.inherit(change, is_own, rules)
    }

    fn cells(&self) -> Vec<OpenCell> {
        let open = |(key, slot, due, cell): (&KeyBytes, &Slot, Option<EventTime>, &Cell<O::Cell>)| {
            let Cell::Operator(cell) = cell else { return None };
            let value = codec::encode(cell).unwrap_or_default();
            Some(OpenCell { key_text: key_text::<K>(key), name: slot.to_string(), window: slot.span(), due, value })
        };
        let mut cells: Vec<OpenCell> = self.cells.iter().filter_map(open).collect();
        cells.sort_by_key(|cell| cell.due.unwrap_or(EventTime::from_millis(i64::MAX)));
        cells
    }
}

/// Whether a partition key is one of the range. Of a stream with one shard each is, and needs no hash.
fn owns(range: HashRange, partition_key: &str) -> bool {
    range == HashRange::ALL || range.contains(partition_hash(partition_key))
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

fn failed(due: &Due, key_text: String, reject: Reject) -> Output {
    let origin = match due.slot.span() {
        Some(window) => Origin::Pane { key_text, window, state: Vec::new() },
        None => Origin::Timer { key_text, at: due.at },
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
