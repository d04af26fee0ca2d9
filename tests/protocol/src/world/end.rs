//! How everything ends.

use super::World;
use super::state::{At, Operator, State};
use crate::Mutant;
use crate::record::Kind;
use crate::step;

impl World {
    /// Whether the event source has nothing left, and nothing is under way.
    fn is_quiet(&self, state: &State) -> bool {
        let is_delivered = (0..self.config.shards.len()).all(|shard| self.is_delivered(state, shard));
        is_delivered
            && self.is_source_on(state)
            && state.network.is_empty()
            && state.environments.iter().all(|e| e.at == At::Idle)
    }

    /// Whether everything is delivered, in, fired through the watermark and sent.
    pub(crate) fn is_done(&self, state: &State) -> bool {
        let is_through = |(shard, ghost): (&crate::config::Shard, &super::state::Ghost)| {
            let head = ghost.history.last();
            head.is_some_and(|head| head.progress.position >= shard.last) && ghost.are_sent(u8::MAX)
        };
        let is_operated = self.config.operation.is_none() || state.operator == Operator::Done;
        self.is_quiet(state)
            && is_operated
            && self.config.shards.iter().zip(&state.ghosts).all(|pair| is_through(pair) || pair.0.last < pair.0.first)
    }

    /// Whether the last commit of a shard left something due.
    pub(crate) fn is_inside_a_firing(&self, state: &State) -> bool {
        state.ghosts.iter().filter_map(|ghost| ghost.history.last().map(|head| (ghost, head))).any(|(ghost, head)| {
            step::is_due(&ghost.cells(head.number), head.progress.watermark, &self.config.events, None)
        })
    }

    /// Once everything is delivered, undisturbed ticks fire and send all that is due, in every shard: none is left to
    /// nobody. Checked where it is not plain: for shards that were resharded, and where batches are given up.
    pub(crate) fn comes_to_its_end(&self, state: &State) -> bool {
        let is_plain = self.config.shards.len() == 1 && self.config.budget.give_ups == 0;
        if is_plain || state.is_broken() || !self.is_quiet(state) {
            return true;
        }
        let mut state = state.clone();
        for _ in 0..2 {
            for shard in 0..self.config.shards.len() {
                self.tick_undisturbed(&mut state, shard);
            }
        }
        let is_left = |ghost: &super::state::Ghost| {
            let Some(head) = ghost.history.last() else { return false };
            let cells = ghost.cells(head.number);
            head.kind != Kind::Seal && step::is_due(&cells, self.config.now, &self.config.events, None)
                || !ghost.are_sent(u8::MAX)
        };
        // A sealed shard whose children have not all begun has left its state to nobody.
        let is_orphaned = |shard: &crate::config::Shard, at: usize| {
            let is_sealed =
                |parent: &usize| state.ghosts[*parent].history.last().is_some_and(|head| head.kind == Kind::Seal);
            shard.parents.iter().any(is_sealed) && state.ghosts[at].history.is_empty()
        };
        let orphans = self.config.shards.iter().enumerate().any(|(at, shard)| is_orphaned(shard, at));
        !orphans && !state.ghosts.iter().any(is_left)
    }

    fn tick_undisturbed(&self, state: &mut State, shard: usize) {
        state.budget.ticks = 1;
        self.invoke_tick(state, 0, shard, self.is(Mutant::MarkAloneCounts));
        for _ in 0..200 {
            match &state.environments[0].at {
                At::Idle => return,
                At::Send { acknowledged } => {
                    let index = acknowledged.trailing_ones() as u8;
                    self.send(state, 0, index, true);
                }
                At::Plan(_) => self.choose(state, 0, 0),
                _ => self.perform(state, 0),
            }
        }
    }
}
