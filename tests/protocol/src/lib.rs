//! The commit protocol as a model.

#![allow(missing_docs)]

mod config;
mod configurations;
mod mutant;
mod properties;
mod record;
mod rules;
mod step;
mod story;
mod table;
mod view;
mod world;

pub use config::{Budget, Config, Shard};
pub use configurations::{floors_at, large, small};
pub use mutant::Mutant;
pub use properties::Violation;
pub use rules::format::Code;
pub use step::Event;
pub use story::story;
pub use world::{Action, ImageIdOf, Retry, World};
