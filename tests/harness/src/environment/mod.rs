//! Execution environments: one process each, with a Runtime API and a front of its own.
//!
//! A process is frozen behind a response and goes on with the next invocation. An environment is never repaired:
//! whatever ends its process ends it, and the next invocation starts another one, cold. One whose time is up is
//! ended as well, unless it is let go on beside its successor, as on Lambda Managed Instances. Which one at rest takes an invocation is [`Reuse`].

mod cpu;
mod freeze;
mod kill_plan;
mod kill_switch;
mod log;
mod memory;
mod places;
mod pool;
mod process;

pub use kill_plan::{KillPlan, Target};
pub use kill_switch::{Kill, KillKind, KillSwitch};
pub use places::Reuse;
pub use pool::{Pool, Turn};
pub(crate) use process::is_set_by_harness;
pub use process::{Deployment, Environment, Failure, Observed, Outcome};
