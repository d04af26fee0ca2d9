//! The quiet time at the end.

use std::time::Duration;

use tokio::time::sleep;

use super::Simulation;
use crate::testing::simulation::lambda::Job;
use crate::testing::simulation::plan::Rates;

impl Simulation<'_> {
    /// Nothing goes wrong any more: zombies come to an end, everything is delivered, and open shards end.
    pub(super) async fn rest(&mut self) {
        self.world.lock().is_calm = true;
        for _ in 0..30 {
            sleep(Duration::from_secs(60)).await;
            self.settle().await;
        }
        self.idle.clear();
        if let Err(broken) = self.deliver_all().await {
            self.world.check(Err(broken));
        }
    }

    async fn deliver_all(&mut self) -> Result<(), String> {
        let mut failures = 0;
        loop {
            self.broken()?;
            let pollable = self.mapping.pollable(&self.world.stream, false);
            let waits = |shard: &&String| self.mapping.through(shard) < self.world.stream.length(shard).0;
            let Some(shard) = pollable.iter().find(waits).cloned() else { break };
            let before = self.mapping.through(&shard);
            let batch = self
                .mapping
                .take(&self.world.stream, &shard, 10 * self.plan.scale, self.invocations + 1)
                .unwrap_or_default();
            self.finish(Job::Batch { shard: shard.clone(), batch }).await;
            failures += u32::from(self.mapping.through(&shard) == before);
            if failures > 20 {
                return Err(format!("stuck: nothing goes wrong any more, but {shard} does not go on"));
            }
        }
        for shard in self.world.stream.open_shards() {
            self.finish(Job::Drain(shard)).await;
            self.broken()?;
        }
        Ok(())
    }

    fn broken(&self) -> Result<(), String> {
        self.world.violation().map_or(Ok(()), Err)
    }

    /// Runs one invocation to its end.
    async fn finish(&mut self, job: Job) {
        self.invoke(job, 1, Rates::default());
        while !self.running.is_empty() {
            sleep(Duration::from_secs(1)).await;
            self.settle().await;
        }
    }
}
