//! From what a step wants sent to the bytes that the journal keeps.

use tidemill_aws::{Destination, Destinations, Envelope, Producer};
use tidemill_core::{Origin, Output, Quarantined, Reason, Reject, Step};
use tidemill_journal::{JournalId, Sink, View};

use crate::pipeline::{Kinesis, Pipeline};
use crate::settings::QUARANTINE_SINK;

/// Wraps outputs and finds, before the commit, those that no sink would take: an output that cannot be sent would block
/// its shard for ever.
pub(crate) struct Outbox {
    destinations: Destinations,
}

impl Outbox {
    pub(crate) fn of(pipeline: &Pipeline) -> Self {
        let to = |sink: &Kinesis| Destination { sink: sink.logical_name().to_owned(), plain: sink.is_plain() };
        let quarantine = Destination::enveloped(QUARANTINE_SINK);
        let late = pipeline.late_sink().map(to);
        Self { destinations: Destinations { late, ..Destinations::new(to(pipeline.results_sink()), quarantine) } }
    }

    /// The outputs of `step`, which is to become the commit behind `view`, in their final bytes.
    pub(crate) fn pack<K: Sink>(
        &self,
        journal: &JournalId,
        view: &View,
        step: &Step,
        sink: &K,
    ) -> Vec<tidemill_journal::Output> {
        let producer = Producer::new(journal, view.incarnation());
        let envelope = Envelope { producer: &producer, destinations: &self.destinations, commit: view.number() + 1 };
        let wrap = |(index, output)| {
            let wrapped = envelope.wrap(index, output)?;
            match sink.objection(&wrapped) {
                Some(objection) if wrapped.sink != QUARANTINE_SINK => {
                    envelope.wrap(index, &refused(output, &wrapped.sink, &objection))
                }
                _ => Some(wrapped),
            }
        };
        step.outputs.iter().enumerate().filter_map(wrap).collect()
    }
}

/// The quarantine entry in place of an output that its sink would not take.
fn refused(output: &Output, sink: &str, objection: &str) -> Output {
    let reject = Reject::new(Reason::OutputRefused, format!("the sink {sink:?} would not take it: {objection}"));
    let origin = match output {
        Output::Result(result) => {
            Origin::Result { key_text: result.key_text.clone(), window: result.window, value: result.value.clone() }
        }
        Output::Late(late) => Origin::Record {
            position: late.position.clone(),
            partition_key: late.partition_key.clone(),
            arrival: late.arrival,
            payload: late.payload.clone(),
        },
        Output::Quarantined(entry) => entry.origin.clone(),
    };
    Output::Quarantined(Quarantined { reject, origin })
}
