//! The whole of it in one thread, in virtual time, from one seed: a stream whose shards are split and merged, an event
//! source mapping, environments that come, go, freeze and go on, requests that get lost or arrive late. The handler, the
//! journal and the outbox are the real ones; the table, the streams and Lambda are simulated.
//!
//! [`simulate`](super::simulate) is what a pipeline's own tests call. What stands here besides is for tests of the
//! simulation itself: a [`Subject`] of one's own, worlds that break a rule ([`Mutant`]).

mod cells;
mod given;
mod lambda;
mod ledger;
mod mapping;
mod mutant;
mod oracle;
mod plan;
mod requests;
mod run;
mod seeds;
mod shrink;
mod simulate;
mod stream;
mod subject;
mod world;

pub use mutant::Mutant;
pub use plan::Plan;
pub use run::{Report, run};
pub use seeds::{Seeds, Simulated, run_seeds};
pub use shrink::{Failure, tell};
pub use simulate::simulate;
pub use stream::{STREAM, Stream, of_batch};
pub use subject::{Batch, Input, Made, Message, Outcome, Subject};
