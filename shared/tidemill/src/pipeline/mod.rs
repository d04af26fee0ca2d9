//! What a user declares: source → event time → key → window → aggregate → results → sink.
//!
//! One type per stage, so that an illegal step does not compile. What changes meaning is a positional argument; options
//! are chained. `build()` erases the types and reports every mistake at once.

mod draft;
mod enrich;
mod format;
mod kept;
mod keyed;
mod relay;
mod results;
mod sink;
mod source;
mod timed;
mod windowed;

pub use enrich::Calls;
pub use format::{Borrows, Cbor, Gzip, Json, JsonRef, OwnedFormat, Protobuf, Text, Upstream, Zstd};
pub use kept::{IntervalJoined, Kept};
pub use keyed::{ByKey, Keyed, Routed, Routing};
pub use relay::Relay;
pub use results::{Aggregated, Complete, Results};
pub use sink::{Kinesis, Sink, Table};
pub use source::{Named, Sourced};
pub use timed::Timed;
pub use windowed::{Joined, Windowed};

pub(crate) use enrich::Enricher;
pub(crate) use results::Engine;

use std::fmt;

use serde::Serialize;
use tidemill_core::{Fingerprint, OutOfOrder, Processor, Shard, Stateless};
use tidemill_journal::JournalId;

use crate::error::PipelineError;
use draft::Draft;

/// A declared stream processor: one per Lambda function. Its name is the identity of its state.
///
/// The same value runs in Lambda ([`lambda::run`](crate::lambda::run)), in the local harness, and in a unit test
/// ([`testing::Driver`](crate::testing::Driver)).
pub struct Pipeline {
    name: String,
    engine: Engine,
    enricher: Option<Box<dyn Enricher>>,
    /// Of results, by number.
    sinks: Vec<Sink>,
    late: Option<Sink>,
    out_of_order: Option<OutOfOrder>,
    on_bad: OnBad,
    version: u32,
    routes: Routes,
    summary: String,
}

/// Under which partition keys records come to a pipeline with a key, and its results go on; without key, under which its
/// outputs go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Routes {
    /// The key's own text.
    Key,
    /// What a closure takes of the key.
    Part,
    /// One for all.
    Constant(String),
    /// Without key: the one that the record came under.
    Record,
    /// Without key: what a closure takes of the event.
    Assigned,
}

/// What a record that cannot be processed does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBad {
    /// It goes to the quarantine with payload and reason, and the batch goes on. If more than half of a thousand records
    /// do, the function halts all the same.
    #[default]
    Quarantine,
    /// The function halts loudly and keeps its position, at the first one.
    Halt,
}

impl Pipeline {
    /// Begins a pipeline. The name, 1 to 64 of `a-z 0-9 -`, is part of its journals' keys and of its results' ids:
    /// another name is another pipeline with a state of its own.
    pub fn named(name: &str) -> Named {
        Named(Draft::named(name))
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where results go; the main sink first.
    pub fn result_sinks(&self) -> &[Sink] {
        &self.sinks
    }

    /// Where late records go, if anywhere.
    pub const fn late_sink(&self) -> Option<&Sink> {
        self.late.as_ref()
    }

    /// Whether it keeps state by key, and so has a journal.
    pub const fn is_keyed(&self) -> bool {
        matches!(self.engine, Engine::Keyed(_))
    }

    fn processor(&self) -> &dyn Processor {
        match &self.engine {
            Engine::Keyed(processor) => processor.as_ref(),
            Engine::Stateless(_) => unreachable!("asked of keyed pipelines alone: `is_keyed`"),
        }
    }

    /// What comes of each record, in a pipeline without key.
    pub(crate) fn stateless(&self) -> Option<&dyn Stateless> {
        match &self.engine {
            Engine::Keyed(_) => None,
            Engine::Stateless(stateless) => Some(stateless.as_ref()),
        }
    }

    /// How far out of order records come; `None` without event time.
    pub(crate) const fn out_of_order(&self) -> Option<OutOfOrder> {
        self.out_of_order
    }

    /// What asks other services about records before the step.
    pub(crate) fn enricher(&self) -> Option<&dyn Enricher> {
        self.enricher.as_deref()
    }

    /// The state of a shard without any record. The pipeline is keyed.
    pub(crate) fn open(&self) -> Box<dyn Shard> {
        self.processor().open(self.version)
    }

    /// The state of a shard without any record, for whoever reads a journal beside the handler; `None` without key.
    pub fn empty_state(&self) -> Option<Box<dyn Shard>> {
        self.is_keyed().then(|| self.open())
    }

    /// What stored state depends on. The pipeline is keyed.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let mut fingerprint = self.processor().fingerprint();
        fingerprint.insert("version".to_owned(), self.version.to_string());
        fingerprint
    }

