//! Why a record cannot be processed.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};

/// The kind of a [`Reject`]. Its text is part of what the quarantine stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The payload does not decode, or has another shape than the event type.
    Undecodable,
    /// The record has no event time, or one that cannot be read.
    NoEventTime,
    /// The event time lies outside the years 1 to 9999.
    TimeOutOfRange,
    /// The event time lies further past the record's arrival than the pipeline allows.
    TooFarAhead,
    /// The record came under another partition key than its key demands, or through a shard that does not own it.
    Misrouted,
    /// A closure of the pipeline returned an error.
    Failed,
    /// A closure of the pipeline panicked.
    Panicked,
    /// An aggregate left its number range.
    Overflow,
    /// Every environment that took the record ended: out of memory, out of time, or aborted.
    Crashed,
    /// A result could not be made, or cannot be sent as it is.
    OutputRefused,
}

impl Reason {
    /// The stored text, such as `undecodable`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::NoEventTime => "no_event_time",
            Self::TimeOutOfRange => "time_out_of_range",
            Self::TooFarAhead => "too_far_ahead",
            Self::Misrouted => "misrouted",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::Overflow => "overflow",
            Self::Crashed => "crashed",
            Self::OutputRefused => "output_refused",
        }
    }
}

/// Why one record, or one pane, goes to the quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The kind.
    pub reason: Reason,
    /// What happened and what to do, for a person.
    pub message: String,
}

impl Reject {
    /// A reject of this kind with a message for a person.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.as_str(), self.message)
    }
}

impl std::error::Error for Reject {}

/// Runs user code; a panic becomes a [`Reject`]. `what` names the code in the message.
///
/// Sound for our callers because user code sees no state but its one accumulator, of which a copy is put back after a panic.
pub(crate) fn guard<T>(what: &str, run: impl FnOnce() -> Result<T, Reject>) -> Result<T, Reject> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        Err(Reject::new(Reason::Panicked, format!("{what} panicked: {}", panic_text(panic.as_ref()))))
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_reject_with_its_message() {
        let caught: Result<(), _> = guard("the key closure", || panic!("no tail number in {}", 7));
        assert_eq!(caught, Err(Reject::new(Reason::Panicked, "the key closure panicked: no tail number in 7")));
    }

    #[test]
    fn the_stored_text_is_the_serialised_one() {
        let text = serde_json::to_string(&Reason::TooFarAhead).expect("serialises");
        assert_eq!(text, format!("\"{}\"", Reason::TooFarAhead.as_str()));
    }
}
