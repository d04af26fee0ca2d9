//! Pipelines without a key: each record's events go on as they are made. No state, no event time, no journal.

use crate::read::{Read, Reading};
use crate::reject::guard;
use crate::{Cause, Delivery, Emission, Events, KeyBytes, Origin, Output, Quarantined, Record, Reject};

/// An erased closure that encodes an event for its sinks, and tells the partition key that it goes under; `None` keeps
/// the record's own.
pub type TransformEmit<E> =
    Box<dyn for<'a> Fn(<E as Events>::Event<'a>) -> Result<(Option<String>, Vec<Delivery>), Reject> + Send + Sync>;

/// A pipeline without a key: reads, makes, sends.
pub struct Transform<E: Events> {
    /// Reads records.
    pub reader: Box<dyn Read<E>>,
    /// What is sent of an event.
    pub emit: TransformEmit<E>,
}

/// A [`Transform`] without its types.
pub trait Stateless: Send + Sync {
    /// What comes of a record: a function of the record alone.
    fn apply(&self, record: &Record<'_>) -> Vec<Output>;
}

/// How many of the outputs go to this sink.
fn numbered(outputs: &[Output], sink: u16) -> u32 {
    let of_sink = |output: &&Output| matches!(output, Output::Result(result) if result.sink == sink);
    u32::try_from(outputs.iter().filter(of_sink).count()).unwrap_or(u32::MAX)
}

impl<E: Events> Stateless for Transform<E> {
    fn apply(&self, record: &Record<'_>) -> Vec<Output> {
        let mut outputs = Vec::new();
        let reading = self.reader.read(record, &mut |time, event| {
            let (partition_key, values) = guard("making the output", || (self.emit)(event))?;
            for Delivery { sink, value } in values {
                outputs.push(Output::Result(Emission {
                    sink,
                    key: KeyBytes::stored(&[]),
                    key_text: String::new(),
                    partition_key: partition_key.clone().unwrap_or_else(|| record.partition_key.to_owned()),
                    time,
                    cause: Cause::Record(record.position.clone()),
                    number: numbered(&outputs, sink),
                    value,
                }));
            }
            Ok(())
        });
        match reading {
            Reading::Timed { taken: Ok(()), .. } => outputs,
            Reading::Refused(reject) | Reading::Timed { taken: Err(reject), .. } => {
                let origin = Origin::Record {
                    position: record.position.clone(),
                    partition_key: record.partition_key.to_owned(),
                    arrival: record.arrival,
                    payload: record.payload.to_vec(),
                };
                vec![Output::Quarantined(Quarantined { reject, origin })]
            }
        }
    }
}
