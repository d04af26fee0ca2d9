//! One run: the plan's events happen to the world, then everything is given time, and it is judged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tidemill::Error;
use tidemill_core::Position;
use tidemill_journal::{Deadline, Error as Journal, Store as _, StoreError, upgrade};
use tidemill_tests::Flight;
use tokio::time::sleep;

use crate::cells::Cells;
use crate::lambda::{Answer, Answered, Environment, Invocation, Job, TIMEOUT, journal_of};
use crate::mapping::Mapping;
use crate::mutant::Mutant;
use crate::oracle;
use crate::pipelines::pipeline;
use crate::plan::{Begin, Event, Flaw, Plan, Rates, Sent, What};
use crate::requests::Requests;
use crate::world::{World, at_once};

/// How many environments there are at most that wait for work.
const IDLE: usize = 3;

/// What came of a run.
pub(crate) struct Report {
    /// Which rule was broken first, if any was.
    pub(crate) broken: Option<String>,
    pub(crate) story: Vec<String>,
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

/// Runs the plan in a world, which may break a rule.
pub(crate) fn run(plan: &Plan, mutant: Option<Mutant>) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let mut simulation = Simulation::new(plan, mutant);
        simulation.happen().await;
        simulation.rest().await;
        let world = Arc::clone(&simulation.world);
        if world.violation().is_none() {
            world.check(oracle::check(plan, &world, &simulation.skipped).await);
        }
        let broken = world.violation();
        let mut state = world.lock();
        Report { broken, story: std::mem::take(&mut state.story), counts: std::mem::take(&mut state.counts) }
    })
}

struct Simulation<'p> {
    plan: &'p Plan,
    world: Arc<World>,
    mapping: Mapping,
    idle: Vec<Environment>,
    running: Vec<Invocation>,
    environments: u64,
    invocations: u64,
    records: i64,
    last_tick: Option<tidemill::EventTime>,
    /// Records that no mapping delivered, by shard: from and up to.
    skipped: BTreeMap<String, Vec<(usize, usize)>>,
}

impl<'p> Simulation<'p> {
    fn new(plan: &'p Plan, mutant: Option<Mutant>) -> Self {
        let world = World::new(mutant);
        world.lock().ledger.is_keyed = pipeline(plan.pipeline).is_keyed();
        for shard in 1..plan.shards {
            world.stream.split(shard);
        }
        Self {
            plan,
            world,
            mapping: Mapping::default(),
            idle: Vec::new(),
            running: Vec::new(),
            environments: 0,
            invocations: 0,
            records: 0,
            last_tick: None,
            skipped: BTreeMap::new(),
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
            What::Put(records) => records.iter().for_each(|sent| self.put(sent)),
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
            What::Drop => self.drop_journals().await,
            What::Jump(millis) => {
                world.jump(*millis);
                world.count("clock jumps");
                world.tell(format!("the clock jumps by {millis} ms"));
            }
            What::Upgrade(choice) => self.upgrade(*choice, event.seed, rates).await,
        }
    }

