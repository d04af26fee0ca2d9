//! Windows of every kind: each firing in order, with window, timing, index, value and what it replaces; late records.

use proptest::prelude::*;
use serde_json::{Value, json};
use tidemill::window::Weekday;
use tidemill::{Calendar, Cumulative, Early, Global, Kinesis, Pipeline, Session, Sliding, Tumbling};

use crate::cases;
use crate::naive::{Clock, Event, Kind, Panes, Record, Shard, Unit};
use crate::streams::{Damage, at, bases, records, values};
use crate::wire::{check, millis, timed};

/// Kind and options of a pipeline. Lengths but the window's own are in units of time.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) kind: Kind,
    pub(crate) bound: i64,
    pub(crate) lateness: i64,
    pub(crate) early_count: Option<usize>,
    pub(crate) early_interval: Option<i64>,
}

impl Options {
    /// The same where each unit is so long.
    fn scaled(self, unit: i64) -> Self {
        let early_interval = self.early_interval.map(|interval| interval * unit);
        Self { bound: self.bound * unit, lateness: self.lateness * unit, early_interval, ..self }
    }

    pub(crate) fn early(&self) -> Option<Early> {
        let count = self.early_count.map(|count| count as u64);
        match (count, self.early_interval.map(millis)) {
            (Some(count), Some(interval)) => Some(Early::every(interval).or_every_records(count)),
            (Some(count), None) => Some(Early::every_records(count)),
            (None, interval) => interval.map(Early::every),
        }
    }

    pub(crate) fn model(&self, values: fn(&[Event]) -> Option<Vec<Value>>) -> Shard<Panes> {
        let Self { kind, bound, lateness, early_count, early_interval } = self.clone();
        let mut panes = Panes::new(kind, values);
        (panes.lateness, panes.early_count, panes.early_interval) = (lateness, early_count, early_interval);
        Shard::of(Clock::new(bound, 1), panes)
    }
}

/// Goes on with the windows of a kind, all options set.
macro_rules! with_windows {
    ($options:expr, $keyed:expr, |$windowed:ident| $build:expr, { $($kind:pat => $window:expr,)+ }
     $(else $other:pat)?) => {{
        let options = $options;
        match options.kind.clone() {
            $($kind => {
                let mut $windowed = $keyed.window($window).late_to(Kinesis::stream("late"));
                if options.lateness > 0 {
                    $windowed = $windowed.allowed_lateness(millis(options.lateness));
                }
                if let Some(early) = options.early() {
                    $windowed = $windowed.early(early);
                }
                $build.to(Kinesis::stream("results")).build().expect("the pipeline is sound")
            })+
            $($other => panic!("{:?} is not among these kinds", options.kind),)?
        }
    }};
}
/// The kinds that are checked with what keeps events.
macro_rules! with_keeping_windows {
    ($options:expr, $keyed:expr, |$windowed:ident| $build:expr) => {
        $crate::windows::with_windows!($options, $keyed, |$windowed| $build, {
            Kind::Tumbling { size, offset } => Tumbling::every(millis(size)).offset(millis(offset)),
            Kind::Sliding { size, slide, offset } => Sliding::of(millis(size), millis(slide)).offset(millis(offset)),
            Kind::Session { gap } => Session::gap(millis(gap)),
        } else _)
    };
}
pub(crate) use {with_keeping_windows, with_windows};

/// Count, sum, and ids in order: the last depends on the order of events. A count that leaves 6 of 7 cannot be sent, one
/// that leaves 5 gives nothing.
pub(crate) fn pipeline(options: &Options) -> Pipeline {
    with_windows!(options, timed(options.bound).key_by(|record| record.key()), |windowed| windowed
        .aggregate(|over| (over.count(), over.sum(|record| record.value), over.collect(|record| record.id)))
        .try_emit(|_, (count, sum, ids)| if count % 7 == 6 { Err("6 of 7") } else { Ok((count, sum, ids)) })
        .filter(|(count, ..)| count % 7 != 5), {
        Kind::Tumbling { size, offset } => Tumbling::every(millis(size)).offset(millis(offset)),
        Kind::Sliding { size, slide, offset } => Sliding::of(millis(size), millis(slide)).offset(millis(offset)),
        Kind::Cumulative { size, step, offset } => Cumulative::of(millis(size), millis(step)).offset(millis(offset)),
        Kind::Session { gap } => Session::gap(millis(gap)),
        Kind::Global { count, running: false } => Global::every(count as u64),
        Kind::Global { count, running: true } => Global::running(count as u64),
        Kind::Calendar { unit: Unit::Day, zone } => Calendar::days(zone),
        Kind::Calendar { unit: Unit::Week, zone } => Calendar::weeks(zone).starting(Weekday::Sunday),
        Kind::Calendar { unit: Unit::Month, zone } => Calendar::months(zone),
    })
}

fn ids(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.id).collect()
}

