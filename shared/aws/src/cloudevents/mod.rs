//! Outputs in their final bytes: CloudEvents 1.0 in structured JSON.
//!
//! Two events with equal `source` and `id` are one and the same, says the specification: a repeat after a retry has both
//! of its original. Extension attributes are in lower case; numbers that may exceed 32 bits are strings, for the
//! specification's Integer is no wider.
//!
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>,
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>

mod destination;
mod envelope;
mod event;
mod object;
mod quarantine;

pub use destination::{Destination, Destinations, Producer};
pub use envelope::{Envelope, Numbers};
