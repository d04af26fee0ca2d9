//! A consumer that drops repeats, on a downstream stream that is split and merged meanwhile.
//!
//! A producer sends outputs (n, i) in any order within n, n+1 only behind all of n (I4, which the [`World`](crate::World)
//! checks); answers are lost, and zombies send anything again at any time. The consumer keeps (cur, seen) per producer
//! and shard: n > cur accepts and begins anew, n = cur accepts what is unseen, all else is a repeat.

use std::fmt;

use stateright::{Model, Property};

/// How many outputs a commit has: for the two halves of the key space in turn.
const OUTPUTS: u8 = 4;

macro_rules! mutants {
    ($($name:ident: $mistake:literal,)*) => {
        /// A rule of the consumer broken on purpose.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ConsumerMutant {
            $(#[doc = $mistake] $name,)*
        }

        impl ConsumerMutant {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// What somebody would write by mistake.
            pub const fn mistake(self) -> &'static str {
                match self { $(Self::$name => $mistake,)* }
            }
        }
    };
}

mutants! {
    HighestCounts: "The highest (n, i) is remembered: outputs of a commit come in any order.",
    NumberCounts: "Only n is remembered.",
    BeginsEmpty: "A shard begins without its parents' memory.",
    MergeTakesFirst: "A merge takes the first parent's memory.",
    MergeTakesLower: "A merge takes the entry with the lower n.",
    MergeUnitesAll: "A merge unites what was seen, although the n differ.",
    SplitCutsMemory: "A split hands on only what was seen of the child's own keys.",
    ProducerDoesNotWait: "The producer does not wait for n before it sends n+1 (I4 falls).",
}

/// One producer, one consumer, and a downstream stream that begins with one shard or with two.
#[derive(Clone, Copy, Debug)]
pub struct Consumer {
    /// Whether it begins with two shards: then a merge comes first.
    pub begins_divided: bool,
    /// How many commits the producer makes.
    pub commits: u8,
    /// The rule that is broken.
    pub mutant: Option<ConsumerMutant>,
}

/// What a shard's consumer remembers of the producer: cur, and the bits of what was seen of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Memory {
    current: u8,
    seen: u8,
}

/// Producer, stream and consumer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Downstream {
    /// The commit that is being sent, and which of its outputs are acknowledged.
    sending: (u8, u8),
    /// One memory for the whole stream, or one for each half of the key space.
    shards: Vec<Memory>,
    /// Which outputs of each commit were accepted.
    accepted: Vec<u8>,
    has_accepted_twice: bool,
    reshards: u8,
    lost: u8,
    zombies: u8,
}

/// What can happen downstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// An output arrives, and is acknowledged or not.
    Output {
        /// Its number in the commit.
        index: u8,
        /// Whether the producer hears of it.
        is_acknowledged: bool,
    },
    /// The producer goes on to its next commit.
    NextCommit,
    /// A zombie sends an output again.
    Again {
        /// The commit.
        number: u8,
        /// The output.
        index: u8,
    },
    /// The stream's shard is split, or its shards are merged.
    Reshard,
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Output { index, is_acknowledged: true } => write!(f, "Output {index} arrives."),
            Self::Output { index, is_acknowledged: false } => write!(f, "Output {index} arrives, the answer is lost."),
            Self::NextCommit => write!(f, "The producer goes on to its next commit."),
            Self::Again { number, index } => write!(f, "A zombie sends output {index} of commit {number} again."),
            Self::Reshard => write!(f, "The stream is split or merged."),
        }
    }
}

impl Consumer {
    fn is(&self, mutant: ConsumerMutant) -> bool {
        self.mutant == Some(mutant)
    }

    fn accepts(&self, memory: Memory, number: u8, index: u8) -> bool {
        let is_later = number > memory.current;
        match self.mutant {
            Some(ConsumerMutant::HighestCounts) => is_later || (number == memory.current && 1 << index > memory.seen),
            Some(ConsumerMutant::NumberCounts) => is_later,
            _ => is_later || (number == memory.current && memory.seen & (1 << index) == 0),
        }
    }

