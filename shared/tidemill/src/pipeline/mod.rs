//! What a user declares: source → event time → key → window → aggregate → results → sink.
//!
//! One type per stage, so that an illegal step does not compile. What changes meaning is a positional argument; options
//! are chained. `build()` erases the types and reports every mistake at once.

mod draft;
mod format;
mod keyed;
mod results;
mod sink;
mod source;
mod timed;
mod windowed;

pub use format::{Borrows, Cbor, Gzip, Json, JsonRef, OwnedFormat, Protobuf, Zstd};
pub use keyed::{ByKey, Keyed, Routed, Routing};
pub use results::{Aggregated, Complete, Results};
pub use sink::Kinesis;
pub use source::{Named, Sourced};
pub use timed::Timed;
pub use windowed::Windowed;

use std::fmt;

use tidemill_core::{Fingerprint, Processor, Shard};

use crate::error::PipelineError;
use draft::Draft;

/// A declared stream processor: one per Lambda function. Its name is the identity of its state.
///
/// The same value runs in Lambda ([`lambda::run`](crate::lambda::run)), in the local harness, and in a unit test
/// ([`testing::Driver`](crate::testing::Driver)).
pub struct Pipeline {
    name: String,
    processor: Box<dyn Processor>,
    results: Kinesis,
    late: Option<Kinesis>,
    on_bad: OnBad,
    version: u32,
    summary: String,
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

    /// Where results go.
    pub fn results_sink(&self) -> &Kinesis {
        &self.results
    }

    /// Where late records go, if anywhere.
    pub fn late_sink(&self) -> Option<&Kinesis> {
        self.late.as_ref()
    }

    /// The state of a shard without any record.
    pub(crate) fn open(&self) -> Box<dyn Shard> {
        self.processor.open()
    }

    /// What stored state depends on.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let mut fingerprint = self.processor.fingerprint();
        fingerprint.insert("version".to_owned(), self.version.to_string());
        fingerprint
    }

    /// What a record that cannot be processed does.
    pub(crate) const fn on_bad(&self) -> OnBad {
        self.on_bad
    }

    /// The partition key under which a producer must put this payload; `None` if its key cannot be read.
    pub fn partition_key(&self, payload: &[u8]) -> Option<String> {
        self.processor.partition_key(payload)
    }

    /// The logical names of all sinks, without the quarantine.
    pub(crate) fn sinks(&self) -> impl Iterator<Item = &Kinesis> {
        std::iter::once(&self.results).chain(&self.late)
    }
}

impl fmt::Display for Pipeline {
    /// One line: name, window, bounds, key, aggregates. Printed at start.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
    /// (another unit, another key text): a journal of another version is refused, as closures cannot be compared.
    #[must_use]
    pub fn version(self, version: u32) -> Self {
        Self { version, ..self }
    }

    /// The pipeline, if all that was declared is sound.
    ///
    /// # Errors
    /// Every mistake at once, each with its fix.
    pub fn build(self) -> Result<Pipeline, PipelineError> {
        let Self { mut draft, results, on_bad, version } = self;
        draft.check_sink(&results);
        if let Some(late) = draft.late.clone() {
            draft.check_sink(&late);
            if late.logical_name() == results.logical_name() {
                draft.problem(format!(
                    "late records and results both go to {:?}: a consumer could not tell them apart. Give one another stream",
                    results.logical_name()
                ));
            }
        }
        match (draft.processor.take(), draft.problems.is_empty()) {
            (Some(processor), true) => {
                let Draft { name, late, summary, .. } = draft;
                Ok(Pipeline { name, processor, results, late, on_bad, version, summary })
            }
            _ => Err(PipelineError { pipeline: draft.name, problems: draft.problems }),
        }
    }
}
