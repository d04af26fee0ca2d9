//! From what a step wants sent to the bytes that are sent.

use bytes::BytesMut;
use tidemill_aws::{Destination, Destinations, Envelope, Numbers, Producer};
use tidemill_core::{Cause, Origin, Output, Position, Quarantined, Reason, Reject};
use tidemill_journal::{Incarnation, JournalId, Sink as Downstream};

use crate::pipeline::{Pipeline, Sink};
use crate::settings::QUARANTINE_SINK;

/// Outputs of a commit share pieces of memory of at least this size,
const CHUNK_BYTES: usize = 64 << 10;
/// or so much for each, if they are few.
const OUTPUT_BYTES: usize = 1 << 10;

/// Wraps outputs and finds, before they are committed, those that no sink would take: an output that cannot be sent would
/// block its shard for ever.
pub(crate) struct Outbox {
    destinations: Destinations,
}

impl Outbox {
    pub(crate) fn of(pipeline: &Pipeline) -> Self {
        let to = |sink: &Sink| Destination { sink: sink.logical_name().to_owned(), plain: sink.is_plain() };
        let results = pipeline.result_sinks().iter().map(to).collect();
        let late = pipeline.late_sink().map(to);
        let quarantine = Destination::enveloped(QUARANTINE_SINK);
        Self { destinations: Destinations { late, ..Destinations::new(results, quarantine) } }
    }

    /// The outputs of a step in their final bytes; `commit` is the number of the commit that it is to become.
    pub(crate) fn pack<K: Downstream>(
        &self,
        (journal, incarnation): (&JournalId, Incarnation),
        commit: u64,
        outputs: &[Output],
        sink: &K,
    ) -> Vec<tidemill_journal::Output> {
        let producer = Producer::new(journal, incarnation);
        self.wrap(&producer, Numbers::Commit(commit), outputs, sink).collect()
    }

    /// The outputs of a record in a pipeline without commits, of a batch that begins at `floor`.
    pub(crate) fn pack_record<K: Downstream>(
        &self,
        producer: &Producer,
        (position, floor): (&Position, &Position),
        outputs: &[Output],
        sink: &K,
    ) -> Vec<tidemill_journal::Output> {
        self.wrap(producer, Numbers::Record { position, floor }, outputs, sink).collect()
    }

    fn wrap<'o, K: Downstream>(
        &'o self,
        producer: &'o Producer,
        numbers: Numbers<'o>,
        outputs: &'o [Output],
        sink: &'o K,
    ) -> impl Iterator<Item = tidemill_journal::Output> + 'o {
        let envelope = Envelope { producer, destinations: &self.destinations, numbers };
        let mut buffer = BytesMut::with_capacity((outputs.len() * OUTPUT_BYTES).min(CHUNK_BYTES));
        outputs.iter().enumerate().filter_map(move |(index, output)| {
            let wrapped = envelope.wrap(index, output, &mut buffer)?;
            match sink.objection(&wrapped) {
                Some(objection) if wrapped.sink != QUARANTINE_SINK => {
                    envelope.wrap(index, &refused(output, &wrapped.sink, &objection), &mut buffer)
                }
                _ => Some(wrapped),
            }
        })
    }
}

/// The quarantine entry in place of an output that its sink would not take.
fn refused(output: &Output, sink: &str, objection: &str) -> Output {
    let reject = Reject::new(Reason::OutputRefused, format!("the sink {sink:?} would not take it: {objection}"));
    let origin = match output {
        Output::Result(result) => Origin::Result {
            key_text: result.key_text.clone(),
            time: result.time,
            window: match &result.cause {
                Cause::Pane(id) => Some(id.window),
                Cause::Record(_) | Cause::Timer(_) => None,
            },
            value: result.value.clone(),
        },
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
