//! Replaying a scenario, start to end.
//!
//! [`prepare`] reads everything that a user wrote and reports all that is wrong with it;
//! [`Prepared::run`] builds the functions, delivers the records, reads what came out and judges it.

mod artifact;
mod chain;
mod chaos;
mod difference;
mod expectation;
mod feed;
mod keep;
mod options;
mod pace;
mod prepare;
mod report;
mod reproduce;
mod resharded;
mod run;
mod sinks;
mod ticks;
mod verdict;

pub use chain::Chain;
pub use chaos::Chaos;
pub use difference::{Difference, OutOfOrder};
pub use options::{Expect, Options};
pub use prepare::{Prepared, prepare};
pub use report::{Compared, Report, Share};
pub use resharded::{Resharded, ShardOf};
pub use sinks::Collected;
pub use verdict::{Differences, Verdict};
