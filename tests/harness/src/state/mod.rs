//! Journals from outside: what a shard's state is, how it came about, and what has to be done with them now and then.
//!
//! ```text
//! a kept run, the served account, an endpoint, AWS      source
//!   -> the journals in its table                        source
//!   -> a shard: view, cells by key, producers           shard, cells, producer
//!   -> a commit's record                                commit
//!   -> what changed between two                         diff
//!   -> a cell: which it is, and what it holds           cell, slot, content
//!   -> CBOR and keys as people read them                cbor, key
//!   -> a newer format, orphans deleted                  maintenance
//!   -> another life, table or name                      archive, moving, lineage
//! ```
//!
//! Looking writes nothing anywhere: what is kept in a file is copied to memory first.

pub mod archive;
pub mod cbor;
mod cell;
mod cells;
pub mod client;
mod commit;
mod content;
mod diff;
pub mod key;
mod lineage;
pub mod maintenance;
pub mod moving;
mod producer;
mod shard;
mod slot;
mod source;

pub use cell::{Cell, CellKind};
pub use commit::Commit;
pub use content::{Content, Pane};
pub use diff::Diff;
pub use producer::Producer;
pub use shard::{KeyState, KeySummary, ShardState};
pub use slot::Slot;
pub use source::{Opened, Options, Source};
