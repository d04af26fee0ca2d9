//! What can happen next.

use super::World;
use super::state::{At, Job, Message, Operator, State};
use crate::record::ImageId;
use crate::{Code, Mutant};

/// One thing that happens. Environments, shards, journals, slots, outputs and messages are told by their index, events by
/// their id.
#[expect(missing_docs, reason = "each field is one of those")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The event source invokes an environment with records `first..=last` of a shard.
    Deliver { environment: usize, shard: usize, first: u8, last: u8 },
    /// The schedule invokes an environment, which asks the mark first whether anything is due, or reads the journal all the
    /// same.
    Tick { environment: usize, shard: usize, asks: bool },
    /// The operator upgrades the journal's format.
    Upgrade { environment: usize },
    /// The remote operation that an environment is at takes place and is answered.
    Perform { environment: usize },
    /// A load that reads item by item begins at this slot.
    PickHead { environment: usize, slot: usize },
    /// An output is sent and acknowledged, or its answer is lost.
    Send { environment: usize, index: u8, is_answered: bool },
    /// A put takes place, its answer is lost.
    LoseAnswer { environment: usize },
    /// A request stays in the network.
    Delay { environment: usize, index: u8 },
    /// An environment gives up waiting for a put.
    GiveUpPut { environment: usize },
    /// An environment chooses which parts its commit renews.
    Choose { environment: usize, way: usize },
    /// The event source stops waiting; the environment goes on.
    TimeOut { environment: usize, retry: Retry },
    /// An environment is gone.
    Crash { environment: usize, retry: Retry },
    /// An invocation ends with an error.
    Fail { environment: usize, retry: Retry },
    /// A delayed request lands.
    Land { message: usize },
    /// The collector deletes an image.
    Collect { journal: usize, image: ImageIdOf },
    /// A sweep frees what a sealed parent holds: the Seal first, then slot by slot.
    Free { journal: usize, slot: usize },
    /// The operator begins, to go on with the state after record `number`.
    Operate { number: u8 },
    /// The operator's next step: to delete a slot, or what comes when none is left.
    OperatorGoesOn { slot: Option<usize> },
}

/// An image's id, opaque outside of the crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageIdOf(pub(crate) ImageId);

/// What the event source does with a batch that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Delivers it again.
    Same,
    /// Delivers both halves.
    Halves,
    /// Gives it up.
    Never,
}

impl World {
    pub(super) fn list(&self, state: &State, actions: &mut Vec<Action>) {
        if state.is_broken() {
            return;
        }
        for environment in 0..state.environments.len() {
            if state.environments[environment].at == At::Idle {
                let is_twin = state.environments[..environment].contains(&state.environments[environment]);
                if !is_twin {
                    self.invocations(state, environment, actions);
                }
            } else {
                self.operations(state, environment, actions);
                self.faults(state, environment, actions);
            }
        }
        actions.extend((0..state.network.len()).map(|message| Action::Land { message }));
        self.collections(state, actions);
        self.freeings(state, actions);
        self.operator(state, actions);
    }

    fn invocations(&self, state: &State, environment: usize, actions: &mut Vec<Action>) {
        for shard in 0..self.config.shards.len() {
            for (first, last) in self.batches(state, shard) {
                actions.push(Action::Deliver { environment, shard, first, last });
            }
            if state.budget.ticks > 0 && self.is_source_on(state) {
                let reads = (!self.config.due_times || !self.is(Mutant::MarkAloneCounts)).then_some(false);
                let ways = reads.into_iter().chain(self.config.due_times.then_some(true));
                actions.extend(ways.map(|asks| Action::Tick { environment, shard, asks }));
            }
        }
        if state.budget.upgrades > 0 && state.environments[environment].code == Code::New {
            actions.push(Action::Upgrade { environment });
        }
    }

    fn operations(&self, state: &State, environment: usize, actions: &mut Vec<Action>) {
        let budget = state.budget;
        match &state.environments[environment].at {
            At::Load if self.config.torn_loads => {
                let journal = state.environments[environment].tasks.last().map_or(0, |task| task.journal);
                let slots = &state.tables[journal].slots;
                let held = (0..slots.len()).filter(|slot| slots[*slot].is_some());
                actions.extend(held.map(|slot| Action::PickHead { environment, slot }));
                if slots.iter().all(Option::is_none) {
                    actions.push(Action::PickHead { environment, slot: slots.len() });
                }
            }
            At::Send { acknowledged } => {
                let index = acknowledged.trailing_ones() as u8;
                actions.push(Action::Send { environment, index, is_answered: true });
                if budget.lost > 0 {
                    actions.push(Action::Send { environment, index, is_answered: false });
                }
                if budget.late > 0 {
                    actions.push(Action::Delay { environment, index });
                }
            }
            At::Plan(record) => {
                let journal = state.environments[environment].tasks.last().map_or(0, |task| task.journal);
                let ways = self.ways(state, environment, journal, record).len();
                actions.extend((0..ways).map(|way| Action::Choose { environment, way }));
            }
            At::Put(_) => {
                actions.push(Action::Perform { environment });
                if budget.lost > 0 {
                    actions.push(Action::LoseAnswer { environment });
                }
                if budget.late > 0 {
                    actions.push(Action::Delay { environment, index: 0 });
                }
                if budget.errors > 0 {
                    actions.push(Action::GiveUpPut { environment });
                }
            }
            At::Return { is_success: false } => {
                let retries = self.retries(state, environment);
                actions.extend(retries.into_iter().map(|retry| Action::Fail { environment, retry }));
            }
            _ => actions.push(Action::Perform { environment }),
        }
    }