pub(crate) fn summed(events: &[Event]) -> Option<Vec<Value>> {
    let sum: i128 = events.iter().map(|event| i128::from(event.value)).sum();
    match events.len() % 7 {
        6 => None,
        5 => Some(Vec::new()),
        _ => Some(vec![json!([events.len(), i64::try_from(sum).unwrap_or(i64::MAX), ids(events)])]),
    }
}

pub(crate) fn model(options: &Options) -> Shard<Panes> {
    let mut model = options.model(summed);
    model.operator.sums = true;
    model
}

pub(crate) fn kinds() -> impl Strategy<Value = Kind> {
    let offset = |length: i64| (Just(length), 0..length);
    prop_oneof![
        (1..30_i64).prop_flat_map(offset).prop_map(|(size, offset)| Kind::Tumbling { size, offset }),
        ((1..12_i64).prop_flat_map(offset), 0..30_i64).prop_map(|((slide, offset), more)| Kind::Sliding {
            size: slide + more.min(4 * slide),
            slide,
            offset
        }),
        (1..8_i64, 1..6_i64, 0.0..1.0_f64).prop_map(|(step, times, part)| {
            let size = step * times;
            Kind::Cumulative { size, step, offset: (size as f64 * part) as i64 }
        }),
        (1..20_i64).prop_map(|gap| Kind::Session { gap }),
        (1..20_i64).prop_map(|gap| Kind::Session { gap }),
        (1..6_usize, any::<bool>()).prop_map(|(count, running)| Kind::Global { count, running }),
    ]
}

pub(crate) fn options(kinds: impl Strategy<Value = Kind>) -> impl Strategy<Value = Options> {
    let lateness = prop_oneof![Just(0), 1..50_i64];
    let early = (proptest::option::of(1..5_usize), proptest::option::of(1..15_i64));
    let early = prop_oneof![Just((None, None)), early];
    (kinds, 0..25_i64, lateness, early).prop_map(|(kind, bound, lateness, (early_count, early_interval))| {
        let options = Options { kind, bound, lateness, early_count, early_interval };
        match options.kind {
            Kind::Global { .. } => Options { lateness: 0, early_count: None, early_interval: None, ..options },
            _ => options,
        }
    })
}

/// Calendar windows about changes of clocks: at midnight, from midnight on, by half an hour; and the length of a unit of
/// time there.
fn calendars() -> impl Strategy<Value = (Options, i64, i64)> {
    let changes = prop_oneof![
        Just(("America/New_York", 1_741_503_600_000_i64)),
        Just(("Europe/Berlin", 1_761_440_400_000)),
        Just(("America/Sao_Paulo", 1_541_300_400_000)),
        Just(("America/Havana", 1_730_606_400_000)),
        Just(("Australia/Lord_Howe", 1_759_590_000_000)),
        Just(("Asia/Tokyo", 0)),
    ];
    let unit =
        prop_oneof![Just((Unit::Day, 3_600_000)), Just((Unit::Week, 28_800_000)), Just((Unit::Month, 86_400_000))];
    let options = options(Just(Kind::Global { count: 1, running: true }));
    let early = (proptest::option::of(1..5_usize), proptest::option::of(1..15_i64));
    (changes, unit, options, early, 0..40_i64).prop_map(|((zone, base), (unit, length), options, early, lateness)| {
        let (early_count, early_interval) = early;
        let kind = Kind::Calendar { unit, zone };
        let options = Options { kind, early_count, early_interval, lateness, ..options };
        (options.scaled(length), base, length)
    })
}

fn check_windows(options: &Options, records: &[Record]) -> Result<(), TestCaseError> {
    check(pipeline(options), model(options), records)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn each_firing_is_the_models(
        options in options(kinds()),
        base in bases(),
        records in records(values(), Damage::Some),
    ) {
        check_windows(&options, &at(base, 1, &records))?;
    }

    #[test]
    fn each_firing_of_calendar_windows_is_the_models(
        (options, base, unit) in calendars(),
        records in records(values(), Damage::None),
    ) {
        check_windows(&options, &at(base, unit, &records))?;
    }

    #[test]
    fn a_window_function_gets_the_events_that_the_model_holds(
        options in options(prop_oneof![
            Just(Kind::Tumbling { size: 10, offset: 3 }),
            Just(Kind::Sliding { size: 10, slide: 4, offset: 1 }),
            Just(Kind::Session { gap: 6 }),
        ]),
        records in records(-5..6_i64, Damage::None),
    ) {
        let keyed = timed(options.bound).map(|record| record).key_by(|record| record.key());
        let pipeline = with_keeping_windows!(&options, keyed, |windowed| windowed
            .process(|_, records| records.into_iter().map(|record| record.id).filter(|id| id % 4 != 0)));
        let each = |events: &[Event]| Some(ids(events).into_iter().filter(|id| id % 4 != 0).map(Value::from).collect());
        check(pipeline, options.model(each), &records)?;
    }
}
