//! Running a prepared replay.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::cargo::Binary;
use crate::emulators::{Emulators, Meter, ShardContent, Usage};
use crate::environment::{Deployment, KillPlan, Pool};
use crate::error::Error;
use crate::mapping::{Mapping, Tally};
use crate::progress::Progress;

use super::prepare::{Prepared, file_name};
use super::report::{Compared, Report};
use super::sinks::Collected;
use super::verdict::{Expectation, Expected, Verdict};

impl Prepared {
    /// Builds the function unless it is given, replays the records, and reports. Dropping the future ends all that
    /// it started.
    pub async fn run(self, progress: Arc<dyn Progress>) -> Result<Report, Error> {
        let (executable, (emulators, shards)) = tokio::try_join!(self.build(&*progress), self.put())?;
        progress.phase("replaying");
        let started = Instant::now();
        let mapping = self.mapping(executable, emulators, &shards, &progress);
        let ran = mapping.run(&shards, &progress).await;
        let cpu = mapping.pool.end().await;
        let emulators = &mapping.pool.deployment().emulators;
        let collected = match ran {
            Ok(()) => Collected::read(&emulators.kinesis, &self.function.roles).await,
            Err(error) => Err(error),
        };
        let wall = started.elapsed();
        // What a run that failed left is worth a look too.
        let kept = if self.options.keep { Some(self.keep(emulators).await?) } else { None };
        let outstanding = mapping.pool.plan(|plan| plan.outstanding());
        if outstanding > 0 {
            let planned = self.options.kills;
            progress.warn(&format!("{outstanding} of {planned} kills found no moment to happen"));
        }
        let report = self.report(&mapping, collected?, cpu, wall);
        Ok(Report { kept: kept.map(|kept| kept.folder), ..report })
    }

    async fn build(&self, progress: &dyn Progress) -> Result<PathBuf, Error> {
        if let Some(artifact) = &self.artifact {
            return Ok(artifact.clone());
        }
        let binary =
            Binary { folder: self.template.folder(), name: &self.function.binary, release: self.options.release };
        binary.build(progress).await
    }

    /// Creates the account and puts the records on the source stream.
    async fn put(&self) -> Result<(Emulators, Vec<ShardContent>), Error> {
        let source = &self.function.source.stream;
        let mut emulators = Emulators::start(&self.template, source, self.shards).await?;
        if self.options.limits {
            emulators.limit(&self.template).await?;
        }
        let shards = emulators.kinesis.put(source, &self.records).await?;
        Ok((emulators, shards))
    }

    fn mapping(
        &self,
        executable: PathBuf,
        emulators: Emulators,
        shards: &[ShardContent],
        progress: &Arc<dyn Progress>,
    ) -> Arc<Mapping> {
        let deployment = Deployment {
            function: self.function.clone(),
            executable,
            folder: self.template.folder().to_path_buf(),
            emulators,
            meter: Arc::new(Meter::default()),
            progress: Arc::clone(progress),
            started: AtomicU64::new(0),
            longest_ms: AtomicU64::new(0),
            cpu: Mutex::new(Some(Duration::ZERO)),
        };
        let size = u64::from(self.batch_size);
        let batches = shards.iter().map(|shard| shard.records.div_ceil(size)).sum();
        let plan = KillPlan::new(self.options.kills, self.options.seed, batches);
        let environments = self.options.environments.unwrap_or(self.shards);
        let rotates = self.options.environments.is_some();
        Arc::new(Mapping {
            pool: Pool::new(deployment, environments as usize, rotates, plan),
            stream: self.function.source.stream.clone(),
            batch_size: self.batch_size as usize,
            reports_failures: self.function.source.reports_failures,
            drains: self.options.drain,
            tally: Tally::default(),
        })
    }

    fn report(&self, mapping: &Mapping, collected: Collected, cpu: Option<Duration>, wall: Duration) -> Report {
        let tally = &mapping.tally;
        let kills = mapping.pool.plan(|plan| plan.kills());
        let deployment = mapping.pool.deployment();
        let usage: Usage = deployment.meter.total();
        let verdict = self.expectation.judge(&collected.results, &collected.late);
        let differences = match &verdict {
            Verdict::Differs(differences) => Some(differences.as_ref().clone()),
            _ => None,
        };
        Report {
            scenario: self.scenario.name.clone(),
            title: self.scenario.title.clone(),
            function: self.function.id.clone(),
            records: tally.records.load(Ordering::Relaxed),
            batches: tally.batches.load(Ordering::Relaxed),
            invocations: tally.invocations.load(Ordering::Relaxed),
            retries: tally.retries.load(Ordering::Relaxed),
            kills: kills.values().sum(),
            kills_by_kind: kills,
            results: collected.results.len() as u64,
            repeats: collected.repeats,
            late: collected.late.len() as u64,
            quarantined: collected.quarantined.len() as u64,
            throttled: deployment.emulators.limits.as_ref().map(|limits| limits.throttled()),
            write_units: usage.write_units,
            read_units: usage.read_units,
            requests: usage.requests,
            function_cpu_ms: cpu.map(millis),
            longest_invocation_ms: deployment.longest_ms.load(Ordering::Relaxed),
            wall_ms: millis(wall),
            kept: None,
            verdict,
            differences,
            compared: self.expectation.compared(),
            collected,
        }
    }
}

impl Expectation {
    fn compared(&self) -> Vec<Compared> {
        let Self::Lines { results, late } = self else {
            return Vec::new();
        };
        let compared = |expected: &Option<Expected>, what| {
            let expected = expected.as_ref()?;
            Some(Compared { lines: expected.len() as u64, what, file: file_name(&expected.path) })
        };
        [compared(results, "results"), compared(late, "late")].into_iter().flatten().collect()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
