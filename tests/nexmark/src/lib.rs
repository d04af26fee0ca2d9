//! The Nexmark benchmark on tidemill.
//!
//! [Nexmark](https://github.com/nexmark/nexmark) is an auction house: people register, open auctions and bid on them. A
//! query is a question about that stream. Each stands in a file of its own in [`queries`]; [`select`] picks one by its
//! name, so that one function can be any of them. [`generate`] makes the events.

mod event;
pub mod generate;
pub mod queries;
mod select;

pub use event::{Bid, Event, Skipped};
pub use select::{LATENESS, QUERY, names, select};
