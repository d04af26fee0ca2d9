//! The world: table, downstream, environments, event source and operator, as a state machine.

mod action;
mod end;
mod free;
mod handler;
mod observer;
mod operator;
mod perform;
mod reading;
mod results;
mod source;
pub(crate) mod state;
mod writing;

use stateright::{Model, Property};

pub use self::action::{Action, ImageIdOf, Retry};
pub use self::state::State;
use self::state::{At, Deliveries, Environment, Ghost, Operator};
use crate::config::{Config, Operation};
use crate::properties;
use crate::table::Table;

/// The model of a configuration.
#[derive(Clone, Debug)]
pub struct World {
    pub(crate) config: Config,
}

impl World {
    /// The world of this configuration.
    pub const fn of(config: Config) -> Self {
        Self { config }
    }

    fn lose_answer(&self, state: &mut State, e: usize) {
        if let At::Put(draft) = state.environments[e].at.clone() {
            let journal = state.environments[e].tasks.last().map_or(0, |task| task.journal);
            self.put(state, journal, draft.record);
        }
    }

    fn choose(&self, state: &mut State, e: usize, way: usize) {
        if let At::Plan(record) = state.environments[e].at.clone() {
            let journal = state.environments[e].tasks.last().map_or(0, |task| task.journal);
            if let Some(names) = self.ways(state, e, journal, &record).get(way) {
                state.environments[e].at = self.planned(state, e, journal, &record, names);
            }
        }
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let config = &self.config;
        let shards = config.shards.len();
        vec![State {
            tables: vec![Table::empty(config.ring); shards],
            environments: config.environments.iter().map(|code| Environment::cold(*code, shards)).collect(),
            source: config.shards.iter().map(|shard| Deliveries { next: shard.first, again: Vec::new() }).collect(),
            network: Vec::new(),
            budget: config.budget,
            operator: Operator::Before,
            next_incarnation: 1,
            lives: 0,
            ghosts: vec![Ghost::NONE; shards],
            broken: Vec::new(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.list(state, actions);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        self.act(&mut state, &action);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::of(&self.config)
    }

    fn within_boundary(&self, state: &State) -> bool {
        usize::from(state.next_incarnation) <= 4 + self.config.shards.len()
            && state.ghosts.iter().all(|ghost| ghost.history.len() <= usize::from(self.config.commits))
    }
}
