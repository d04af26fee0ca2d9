//! What must always hold, and what shows that a configuration is not vacuous.

use stateright::{Expectation, Property};

use crate::config::Config;
use crate::record::Kind;
use crate::rules::load;
use crate::world::World;
use crate::world::state::{At, Operator, State};

/// What can be violated: the invariants of the protocol by number, and what they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Violation {
    /// n+1 is written only by a holder of exactly n; slot numbers only grow.
    I1,
    /// Every view is the exact prefix 1..n.
    I2,
    /// A commit of n+1 implies that the outputs of 1..n are acknowledged.
    I3,
    /// Outputs of n+1 stand downstream only behind all of n.
    I4,
    /// Every part is named in the last R commits, complete, with s > n − R; `oldest` ≤ every s; the journal is readable.
    I5,
    /// Nothing follows a Seal; a child's Init is the cut or union of all its parents at their Seals.
    I6,
    /// Record 1 is Init, and only record 1.
    I7,
    /// Success implies that every record of the batch is in, everything due is fired, and all is flushed.
    I8,
    /// A mark tells what is sent; its due time never says later than true.
    I9,
    /// Results are a function of the records in order and the ticks between them.
    Results,
    /// Until the journal is upgraded, old code is never refused; new code never is.
    Deploys,
    /// A batch that is all in is not refused; ticks alone bring a shard to its end once everything is delivered.
    Progress,
}

impl Violation {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::I1,
        Self::I2,
        Self::I3,
        Self::I4,
        Self::I5,
        Self::I6,
        Self::I7,
        Self::I8,
        Self::I9,
        Self::Results,
        Self::Deploys,
        Self::Progress,
    ];

    /// The property's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::I1 => "I1 n+1 is written only by a holder of exactly n",
            Self::I2 => "I2 every view is the exact prefix",
            Self::I3 => "I3 a commit implies that all before is acknowledged",
            Self::I4 => "I4 outputs of n+1 stand behind all of n",
            Self::I5 => "I5 the journal is readable: parts named, complete, in the ring",
            Self::I6 => "I6 nothing follows a Seal, a child begins with its parents at their Seals",
            Self::I7 => "I7 record 1 is Init",
            Self::I8 => "I8 success: all is in, fired and flushed",
            Self::I9 => "I9 the mark is true",
            Self::Results => "results do not depend on how the input was cut",
            Self::Deploys => "no deploy or rollback is refused before an upgrade",
            Self::Progress => "what was delivered comes to its end",
        }
    }

    fn property(self) -> Property<World> {
        macro_rules! never {
            ($($violation:ident),*) => {
                match self { $(Self::$violation => |_: &World, state: &State| !state.broken.contains(&Self::$violation)),* }
            };
        }
        let condition: fn(&World, &State) -> bool = match self {
            Self::Progress => |world, state| !state.broken.contains(&Self::Progress) && world.comes_to_its_end(state),
            _ => never!(I1, I2, I3, I4, I5, I6, I7, I8, I9, Results, Deploys, Progress),
        };
        Property { expectation: Expectation::Always, name: self.name(), condition }
    }
}

/// The properties of a configuration: every invariant, and what its features make happen at times.
pub(crate) fn of(config: &Config) -> Vec<Property<World>> {
    let mut properties: Vec<_> = Violation::ALL.into_iter().map(Violation::property).collect();
    if config.mutant.is_some() {
        return properties;
    }
    let mut at_times = |name, is_expected: bool, condition: fn(&World, &State) -> bool| {
        if is_expected {
            properties.push(Property { expectation: Expectation::Sometimes, name, condition });
        }
    };
    let budget = config.budget;
    let has_children = config.shards.iter().any(|shard| !shard.parents.is_empty());
    at_times("everything is delivered, in and sent", !config.wild_source, |world, state| world.is_done(state));
    at_times("a put meets a conflict", budget.zombies > 0 || config.wild_source, |_, state| {
        state.environments.iter().any(|e| matches!(e.at, At::CatchUp { after_conflict: true, .. }))
    });
    at_times("the ring is overwritten", config.commits > config.ring && !has_children, |_, state| {
        state.tables.iter().any(|table| table.slots.iter().flatten().any(|record| record.number > table.ring()))
    });
    at_times(
        "a commit ends inside a firing",
        config.events.iter().any(|e| e.timer.is_some()) && config.cap == 1,
        |world, state| world.is_inside_a_firing(state),
    );
    at_times("a part is divided", config.freedom.reshape, |_, state| parts(state) > 1);
    at_times("two parts are united", config.freedom.reshape && config.commits > 4, |_, state| {
        let names = |record: &crate::record::Record| record.parts.iter().any(|name| name.first == 0 && name.last == 3);
        state.tables[0].slots.iter().flatten().any(|record| record.number > 2 && names(record))
            && state.ghosts[0].history.iter().any(|record| record.parts.len() > 1)
    });
    at_times("a replaced image waits for the collector", config.freedom.reshape, |_, state| {
        state.tables.iter().any(|table| !table.garbage.is_empty())
    });
    at_times("a child's journal is begun", has_children, |world, state| {
        world
            .config
            .shards
            .iter()
            .zip(&state.ghosts)
            .any(|(shard, ghost)| !shard.parents.is_empty() && !ghost.history.is_empty())
    });
    at_times("a sealed parent is freed, images and all", budget.sweeps > 0, |world, state| {
        let is_freed = |slot: &Option<crate::record::Record>| slot.as_ref().is_some_and(|record| record.is_freed);
        let tables = state.tables.iter().zip(&state.ghosts);
        let had_images = |ghost: &crate::world::state::Ghost| {
            ghost.history.iter().any(|record| record.parts.iter().any(|name| name.image.is_some()))
        };
        let mut freed = tables.filter(|(table, ghost)| table.slots.iter().any(is_freed) && had_images(ghost));
        freed.any(|(table, _)| table.images.is_empty()) && world.is_done(state)
    });
    at_times("a tick is committed", budget.ticks > 0, |_, state| {
        state.ghosts.iter().any(|ghost| ghost.history.iter().any(|record| record.kind == Kind::Tick))
    });
    at_times("a child judges under a floor", config.shards.iter().any(|shard| shard.parents.len() > 1), |_, state| {
        state.ghosts.iter().flat_map(|ghost| &ghost.history).any(|record| !record.progress.floors.is_empty())
    });
    at_times("the operator is done", config.operation.is_some(), |_, state| state.operator == Operator::Done);
    at_times("the journal is upgraded", budget.upgrades > 0, |_, state| {
        state.ghosts.iter().flat_map(|ghost| &ghost.history).any(|record| record.format == 2)
    });
    at_times("a mark is written", config.marks, |_, state| state.tables.iter().any(|table| table.mark.is_some()));
    properties
}

fn parts(state: &State) -> usize {
    load::load(&state.tables[0], crate::Code::New, None).map_or(0, |view| view.parts.len())
}
