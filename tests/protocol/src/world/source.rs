//! The event source: batches of each shard in order, one at a time, again after a failure.

use super::World;
use super::state::{At, Environment, Goal, Job, Operator, State, Task};
use crate::world::action::Retry;
use crate::{Code, Mutant};

impl World {
    /// The event source is off while an operator is at work.
    pub(super) fn is_source_on(&self, state: &State) -> bool {
        matches!(state.operator, Operator::Before | Operator::Done)
    }

    fn is_busy(state: &State, shard: usize) -> bool {
        let is_on = |job: &Job| job.shard == shard && job.is_live;
        state.environments.iter().filter_map(|environment| environment.job.as_ref()).any(is_on)
    }

    /// Whether a shard and its ancestors are delivered to the end.
    pub(super) fn is_delivered(&self, state: &State, shard: usize) -> bool {
        let deliveries = &state.source[shard];
        deliveries.next > self.config.shards[shard].last
            && deliveries.again.is_empty()
            && !Self::is_busy(state, shard)
            && self.config.shards[shard].parents.iter().all(|parent| self.is_delivered(state, *parent))
    }

    /// The batches of a shard that may be delivered now.
    pub(super) fn batches(&self, state: &State, shard: usize) -> Vec<(u8, u8)> {
        let spec = &self.config.shards[shard];
        if !self.is_source_on(state) {
            return Vec::new();
        }
        if self.config.wild_source {
            let from =
                |first: u8| (first..=spec.last.min(first + self.config.batch - 1)).map(move |last| (first, last));
            let position = state.ghosts[shard].history.last().map_or(spec.first - 1, |head| head.progress.position);
            return (spec.first..=spec.last.min(position + 1)).flat_map(from).collect();
        }
        let is_waiting =
            !self.config.early_children && !spec.parents.iter().all(|parent| self.is_delivered(state, *parent));
        if Self::is_busy(state, shard) || is_waiting {
            return Vec::new();
        }
        let deliveries = &state.source[shard];
        match deliveries.again.first() {
            Some(batch) => vec![*batch],
            None => {
                let first = deliveries.next;
                (first..=spec.last.min(first + self.config.batch - 1)).map(|last| (first, last)).collect()
            }
        }
    }

    pub(super) fn deliver(&self, state: &mut State, e: usize, shard: usize, first: u8, last: u8) {
        let deliveries = &mut state.source[shard];
        if !self.config.wild_source {
            match deliveries.again.is_empty() {
                true => deliveries.next = last + 1,
                false => drop(deliveries.again.remove(0)),
            }
        }
        let job = Job { shard, batch: Some((first, last)), is_live: !self.config.wild_source };
        self.invoke(state, e, job, Task::new(shard, Goal::Batch(first, last)));
    }

    pub(super) fn invoke_tick(&self, state: &mut State, e: usize, shard: usize, asks: bool) {
        state.budget.ticks -= 1;
        let task = Task { asks_mark: asks, ..Task::new(shard, Goal::Tick) };
        self.invoke(state, e, Job { shard, batch: None, is_live: false }, task);
        if self.is(Mutant::TickSeals) && self.config.shards.iter().any(|child| child.parents.contains(&shard)) {
            state.environments[e].tasks = vec![Task { is_drained: true, ..Task::new(shard, Goal::Seal) }];
            self.proceed(state, e);
        }
    }

    pub(super) fn invoke_upgrade(&self, state: &mut State, e: usize) {
        state.budget.upgrades -= 1;
        self.invoke(state, e, Job { shard: 0, batch: None, is_live: false }, Task::new(0, Goal::Upgrade));
    }

    fn invoke(&self, state: &mut State, e: usize, job: Job, task: Task) {
        let environment = &mut state.environments[e];
        environment.job = Some(job);
        environment.tasks = vec![task];
        self.proceed(state, e);
    }

    /// The invocation's answer.
    pub(super) fn answer(&self, state: &mut State, e: usize, is_success: bool) {
        let job = state.environments[e].job;
        if let Some(Job { shard, batch: Some((_, last)), is_live }) = job
            && (is_live || self.config.wild_source)
            && is_success
        {
            self.check_success(state, e, shard, last);
        }
        self.end(state, e);
    }

    /// The invocation is over; the environment keeps its views, which are no longer current.
    fn end(&self, state: &mut State, e: usize) {
        let environment = &mut state.environments[e];
        (environment.job, environment.at) = (None, At::Idle);
        environment.tasks.clear();
        environment.views.iter_mut().flatten().for_each(|view| view.is_current = false);
    }

    pub(super) fn fail(&self, state: &mut State, e: usize, retry: Retry) {
        if let Some(Job { shard, batch: Some((_, last)), is_live: true }) = state.environments[e].job {
            self.check_refusal(state, shard, last);
        }
        self.time_out(state, e, retry);
        self.end(state, e);
    }

    /// The event source stops waiting for an answer.
    pub(super) fn time_out(&self, state: &mut State, e: usize, retry: Retry) {
        let Some(Job { shard, batch: Some((first, last)), is_live: true }) = state.environments[e].job else { return };
        let again = &mut state.source[shard].again;
        match retry {
            Retry::Same => again.insert(0, (first, last)),
            Retry::Halves => {
                let middle = first + (last - first) / 2;
                again.insert(0, (middle + 1, last));
                again.insert(0, (first, middle));
            }
            Retry::Never => state.budget.give_ups -= 1,
        }
        if let Some(job) = state.environments[e].job.as_mut() {
            job.is_live = false;
        }
    }

    pub(super) fn crash(&self, state: &mut State, e: usize, retry: Retry) {
        self.time_out(state, e, retry);
        let code = state.environments[e].code;
        state.environments[e] = Environment::cold(code, self.config.shards.len());
    }
}

impl Environment {
    pub(super) fn cold(code: Code, shards: usize) -> Self {
        Self { code, views: vec![None; shards], job: None, tasks: Vec::new(), at: At::Idle }
    }
}
