//! Setting up a run's account, and feeding it.
//!
//! What is short lies on the source stream before anything runs, so that batches are the same in every run. Of what is
//! long only so much is put ahead of the functions, and what is behind them is forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::chaos::Faults;
use crate::emulators::{DynamoDb, Emulators, Kinesis, ShardContent};
use crate::error::Error;
use crate::input::Record;
use crate::kept::Kept;
use crate::resharding::Resharding;
use crate::template::Function;

use super::pace::Pace;
use super::prepare::Prepared;

/// The shards of each function's source, in the order of the functions.
pub(super) type Shards = Vec<Vec<ShardContent>>;

/// How many bytes of records are put ahead of the functions.
const AHEAD: usize = 32 << 20;
/// How many records are put before the functions are looked at again.
const STRIDE: usize = 5_000;
/// How often a feeder looks whether there is something to put.
const LOOK: Duration = Duration::from_millis(5);

/// An account with records.
pub(super) struct Fed {
    pub(super) emulators: Arc<Emulators>,
    pub(super) shards: Shards,
    pub(super) feeder: Feeder,
}

/// Puts records on the source stream, whose shards are split and merged between them: what a shard holds is the same in
/// every run, whatever the functions' pace.
pub(super) struct Feeder {
    records: Arc<[Record]>,
    put: usize,
    /// How many records are put ahead of those that are done.
    ahead: usize,
    pace: Option<Pace>,
    /// Which records leave the stream before they are read.
    trim: Range<usize>,
    /// What became of the source's shards.
    pub(super) resharding: Resharding,
    /// How many records each shard got.
    pub(super) content: BTreeMap<String, u64>,
    /// Whether all that will come is there.
    pub(super) done: Arc<AtomicBool>,
}

/// What the shards of a stream hold already; nothing if it is not `asked`.
async fn held(emulators: &Emulators, stream: &str, asked: bool) -> Result<Vec<ShardContent>, Error> {
    let mut content = emulators.kinesis.put(stream, &[]).await?;
    for ShardContent { shard, records } in content.iter_mut().filter(|_| asked) {
        *records = emulators.kinesis.all_of_shard(stream, shard).await?.len() as u64;
    }
    Ok(content)
}

/// What was there, shards that got nothing more included, and what was put behind it.
fn together(mut kept: Vec<ShardContent>, put: &BTreeMap<String, u64>) -> Vec<ShardContent> {
    for (shard, records) in put {
        match kept.iter_mut().find(|content| content.shard == *shard) {
            Some(content) => content.records += records,
            None => kept.push(ShardContent { shard: shard.clone(), records: *records }),
        }
    }
    kept
}

impl Prepared {
    /// Creates the account and puts the first records on the source stream.
    pub(super) async fn feed(&self) -> Result<Fed, Error> {
        let fed = self.chain.fed();
        let mut emulators = match self.options.resume {
            true => self.resumed().await?,
            false => Emulators::start(&self.template, fed, self.shards).await?,
        };
        emulators.result_tables = Arc::new(self.chain.result_tables(&self.template));
        if let Some(faults) = self.faults() {
            emulators.disturb(faults, &self.template);
        }
        if self.options.limits {
            emulators.limit(&self.template).await?;
        }
        let mut feeder = self.feeder();
        if feeder.ahead < feeder.records.len() && self.chain.readers(fed) == 1 {
            emulators.kinesis = emulators.kinesis.forgetting(fed);
        }
        let kept = held(&emulators, fed, self.options.resume).await?;
        feeder.put_to(&emulators, feeder.allowed(0)).await?;
        let put = together(kept, &feeder.content);
        let mut shards = Vec::new();
        for Function { source, .. } in &self.chain.functions {
            shards.push(match source.stream.as_str() {
                stream if stream == fed => put.clone(),
                stream => held(&emulators, stream, true).await?,
            });
        }
        Ok(Fed { emulators: Arc::new(emulators), shards, feeder })
    }

    /// The account that the scenario's kept run left. What is kept stays as it is.
    async fn resumed(&self) -> Result<Emulators, Error> {
        let run = Kept::beside(self.template.folder()).run(&self.scenario.name);
        if run.since().is_none() {
            return Err(Error::NotFound(format!(
                "no run of `{0}` is kept to go on from: `cargo tidemill replay {0} --keep --no-drain` keeps one",
                self.scenario.name
            )));
        }
        let kinesis = Kinesis::new();
        kinesis.restore(&run.streams()).await?;
        let dynamodb = DynamoDb::copy_of(&run.tables()).await?;
        Ok(Emulators::of(kinesis, dynamodb, &self.template))
    }

