//! Running a prepared replay.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::cargo::Binary;
use crate::emulators::{Emulators, Meter, ShardContent};
use crate::environment::{Deployment, KillKind, KillPlan, Observed, Pool, Target};
use crate::error::Error;
use crate::history::History;
use crate::input::Record;
use crate::mapping::{Chain, Destinations, FunctionName, Link, Mapping, Pace, Tally};
use crate::progress::{Progress, Recorded};
use crate::template::{Code, EventSource, Filter, Function, Position};

use super::feed::{Fed, Shards};
use super::prepare::Prepared;
use super::report::Report;
use super::sinks::{Collected, Sinks};

/// What runs for each function's code.
pub(super) type Executables = BTreeMap<Code, PathBuf>;

impl Prepared {
    /// Builds the functions unless they are given, replays the records, and reports. Dropping the future ends all
    /// that it started.
    pub async fn run(self, progress: Arc<dyn Progress>) -> Result<Report, Error> {
        let (executables, fed) = tokio::try_join!(self.build(&*progress), self.feed())?;
        progress.phase("replaying");
        self.deliver(&executables, fed, &progress).await
    }

    /// Replays the records through these executables.
    pub(super) async fn replay(
        &self,
        executables: &Executables,
        progress: &Arc<dyn Progress>,
    ) -> Result<Report, Error> {
        let fed = self.feed().await?;
        self.deliver(executables, fed, progress).await
    }

    async fn deliver(
        &self,
        executables: &Executables,
        fed: Fed,
        progress: &Arc<dyn Progress>,
    ) -> Result<Report, Error> {
        let started = Instant::now();
        let Fed { emulators, shards, mut feeder } = fed;
        let history = Arc::new(History::default());
        progress.watch(&history);
        let progress: &Arc<dyn Progress> =
            &(Arc::new(Recorded { history: Arc::clone(&history), progress: Arc::clone(progress) })
                as Arc<dyn Progress>);
        let to_come = if feeder.is_done() { 0 } else { 2 * self.options.reshards };
        let links = self.links(executables, &emulators, shards, to_come, progress, &history);
        let first = links.first().map(|link| Arc::clone(&link.mapping));
        let records_done = || first.as_ref().map_or(0, |first| first.tally.records.load(Ordering::Relaxed));
        let mut chain = Chain {
            links,
            reshardings: self.reshardings(),
            fed: Arc::clone(&feeder.done),
            records: self.records.len() as u64,
            emulators: Arc::clone(&emulators),
        };
        let ran = tokio::try_join!(chain.run(progress), feeder.run(&emulators, records_done)).map(drop);
        let Chain { links, reshardings, .. } = chain;
        let mut cpu = Vec::new();
        for link in &links {
            cpu.push(link.mapping.pool.end().await);
        }
        let collected = match ran {
            Ok(()) => Collected::read(&emulators, &self.sinks()).await,
            Err(error) => Err(self.reproducible(error, &links)),
        };
        let wall = started.elapsed();
        // What a run that failed left is worth a look too.
        let kept = if self.options.keep { Some(self.keep(&emulators).await?) } else { None };
        let outstanding: usize = links.iter().map(|link| link.mapping.pool.plan(|plan| plan.outstanding())).sum();
        // Those of a seed are told by what happened.
        if outstanding > 0 && self.disturbance.is_none() {
            let planned = self.options.kills;
            progress.warn(&format!("{outstanding} of {planned} kills found no moment to happen"));
        }
        for Link { mapping, .. } in &links {
            mapping.what_is_lost().for_each(|lost| progress.warn(&lost));
            mapping.pool.deployment().beyond_memory().iter().for_each(|beyond| progress.warn(beyond));
        }
        let resharded = if self.options.reshards > 0 { Some(&feeder.resharding) } else { None };
        let resharded = self.resharded(&emulators, &feeder.content, resharded.into_iter().chain(&reshardings)).await?;
        let report = Report { resharded, ..self.report(&links, &emulators, collected?, &cpu, wall, history.tell())? };
        if let Some(kept) = &kept {
            kept.set_used(&report.cost.used)?;
        }
        Ok(Report { kept: kept.map(|kept| kept.folder), ..report })
    }

    /// The executable of each function's code.
    pub(super) async fn build(&self, progress: &dyn Progress) -> Result<Executables, Error> {
        let codes: BTreeSet<&Code> = self.chain.functions.iter().map(|function| &function.code).collect();
        let mut executables = BTreeMap::new();
        for code in codes {
            let executable = match (&self.artifact, code) {
                (Some(program), _) | (None, Code::Bootstrap(program)) => program.clone(),
                (None, Code::Binary(name)) => {
                    let binary = Binary { folder: self.template.folder(), name, release: self.options.release };
                    binary.build(progress).await?
                }
            };
            executables.insert(code.clone(), executable);
        }
        Ok(executables)
    }

