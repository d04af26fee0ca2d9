//! Alerts when three flights of a carrier leave one airport more than an hour late within two hours; then quiet for six
//! hours. A process function with state and a timer. A table holds the last alert of each.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill::{
    Context, EventTime, Json, KeyedProcess, Kinesis, List, OutOfOrder, Pipeline, PipelineError, Reject, Table, Value,
};

/// A flight that has landed, as far as this pipeline reads it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Flight {
    /// The airport of departure; also the partition key.
    pub origin: String,
    /// The airline.
    pub carrier: String,
    /// When it left, epoch milliseconds.
    pub departed_at: EventTime,
    /// How many minutes after schedule; negative if before.
    pub delay_min: i64,
}

/// A carrier is delayed again and again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Alert {
    /// The airport.
    pub origin: String,
    /// The airline.
    pub carrier: String,
    /// When the first of the three delayed flights left.
    pub since: EventTime,
    /// When the last of them left.
    pub until: EventTime,
}

/// When delayed flights left. One that left two hours ago no longer counts.
const DELAYED: List<EventTime> = List::named("delayed").ttl(TWO_HOURS);
/// Set while alerts are held back.
const QUIET: Value<()> = Value::named("quiet");

const TWO_HOURS: Duration = Duration::from_hours(2);
const SIX_HOURS_MS: i64 = 6 * 3_600_000;
const TWO_HOURS_MS: i64 = 2 * 3_600_000;

/// The function of each airport and carrier.
#[derive(Debug)]
pub struct Alerts;

impl KeyedProcess<Json<Flight>, (String, String)> for Alerts {
    type Out = Alert;

    fn name(&self) -> &'static str {
        "alerts"
    }

    fn on_event(&self, flight: Flight, cx: &mut Context<'_, (String, String), Alert>) -> Result<(), Reject> {
        if flight.delay_min <= 60 || cx.get(QUIET)?.is_some() {
            return Ok(());
        }
        cx.push(DELAYED, &flight.departed_at)?;
        let mut delayed = cx.list(DELAYED)?;
        delayed.sort();
        let is_near = |three: &&[EventTime]| three[2].as_millis() - three[0].as_millis() < TWO_HOURS_MS;
        if let Some(&[since, _, until]) = delayed.windows(3).find(is_near) {
            cx.emit(Alert { origin: flight.origin, carrier: flight.carrier, since, until });
            cx.clear_list(DELAYED);
            cx.set(QUIET, &())?;
            cx.set_timer(until.plus(SIX_HOURS_MS));
        }
        Ok(())
    }

    fn on_timer(&self, _: EventTime, cx: &mut Context<'_, (String, String), Alert>) -> Result<(), Reject> {
        cx.clear(QUIET);
        Ok(())
    }
}

/// The pipeline.
///
/// # Errors
/// None, as declared here.
pub fn alerts() -> Result<Pipeline, PipelineError> {
    Pipeline::named("alerts")
        .source(Json::<Flight>::new())
        .event_time(|f| f.departed_at, OutOfOrder::at_most(Duration::from_hours(6)))
        .key_by(|f| (f.origin.clone(), f.carrier.clone()))
        .routed_by(|(origin, _)| origin)
        .process(Alerts)
        .also_to(Table::named("latest-alerts"))
        .to(Kinesis::stream("alerts"))
        .build()
}