    /// Whether it can migrate state of this fingerprint: of an earlier version with another aggregate, and equal otherwise.
    pub(crate) fn reads(&self, stored: &Fingerprint) -> bool {
        let fixed = |fingerprint: &Fingerprint| {
            let mut fixed = fingerprint.clone();
            fixed.retain(|name, _| name != "aggregate" && name != "version");
            fixed
        };
        let version = stored.get("version").and_then(|version| version.parse().ok());
        version.is_some_and(|version| self.processor().migrates_from().contains(&version))
            && fixed(stored) == fixed(&self.fingerprint())
    }

    /// The journal of one of its shards.
    pub(crate) fn journal(&self, stream: &str, shard: &str) -> JournalId {
        JournalId { pipeline: self.name.clone(), stream: stream.to_owned(), shard: shard.to_owned() }
    }

    /// What a record that cannot be processed does.
    pub(crate) const fn on_bad(&self) -> OnBad {
        self.on_bad
    }

    /// The partition key under which a producer must put this payload; `None` if its key cannot be read, or there is
    /// none.
    pub fn partition_key(&self, payload: &[u8]) -> Option<String> {
        match &self.engine {
            Engine::Keyed(processor) => processor.partition_key(payload),
            Engine::Stateless(_) => None,
        }
    }

    /// Under which partition keys its records come and its outputs go on.
    pub(crate) const fn routes(&self) -> &Routes {
        &self.routes
    }

    /// All sinks, without the quarantine.
    pub(crate) fn sinks(&self) -> impl Iterator<Item = &Sink> {
        self.sinks.iter().chain(&self.late)
    }
}

impl fmt::Display for Pipeline {
    /// One line: name, window, bounds, key, aggregates. Printed at start.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_keyed() {
            return write!(f, "{}: record by record, no state", self.name);
        }
        write!(f, "{}: {}", self.name, self.summary)?;
        for (name, value) in self.fingerprint() {
            write!(f, ", {name} {value}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Complete {
    /// What a record that cannot be processed does; [`OnBad::Quarantine`] unless set.
    #[must_use]
    pub fn on_bad(self, on_bad: OnBad) -> Self {
        Self { on_bad, ..self }
    }

    /// The version of what closures mean, 1 unless set. Raise it when stored state would be wrong under a new closure
    /// (another unit, another key text): a journal of another version is refused, as closures cannot be compared, unless
    /// `.migrate_from(..)` says how its windows become those of this version.
    #[must_use]
    pub fn version(self, version: u32) -> Self {
        Self { version, ..self }
    }

    /// The pipeline, if all that was declared is sound.
    ///
    /// # Errors
    /// Every mistake at once, each with its fix.
    pub fn build(self) -> Result<Pipeline, PipelineError> {
        let Self { mut draft, engine, sinks, on_bad, version } = self;
        draft.check_version(version, &engine);
        let Draft { name, late, enricher, out_of_order, routes, summary, problems, .. } = draft;
        if problems.is_empty() {
            Ok(Pipeline { name, engine, enricher, sinks, late, out_of_order, on_bad, version, routes, summary })
        } else {
            Err(PipelineError { pipeline: name, problems })
        }
    }
}