    /// A mapping for each function.
    fn links(
        &self,
        executables: &Executables,
        emulators: &Arc<Emulators>,
        shards: Shards,
        to_come: u64,
        progress: &Arc<dyn Progress>,
        history: &Arc<History>,
    ) -> Vec<Link> {
        let functions = &self.chain.functions;
        let plans = self.kill_plans();
        let mut links = Vec::new();
        for (place, ((function, shards), plan)) in functions.iter().zip(shards).zip(plans).enumerate() {
            let deployment = Deployment {
                function: function.clone(),
                executable: executables.get(&function.code).cloned().unwrap_or_default(),
                folder: self.template.folder().to_path_buf(),
                emulators: Arc::clone(emulators),
                meter: Arc::new(Meter::of(Arc::clone(history), function.journal_table().is_some())),
                progress: Arc::clone(progress),
                started: AtomicU64::new(0),
                longest_ms: AtomicU64::new(0),
                zombies: self.options.zombies,
                observed: Observed::default(),
                cpu: Mutex::new(Some(Duration::ZERO)),
            };
            let factor = function.source.factor as usize;
            let environments =
                self.options.environments.map_or(self.most(place, &shards, to_come) * factor, |count| count as usize);
            let mapping = Arc::new(Mapping {
                pool: Pool::new(deployment, environments, self.options.reuse(), self.options.recycle, plan),
                function: FunctionName { id: function.id.clone(), name: function.name.clone() },
                kinesis: emulators.kinesis.clone(),
                source: self.source(function),
                pace: if self.options.realtime.is_some() { Pace::AT_WORK } else { Pace::REPLAY },
                destinations: Destinations::new(&function.id, emulators.queues.clone(), self.buckets()),
                drains: self.options.drain && function.journal_table().is_some(),
                ticks: self.ticks.get(place).cloned().flatten(),
                tally: Tally::default(),
            });
            links.push(Link { mapping, shards, upstream: self.chain.upstream(place) });
        }
        links
    }

    /// The most shards that the source of a function ever has, a split being the most that can happen to one. So many
    /// are still to come of the first one's.
    fn most(&self, place: usize, shards: &[ShardContent], to_come: u64) -> usize {
        let to_come = if self.chain.upstream(place).is_empty() { to_come } else { 2 * self.options.reshards };
        shards.len() + usize::try_from(to_come).unwrap_or(usize::MAX)
    }

    /// Its event source, from the first record on, in batches as they are asked for.
    fn source(&self, function: &Function) -> EventSource {
        let batch_size = self.batch_size(function);
        EventSource { batch_size, position: Position::Horizon, ..function.source.clone() }
    }

    /// Where objects go of records that are given up.
    fn buckets(&self) -> PathBuf {
        self.template.folder().join(".tidemill").join("buckets")
    }

    pub(super) fn batch_size(&self, function: &Function) -> u32 {
        self.options.batch_size.or(self.scenario.batch_size).unwrap_or(function.source.batch_size)
    }

    /// A plan for each function, over what the first one is known to get.
    fn kill_plans(&self) -> Vec<KillPlan> {
        let functions = &self.chain.functions;
        let batches = self.batches();
        let targets: Vec<Target> =
            functions.iter().map(|function| Target { commits: function.journal_table().is_some() }).collect();
        let kinds: &[KillKind] = if self.disturbance.is_some() { &KillKind::ALL } else { &KillKind::SUDDEN };
        KillPlan::deal(self.options.kills, self.options.seed, batches, kinds, &targets)
    }

    /// About how many batches the first function gets.
    pub(super) fn batches(&self) -> u64 {
        let size = self.chain.functions.first().map_or(1, |function| u64::from(self.batch_size(function)));
        self.delivered().div_ceil(size)
    }

    /// How many of the records filters let pass to the first function, as far as data and partition keys tell.
    fn delivered(&self) -> u64 {
        let Some(first) = self.chain.functions.first().filter(|first| !first.source.filters.is_empty()) else {
            return self.records.len() as u64;
        };
        let passes = |record: &&Record| {
            let data = base64_simd::STANDARD.encode_to_string(&record.payload);
            Filter::any_passes(&first.source.filters, &json!({"partitionKey": record.partition_key}), &data)
        };
        self.records.iter().filter(passes).count() as u64
    }

    fn sinks(&self) -> Sinks<'_> {
        Sinks {
            streams: self.chain.written_streams().into_iter().chain(self.streams.keys().map(String::as_str)).collect(),
            quarantines: self.chain.quarantines(),
            intermediate: self.chain.read_streams(),
            named: self.streams.iter().map(|(stream, name)| (stream.as_str(), name.as_str())).collect(),
            tables: self.tables.iter().map(|(table, name)| (table.as_str(), name.as_str())).collect(),
            queues: self.queues.iter().map(|(queue, name)| (queue.as_str(), name.as_str())).collect(),
            final_by: &self.scenario.final_by,
        }
    }
}
