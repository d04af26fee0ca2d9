//! Faults on purpose: which ones a run meets and when, decided by a seed alone.
//!
//! A [`Plan`] says how a run is disturbed: how often its processes are killed or time out, how often its
//! shards are split or merged, how its batches are cut, and what [`Faults`] its requests and batches meet.

mod faults;
mod plan;

pub use faults::{FaultKind, Faults};
pub use plan::Plan;