    /// The faults of a seed's plan, or those that are asked for.
    fn faults(&self) -> Option<Faults> {
        let asked = &self.options.faults;
        match &self.disturbance {
            Some(plan) => Some(plan.faults()),
            None if asked.is_empty() => None,
            None => Some(Faults::deal_each(self.options.seed, asked, self.batches())),
        }
    }

    /// The records that leave the stream before they are read, counted from 0.
    fn trim(&self) -> Range<usize> {
        let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        self.options.trim.as_ref().map_or(0..0, |trim| place(trim.start() - 1)..place(*trim.end()))
    }

    fn feeder(&self) -> Feeder {
        let count = self.records.len().max(1);
        let bytes: usize = self.records.iter().map(|record| record.payload.len() + record.partition_key.len()).sum();
        // Every shard may wait for a batch of its own.
        let batches = self.chain.functions.first().map_or(1, |first| self.batch_size(first)) as usize;
        let shards = self.shards as usize + usize::try_from(self.options.reshards).unwrap_or_default();
        let ahead = if bytes <= AHEAD { count } else { (AHEAD / (bytes / count).max(1)).max(2 * shards * batches) };
        Feeder {
            records: Arc::clone(&self.records),
            put: 0,
            ahead,
            pace: self.pace.clone(),
            trim: self.trim(),
            resharding: self.resharding(self.chain.fed()),
            content: BTreeMap::new(),
            done: Arc::default(),
        }
    }

    /// What is to become of the streams that the functions write to and read.
    pub(super) fn reshardings(&self) -> Vec<Resharding> {
        if self.options.reshards == 0 {
            return Vec::new();
        }
        let fed = self.chain.fed();
        let between: BTreeSet<&str> = self.chain.read_streams().into_iter().filter(|stream| *stream != fed).collect();
        between.into_iter().map(|stream| self.resharding(stream)).collect()
    }

    fn resharding(&self, stream: &str) -> Resharding {
        let (count, seed) = (self.options.reshards, self.options.seed);
        Resharding::deal(stream, count, seed, self.records.len() as u64)
    }
}

impl Feeder {
    /// Whether all records are on the stream.
    pub(super) fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    /// Puts the rest, as the functions get on: `records_done` says how far they are.
    pub(super) async fn run(&mut self, emulators: &Emulators, records_done: impl Fn() -> u64) -> Result<(), Error> {
        if let Some(pace) = &mut self.pace {
            pace.begun = Some(Instant::now());
        }
        while !self.is_done() {
            let done = usize::try_from(records_done()).unwrap_or(usize::MAX);
            match self.allowed(done).min(self.put + STRIDE) {
                to if to > self.put => self.put_to(emulators, to).await?,
                _ => tokio::time::sleep(LOOK).await,
            }
        }
        Ok(())
    }

    /// How many records may be on the stream when so many of them are done.
    fn allowed(&self, done: usize) -> usize {
        let come = self.pace.as_ref().map_or(usize::MAX, Pace::come);
        done.saturating_add(self.ahead).min(come).min(self.records.len())
    }

    async fn put_to(&mut self, emulators: &Emulators, to: usize) -> Result<(), Error> {
        let stream = self.resharding.stream.clone();
        loop {
            let moment = self.resharding.next().and_then(|moment| usize::try_from(moment).ok());
            let moment = moment.filter(|moment| *moment <= to);
            let until = moment.unwrap_or(to);
            self.put_until(emulators, &stream, until).await?;
            if moment.is_none() {
                break;
            }
            self.resharding.step(emulators).await?;
        }
        if self.put == self.records.len() {
            self.done.store(true, Ordering::Release);
        }
        Ok(())
    }
    /// Puts records up to number `until`, those that are trimmed for nobody to read.
    async fn put_until(&mut self, emulators: &Emulators, stream: &str, until: usize) -> Result<(), Error> {
        while self.put < until {
            let trimmed = self.trim.contains(&self.put);
            let edge = if trimmed { self.trim.end } else { self.trim.start };
            let next = if edge > self.put { edge.min(until) } else { until };
            let records = &self.records[self.put..next];
            if trimmed {
                emulators.kinesis.put_trimmed(stream, records).await?;
            } else {
                for ShardContent { shard, records } in emulators.kinesis.put(stream, records).await? {
                    *self.content.entry(shard).or_default() += records;
                }
            }
            self.put = next;
        }
        Ok(())
    }
}
