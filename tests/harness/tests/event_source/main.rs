//! The conformance suite of the event source: what Lambda does between a Kinesis stream and a function, row by
//! row, each with where that is known from.
//!
//! Time is virtual: tokio's clock stands still while anybody works and jumps when all wait, so that a minute of
//! pauses takes no time and comes out the same to the millisecond. The stream is the harness's emulated one, the
//! function a closure. `docs/harness-conformance.md` is written from the rows, see `table.rs`.

#![expect(clippy::unwrap_used, reason = "a row that cannot go on fails")]

mod answers;
mod batches;
mod delivery;
mod destinations;
mod events;
mod observable;
mod retries;
mod row;
mod scene;
mod settings;
mod shards;
mod table;
