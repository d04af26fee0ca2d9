//! The model: it keeps all records and works everything out again from them, as slowly as it likes.
//!
//! Written from the semantics alone, it uses nothing of tidemill. Times are milliseconds since the epoch.

mod interval_join;
mod kept;
mod panes;
mod process;
mod record;
mod shard;
mod windows;

pub(crate) use interval_join::IntervalJoin;
pub(crate) use kept::{Kept, Which};
pub(crate) use panes::Panes;
pub(crate) use process::{Op, Process, TimerRule};
pub(crate) use record::{Bad, Cause, Event, Outcome, Record, Sent, Span, Trouble, key_order};
pub(crate) use shard::{Clock, Operator, Shard, Taken};
pub(crate) use windows::{Kind, Unit};
