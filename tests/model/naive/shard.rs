//! The one rule for time, and what a record does as a whole.

use super::{Bad, Event, Outcome, Record, Trouble};

/// What makes the watermark: all event times seen.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    bound: i64,
    /// The times seen of each input.
    seen: Vec<Vec<i64>>,
}

impl Clock {
    pub(crate) fn new(bound: i64, inputs: usize) -> Self {
        Self { bound, seen: vec![Vec::new(); inputs] }
    }

    fn see(&mut self, record: &Record) {
        let input = record.input % self.seen.len();
        self.seen[input].push(record.time);
    }

    /// The highest time seen of the slowest input, less the bound.
    pub(crate) fn watermark(&self) -> i64 {
        let highest = self.seen.iter().map(|times| times.iter().max());
        highest.min().flatten().map_or(i64::MIN, |highest| highest - self.bound)
    }
}

/// What became of an event.
pub(crate) enum Taken {
    Kept(Vec<Outcome>),
    Late,
    /// Nothing of its record is to remain.
    Failed,
}

/// What happens per key.
pub(crate) trait Operator: Clone {
    /// Takes an event under a watermark.
    fn take(&mut self, event: &Event, watermark: i64) -> Taken;

    /// Does all that is due at a watermark.
    fn fire(&mut self, watermark: i64) -> Vec<Outcome>;
}

/// What tells repeats.
pub(crate) type Id = fn(&Event) -> i64;

/// One shard.
#[derive(Clone)]
pub(crate) struct Shard<O> {
    pub(crate) clock: Clock,
    pub(crate) operator: O,
    /// The events that a record is made into; none if it is filtered out.
    pub(crate) events: fn(&Record) -> Vec<Event>,
    /// For how long repeats are known, and their id.
    pub(crate) dedup: Option<(i64, Id)>,
    /// Key, id and until when.
    pub(crate) known: Vec<(String, i64, i64)>,
}

impl<O: Operator> Shard<O> {
    /// A shard where each record is one event.
    pub(crate) fn of(clock: Clock, operator: O) -> Self {
        let events = |record: &Record| {
            let Record { id, key, time, value, .. } = record.clone();
            vec![Event { id, key, time, value }]
        };
        Self { clock, operator, events, dedup: None, known: Vec::new() }
    }

    /// Judge and apply under the present watermark, raise it, fire what is due.
    pub(crate) fn push(&mut self, record: &Record) -> Vec<Outcome> {
        let mut outcomes = self.take(record);
        if record.raises() {
            self.clock.see(record);
        }
        outcomes.extend(self.operator.fire(self.clock.watermark()));
        outcomes
    }

    /// The end of input.
    pub(crate) fn drain(&mut self) -> Vec<Outcome> {
        self.operator.fire(i64::MAX)
    }

    fn take(&mut self, record: &Record) -> Vec<Outcome> {
        let fails = matches!(record.trouble, Trouble::Failing | Trouble::Panicking);
        if !record.raises() || fails {
            return vec![Outcome::Bad(Bad::Record(record.id))];
        }
        if record.trouble == Trouble::Filtered {
            return Vec::new();
        }
        let before = self.clone();
        self.take_events(record).unwrap_or_else(|()| {
            *self = before;
            vec![Outcome::Bad(Bad::Record(record.id))]
        })
    }

    /// A record is late if all of its events are that were not known before.
    fn take_events(&mut self, record: &Record) -> Result<Vec<Outcome>, ()> {
        let watermark = self.clock.watermark();
        let (mut outcomes, mut kept, mut late) = (Vec::new(), false, false);
        for event in (self.events)(record) {
            if self.is_repeat(&event, watermark) {
                continue;
            }
            match self.operator.take(&event, watermark) {
                Taken::Kept(more) => {
                    kept = true;
                    outcomes.extend(more);
                }
                Taken::Late => late = true,
                Taken::Failed => return Err(()),
            }
        }
        outcomes.extend((late && !kept).then_some(Outcome::Late(record.id)));
        Ok(outcomes)
    }

    fn is_repeat(&mut self, event: &Event, watermark: i64) -> bool {
        let Some((horizon, id)) = self.dedup else { return false };
        let same =
            |(key, known, until): &(String, i64, i64)| *key == event.key && *known == id(event) && *until > watermark;
        let is_repeat = self.known.iter().any(same);
        if !is_repeat {
            self.known.push((event.key.clone(), id(event), event.time + horizon));
        }
        is_repeat
    }
}
