//! One run: the plan's events happen to the world, then everything is given time, and it is judged.

mod answers;
mod operator;
mod rest;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::testing::simulation::lambda::{Environment, Invocation, Job};
use crate::testing::simulation::mapping::Mapping;
use crate::testing::simulation::mutant::Mutant;
use crate::testing::simulation::oracle;
use crate::testing::simulation::plan::{Event, Plan, Rates, What};
use crate::testing::simulation::subject::Subject;
use crate::testing::simulation::world::World;
use operator::Exported;

/// How many environments there are at most that wait for work.
const IDLE: usize = 3;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which rule was broken first, if any was.
    pub broken: Option<String>,
    /// What happened, line by line, with the time in seconds.
    pub story: Vec<String>,
    /// How often what happened.
    pub counts: BTreeMap<&'static str, u64>,
}

/// Runs the plan in a world, which may break a rule.
///
/// # Panics
/// If the system gives no runtime.
pub fn run(plan: &Plan, subject: &dyn Subject, mutant: Option<Mutant>) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let mut simulation = Simulation::new(plan, subject, mutant);
        simulation.happen().await;
        simulation.rest().await;
        let world = Arc::clone(&simulation.world);
        if world.violation().is_none() {
            world.check(oracle::check(subject, &world, &simulation.skipped).await);
        }
        let broken = world.violation();
        let mut state = world.lock();
        Report { broken, story: std::mem::take(&mut state.story), counts: std::mem::take(&mut state.counts) }
    })
}

struct Simulation<'p> {
    plan: &'p Plan,
    subject: &'p dyn Subject,
    world: Arc<World>,
    mapping: Mapping,
    idle: Vec<Environment>,
    running: Vec<Invocation>,
    environments: u64,
    invocations: u64,
    last_tick: Option<crate::EventTime>,
    /// Records that no mapping delivered, by shard: from and up to.
    skipped: BTreeMap<String, Vec<(usize, usize)>>,
    /// An export under way.
    exporting: Option<JoinHandle<Option<Vec<Exported>>>>,
    /// What an operator exported last.
    exported: Vec<Exported>,
    /// How many invocations there were when an operator last made the mapping anew.
    operated: u64,
}

impl<'p> Simulation<'p> {
    fn new(plan: &'p Plan, subject: &'p dyn Subject, mutant: Option<Mutant>) -> Self {
        let world = World::new(subject, mutant);
        for shard in 1..plan.shards {
            world.stream.split(shard);
        }
        Self {
            plan,
            subject,
            world,
            mapping: Mapping::default(),
            idle: Vec::new(),
            running: Vec::new(),
            environments: 0,
            invocations: 0,
            last_tick: None,
            skipped: BTreeMap::new(),
            exporting: None,
            exported: Vec::new(),
            operated: 0,
        }
    }

    async fn happen(&mut self) {
        for event in &self.plan.events {
            sleep(Duration::from_millis(event.after)).await;
            self.settle().await;
            if self.world.violation().is_some() {
                return;
            }
            self.act(event).await;
        }
    }

    async fn act(&mut self, event: &Event) {
        let world = Arc::clone(&self.world);
        let rates = if event.calm { Rates::default() } else { self.plan.rates };
        match &event.what {
            What::Put(records) => records.clone().for_each(|number| self.put(number)),
            What::Split(choice) => {
                world.stream.split(*choice);
                world.count("splits");
                world.tell("a shard is split");
            }
            What::Merge(choice) => {
                world.stream.merge(*choice);
                world.count("merges");
                world.tell("two shards are merged");
            }
            What::Poll { shard, most } => self.poll(*shard, *most, event.seed, rates),
            What::Again { shard, from, most } => self.again(*shard, *from, *most, event.seed, rates),
            What::Tick { repeat } => self.tick(*repeat, event.seed, rates),
            What::Retire(choice) if !self.idle.is_empty() => {
                let environment = self.idle.remove(choice % self.idle.len());
                world.count("environments retired");
                world.tell(format!("environment {} ends", environment.requests.environment));
            }
            What::Retire(_) => {}
            What::Remake(begin) => self.remake(*begin),
            What::Drop => self.drop_journals(event.seed, rates).await,
            What::Export => self.export(event.seed, rates),
            What::Restore { moves } => self.restore(*moves, event.seed, rates).await,
            What::Jump(millis) => {
                world.jump(*millis);
                world.count("clock jumps");
                world.tell(format!("the clock jumps by {millis} ms"));
            }
            What::Sweep => self.sweep(event.seed, rates).await,
            What::Upgrade(choice) => self.upgrade(*choice, event.seed, rates).await,
        }
    }

