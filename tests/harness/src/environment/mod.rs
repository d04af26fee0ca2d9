//! Execution environments: one process each, with a Runtime API and a front of its own.
//!
//! An environment is never repaired. Whatever ends its process ends it, and the next invocation
//! starts another one, cold.

mod cpu;
mod kill_plan;
mod kill_switch;
mod log;
mod pool;
mod process;

pub use kill_plan::{KillPlan, Target};
pub use kill_switch::{Kill, KillKind, KillSwitch};
pub use pool::{Pool, Turn};
pub(crate) use process::is_set_by_harness;
pub use process::{Deployment, Environment, Failure, Outcome};
