//! What several tests of the workspace share: inputs, a sink that remembers, and a store that fails on demand.

mod faulty;
mod flights;
mod inbox;
mod metered;
mod stepped;

pub use faulty::{Fault, FaultyStore};
pub use flights::{Flight, records};
pub use inbox::{Inbox, Received};
pub use metered::{Metered, Usage};
pub use stepped::{Stepped, Wrong};
pub use tidemill::testing::simulation::{STREAM, Stream, of_batch};
