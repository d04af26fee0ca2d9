//! A sink that takes everything and keeps nothing.

use tidemill_journal::{Deadline, Output, Sink, SinkError};

pub(crate) struct Nowhere;

impl Sink for Nowhere {
    fn objection(&self, _: &Output) -> Option<String> {
        None
    }

    async fn send(&self, _: &[Output], _: Deadline) -> Result<(), SinkError> {
        Ok(())
    }
}
