//! A function per key with state and timers, as data: operations that events bring, and rules for timers.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Bad, Cause, Event, Operator, Outcome, Sent, Taken, key_order};

/// What a call of the function does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Op {
    Set(u8),
    Clear,
    Push(u8),
    ClearList,
    Put(u8, u8),
    Remove(u8),
    ClearMap,
    /// Sets a timer so long after the call's time, or before it.
    Timer(i64),
    DropTimer(i64),
    /// Sends time, watermark and all state.
    Dump,
    /// Sends to the side output.
    Side(u8),
    Fail,
    Panic,
}

/// What timers do whose time leaves a remainder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimerRule {
    pub(crate) modulus: i64,
    pub(crate) remainder: i64,
    pub(crate) op: Op,
}

impl TimerRule {
    pub(crate) fn applies(&self, at: i64) -> bool {
        at.rem_euclid(self.modulus) == self.remainder
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Value,
    Element(u64),
    Entry(u8),
}

#[derive(Clone)]
struct Stored {
    key: String,
    place: Place,
    value: u8,
    /// When it goes.
    expires: Option<i64>,
}

#[derive(Clone)]
pub(crate) struct Process {
    /// What each event does.
    pub(crate) ops: fn(&Event, &[Vec<Op>]) -> Vec<Op>,
    pub(crate) programs: Vec<Vec<Op>>,
    pub(crate) rules: Vec<TimerRule>,
    /// For how long value, elements and entries are kept since they were written.
    pub(crate) ttl: [Option<i64>; 3],
    stored: Vec<Stored>,
    timers: Vec<(i64, String)>,
}

/// One call.
struct Call {
    key: String,
    time: i64,
    watermark: i64,
    cause: Cause,
    sent: Vec<Outcome>,
}

impl Process {
    pub(crate) fn new(programs: Vec<Vec<Op>>, rules: Vec<TimerRule>, ttl: [Option<i64>; 3]) -> Self {
        let ops = |event: &Event, programs: &[Vec<Op>]| {
            usize::try_from(event.value).ok().and_then(|n| programs.get(n)).cloned().unwrap_or_default()
        };
        Self { ops, programs, rules, ttl, stored: Vec::new(), timers: Vec::new() }
    }

    fn remove(&mut self, key: &str, gone: impl Fn(Place) -> bool) {
        self.stored.retain(|stored| stored.key != key || !gone(stored.place));
    }

    fn put(&mut self, call: &Call, place: Place, value: u8) {
        let ttl = match place {
            Place::Value => self.ttl[0],
            Place::Element(_) => self.ttl[1],
            Place::Entry(_) => self.ttl[2],
        };
        let expires = ttl.map(|ttl| call.time.max(call.watermark).saturating_add(ttl));
        self.remove(&call.key, |other| other == place);
        self.stored.push(Stored { key: call.key.clone(), place, value, expires });
        self.stored.sort_by_key(|stored| stored.place);
    }

    fn of<'p>(&'p self, key: &'p str) -> impl Iterator<Item = (Place, u8)> + 'p {
        self.stored.iter().filter(move |stored| stored.key == key).map(|stored| (stored.place, stored.value))
    }

    fn dump(&self, call: &Call) -> Value {
        let value = self.of(&call.key).find(|(place, _)| *place == Place::Value).map(|(_, value)| value);
        let elements = self.of(&call.key).filter(|(place, _)| matches!(place, Place::Element(_)));
        let list: Vec<u8> = elements.map(|(_, value)| value).collect();
        let entry = |(place, value)| if let Place::Entry(key) = place { Some((key, value)) } else { None };
        let map: Vec<(u8, u8)> = self.of(&call.key).filter_map(entry).collect();
        json!([call.time, call.watermark, value, list, map])
    }

    /// An element's number is one more than that of the last one there is.
    fn next_element(&self, key: &str) -> Place {
        let number = |(place, _)| if let Place::Element(number) = place { Some(number + 1) } else { None };
        Place::Element(self.of(key).filter_map(number).max().unwrap_or(0))
    }

    fn run(&mut self, call: &mut Call, op: Op) -> Result<(), ()> {
        match op {
            Op::Set(value) => self.put(call, Place::Value, value),
            Op::Clear => self.remove(&call.key, |place| place == Place::Value),
            Op::Push(value) => self.put(call, self.next_element(&call.key), value),
            Op::ClearList => self.remove(&call.key, |place| matches!(place, Place::Element(_))),
            Op::Put(key, value) => self.put(call, Place::Entry(key), value),
            Op::Remove(key) => self.remove(&call.key, |place| place == Place::Entry(key)),
            Op::ClearMap => self.remove(&call.key, |place| matches!(place, Place::Entry(_))),
            // When the input has ended, timers are set no more.
            Op::Timer(_) if call.watermark == i64::MAX => {}
            Op::Timer(after) => {
                let timer = (call.time + after, call.key.clone());
                if !self.timers.contains(&timer) {
                    self.timers.push(timer);
                }
            }
            Op::DropTimer(after) => self.timers.retain(|(at, key)| (*at, key) != (call.time + after, &call.key)),
            Op::Dump => self.send(call, 0, self.dump(call)),
            Op::Side(value) => self.send(call, 1, json!(value)),
            Op::Fail | Op::Panic => return Err(()),
        }
        Ok(())
    }

    fn send(&self, call: &mut Call, sink: u16, value: Value) {
        let (key, cause) = (call.key.clone(), call.cause.clone());
        call.sent.push(Outcome::Sent(Sent { key, sink, cause, value }));
    }

    fn call(&mut self, mut call: Call, ops: Vec<Op>) -> Result<Vec<Outcome>, ()> {
        for op in ops {
            self.run(&mut call, op)?;
        }
        Ok(call.sent)
    }

    /// What is due first: time, key, and whether it is a timer. State goes before a timer of the same instant.
    fn next(&self, watermark: i64) -> Option<(i64, String, bool)> {
        let expiring = self.stored.iter().filter_map(|stored| Some((stored.expires?, stored.key.clone(), false)));
        let timers = self.timers.iter().map(|(at, key)| (*at, key.clone(), true));
        let due = expiring.chain(timers).filter(|(at, ..)| *at <= watermark);
        due.min_by(|(a, one, x), (b, other, y)| (a, key_order(one), x).cmp(&(b, key_order(other), y)))
    }

    fn fire_timer(&mut self, at: i64, key: String, watermark: i64) -> Vec<Outcome> {
        self.timers.retain(|timer| *timer != (at, key.clone()));
        let before = self.clone();
        let ops = self.rules.iter().filter(|rule| rule.applies(at)).map(|rule| rule.op).collect();
        let call = Call { key: key.clone(), time: at, watermark, cause: Cause::Timer(at), sent: Vec::new() };
        self.call(call, ops).unwrap_or_else(|()| {
            *self = before;
            vec![Outcome::Bad(Bad::Timer(key, at))]
        })
    }
}

impl Operator for Process {
    fn take(&mut self, event: &Event, watermark: i64) -> Taken {
        let ops = (self.ops)(event, &self.programs);
        let cause = Cause::Record(event.id);
        let call = Call { key: event.key.clone(), time: event.time, watermark, cause, sent: Vec::new() };
        self.call(call, ops).map_or(Taken::Failed, Taken::Kept)
    }

    fn fire(&mut self, watermark: i64) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        while let Some((at, key, is_timer)) = self.next(watermark) {
            if is_timer {
                outcomes.extend(self.fire_timer(at, key, watermark));
            } else {
                self.stored.retain(|stored| (stored.expires, &stored.key) != (Some(at), &key));
            }
        }
        outcomes
    }
}