    fn put(&self, number: usize) {
        let clock = self.world.clock();
        let (arrival, message) = self.subject.record(number, clock);
        self.world.jump(arrival.as_millis() - clock.as_millis());
        self.world.stream.put(&message, arrival);
        self.world.count("records");
    }

    fn poll(&mut self, shard: usize, most: usize, seed: u64, rates: Rates) {
        let pollable = self.mapping.pollable(&self.world.stream, self.world.is(Mutant::ChildrenFirst));
        let Some(shard) = pollable.get(shard % pollable.len().max(1)) else { return };
        let number = self.invocations + 1;
        let Some(batch) = self.mapping.take(&self.world.stream, shard, most, number) else { return };
        self.invoke(Job::Batch { shard: shard.clone(), batch }, seed, rates);
    }

    /// A batch comes again, cut otherwise.
    fn again(&mut self, shard: usize, from: usize, most: usize, seed: u64, rates: Rates) {
        let all = self.world.stream.all();
        let shard = &all[shard % all.len()].shard;
        let mut batch = self.mapping.delivered(&self.world.stream, shard, from, most);
        if batch.is_empty() {
            return;
        }
        if self.world.is(Mutant::Renumbered) {
            for (sequence, ..) in &mut batch {
                *sequence = tidemill_core::SequenceNumber::parse(&format!("1{sequence:0>9}")).expect("a number");
            }
        }
        self.world.count("batches repeated");
        self.invoke(Job::Batch { shard: shard.clone(), batch }, seed, rates);
    }

    fn tick(&mut self, repeat: bool, seed: u64, rates: Rates) {
        let mut now = self.last_tick.filter(|_| repeat).unwrap_or_else(|| self.world.clock());
        self.last_tick = Some(now);
        if self.world.is(Mutant::ShiftedTick) {
            now = now.plus(3_600_000);
        }
        self.world.count("ticks");
        self.invoke(Job::Tick(now), seed, rates);
    }

    fn environment(&mut self, seed: u64) -> Environment {
        if !self.idle.is_empty() && !seed.is_multiple_of(4) {
            return self.idle.remove(usize::try_from(seed / 4).unwrap_or(0) % self.idle.len());
        }
        self.environments += 1;
        let old = self.plan.two_versions && (seed / 8).is_multiple_of(2) && !self.world.lock().is_calm;
        self.world.count(if old { "environments of old code" } else { "environments" });
        Environment::new(&self.world, self.plan, self.subject, self.environments, old)
    }

    fn invoke(&mut self, job: Job, seed: u64, rates: Rates) {
        let environment = self.environment(seed);
        self.invocations += 1;
        let what = match &job {
            Job::Batch { shard, batch } => {
                let first = batch.first().map(|(sequence, ..)| sequence.to_string()).unwrap_or_default();
                format!("{} records from {first} of {shard}", batch.len())
            }
            Job::Tick(now) => format!("a tick at {now}"),
            Job::Drain(shard) => format!("the end of {shard}"),
        };
        let (number, by) = (self.invocations, environment.requests.environment);
        self.world.tell(format!("invocation {number} in environment {by}: {what}"));
        self.world.count("invocations");
        self.running.push(Invocation::begin(environment, number, job, seed, rates));
    }
}
