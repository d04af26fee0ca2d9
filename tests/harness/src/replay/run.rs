//! Running a prepared replay.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::cargo::Binary;
use crate::emulators::{Emulators, Meter, ShardContent};
use crate::environment::{Deployment, KillPlan, Pool, Target};
use crate::error::Error;
use crate::mapping::{self, Link, Mapping, Tally};
use crate::progress::Progress;
use crate::template::Function;

use super::prepare::Prepared;
use super::report::Report;
use super::sinks::{Collected, Sinks};

/// The shards of each function's source, in the order of the functions.
type Shards = Vec<Vec<ShardContent>>;

impl Prepared {
    /// Builds the functions unless they are given, replays the records, and reports. Dropping the future ends all
    /// that it started.
    pub async fn run(self, progress: Arc<dyn Progress>) -> Result<Report, Error> {
        let (executables, (emulators, shards)) = tokio::try_join!(self.build(&*progress), self.put())?;
        progress.phase("replaying");
        let started = Instant::now();
        let links = self.links(&executables, &emulators, shards, &progress);
        let ran = mapping::run(&links, &progress).await;
        let mut cpu = Vec::new();
        for link in &links {
            cpu.push(link.mapping.pool.end().await);
        }
        let collected = match ran {
            Ok(()) => Collected::read(&emulators, &self.sinks()).await,
            Err(error) => Err(error),
        };
        let wall = started.elapsed();
        // What a run that failed left is worth a look too.
        let kept = if self.options.keep { Some(self.keep(&emulators).await?) } else { None };
        let outstanding: usize = links.iter().map(|link| link.mapping.pool.plan(|plan| plan.outstanding())).sum();
        if outstanding > 0 {
            let planned = self.options.kills;
            progress.warn(&format!("{outstanding} of {planned} kills found no moment to happen"));
        }
        let report = self.report(&links, &emulators, collected?, &cpu, wall)?;
        Ok(Report { kept: kept.map(|kept| kept.folder), ..report })
    }

    /// The executable of each binary.
    async fn build(&self, progress: &dyn Progress) -> Result<BTreeMap<String, PathBuf>, Error> {
        let names: BTreeSet<&str> = self.chain.functions.iter().map(|function| function.binary.as_str()).collect();
        let mut executables = BTreeMap::new();
        for name in names {
            let executable = match &self.artifact {
                Some(artifact) => artifact.clone(),
                None => {
                    let binary = Binary { folder: self.template.folder(), name, release: self.options.release };
                    binary.build(progress).await?
                }
            };
            executables.insert(name.to_owned(), executable);
        }
        Ok(executables)
    }

    /// Creates the account and puts the records on the source stream.
    async fn put(&self) -> Result<(Arc<Emulators>, Shards), Error> {
        let fed = self.chain.fed();
        let mut emulators = Emulators::start(&self.template, fed, self.shards).await?;
        emulators.result_tables = Arc::new(self.chain.result_tables());
        if self.options.limits {
            emulators.limit(&self.template).await?;
        }
        let put = emulators.kinesis.put(fed, &self.records).await?;
        let mut shards = Vec::new();
        for Function { source, .. } in &self.chain.functions {
            shards.push(match source.stream.as_str() {
                stream if stream == fed => put.clone(),
                stream => emulators.kinesis.put(stream, &[]).await?,
            });
        }
        Ok((Arc::new(emulators), shards))
    }

    /// A mapping for each function.
    fn links(
        &self,
        executables: &BTreeMap<String, PathBuf>,
        emulators: &Arc<Emulators>,
        shards: Shards,
        progress: &Arc<dyn Progress>,
    ) -> Vec<Link> {
        let functions = &self.chain.functions;
        let plans = self.kill_plans(shards.first().map_or(&[], Vec::as_slice));
        let mut links = Vec::new();
        for (place, ((function, shards), plan)) in functions.iter().zip(shards).zip(plans).enumerate() {
            let deployment = Deployment {
                function: function.clone(),
                executable: executables.get(&function.binary).cloned().unwrap_or_default(),
                folder: self.template.folder().to_path_buf(),
                emulators: Arc::clone(emulators),
                meter: Arc::new(Meter::default()),
                progress: Arc::clone(progress),
                started: AtomicU64::new(0),
                longest_ms: AtomicU64::new(0),
                cpu: Mutex::new(Some(Duration::ZERO)),
            };
            let rotates = self.options.environments.is_some();
            let environments = self.options.environments.map_or(shards.len(), |count| count as usize);
            let mapping = Arc::new(Mapping {
                pool: Pool::new(deployment, environments, rotates, plan),
                stream: function.source.stream.clone(),
                batch_size: self.batch_size(function) as usize,
                reports_failures: function.source.reports_failures,
                drains: self.options.drain && function.journal_table().is_some(),
                tally: Tally::default(),
            });
            links.push(Link { mapping, shards, upstream: self.chain.upstream(place) });
        }
        links
    }

    fn batch_size(&self, function: &Function) -> u32 {
        self.options.batch_size.or(self.scenario.batch_size).unwrap_or(function.source.batch_size)
    }

    /// A plan for each function, over what the first one is known to get.
    fn kill_plans(&self, fed: &[ShardContent]) -> Vec<KillPlan> {
        let functions = &self.chain.functions;
        let size = functions.first().map_or(1, |function| u64::from(self.batch_size(function)));
        let batches = fed.iter().map(|shard| shard.records.div_ceil(size)).sum();
        let targets: Vec<Target> =
            functions.iter().map(|function| Target { commits: function.journal_table().is_some() }).collect();
        KillPlan::deal(self.options.kills, self.options.seed, batches, &targets)
    }

    fn sinks(&self) -> Sinks<'_> {
        Sinks {
            streams: self.chain.written_streams(),
            quarantines: self.chain.quarantines(),
            intermediate: self.chain.read_streams(),
            named: self.streams.iter().map(|(stream, name)| (stream.as_str(), name.as_str())).collect(),
            tables: self.tables.iter().map(|(table, name)| (table.as_str(), name.as_str())).collect(),
            final_by: &self.scenario.final_by,
        }
    }
}
