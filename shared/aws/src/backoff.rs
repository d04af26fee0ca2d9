//! How long to wait before the next attempt.

use std::time::Duration;

const BASE: Duration = Duration::from_millis(25);
const CAP: Duration = Duration::from_secs(2);

/// Exponential backoff with full jitter: the n-th pause is random between 0 and 25 ms · 2ⁿ, at most 2 s.
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// The pause before the next attempt.
    pub(crate) fn pause(&mut self) -> Duration {
        let ceiling = BASE.saturating_mul(2_u32.saturating_pow(self.attempts)).min(CAP);
        self.attempts = self.attempts.saturating_add(1);
        ceiling.mul_f64(fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_cap() {
        let mut backoff = Backoff::default();
        for ceiling in [25, 50, 100, 200, 400, 800, 1600, 2000, 2000] {
            assert!(backoff.pause() <= Duration::from_millis(ceiling));
        }
        backoff.attempts = u32::MAX;
        assert!(backoff.pause() <= CAP);
    }
}
