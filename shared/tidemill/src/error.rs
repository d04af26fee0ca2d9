//! Errors of a pipeline and of a function. `Debug` prints the same report as `Display`, since that is what a `main` that
//! returns an error shows.

use std::fmt;

/// Everything that is wrong with a declared pipeline, each with its fix.
pub struct PipelineError {
    /// The pipeline's name.
    pub pipeline: String,
    /// What is wrong.
    pub problems: Vec<String>,
}

impl fmt::Display for PipelineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pipeline {:?} cannot be built:", self.pipeline)?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}

/// Why a function cannot start or go on.
#[non_exhaustive]
pub enum Error {
    /// The pipeline is not sound.
    Pipeline(PipelineError),
    /// Environment or account do not fit the pipeline: everything that is wrong, each with its fix.
    Settings(Vec<String>),
    /// Too many records cannot be processed: the pipeline does not fit its stream.
    BadRecords {
        /// The pipeline.
        pipeline: String,
        /// How many records are bad.
        bad: usize,
        /// Of how many.
        of: usize,
        /// What is wrong with the first of them, as one of the reasons of quarantine entries.
        example: &'static str,
    },
    /// The event is none that this function takes.
    Event(String),
    /// The journal, its store or the sink.
    Journal(tidemill_journal::Error),
    /// The source stream does not tell what a shard needs to know.
    Source {
        /// Whose.
        journal: tidemill_journal::JournalId,
        /// What the service said.
        why: String,
    },
    /// A shard was split or merged, and its parent has records that were not delivered yet.
    NotDrained {
        /// The parent's.
        journal: tidemill_journal::JournalId,
        /// The shard that waits.
        child: String,
        /// The parent's next record.
        next: Box<tidemill_core::SequenceNumber>,
    },
    /// Outputs of a pipeline without journal were not all acknowledged.
    Sink(String),
    /// The Lambda runtime ended.
    Runtime(String),
}

impl Error {
    /// The kind, as Lambda's `errorType`.
    pub const fn kind(&self) -> &'static str {
        use tidemill_journal::Error as Journal;
        match self {
            Self::Pipeline(_) => "Tidemill.Pipeline",
            Self::Settings(_) => "Tidemill.Settings",
            Self::BadRecords { .. } => "Tidemill.BadRecords",
            Self::Event(_) => "Tidemill.Event",
            Self::Runtime(_) => "Tidemill.Runtime",
            Self::Journal(Journal::Store(_)) => "Tidemill.Store",
            Self::Sink(_) | Self::Journal(Journal::Sink { .. }) => "Tidemill.Sink",
            Self::Journal(Journal::Closed { .. }) => "Tidemill.JournalClosed",
            Self::Journal(Journal::Unsettled { .. }) => "Tidemill.JournalUnsettled",
            Self::Source { .. } => "Tidemill.Source",
            Self::NotDrained { .. } => "Tidemill.NotDrained",
            Self::Journal(_) => "Tidemill.JournalRefused",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pipeline(error) => error.fmt(f),
            Self::Settings(problems) => {
                f.write_str("the function cannot start:")?;
                problems.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
            }
            Self::BadRecords { pipeline, bad, of, example } => write!(
                f,
                "pipeline {pipeline:?} halts: {bad} of {of} records cannot be processed, the first for the reason \
                 `{example}`; TIDEMILL_LOG=debug tells more, in words that may quote the record. Nothing of this step is \
                 committed and the position stays; mend the pipeline or its stream and deploy"
            ),
            Self::Event(why) => write!(f, "the event cannot be taken: {why}"),
            Self::Journal(error) => error.fmt(f),
            Self::Source { journal, why } => write!(
                f,
                "the source stream does not tell of {journal}: {why}. The function needs kinesis:ListShards, \
                 kinesis:GetShardIterator and kinesis:GetRecords on it"
            ),
            Self::NotDrained { journal, child, next } => write!(
                f,
                "shard {child} cannot begin: its parent {journal} still has record {next}, which was not delivered. It \
                 goes on by itself once the event source has delivered the parent's records. If they were given up \
                 (the mapping must retry without end) they are lost, and only a new pipeline name leads on"
            ),
            Self::Sink(why) => write!(f, "outputs were not all acknowledged, their records are to come again: {why}"),
            Self::Runtime(why) => write!(f, "the Lambda runtime ended: {why}"),
        }
    }
}

impl std::error::Error for Error {}
impl std::error::Error for PipelineError {}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for PipelineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<PipelineError> for Error {
    fn from(error: PipelineError) -> Self {
        Self::Pipeline(error)
    }
}

impl From<tidemill_journal::Error> for Error {
    fn from(error: tidemill_journal::Error) -> Self {
        Self::Journal(error)
    }
}
