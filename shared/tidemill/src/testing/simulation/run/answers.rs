//! Invocations that end, each with its answer, and those that do not.

use std::sync::Arc;

use crate::Error;
use tidemill_core::Position;
use tidemill_journal::{Error as Journal, StoreError};

use super::{IDLE, Simulation};
use crate::testing::simulation::lambda::{Answer, Answered, Invocation, Job, TIMEOUT};

impl Simulation<'_> {
    /// What is finished answers; what takes too long is given up, and killed or left to go on.
    pub(super) async fn settle(&mut self) {
        let mut still = Vec::new();
        for mut invocation in std::mem::take(&mut self.running) {
            if invocation.is_finished() {
                self.end(invocation).await;
                continue;
            }
            if !invocation.is_zombie && invocation.began.elapsed() >= TIMEOUT {
                self.world.tell(format!("invocation {} is given up", invocation.number));
                self.world.count("timeouts");
                if let Job::Batch { shard, batch } = &*invocation.job {
                    self.mapping.end(shard, invocation.number, None, batch.len());
                }
                invocation.is_zombie = true;
                if invocation.number % 3 == 0 {
                    invocation.kill();
                    continue;
                }
                self.world.count("zombies");
            }
            still.push(invocation);
        }
        self.running = still;
    }

    async fn end(&mut self, invocation: Invocation) {
        let (number, job, is_zombie) = (invocation.number, Arc::clone(&invocation.job), invocation.is_zombie);
        let (environment, answer) = match invocation.end().await {
            Ok(ended) => ended,
            Err(panicked) => return self.world.check(Err(panicked)),
        };
        let is_old = environment.as_ref().is_some_and(|environment| environment.requests.old);
        if environment.is_none() {
            self.world.count("crashes");
        }
        self.idle.extend(environment.filter(|_| !is_zombie));
        while self.idle.len() > IDLE {
            self.idle.remove(0);
        }
        self.tell_answer(number, &answer);
        self.world.check(is_expected(&answer, is_old));
        if let Job::Batch { shard, batch } = &*job {
            let through = answer.as_ref().ok().map(|answered| match answered {
                Answered::Done(done) => done.again_from.as_ref().map_or(batch.len(), |again| {
                    batch.iter().position(|(sequence, ..)| sequence == again).unwrap_or(0)
                }),
                Answered::Ticked(_) => batch.len(),
            });
            let last = through.and_then(|through| batch[..through].last());
            // A life that is over has no success to answer for.
            let counts = through == Some(batch.len()) && number > self.operated;
            if let Some((sequence, ..)) = last.filter(|_| counts) {
                let last = Position { sequence: sequence.clone(), sub_sequence: 0 };
                let journal = self.world.journal(shard);
                let checked = self.world.lock().ledger.i8_success_means_done(&journal, &last);
                self.world.check(checked);
            }
            self.mapping.end(shard, number, through, batch.len());
        }
    }

    fn tell_answer(&self, number: u64, answer: &Answer) {
        match answer {
            Ok(Answered::Done(done)) => {
                if done.gap.is_some() {
                    self.world.count("gaps told");
                }
                let (taken, repeats, commits) = (done.taken, done.repeats, done.commits);
                self.world.tell(format!("invocation {number}: {taken} taken, {repeats} repeats, {commits} commits"));
            }
            Ok(Answered::Ticked(ticked)) => {
                let (shards, moved) = (ticked.shards, ticked.moved);
                self.world.tell(format!("invocation {number}: {moved} of {shards} shards moved"));
            }
            Err(error) => {
                self.world.count("errors");
                self.world.tell(format!("invocation {number}: {error}"));
            }
        }
    }
}

/// With an honest table nothing is damaged, foreign or restored, and no shard is closed before its records are in.
fn is_expected(answer: &Answer, is_old: bool) -> Result<(), String> {
    match answer {
        Err(Error::Journal(Journal::Store(StoreError::Foreign { .. }))) if is_old => Ok(()),
        Err(Error::Journal(Journal::Store(StoreError::Unavailable { .. }) | Journal::Sink { .. })) => Ok(()),
        Err(Error::Source { .. } | Error::Runtime(_) | Error::Sink(_)) | Ok(_) => Ok(()),
        Err(error) => Err(format!("refused: {error}")),
    }
}
