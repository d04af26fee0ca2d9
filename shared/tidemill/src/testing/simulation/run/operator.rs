//! What an operator does: mappings made anew, journals dropped, restored, upgraded and swept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tidemill_journal::{Deadline, Incarnation, JournalId, LONGEST_LIFE, Snapshot, Swept, load, sweep, upgrade};
use tokio::time::sleep;

use super::Simulation;
use crate::testing::simulation::cells::Cells;
use crate::testing::simulation::lambda::Invocation;
use crate::testing::simulation::ledger::Commit;
use crate::testing::simulation::mapping::Mapping;
use crate::testing::simulation::mutant::Mutant;
use crate::testing::simulation::plan::{Begin, Rates};
use crate::testing::simulation::requests::Requests;
use crate::testing::simulation::world::World;

/// How long a tool writes at most what it has read of a shard, milliseconds.
const WRITING: u64 = 3_000;

/// A journal as it was exported, and the commits that it stands for.
pub(super) struct Exported {
    snapshot: Snapshot,
    cells: Box<Cells>,
    commits: Vec<Commit>,
}

impl Simulation<'_> {
    pub(super) fn remake(&mut self, begin: Begin) {
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

    /// As the manual has it: the mapping goes, and nothing runs any more. Environments stay warm, and marks stay.
    async fn stop(&mut self) {
        self.world.tell("the mapping is deleted");
        if !self.world.is(Mutant::RestoreUnderWay) {
            self.wait_for_all().await;
        }
        self.operated = self.invocations;
        self.world.lock().ledger.begin_operation();
    }

    /// No invocation goes on for so long.
    async fn wait_for_all(&mut self) {
        for _ in 0..10 {
            sleep(Duration::from_secs(60)).await;
            self.settle().await;
        }
        std::mem::take(&mut self.running).iter().for_each(Invocation::kill);
    }

    fn start_again(&mut self, kept: BTreeMap<JournalId, Vec<Commit>>) {
        let ended = self.world.lock().ledger.end_operation(&self.world.items, kept);
        self.world.check(ended.and_then(|()| self.world.i6_children_begin_behind_seals()));
        self.mapping = Mapping::default();
        self.running.iter_mut().for_each(|invocation| invocation.is_zombie = true);
        self.world.tell("the mapping is made anew");
    }

    fn journals(&self) -> Vec<JournalId> {
        self.world.lock().ledger.journals.keys().cloned().collect()
    }

    /// Whether a shard came of another whose journal is there.
    fn is_child(&self, journal: &JournalId, journals: &[JournalId]) -> bool {
        let info = self.world.stream.all().into_iter().find(|info| info.shard == journal.shard);
        let is_there = |parent: &String| journals.iter().any(|other| other.shard == *parent);
        info.is_some_and(|info| info.parents.iter().any(is_there))
    }

    /// Requests of a tool, and a generator of incarnations.
    fn tool(&self, seed: u64, rates: Rates) -> (Requests, Rng) {
        let requests = Requests::new(&self.world, u64::MAX, false);
        let mut rng = Rng::with_seed(seed);
        requests.begin(rng.u64(..), rates, None);
        (requests, rng)
    }

    pub(super) async fn drop_journals(&mut self, seed: u64, rates: Rates) {
        self.finish_export().await;
        self.stop().await;
        let journals = self.journals();
        let (requests, mut rng) = self.tool(seed, rates);
        // Children first, and to nothing.
        for journal in journals.iter().rev() {
            let is_root = !self.is_child(journal, &journals);
            loop {
                let begins = is_root.then(|| Incarnation(rng.u64(..)));
                match tidemill_journal::drop(&requests, journal, begins).await {
                    Ok(_) => break,
                    Err(error) => self.world.tell(format!("a drop of {} is tried again: {error}", journal.shard)),
                }
            }
            self.world.tell(format!("{} is dropped", journal.shard));
        }
        self.world.count("journals dropped");
        self.start_again(BTreeMap::new());
    }

    /// An export begins, beside all else.
    pub(super) fn export(&mut self, seed: u64, rates: Rates) {
        let ((requests, rng), world) = (self.tool(seed, rates), Arc::clone(&self.world));
        if let Some(under_way) = self.exporting.replace(tokio::spawn(read_all(world, requests, rng))) {
            under_way.abort();
        }
    }

    /// An export that is under way comes to its end.
    async fn finish_export(&mut self) {
        let Some(under_way) = self.exporting.take() else { return };
        match under_way.await {
            Ok(exported) => self.exported = exported.unwrap_or_else(|| std::mem::take(&mut self.exported)),
            Err(error) => self.world.check(Err(format!("an export panicked: {error}"))),
        }
    }

    pub(super) async fn restore(&mut self, moves: bool, seed: u64, rates: Rates) {
        self.finish_export().await;
        if !moves && self.exported.is_empty() {
            self.export(seed, Rates::default());
            self.finish_export().await;
        }
        self.stop().await;
        if moves {
            self.export(seed, Rates::default());
            self.finish_export().await;
        }
        // Those too that began while the last invocations ended.
        let there = self.journals();
        let (requests, mut rng) = self.tool(seed, rates);
        let exported = std::mem::take(&mut self.exported);
        let names = |exported: &Exported| exported.snapshot.schema.journal.clone();
        let kept: Vec<JournalId> = exported.iter().map(names).collect();
        for other in there.iter().filter(|journal| !kept.contains(journal)) {
            while tidemill_journal::drop(&requests, other, None).await.is_err() {}
            self.world.tell(format!("{} was not exported: it is dropped", other.shard));
        }
        for Exported { snapshot, cells, .. } in &exported {
            loop {
                let incarnation = Incarnation(rng.u64(..));
                let restored = tidemill_journal::restore(&requests, snapshot, incarnation, cells.as_ref()).await;
                match restored {
                    Ok(_) => break,
                    Err(error) => self.world.tell(format!("a restore is tried again: {error}")),
                }
            }
            let (shard, unsent) = (&snapshot.schema.journal.shard, snapshot.outputs.len());
            self.world.tell(format!("{shard} is restored, {unsent} outputs with it"));
        }
        self.world.count("restores");
        self.start_again(exported.iter().map(|one| (names(one), one.commits.clone())).collect());
        self.exported = exported;
    }

    /// Twice, with so much time between that nothing is left of what ran the first time. Clocks jump all the same.
    pub(super) async fn sweep(&mut self, seed: u64, rates: Rates) {
        const DAY: Duration = LONGEST_LIFE.saturating_add(Duration::from_hours(1));
        self.sweep_once(seed, rates).await;
        self.wait_for_all().await;
        sleep(DAY).await;
        self.world.slept(DAY);
        self.sweep_once(seed.wrapping_add(1), rates).await;
        self.world.count("sweeps");
    }

    async fn sweep_once(&self, seed: u64, rates: Rates) {
        let (requests, _) = self.tool(seed, rates);
        let swept = sweep(&requests, |_| true, self.world.table_clock(), LONGEST_LIFE, false).await;
        match swept {
            Ok(Swept { deleted, freed, waiting, .. }) => self.world.tell(format!(
                "a sweep deletes {} items, frees {} slots, and finds {waiting} shards waiting",
                deleted.items, freed.items
            )),
            Err(error) => self.world.tell(format!("a sweep breaks off: {error}")),
        }
    }

    pub(super) async fn upgrade(&mut self, choice: usize, seed: u64, rates: Rates) {
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
}

/// Reads the journals of all shards that the stream has, begun or not; `None` if one cannot be read.
async fn read_all(world: Arc<World>, requests: Requests, mut rng: Rng) -> Option<Vec<Exported>> {
    let mut shards = world.stream.all();
    if !world.is(Mutant::ParentsExportedFirst) {
        // A child that has begun has sealed its parents.
        shards.reverse();
    }
    let mut exported = Vec::new();
    for info in shards {
        let journal = world.journal(&info.shard);
        let Ok(loaded) = load(&requests, &journal, None, || Box::new(Cells::default())).await else {
            world.tell("an export is given up");
            return None;
        };
        let Some((view, cells)) = loaded else { continue };
        let commits = world.lock().ledger.prefix(&journal, view.number());
        let mut snapshot = Snapshot::of(&requests, &journal, &view).await;
        if world.is(Mutant::UnsentLeftBehind) {
            snapshot.outputs.clear();
        }
        world.tell(format!("{} is exported at {}", journal.shard, view.number()));
        exported.push(Exported { snapshot, cells, commits });
        sleep(Duration::from_millis(rng.u64(0..WRITING))).await;
    }
    world.count("exports");
    Some(exported)
}
