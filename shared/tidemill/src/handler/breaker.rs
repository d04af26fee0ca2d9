//! Stopping when most records are bad: a wrong deploy or a wrong key rule, not bad records.

use tidemill_core::{Output, Step};

use crate::pipeline::OnBad;
use crate::{Error, Pipeline};

/// How many records are looked at together.
const STRETCH: usize = 1_000;

/// Counts the bad records of a shard in stretches of a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Breaker {
    taken: usize,
    bad: usize,
}

impl Breaker {
    /// Refuses a step before it is committed: any bad record if the pipeline is to halt on it, else more than half of a
    /// stretch. The position stays where it is, and the next invocation meets the same records.
    pub(super) fn check(&self, pipeline: &Pipeline, step: &Step) -> Result<(), Error> {
        let example = step.outputs.iter().find_map(|output| match output {
            Output::Quarantined(entry) => Some(entry.reject.to_string()),
            Output::Result(_) | Output::Late(_) => None,
        });
        let Some(example) = example else { return Ok(()) };
        let bad = self.bad + bad(step);
        let of = self.taken + step.taken;
        let halts = pipeline.on_bad() == OnBad::Halt || 2 * bad > of.max(STRETCH);
        if halts { Err(Error::BadRecords { pipeline: pipeline.name().to_owned(), bad, of, example }) } else { Ok(()) }
    }

    /// Counts a committed step.
    pub(super) fn count(&mut self, step: &Step) {
        self.taken += step.taken;
        self.bad += bad(step);
        if self.taken >= STRETCH {
            *self = Self::default();
        }
    }
}

fn bad(step: &Step) -> usize {
    step.outputs.iter().filter(|output| matches!(output, Output::Quarantined(_))).count()
}
