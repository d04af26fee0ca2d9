//! Journals from outside: what a shard's state is, how it came about, and what has to be done with them now and then.
//!
//! ```text
//! a kept run, the served account, an endpoint, AWS      source
//!   -> the journals in its table                        source
//!   -> a shard: view, cells, open windows by key        shard, cells
//!   -> a commit's record                                commit
//!   -> CBOR and keys as people read them                cbor, key
//!   -> a newer format, orphans deleted                  maintenance
//! ```
//!
//! Looking writes nothing anywhere: what is kept in a file is copied to memory first.

pub mod cbor;
mod cells;
pub mod client;
mod commit;
pub mod key;
pub mod maintenance;
mod shard;
mod source;

pub use commit::Commit;
pub use shard::{Cell, KeyState, KeySummary, ShardState};
pub use source::{Opened, Options, Source};
