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
        self.check_outputs(pipeline, step.taken, step.outputs.iter()).map(drop)
    }

    /// Counts a committed step.
    pub(super) fn count(&mut self, step: &Step) {
        self.count_bad(step.taken, step.outputs.iter().filter(|output| is_bad(output)).count());
    }

    /// Does both for records that are not committed.
    pub(super) fn check_and_count<'o>(
        &mut self,
        pipeline: &Pipeline,
        taken: usize,
        outputs: impl Iterator<Item = &'o Output>,
    ) -> Result<(), Error> {
        let bad = self.check_outputs(pipeline, taken, outputs)?;
        self.count_bad(taken, bad);
        Ok(())
    }

    /// How many of the outputs are of bad records, if they are not too many.
    fn check_outputs<'o>(
        &self,
        pipeline: &Pipeline,
        taken: usize,
        outputs: impl Iterator<Item = &'o Output>,
    ) -> Result<usize, Error> {
        let (mut bad, mut example) = (0, None);
        for output in outputs {
            if let Output::Quarantined(entry) = output {
                bad += 1;
                example.get_or_insert(&entry.reject);
            }
        }
        let Some(example) = example else { return Ok(0) };
        let (all, of) = (self.bad + bad, self.taken + taken);
        let halts = pipeline.on_bad() == OnBad::Halt || 2 * all > of.max(STRETCH);
        if halts {
            // The message may quote the record, which is nothing for a log or for Lambda's answer.
            tracing::debug!(reason = example.reason.as_str(), "the first bad record: {}", example.message);
            let example = example.reason.as_str();
            return Err(Error::BadRecords { pipeline: pipeline.name().to_owned(), bad: all, of, example });
        }
        Ok(bad)
    }

    fn count_bad(&mut self, taken: usize, bad: usize) {
        self.taken += taken;
        self.bad += bad;
        if self.taken >= STRETCH {
            *self = Self::default();
        }
    }
}

const fn is_bad(output: &Output) -> bool {
    matches!(output, Output::Quarantined(_))
}
