//! How a request goes.

use fastrand::Rng;

use crate::testing::simulation::plan::Rates;

/// How a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Well,
    Lost,
    AnswerLost,
    Late,
    Throttled,
    FrozenBefore,
    FrozenAfter,
    /// Some outputs arrive.
    Partial,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Read,
    Write,
    /// Of outputs.
    Send,
}

impl Fate {
    pub(super) fn draw(rng: &mut Rng, rates: Rates, asked: Asked) -> Self {
        let frozen = if rng.bool() { Self::FrozenBefore } else { Self::FrozenAfter };
        let of_writes = |rate| if asked == Asked::Read { 0 } else { rate };
        let of_sends = |rate| if asked == Asked::Send { rate } else { 0 };
        let mut at = rng.u32(0..1_000);
        for (rate, fate) in [
            (rates.lost, Self::Lost),
            (rates.throttled, Self::Throttled),
            (rates.frozen, frozen),
            (of_writes(rates.answer_lost), Self::AnswerLost),
            (of_writes(rates.late), Self::Late),
            (of_sends(rates.partial), Self::Partial),
        ] {
            if at < rate {
                return fate;
            }
            at -= rate;
        }
        Self::Well
    }
}
