//! Event-time stream processing as a pure step: *(state, records in shard order) → (new state, changes, outputs)*.
//!
//! **Time.** Event times are whole milliseconds since the epoch ([`EventTime`]). A shard's [`Watermark`] W says:
//! nothing with event time < W is expected any more. W = highest event time seen − out-of-orderness bound, and never
//! moves back. A window `[start, end)` closes iff W ≥ end; a record is late iff every window it belongs to has closed.
//!
//! **Step.** Records are taken strictly one at a time: judge and apply under the present W, raise W, fire all that is
//! due at the new W in order of (time, key bytes). A record is atomic: it changes all of its windows or none.
//! [`Shard::step`] works on an overlay of the cells that it touches; [`Shard::install`] keeps it once the commit is
//! acknowledged, [`Shard::discard`] throws it away.
//!
//! **Effects are data.** A step returns [`Change`]s for the journal and [`Output`]s for the sinks. Nothing here reads a
//! clock, draws a random number, does I/O or iterates in hash order; `clippy.toml` of this crate bans it.
//!
//! Semantics are those of Apache Flink with one watermark a record; see *The Dataflow Model* (Akidau et al., VLDB 2015)
//! for the words.

pub mod aggregate;
pub mod codec;
mod compact;
mod format;
mod hash;
mod key;
pub mod operator;
mod output;
mod progress;
pub mod read;
mod record;
mod reject;
mod repeats;
mod shard;
mod state;
mod step;
mod time;
mod transform;
pub mod window;

pub use format::{Events, Format, Mapped};
pub use hash::{HashRange, PartRange, part_hash, partition_hash};
pub use key::{IntoKey, Key, KeyBytes, PartitionKey};
pub use output::{Cause, Delivery, Emission, LateRecord, Origin, Output, PaneId, Quarantined, Timing};
pub use progress::{Floor, OutOfOrder, Progress, Watermark};
pub use read::IntoEventTime;
pub use record::{Enriched, Position, Record, SequenceNumber};
pub use reject::{Reason, Reject};
pub use repeats::{Sent, SentPlace};
pub use shard::Source;
pub use state::{Change, Corrupt, version_of};
pub use step::{Caps, Fingerprint, OpenCell, Processor, Shard, Step};
pub use time::{EventTime, Span, millis};
pub use transform::{Stateless, Transform, TransformEmit};
