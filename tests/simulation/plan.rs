//! What is to happen, all of it drawn from one seed. An event carries a seed of its own, so that leaving one out changes
//! nothing of the others.

use fastrand::Rng;

use crate::pipelines::PIPELINES;

/// How often a request goes wrong, in a thousand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rates {
    /// It does not arrive.
    pub(crate) lost: u32,
    /// It is carried out, its answer does not come.
    pub(crate) answer_lost: u32,
    /// Its sender gives up, then it arrives.
    pub(crate) late: u32,
    /// It is refused for now.
    pub(crate) throttled: u32,
    /// Its sender stands still for minutes, before or after it.
    pub(crate) frozen: u32,
    /// Some of its outputs arrive (sends only).
    pub(crate) partial: u32,
    /// Invocations, not requests: the process dies at some await.
    pub(crate) crash: u32,
}

impl Rates {
    fn draw(rng: &mut Rng) -> Self {
        let severity = rng.u32(0..4);
        let mut rate = |most: u32| if rng.bool() { rng.u32(0..=most * severity) } else { 0 };
        Self {
            lost: rate(25),
            answer_lost: rate(25),
            late: rate(25),
            throttled: rate(15),
            frozen: rate(8),
            partial: rate(80),
            crash: rate(100),
        }
    }

    /// Each single one left out that is not so already.
    pub(crate) fn milder(self) -> impl Iterator<Item = Self> {
        [
            Self { lost: 0, ..self },
            Self { answer_lost: 0, ..self },
            Self { late: 0, ..self },
            Self { throttled: 0, ..self },
            Self { frozen: 0, ..self },
            Self { partial: 0, ..self },
            Self { crash: 0, ..self },
        ]
        .into_iter()
        .filter(move |milder| *milder != self)
    }
}

/// One record to be put.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) key: u8,
    /// How long the clock stands before it arrives, milliseconds.
    pub(crate) after: i64,
    /// How far behind the clock its event time lies, milliseconds.
    pub(crate) behind: i64,
    pub(crate) flaw: Flaw,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    Undecodable,
    Misrouted,
    FarAhead,
}

/// Where a mapping that is made anew begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    TrimHorizon,
    Latest,
}

/// What happens.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Put(Vec<Sent>),
    Split(usize),
    Merge(usize),
    /// The mapping polls a shard.
    Poll {
        shard: usize,
        most: usize,
    },
    /// A batch comes again that was delivered before.
    Again {
        shard: usize,
        from: usize,
        most: usize,
    },
    /// The schedule fires; `repeat` delivers the tick before once more.
    Tick {
        repeat: bool,
    },
    /// An idle environment ends.
    Retire(usize),
    /// The mapping is deleted and made anew.
    Remake(Begin),
    /// The clock that stamps arrivals and ticks jumps, milliseconds.
    Jump(i64),
    /// An operator drops all journals and makes the mapping anew.
    Drop,
    /// An operator exports all journals, as they are.
    Export,
    /// An operator puts what was exported last in the place of what is there, as after a restore of the table, and makes the
    /// mapping anew.
    Restore,
    /// An operator upgrades a journal's format.
    Upgrade(usize),
}

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// How much virtual time passes before, milliseconds.
    pub(crate) after: u64,
    /// For what is drawn on the way.
    pub(crate) seed: u64,
    pub(crate) what: What,
    /// Nothing goes wrong in it.
    pub(crate) calm: bool,
}

/// All that a seed says.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) pipeline: usize,
    pub(crate) shards: usize,
    pub(crate) ring: u32,
    pub(crate) outputs: usize,
    /// Environments of earlier code are about, which begin journals in format 1 and cannot read format 2.
    pub(crate) two_versions: bool,
    /// No record is ever late, so results do not depend on shards and ticks.
    pub(crate) punctual: bool,
    pub(crate) rates: Rates,
    pub(crate) events: Vec<Event>,
}

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let rng = &mut Rng::with_seed(seed);
        let punctual = rng.bool();
        // Records that a mapping at LATEST skips keep a parent from ever being drained: no reshards then.
        let latest = rng.u8(0..8) == 0;
        let events = (0..rng.usize(30..120)).map(|_| event(rng, punctual, latest)).collect();
        Self {
            pipeline: rng.usize(0..PIPELINES),
            shards: rng.usize(1..4),
            ring: rng.u32(3..9),
            outputs: rng.usize(1..6),
            two_versions: rng.u8(0..3) == 0,
            punctual,
            rates: Rates::draw(rng),
            events,
        }
    }
}

fn event(rng: &mut Rng, punctual: bool, latest: bool) -> Event {
    let after = match rng.u8(0..10) {
        0 => rng.u64(0..120_000),
        1..4 => rng.u64(0..5_000),
        _ => rng.u64(0..60),
    };
    let what = match rng.u8(0..40) {
        0..12 => What::Put((0..rng.usize(1..9)).map(|_| sent(rng, punctual)).collect()),
        12 if !latest => What::Split(rng.usize(..)),
        13 if !latest => What::Merge(rng.usize(..)),
        14..18 => What::Tick { repeat: rng.u8(0..3) == 0 },
        18..20 => What::Retire(rng.usize(..)),
        20 if latest => What::Remake(Begin::Latest),
        20 if rng.bool() => [What::Drop, What::Restore][rng.usize(..2)].clone(),
        20 if rng.bool() => What::Remake(Begin::TrimHorizon),
        21 => What::Jump(if punctual || rng.bool() { rng.i64(0..400_000) } else { -rng.i64(0..200_000) }),
        22 if rng.bool() => What::Export,
        22 => What::Upgrade(rng.usize(..)),
        23..27 => What::Again { shard: rng.usize(..), from: rng.usize(..), most: rng.usize(1..12) },
        _ => What::Poll { shard: rng.usize(..), most: rng.usize(1..12) },
    };
    Event { after, seed: rng.u64(..), what, calm: false }
}

fn sent(rng: &mut Rng, punctual: bool) -> Sent {
    let flaw = match rng.u8(0..60) {
        0..2 => Flaw::Undecodable,
        2 => Flaw::Misrouted,
        3 => Flaw::FarAhead,
        _ => Flaw::None,
    };
    let behind = if punctual { 240_000 } else { 900_000 };
    Sent { key: rng.u8(0..6), after: rng.i64(0..20_000), behind: rng.i64(0..behind), flaw }
}