    fn arrive(&self, state: &mut Downstream, number: u8, index: u8) {
        let shard = usize::from(index % 2).min(state.shards.len() - 1);
        let memory = state.shards[shard];
        if !self.accepts(memory, number, index) {
            return;
        }
        let seen = if number > memory.current { 0 } else { memory.seen };
        state.shards[shard] = Memory { current: number, seen: seen | (1 << index) };
        let accepted = &mut state.accepted[usize::from(number)];
        state.has_accepted_twice |= *accepted & (1 << index) != 0;
        *accepted |= 1 << index;
    }

    /// A split copies the memory whole; a merge takes the entry with the higher n, and the union at equal n.
    fn reshard(&self, shards: &[Memory]) -> Vec<Memory> {
        match *shards {
            _ if self.is(ConsumerMutant::BeginsEmpty) => vec![Memory::default(); 3 - shards.len()],
            [one] if self.is(ConsumerMutant::SplitCutsMemory) => {
                [0b0101, 0b1010].map(|half| if one.seen & half == 0 { Memory::default() } else { one }).to_vec()
            }
            [one] => vec![one; 2],
            [first, second] => {
                let (lower, higher) = (first.min(second), first.max(second));
                let is_equal = first.current == second.current || self.is(ConsumerMutant::MergeUnitesAll);
                vec![match self.mutant {
                    Some(ConsumerMutant::MergeTakesFirst) => first,
                    Some(ConsumerMutant::MergeTakesLower) => lower,
                    _ if is_equal => Memory { seen: lower.seen | higher.seen, ..higher },
                    _ => higher,
                }]
            }
            _ => shards.to_vec(),
        }
    }
}

const ALL: u8 = (1 << OUTPUTS) - 1;

impl Model for Consumer {
    type State = Downstream;
    type Action = Sent;

    fn init_states(&self) -> Vec<Downstream> {
        vec![Downstream {
            sending: (1, 0),
            shards: vec![Memory::default(); 1 + usize::from(self.begins_divided)],
            accepted: vec![0; usize::from(self.commits) + 1],
            has_accepted_twice: false,
            reshards: 2,
            lost: 2,
            zombies: 2,
        }]
    }

    fn actions(&self, state: &Downstream, actions: &mut Vec<Sent>) {
        let (sending, acknowledged) = state.sending;
        for index in (0..OUTPUTS).filter(|index| acknowledged & (1 << index) == 0) {
            actions.push(Sent::Output { index, is_acknowledged: true });
            actions.extend((state.lost > 0).then_some(Sent::Output { index, is_acknowledged: false }));
        }
        if sending < self.commits && (acknowledged == ALL || self.is(ConsumerMutant::ProducerDoesNotWait)) {
            actions.push(Sent::NextCommit);
        }
        if state.zombies > 0 {
            // A zombie knows the commits up to the present one.
            actions
                .extend((1..=sending).flat_map(|number| (0..OUTPUTS).map(move |index| Sent::Again { number, index })));
        }
        actions.extend((state.reshards > 0).then_some(Sent::Reshard));
    }

    fn next_state(&self, last: &Downstream, action: Sent) -> Option<Downstream> {
        let mut state = last.clone();
        let (sending, acknowledged) = state.sending;
        match action {
            Sent::Output { index, is_acknowledged } => {
                self.arrive(&mut state, sending, index);
                state.lost -= u8::from(!is_acknowledged);
                state.sending.1 = acknowledged | (u8::from(is_acknowledged) << index);
            }
            Sent::NextCommit => state.sending = (sending + 1, 0),
            Sent::Again { number, index } => {
                state.zombies -= 1;
                self.arrive(&mut state, number, index);
            }
            Sent::Reshard => {
                state.reshards -= 1;
                state.shards = self.reshard(&state.shards);
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no output is accepted twice", |_, state: &Downstream| !state.has_accepted_twice),
            Property::always("what is acknowledged was accepted", |_, state: &Downstream| {
                let (sending, acknowledged) = state.sending;
                let before = &state.accepted[1..usize::from(sending)];
                before.iter().all(|accepted| *accepted == ALL)
                    && state.accepted[usize::from(sending)] & acknowledged == acknowledged
            }),
            Property::sometimes("all is accepted after two reshards", |consumer: &Self, state: &Downstream| {
                state.reshards == 0 && state.sending == (consumer.commits, ALL)
            }),
        ]
    }
}
