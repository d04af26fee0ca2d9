//! Who sends, and where to.

use tidemill_journal::{Incarnation, JournalId};

use super::event::percent_encoded;
use crate::MAX_RECORD_BYTES;

/// Who sends: one life of one shard's journal. Consumers drop repeats per producer.
#[derive(Clone, Debug)]
pub struct Producer {
    pub(super) pipeline: String,
    pub(super) shard: String,
    /// The incarnation.
    pub(super) life: String,
    /// `/tidemill/<pipeline>/<stream name>/<shard>`, a URI reference.
    pub(super) source: String,
    /// `<pipeline>/<stream ARN>/<shard>/<incarnation>`.
    pub(super) name: String,
    /// `<pipeline>/<stream ARN>/<shard>`: a pipeline without commits has no lives.
    pub(super) place: String,
}

impl Producer {
    /// The producer of this life of `journal`.
    pub fn new(journal: &JournalId, incarnation: Incarnation) -> Self {
        let stream = journal.stream.rsplit('/').next().unwrap_or_default();
        let segments = [&journal.pipeline, stream, &journal.shard].map(percent_encoded);
        Self {
            pipeline: journal.pipeline.clone(),
            shard: journal.shard.clone(),
            life: incarnation.to_string(),
            source: format!("/tidemill/{}", segments.join("/")),
            name: format!("{journal}/{incarnation}"),
            place: journal.to_string(),
        }
    }
}

/// Where a kind of output goes, and in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The sink's logical name.
    pub sink: String,
    /// Whether the bare content is sent, without an envelope: consumers cannot drop repeats then.
    pub plain: bool,
}

impl Destination {
    /// CloudEvents to this sink.
    pub fn enveloped(sink: impl Into<String>) -> Self {
        Self { sink: sink.into(), plain: false }
    }

    /// The bare content to this sink.
    pub fn plain(sink: impl Into<String>) -> Self {
        Self { sink: sink.into(), plain: true }
    }
}

/// Where each kind of output goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destinations {
    /// Results, by the number of their sink; at least one, the main one.
    pub results: Vec<Destination>,
    /// Late records; `None` if the pipeline only counts them.
    pub late: Option<Destination>,
    /// What could not be processed.
    pub quarantine: Destination,
    /// Quarantine entries with more bytes than this, partition key included, are shortened: they keep the first 64 KiB of
    /// their content, its length and hash, and the first 8 KiB of message and key, which together stay below 512 KiB.
    pub quarantine_bytes: usize,
}

impl Destinations {
    /// No late output, and quarantine entries of up to [`MAX_RECORD_BYTES`].
    pub const fn new(results: Vec<Destination>, quarantine: Destination) -> Self {
        Self { results, late: None, quarantine, quarantine_bytes: MAX_RECORD_BYTES }
    }

    pub(super) fn result(&self, sink: u16) -> &Destination {
        self.results.get(usize::from(sink)).unwrap_or(&self.quarantine)
    }

    /// Late records go to `late`.
    pub fn late_to(self, late: Destination) -> Self {
        Self { late: Some(late), ..self }
    }
}
