//! Putting quarantined records back on the stream that they came from.
//!
//! A record is put back under its partition key, as a new one: it is judged under the watermark of then and may be late.
//! What is put back is written down beforehand and again when the stream has taken it, beside the template: a record is
//! not put back twice unless that is asked for, and one of which nobody knows whether it was taken is told.

mod entry;
mod ledger;

use std::collections::{BTreeMap, BTreeSet};

pub use entry::{Entry, Identity, Unfit};
pub use ledger::{Known, Ledger};

use crate::streams::Taken;

/// What a quarantine holds, sorted.
#[derive(Debug, Default)]
pub struct Sorted {
    /// Records that can be put back.
    pub due: Vec<Entry>,
    /// How many were put back before.
    pub done: usize,
    /// Records that an earlier attempt was about to put back when it ended: the stream may have them.
    pub doubtful: Vec<Entry>,
    /// What cannot be put back, and why.
    pub unfit: Vec<Unfit>,
    /// How many stand there once more.
    pub repeats: usize,
    /// How many are not wanted, by pipeline and reason.
    pub unwanted: BTreeMap<(String, String), usize>,
}

/// Which entries are wanted; of what is empty, all are.
#[derive(Debug, Default, Clone)]
pub struct Wanted {
    /// Reasons, such as `undecodable`.
    pub reasons: Vec<String>,
    /// The pipeline.
    pub pipeline: Option<String>,
}

impl Wanted {
    fn wants(&self, reason: &str, pipeline: &str) -> bool {
        let reason_fits = self.reasons.is_empty() || self.reasons.iter().any(|wanted| wanted == reason);
        reason_fits && self.pipeline.as_ref().is_none_or(|wanted| wanted == pipeline)
    }
}

/// Sorts the entries of a quarantine by what is to be done with them.
pub fn sort(records: &[Taken], wanted: &Wanted, ledger: &Ledger) -> Sorted {
    let mut sorted = Sorted::default();
    let mut seen = BTreeSet::new();
    for record in records {
        let entry = match Entry::read(record) {
            Ok(entry) if wanted.wants(&entry.reason, &entry.pipeline) => entry,
            Ok(entry) => {
                *sorted.unwanted.entry((entry.pipeline, entry.reason)).or_default() += 1;
                continue;
            }
            Err(unfit) => {
                if wanted
                    .wants(unfit.reason.as_deref().unwrap_or_default(), unfit.pipeline.as_deref().unwrap_or_default())
                {
                    sorted.unfit.push(unfit);
                }
                continue;
            }
        };
        if !seen.insert(entry.identity.clone()) {
            sorted.repeats += 1;
            continue;
        }
        match ledger.knows(&entry.identity) {
            None => sorted.due.push(entry),
            Some(Known::Done) => sorted.done += 1,
            Some(Known::Begun) => sorted.doubtful.push(entry),
        }
    }
    sorted
}
