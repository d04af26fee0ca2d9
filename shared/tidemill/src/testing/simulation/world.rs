//! What all environments share: the stream, the table, what arrived downstream, and the story of it all.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tidemill_core::EventTime;
use tidemill_journal::{JournalId, Kind, MemoryStore, Output};
use tokio::time::Instant;

use super::ledger::Ledger;
use super::mutant::Mutant;
use super::stream::{STREAM, Stream};
use super::subject::Subject;

pub(crate) struct World {
    pub(crate) stream: Stream,
    pub(crate) items: MemoryStore,
    pub(crate) mutant: Option<Mutant>,
    /// What the clock shows at first.
    begins: EventTime,
    /// The pipeline's name.
    pipeline: String,
    state: Mutex<State>,
}

pub(crate) struct State {
    started: Instant,
    /// How far the clock that stamps arrivals is from virtual time.
    offset: i64,
    /// For how long nothing happened but that environments grew old.
    slept: i64,
    pub(crate) is_calm: bool,
    pub(crate) story: Vec<String>,
    /// What happened how often.
    pub(crate) counts: BTreeMap<&'static str, u64>,
    pub(crate) ledger: Ledger,
    violation: Option<String>,
    /// The table as it was a few commits ago, for those who read stale.
    pub(crate) before: Vec<MemoryStore>,
}

impl World {
    pub(crate) fn new(subject: &dyn Subject, mutant: Option<Mutant>) -> Arc<Self> {
        let pipeline = subject.pipeline();
        let name = pipeline.name().to_owned();
        let state = State {
            started: Instant::now(),
            offset: 0,
            slept: 0,
            is_calm: false,
            story: Vec::new(),
            counts: BTreeMap::new(),
            ledger: Ledger::of(pipeline),
            violation: None,
            before: Vec::new(),
        };
        let (stream, items) = (Stream::default(), MemoryStore::new());
        let begins = subject.begins();
        Arc::new(Self { stream, items, mutant, begins, pipeline: name, state: Mutex::new(state) })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time that stamps arrivals and ticks.
    pub(crate) fn clock(&self) -> EventTime {
        let state = self.lock();
        self.begins.plus(state.offset + state.elapsed() - state.slept)
    }

    /// The time that stamps items of the table, and that a sweep goes by.
    pub(crate) fn table_clock(&self) -> EventTime {
        let state = self.lock();
        self.begins.plus(state.offset + state.elapsed())
    }

    /// Time passed in which nothing arrived.
    pub(crate) fn slept(&self, slept: Duration) {
        self.lock().slept += i64::try_from(slept.as_millis()).unwrap_or(i64::MAX);
    }

    pub(crate) fn jump(&self, millis: i64) {
        self.lock().offset += millis;
    }

    /// The journal of a shard.
    pub(crate) fn journal(&self, shard: &str) -> JournalId {
        JournalId { pipeline: self.pipeline.clone(), stream: STREAM.to_owned(), shard: shard.to_owned() }
    }

    /// The journals of the shards that a shard was split or merged into.
    pub(crate) fn children(&self, journal: &JournalId) -> Vec<JournalId> {
        let all = self.stream.all().into_iter();
        all.filter(|info| info.parents.contains(&journal.shard)).map(|info| self.journal(&info.shard)).collect()
    }

    pub(crate) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Tells one thing that happened.
    pub(crate) fn tell(&self, line: impl AsRef<str>) {
        self.lock().tell(line.as_ref());
    }

    /// Counts one thing that happened.
    pub(crate) fn count(&self, what: &'static str) {
        *self.lock().counts.entry(what).or_default() += 1;
    }

    /// Notes that a rule is broken, the first time.
    pub(crate) fn check(&self, checked: Result<(), String>) {
        if let Err(broken) = checked {
            self.lock().violate(broken);
        }
    }

    pub(crate) fn violation(&self) -> Option<String> {
        self.lock().violation.clone()
    }

    /// I6: nothing follows a Seal, and a child's journal goes on behind those of its parents.
    pub(crate) fn i6_children_begin_behind_seals(&self) -> Result<(), String> {
        let state = self.lock();
        let last = |shard: &str| state.ledger.journals.get(&self.journal(shard)).and_then(|commits| commits.last());
        for child in self.stream.all().iter().filter(|info| last(&info.shard).is_some()) {
            let open = |parent: &&String| last(parent).is_some_and(|commit| commit.record.kind != Kind::Seal);
            if let Some(parent) = child.parents.iter().find(open) {
                return Err(format!("I6: the journal of {} has begun, and {parent} is not sealed", child.shard));
            }
        }
        Ok(())
    }

    /// Outputs come to stand downstream.
    pub(crate) fn arrive(&self, outputs: &[Output]) {
        let mut state = self.lock();
        for output in outputs {
            if let Err(broken) = state.ledger.arrive(output) {
                state.violate(broken);
            }
        }
    }
}

impl State {
    fn elapsed(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    pub(crate) fn tell(&mut self, line: &str) {
        let at = self.elapsed();
        self.story.push(format!("{:>8}.{:03} {line}", at / 1_000, at % 1_000));
    }

    pub(crate) fn violate(&mut self, broken: String) {
        self.tell(&format!("BROKEN {broken}"));
        self.violation.get_or_insert(broken);
    }
}

/// The answer of something that never waits.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("the reference store answers at once"),
    }
}