    fn put(&mut self, sent: &Sent) {
        self.world.jump(sent.after);
        let arrival = self.world.clock();
        let (key, at) = (format!("K{}", sent.key), arrival.as_millis() - sent.behind);
        let flight = match sent.flaw {
            Flaw::None => Flight::new(&key, at, self.records),
            Flaw::Undecodable => Flight { partition_key: key, payload: format!("no flight {}", self.records).into() },
            Flaw::Misrouted => Flight { partition_key: "elsewhere".to_owned(), ..Flight::new(&key, at, self.records) },
            Flaw::FarAhead => Flight::new(&key, at + 48 * 3_600_000, self.records),
        };
        self.world.stream.put(&flight, arrival);
        self.records += 1;
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
        if !self.idle.is_empty() && seed % 4 != 0 {
            return self.idle.remove(usize::try_from(seed / 4).unwrap_or(0) % self.idle.len());
        }
        self.environments += 1;
        let old = self.plan.two_versions && seed / 8 % 2 == 0 && !self.world.lock().is_calm;
        self.world.count(if old { "environments of old code" } else { "environments" });
        Environment::new(&self.world, self.plan, self.environments, old)
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

    /// What is finished answers; what takes too long is given up, and killed or left to go on.
    async fn settle(&mut self) {
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
            if let Some((sequence, ..)) = last.filter(|_| through == Some(batch.len())) {
                let last = Position { sequence: sequence.clone(), sub_sequence: 0 };
                let journal = journal_of(self.plan, shard);
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

    fn remake(&mut self, begin: Begin) {
        self.world.tell(format!("the mapping is made anew: {begin:?}"));
        match begin {
            Begin::TrimHorizon => {
                self.world.count("mappings made anew at TRIM_HORIZON");
                self.mapping = Mapping::default();
            }
            Begin::Latest => {
                self.world.count("mappings made anew at LATEST");
                // With a new function: one that goes on warm has no reason to look for what was left out.
                self.idle.clear();
                self.running.iter_mut().for_each(|invocation| invocation.is_zombie = true);
                let latest = Mapping::at_latest(&self.world.stream);
                for info in self.world.stream.all() {
                    let (from, to) = (self.mapping.through(&info.shard), latest.through(&info.shard));
                    if from < to {
                        self.skipped.entry(info.shard).or_default().push((from, to));
                    }
                }
                self.mapping = latest;
            }
        }
    }

    /// As the manual has it: the mapping goes, nothing runs any more, the journals go (their marks stay), and then it is
    /// made anew. Environments stay warm.
    async fn drop_journals(&mut self) {
        self.world.tell("the mapping is deleted");
        for _ in 0..10 {
            sleep(Duration::from_secs(60)).await;
            self.settle().await;
        }
        std::mem::take(&mut self.running).iter().for_each(Invocation::kill);
        self.world.tell("the journals are dropped, and the mapping is made anew");
        self.world.count("journals dropped");
        let items = &self.world.items;
        let journals: Vec<_> = self.world.lock().ledger.journals.keys().cloned().collect();
        let mark = |journal| at_once(items.read_mark(journal)).ok().flatten();
        let marks: Vec<_> = journals.iter().map(mark).collect();
        items.clear();
        for (journal, mark) in journals.iter().zip(marks) {
            let kept = mark.map_or(Ok(()), |mark| at_once(items.write_mark(journal, &mark)));
            self.world.check(kept.map_err(|error| error.to_string()));
        }
        self.world.lock().ledger.drop_all();
        self.mapping = Mapping::default();
    }

    async fn upgrade(&mut self, choice: usize, seed: u64, rates: Rates) {
        let journals: Vec<_> = self.world.lock().ledger.journals.keys().cloned().collect();
        if journals.is_empty() {
            return;
        }
        let journal = &journals[choice % journals.len()];
        let requests = Requests::new(&self.world, u64::MAX, false);
        requests.begin(Rng::with_seed(seed).u64(..), rates, None);
        let Ok(Some((mut view, mut cells))) =
            tidemill_journal::load(&requests, journal, None, || Box::new(Cells::default())).await
        else {
            return;
        };
        let upgraded = upgrade(&requests, journal, &mut view, cells.as_mut(), Deadline::NONE).await;
        self.world.count("upgrades");
        self.world.tell(format!("{} is upgraded: {upgraded:?}", journal.shard));
    }

    /// Nothing goes wrong any more: zombies come to an end, everything is delivered, and open shards end.
    async fn rest(&mut self) {
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
            let batch = self.mapping.take(&self.world.stream, &shard, 10, self.invocations + 1).unwrap_or_default();
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

/// With an honest table nothing is damaged, foreign or restored, and no shard is closed before its records are in.
fn is_expected(answer: &Answer, is_old: bool) -> Result<(), String> {
    match answer {
        Err(Error::Journal(Journal::Store(StoreError::Foreign { .. }))) if is_old => Ok(()),
        Err(Error::Journal(Journal::Store(StoreError::Unavailable { .. }) | Journal::Sink { .. })) => Ok(()),
        Err(Error::Source { .. } | Error::Runtime(_) | Error::Sink(_)) | Ok(_) => Ok(()),
        Err(error) => Err(format!("refused: {error}")),
    }
}
