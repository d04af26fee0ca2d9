//! What a reader of a journal is made for, compared with what it finds.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Error, JournalId, Schema};

/// What the code that opens a journal is made for.
#[derive(Clone, Copy)]
pub struct Expected<'e> {
    /// What it writes.
    pub schema: &'e Schema,
    /// Whether it also reads state of another fingerprint, that of earlier code.
    pub reads: &'e (dyn Fn(&BTreeMap<String, String>) -> bool + Sync),
}

impl<'e> From<&'e Schema> for Expected<'e> {
    /// Nothing but what it writes.
    fn from(schema: &'e Schema) -> Self {
        Self { schema, reads: &|_| false }
    }
}

/// A schema that was found fitting.
pub(crate) struct Fit {
    /// The one to go on with.
    pub(crate) schema: Schema,
    /// Whether the next record is to say so.
    pub(crate) is_unclaimed: bool,
}

impl Expected<'_> {
    /// The schema that the journal goes on with. Without expectations it is the stored one.
    pub(crate) fn check(expected: Option<Self>, journal: &JournalId, stored: Schema) -> Result<Fit, Error> {
        let is_unclaimed = stored.is_unclaimed();
        let Some(expected) = expected else { return Ok(Fit { schema: stored, is_unclaimed }) };
        let now = expected.schema;
        let fit = if is_unclaimed && stored.journal == *journal {
            Fit { schema: now.clone(), is_unclaimed }
        } else if stored.fingerprint != now.fingerprint && (expected.reads)(&stored.fingerprint) {
            Fit { schema: Schema { fingerprint: now.fingerprint.clone(), ..stored }, is_unclaimed: true }
        } else {
            Fit { schema: stored, is_unclaimed }
        };
        compare(journal, &fit.schema, now)?;
        Ok(fit)
    }
}

fn compare(journal: &JournalId, stored: &Schema, expected: &Schema) -> Result<(), Error> {
    let mut differences = Vec::new();
    if stored.journal != *journal {
        differences.push(format!("it was written for {}", stored.journal));
    }
    if let (Some(stored), Some(now)) = (&stored.starting_sequence, &expected.starting_sequence)
        && stored != now
    {
        differences.push(format!(
            "the stream was recreated: its shard began at {stored}, now at {now}; drop the state, or take a new pipeline \
             name"
        ));
    }
    let names = stored.fingerprint.keys().chain(expected.fingerprint.keys());
    let names: BTreeSet<_> = names.collect();
    for name in names {
        let text = |schema: &Schema| schema.fingerprint.get(name).cloned().unwrap_or_else(|| "nothing".to_owned());
        if text(stored) != text(expected) {
            differences.push(format!("{name}: stored {:?}, now {:?}", text(stored), text(expected)));
        }
    }
    if differences.is_empty() { Ok(()) } else { Err(Error::Foreign { journal: journal.clone(), differences }) }
}
