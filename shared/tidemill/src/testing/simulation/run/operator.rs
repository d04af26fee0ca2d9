//! What an operator does: mappings made anew, journals dropped and upgraded.

use std::time::Duration;

use fastrand::Rng;
use tidemill_journal::{Deadline, Store as _, upgrade};
use tokio::time::sleep;

use super::Simulation;
use crate::testing::simulation::cells::Cells;
use crate::testing::simulation::lambda::Invocation;
use crate::testing::simulation::mapping::Mapping;
use crate::testing::simulation::plan::{Begin, Rates};
use crate::testing::simulation::requests::Requests;
use crate::testing::simulation::world::at_once;

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

    /// As the manual has it: the mapping goes, nothing runs any more, the journals go (their marks stay), and then it is
    /// made anew. Environments stay warm.
    pub(super) async fn drop_journals(&mut self) {
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
