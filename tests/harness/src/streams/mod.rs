//! Streams as a client sees them, wherever they are: in a running `serve` or `watch`, at a URL, on AWS, or in what a
//! replay kept.
//!
//! ```text
//! place    which account                      put      records in, with back-pressure
//! names    which stream of it is meant        follow   records out, through splits and merges
//! taken    a record that came out             kept     records of a run that is over
//! ```

mod follow;
mod kept;
mod names;
mod place;
mod put;
mod taken;

pub use follow::{Follower, From};
pub use kept::read as read_kept;
pub(crate) use names::called;
pub use names::resolve;
pub use place::{Place, Streams};
pub use put::{Put, Refused};
pub use taken::Taken;