    fn faults(&self, state: &State, environment: usize, actions: &mut Vec<Action>) {
        let is_live = state.environments[environment].job.is_some_and(|job| job.is_live);
        for retry in self.retries(state, environment) {
            if state.budget.crashes > 0 {
                actions.push(Action::Crash { environment, retry });
            }
            if state.budget.zombies > 0 && is_live {
                actions.push(Action::TimeOut { environment, retry });
            }
        }
    }

    fn retries(&self, state: &State, environment: usize) -> Vec<Retry> {
        let mut retries = vec![Retry::Same];
        let Some(Job { batch: Some((first, last)), is_live: true, .. }) = state.environments[environment].job else {
            return retries;
        };
        retries.extend((first < last).then_some(Retry::Halves));
        retries.extend((state.budget.give_ups > 0).then_some(Retry::Never));
        retries
    }

    fn collections(&self, state: &State, actions: &mut Vec<Action>) {
        for (journal, table) in state.tables.iter().enumerate() {
            let mut images: Vec<ImageId> = table.garbage.clone();
            if self.is(Mutant::CollectOrphans) {
                let named = |id: &ImageId| {
                    table.slots.iter().flatten().any(|r| r.parts.iter().any(|name| name.image == Some(*id)))
                };
                images.extend(
                    table.images.iter().map(|image| image.id).filter(|id| !named(id) && !table.garbage.contains(id)),
                );
            }
            actions.extend(images.into_iter().map(|id| Action::Collect { journal, image: ImageIdOf(id) }));
        }
    }

    fn operator(&self, state: &State, actions: &mut Vec<Action>) {
        let Some(operation) = self.config.operation else { return };
        let waits = self.config.operator_waits && !self.is(Mutant::OperatorDoesNotWait);
        match state.operator {
            Operator::Before if waits && state.environments.iter().any(|environment| environment.job.is_some()) => {}
            Operator::Before => {
                let last = state.ghosts[0].history.len() as u8;
                let numbers = if operation == super::Operation::Drop { last.min(1)..=last.min(1) } else { 1..=last };
                actions.extend(numbers.filter(|number| *number > 0).map(|number| Action::Operate { number }));
            }
            Operator::Deleting(_) => {
                let slots = Self::deletable(state);
                if slots.is_empty() {
                    actions.push(Action::OperatorGoesOn { slot: None });
                }
                actions.extend(slots.into_iter().map(|slot| Action::OperatorGoesOn { slot: Some(slot) }));
            }
            Operator::Forgetting(_) | Operator::Writing(_) => actions.push(Action::OperatorGoesOn { slot: None }),
            Operator::Done => {}
        }
    }

    /// Does what an action says.
    pub(super) fn act(&self, state: &mut State, action: &Action) {
        match *action {
            Action::Deliver { environment, shard, first, last } => self.deliver(state, environment, shard, first, last),
            Action::Tick { environment, shard, asks } => self.invoke_tick(state, environment, shard, asks),
            Action::Upgrade { environment } => self.invoke_upgrade(state, environment),
            Action::Perform { environment } => self.perform(state, environment),
            Action::PickHead { environment, slot } => self.pick_head(state, environment, slot),
            Action::Send { environment, index, is_answered } => {
                state.budget.lost -= u8::from(!is_answered);
                self.send(state, environment, index, is_answered);
            }
            Action::LoseAnswer { environment } => {
                state.budget.lost -= 1;
                self.lose_answer(state, environment);
            }
            Action::Delay { environment, index } => {
                state.budget.late -= 1;
                self.delay(state, environment, index);
            }
            Action::GiveUpPut { environment } => {
                state.budget.errors -= 1;
                self.give_up_put(state, environment);
            }
            Action::Choose { environment, way } => self.choose(state, environment, way),
            Action::TimeOut { environment, retry } => {
                state.budget.zombies -= 1;
                self.time_out(state, environment, retry);
            }
            Action::Crash { environment, retry } => {
                state.budget.crashes -= 1;
                self.crash(state, environment, retry);
            }
            Action::Fail { environment, retry } => self.fail(state, environment, retry),
            Action::Land { message } => match state.network.remove(message) {
                Message::Put(journal, record) => {
                    self.put(state, journal, record);
                }
                Message::Output { journal, incarnation, number, index } => {
                    self.arrive(state, journal, incarnation, number, index);
                }
            },
            Action::Collect { journal, image } => {
                state.tables[journal].delete_image(image.0);
                self.check_readable(state, journal);
            }
            Action::Free { journal, slot } => self.free(state, journal, slot),
            Action::Operate { number } => self.operate(state, number),
            Action::OperatorGoesOn { slot } => self.operator_goes_on(state, slot),
        }
    }
}
