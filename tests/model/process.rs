//! A process function: state with a time to live, timers, side outputs.

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tidemill::{Context, EventTime, KeyedProcess, Kinesis, List, Map, Mapped, Reason, Reject, SideOutput, Value};

use crate::cases;
use crate::naive::{Clock, Op, Process, Shard, TimerRule};
use crate::streams::{Damage, records};
use crate::wire::{Wire, check, millis, timed};

const VALUE: Value<u8> = Value::named("value");
const LIST: List<u8> = List::named("list");
const MAP: Map<u8, u8> = Map::named("map");
const SIDE: SideOutput<u8> = SideOutput::named("side");

/// The function that the model describes.
struct Ops {
    programs: Vec<Vec<Op>>,
    rules: Vec<TimerRule>,
    value: Value<u8>,
    list: List<u8>,
    map: Map<u8, u8>,
}

impl Ops {
    fn new(programs: Vec<Vec<Op>>, rules: Vec<TimerRule>, [value, list, map]: [Option<i64>; 3]) -> Self {
        Self {
            programs,
            rules,
            value: value.map_or(VALUE, |ttl| VALUE.ttl(millis(ttl))),
            list: list.map_or(LIST, |ttl| LIST.ttl(millis(ttl))),
            map: map.map_or(MAP, |ttl| MAP.ttl(millis(ttl))),
        }
    }

    fn run(&self, op: Op, cx: &mut Context<'_, String, Json>) -> Result<(), Reject> {
        match op {
            Op::Set(value) => cx.set(self.value, &value)?,
            Op::Clear => cx.clear(self.value),
            Op::Push(value) => cx.push(self.list, &value)?,
            Op::ClearList => cx.clear_list(self.list),
            Op::Put(key, value) => cx.map_put(self.map, &key, &value)?,
            Op::Remove(key) => cx.map_remove(self.map, &key)?,
            Op::ClearMap => cx.clear_map(self.map),
            Op::Timer(after) => cx.set_timer(cx.time().plus(after)),
            Op::DropTimer(after) => cx.delete_timer(cx.time().plus(after)),
            Op::Dump => cx.emit(self.dump(cx)?),
            Op::Side(value) => cx.emit_to(SIDE, value),
            Op::Fail => return Err(Reject::new(Reason::Failed, "the call is to fail")),
            Op::Panic => panic!("the call is to panic"),
        }
        Ok(())
    }

    fn dump(&self, cx: &Context<'_, String, Json>) -> Result<Json, Reject> {
        let map = cx.map(self.map)?;
        for (key, value) in &map {
            assert_eq!(cx.map_get(self.map, key)?, Some(*value));
        }
        Ok(json!([cx.time(), cx.watermark(), cx.get(self.value)?, cx.list(self.list)?, map]))
    }
}

impl KeyedProcess<Mapped<Wire>, String> for Ops {
    type Out = Json;

    fn on_event(&self, record: Wire, cx: &mut Context<'_, String, Json>) -> Result<(), Reject> {
        let program = usize::try_from(record.value).ok().and_then(|n| self.programs.get(n));
        program.into_iter().flatten().try_for_each(|op| self.run(*op, cx))
    }

    fn on_timer(&self, at: EventTime, cx: &mut Context<'_, String, Json>) -> Result<(), Reject> {
        let rules = self.rules.iter().filter(|rule| rule.applies(at.as_millis()));
        rules.map(|rule| rule.op).try_for_each(|op| self.run(op, cx))
    }
}

fn state_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0..9_u8).prop_map(Op::Set),
        1 => Just(Op::Clear),
        3 => (0..9_u8).prop_map(Op::Push),
        1 => Just(Op::ClearList),
        3 => (0..4_u8, 0..9_u8).prop_map(|(key, value)| Op::Put(key, value)),
        2 => (0..4_u8).prop_map(Op::Remove),
        1 => Just(Op::ClearMap),
        5 => Just(Op::Dump),
        1 => (0..9_u8).prop_map(Op::Side),
    ]
}

/// What an event does. Timers lie on both sides of the watermark.
fn programs() -> impl Strategy<Value = Vec<Vec<Op>>> {
    let op = prop_oneof![
        12 => state_op(),
        6 => (-40..40_i64).prop_map(Op::Timer),
        2 => (-3..4_i64).prop_map(Op::DropTimer),
        1 => Just(Op::Fail),
    ];
    proptest::collection::vec(proptest::collection::vec(op, 0..5), 6)
}

/// What timers do. Timers that set further ones go either back or on, so that each chain ends: back by what leaves
/// another remainder.
fn rules() -> impl Strategy<Value = Vec<TimerRule>> {
    let op = prop_oneof![10 => state_op(), 1 => Just(Op::Fail)];
    let acting = proptest::collection::vec((1..4_i64, op), 0..4);
    let chain = prop_oneof![Just(None), (2..5_i64, prop_oneof![Just(-1_i64), 1..9_i64]).prop_map(Some)];
    (acting, chain, 0..4_i64).prop_map(|(acting, chain, remainder)| {
        let rule = |(modulus, op): (i64, Op)| TimerRule { modulus, remainder: remainder % modulus, op };
        let chain = chain.map(|(modulus, after)| (modulus, Op::Timer(after)));
        chain.into_iter().chain(acting).map(rule).collect()
    })
}

fn ttls() -> impl Strategy<Value = [Option<i64>; 3]> {
    let ttl = || proptest::option::of(1..40_i64);
    [ttl(), ttl(), ttl()]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn state_timers_and_outputs_are_the_models(
        (programs, rules, ttl) in (programs(), rules(), ttls()),
        bound in 0..25_i64,
        records in records(0..7_i64, Damage::Some),
    ) {
        let pipeline = timed(bound)
            .map(|record| record)
            .key_by(|record| record.key())
            .process(Ops::new(programs.clone(), rules.clone(), ttl))
            .side(SIDE, Kinesis::stream("side"))
            .to(Kinesis::stream("results"))
            .build()
            .expect("the pipeline is sound");
        let model = Process::new(programs, rules, ttl);
        check(pipeline, Shard::of(Clock::new(bound, 1), model), &records)?;
    }
}
