//! What is to happen, all of it drawn from one seed. An event carries a seed of its own, so that leaving one out changes
//! nothing of the others.

use std::fmt;
use std::ops::Range;

use fastrand::Rng;

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

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, answer_lost, late, throttled, frozen, partial, crash } = *self;
        let all = [
            (lost, "requests lost"),
            (answer_lost, "answers lost"),
            (late, "requests late"),
            (throttled, "requests throttled"),
            (frozen, "processes frozen"),
            (partial, "sends partial"),
            (crash, "processes dead"),
        ];
        let some: Vec<String> =
            all.iter().filter(|(rate, _)| *rate > 0).map(|(rate, what)| format!("{rate} {what}")).collect();
        if some.is_empty() { f.write_str("no faults of requests") } else { f.write_str(&some.join(", ")) }
    }
}

impl Rates {
    fn draw(rng: &mut Rng, severity: Range<u32>) -> Self {
        let severity = rng.u32(severity);
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

/// Where a mapping that is made anew begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    TrimHorizon,
    Latest,
}

/// What happens.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// Records are put: these.
    Put(Range<usize>),
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
    /// An operator puts an export in the place of what is there, and makes the mapping anew: the export made last, as after
    /// a restore of the table, or one that is made once nothing runs any more, as when a state moves.
    Restore {
        moves: bool,
    },
    /// An operator upgrades a journal's format.
    Upgrade(usize),
    /// An operator sweeps, and a day later again.
    Sweep,
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
pub struct Plan {
    pub(crate) shards: usize,
    pub(crate) ring: u32,
    /// How many outputs a commit holds.
    pub(crate) outputs: usize,
    /// How many times as many records as usual come together.
    pub(crate) scale: usize,
    /// Environments of earlier code are about, which begin journals in format 1 and cannot read format 2.
    pub(crate) two_versions: bool,
    pub(crate) rates: Rates,
    pub(crate) events: Vec<Event>,
}

/// How many records the usual number of events is meant for.
const USUAL: usize = 150;

impl Plan {
    /// What this seed says of so many records. The clock that stamps arrivals may jump back, too, if it `may_go_back`.
    pub fn of(seed: u64, records: usize, may_go_back: bool) -> Self {
        let rng = &mut Rng::with_seed(seed);
        let scale = records.div_ceil(USUAL).max(1);
        // Records that a mapping at LATEST skips keep a parent from ever being drained: no reshards then.
        let latest = rng.u8(0..8) == 0;
        let drawn = Drawn { scale, may_go_back, latest, attended: rng.u8(0..4) == 0 };
        let mut events: Vec<Event> = (0..rng.usize(30..120)).flat_map(|_| drawn.events(rng)).collect();
        deal(rng, records, &mut events);
        Self {
            shards: rng.usize(1..4),
            ring: rng.u32(3..9),
            outputs: rng.usize(1..6) * scale,
            scale,
            two_versions: rng.u8(0..3) == 0,
            rates: Rates::draw(rng, if drawn.attended { 1..4 } else { 0..4 }),
            events,
        }
    }
}

/// Divides the records among the events that put some.
fn deal(rng: &mut Rng, records: usize, events: &mut Vec<Event>) {
    if !events.iter().any(|event| matches!(event.what, What::Put(_))) {
        events.insert(0, Event { after: 0, seed: rng.u64(..), what: What::Put(0..0), calm: false });
    }
    let mut puts: Vec<&mut Range<usize>> = events.iter_mut().filter_map(|event| event.what.put()).collect();
    let mut cuts: Vec<usize> = (1..puts.len()).map(|_| rng.usize(0..=records)).collect();
    cuts.sort_unstable();
    let ends = cuts.into_iter().chain([records]);
    let mut first = 0;
    for (put, end) in puts.iter_mut().zip(ends) {
        **put = first..end;
        first = end;
    }
}

impl What {
    const fn put(&mut self) -> Option<&mut Range<usize>> {
        match self {
            Self::Put(records) => Some(records),
            _ => None,
        }
    }
}

/// What all events of a plan have in common.
struct Drawn {
    scale: usize,
    may_go_back: bool,
    latest: bool,
    /// An operator is at work all the time.
    attended: bool,
}

impl Drawn {
    fn events(&self, rng: &mut Rng) -> Vec<Event> {
        if self.attended && rng.u8(0..10) == 0 { self.scene(rng) } else { vec![self.event(rng)] }
    }

    /// An operator acts while much is under way: shards begin behind their parents, outputs are on the way.
    fn scene(&self, rng: &mut Rng) -> Vec<Event> {
        let mut scene = Vec::new();
        if !self.latest && rng.bool() {
            scene.push(What::Split(rng.usize(..)));
        }
        scene.extend((0..rng.usize(0..12)).map(|_| What::Poll { shard: rng.usize(..), most: self.batch(rng) }));
        scene.push(Self::operation(rng));
        scene.into_iter().map(|what| Event { after: rng.u64(0..120), seed: rng.u64(..), what, calm: false }).collect()
    }

    fn event(&self, rng: &mut Rng) -> Event {
        let Self { may_go_back, latest, .. } = *self;
        let after = match rng.u8(0..10) {
            0 => rng.u64(0..120_000),
            1..4 => rng.u64(0..5_000),
            _ => rng.u64(0..60),
        };
        let what = match rng.u8(0..40) {
            0..12 => What::Put(0..0),
            12 if !latest => What::Split(rng.usize(..)),
            13 if !latest => What::Merge(rng.usize(..)),
            14..18 => What::Tick { repeat: rng.u8(0..3) == 0 },
            18..20 => What::Retire(rng.usize(..)),
            20 if latest => What::Remake(Begin::Latest),
            20 if rng.bool() => Self::operation(rng),
            20 if rng.bool() => What::Remake(Begin::TrimHorizon),
            21 if may_go_back && rng.bool() => What::Jump(-rng.i64(0..200_000)),
            21 => What::Jump(rng.i64(0..400_000)),
            22 if rng.bool() => What::Export,
            22 => match rng.usize(..) {
                choice if choice.is_multiple_of(2) => What::Sweep,
                choice => What::Upgrade(choice / 2),
            },
            23..27 => What::Again { shard: rng.usize(..), from: rng.usize(..), most: self.batch(rng) },
            _ => What::Poll { shard: rng.usize(..), most: self.batch(rng) },
        };
        Event { after, seed: rng.u64(..), what, calm: false }
    }

    /// What ends a journal's life, or prepares for that.
    fn operation(rng: &mut Rng) -> What {
        match rng.u8(0..6) {
            0 => What::Drop,
            1..3 => What::Export,
            other => What::Restore { moves: other == 3 },
        }
    }

    fn batch(&self, rng: &mut Rng) -> usize {
        rng.usize(1..12 * self.scale)
    }
}
