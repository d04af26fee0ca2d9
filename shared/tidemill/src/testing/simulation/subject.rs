//! What is simulated: a pipeline and the records that come.

use std::collections::BTreeMap;

use serde_json::Value;
use tidemill_core::{EventTime, SequenceNumber, Watermark};
use tidemill_journal::Output;

use crate::Pipeline;
use crate::handler::ShardInfo;

/// One record on its way to the stream.
#[derive(Clone, Debug)]
pub struct Message {
    /// Under which key it is put.
    pub partition_key: String,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// Some records of one shard: number, arrival, and what was put.
pub type Batch = Vec<(SequenceNumber, EventTime, Message)>;

/// A pipeline and the records that come, numbered from 0.
pub trait Subject: Sync {
    /// The pipeline, anew for each process.
    fn pipeline(&self) -> Pipeline;

    /// What the clock shows at first.
    fn begins(&self) -> EventTime;

    /// When a record arrives whose turn it is at `clock`, no earlier than that, and what it is.
    fn record(&self, number: usize, clock: EventTime) -> (EventTime, Message);

    /// What else must hold of a pipeline with a key, once all has been compared.
    ///
    /// # Errors
    /// What does not hold.
    fn check(&self, outcome: &Outcome<'_>) -> Result<(), String> {
        let _ = outcome;
        Ok(())
    }
}

/// What moved a journal on, as its commits have it.
#[derive(Clone, Debug)]
pub enum Input {
    /// Records that were taken.
    Records(Batch),
    /// A tick: its time, and the watermark that the shard came to.
    Tick(EventTime, Watermark),
    /// The end of input.
    End,
}

impl Input {
    /// The records, if it is any.
    pub const fn records(&self) -> Option<&Batch> {
        match self {
            Self::Records(batch) => Some(batch),
            Self::Tick(..) | Self::End => None,
        }
    }
}

/// What came out: by sink and shard (plain values by sink), each output once, without what says in which commit it lies.
/// Events are JSON, plain values text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Made(pub(super) BTreeMap<(String, String), Vec<Value>>);

impl Made {
    /// The `data` of the events of a sink, shard by shard.
    pub fn data(&self, sink: &str) -> Vec<Value> {
        let chosen = self.0.iter().filter(|((name, _), _)| name == sink);
        chosen.flat_map(|(_, events)| events).map(|event| event["data"].clone()).collect()
    }

    /// The `data` of the events of a sink that one shard made.
    pub(super) fn of_shard(&self, sink: &str, shard: &str) -> Vec<Value> {
        let events = self.0.get(&(sink.to_owned(), shard.to_owned()));
        events.into_iter().flatten().map(|event| event["data"].clone()).collect()
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome<'o> {
    /// What the journal of each shard took in, parents before children.
    pub inputs: &'o [(ShardInfo, Vec<Input>)],
    /// What was made of it.
    pub made: &'o Made,
    /// What stands downstream, repeats among it, in order of arrival; without what dropped journals left there.
    pub downstream: &'o [Output],
}
