//! The commit protocol: one shard's numbered records, fenced by conditional writes.
//!
//! A shard's **journal** is the sequence of its commits. Commit n+1 is one conditional write that only a holder of
//! exactly n can make, so crashes, retries, zombies and concurrent environments cannot fork it: losing a race is an
//! outcome ([`Committed::Conflict`]), answered by catching up and starting over.
//!
//! ```text
//! slot 0 .. R-1   a ring: slot[n mod R] holds record n, overwritten, never deleted
//! part images     the state by ranges of key hash, immutable, each named by a record
//! flush mark      a hint: the highest commit whose outputs are known to be acknowledged, and when something is due next
//! ```
//!
//! A **view** ([`View`]) is where a holder stands: the exact prefix 1..n. The way of a batch is
//! [`load`] or a cached view → [`flush`] → step → [`commit`] → [`flush`].
//!
//! This crate knows no windows and no AWS. State is a set of [`Change`](tidemill_core::Change)s to it, applied to and
//! read from a [`State`]; items live behind [`Store`]; outputs go to a [`Sink`].
//!
//! # Invariants
//! - **I1** n+1 is written only by a holder of exactly n; slot numbers only grow.
//! - **I2** every view is the exact prefix 1..n.
//! - **I3** a commit of n+1 implies that the outputs of 1..n are acknowledged.
//! - **I4** outputs of n+1 stand in a downstream shard only behind all of n.
//! - **I5** every part is named in the last R commits, complete, with s > n − R; `oldest` ≤ every s; the records behind
//!   `oldest` are in the ring.
//! - **I6** nothing follows a Seal.
//! - **I7** record 1 is Init.
//! - **I8** success implies every record of the batch is ≤ position, everything due is fired, and all is flushed.
//! - **I9** the flush mark {incarnation, n} implies that outputs ≤ n of that incarnation are acknowledged; it may lag or
//!   be absent. When something is due next it never says later than true.

mod at;
mod catch_up;
mod commit;
mod error;
mod expected;
mod flush;
mod format;
mod frame;
mod free;
mod init;
mod insist;
pub mod laws;
mod load;
mod mark;
mod memory;
mod packed;
mod parts;
mod record;
mod renewal;
mod restore;
mod ring;
mod sink;
mod spill;
mod store;
mod sweep;
mod touched;
mod upgrade;
mod view;

pub use at::load_at;
pub use catch_up::{CaughtUp, catch_up, still_holds};
pub use commit::{Committed, Draft, commit};
pub use error::Error;
pub use expected::Expected;
pub use flush::{Flushed, flush};
pub use format::Format;
pub use init::{Beginning, init};
pub use load::load;
pub use mark::{Mark, tell_due};
pub use memory::MemoryStore;
pub use record::{Incarnation, Kind, Output, PartName, Record, Schema, Spill};
pub use restore::{Erasable, Erased, Snapshot, drop, head, import, restore};
pub use ring::{DEFAULT_RING, Ring};
pub use sink::{Deadline, Sink, SinkError};
pub use spill::bring_back;
pub use store::{Attempt, Guard, JournalId, PartId, Put, SlotItem, Store, StoreError};
pub use sweep::{Beside, Count, LONGEST_LIFE, Listed, Stamp, Sweepable, Swept, sweep};
pub use upgrade::{Upgraded, upgrade};
pub use view::{State, View};
