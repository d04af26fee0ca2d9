//! Where environments wait between invocations, and which is taken next.

use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;

use tokio::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit};

use super::pool::Turn;

/// Which environment takes an invocation. Lambda does not say which it takes, or for how long: results must not depend on
/// it, and what a shard's state costs to read again does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// Of those at rest the one that was used last, so that as few as can be are kept warm.
    Recent,
    /// Each shard has its own.
    Own,
    /// Successive invocations of a shard go to different ones.
    Turns,
}

/// Places, each empty or with something at rest in it.
#[derive(Debug)]
pub(super) struct Places<T> {
    reuse: Reuse,
    places: Vec<Mutex<Option<T>>>,
    free: Free,
}

/// The places that nobody has taken: empty ones first, then by when they were used.
#[derive(Debug)]
struct Free {
    places: std::sync::Mutex<Vec<usize>>,
    count: Semaphore,
}

/// A place that is taken, until this is dropped.
pub(super) struct Place<'a, T> {
    at: MutexGuard<'a, Option<T>>,
    free: Option<(&'a Free, usize, SemaphorePermit<'a>)>,
}

impl<T> Places<T> {
    pub(super) fn new(count: usize, reuse: Reuse) -> Self {
        let count = count.max(1);
        let free = Free { places: std::sync::Mutex::new((0..count).collect()), count: Semaphore::new(count) };
        Self { reuse, places: (0..count).map(|_| Mutex::default()).collect(), free }
    }

    /// The place whose turn it is, once it is free.
    pub(super) async fn take(&self, turn: Turn) -> Place<'_, T> {
        let step = match self.reuse {
            Reuse::Own => 0,
            Reuse::Turns => turn.invocation,
            Reuse::Recent => return self.most_recent().await,
        };
        let index = (turn.shard + step) % self.places.len();
        Place { at: self.places[index].lock().await, free: None }
    }

    async fn most_recent(&self) -> Place<'_, T> {
        // It is never closed, and there are as many permits as places.
        let permit = self.free.count.acquire().await.ok();
        let index = self.free.places().pop().unwrap_or_default();
        let at = self.places[index].lock().await;
        Place { at, free: permit.map(|permit| (&self.free, index, permit)) }
    }

    /// Empties all places, each once it is free.
    pub(super) async fn clear(&self) -> Vec<T> {
        let mut all = Vec::new();
        for place in &self.places {
            all.extend(place.lock().await.take());
        }
        all
    }
}

impl Free {
    fn places(&self) -> std::sync::MutexGuard<'_, Vec<usize>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Deref for Place<'_, T> {
    type Target = Option<T>;

    fn deref(&self) -> &Option<T> {
        &self.at
    }
}

impl<T> DerefMut for Place<'_, T> {
    fn deref_mut(&mut self) -> &mut Option<T> {
        &mut self.at
    }
}

impl<T> Drop for Place<'_, T> {
    fn drop(&mut self) {
        if let Some((free, index, _)) = &self.free {
            let mut places = free.places();
            let at = if self.at.is_some() { places.len() } else { 0 };
            places.insert(at, *index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(shard: usize, invocation: usize) -> Turn {
        Turn { shard, invocation }
    }

    /// Puts something into an empty place, and says what is there.
    fn used(place: &mut Place<'_, u32>, new: u32) -> u32 {
        *place.get_or_insert(new)
    }

    #[tokio::test]
    async fn the_one_that_was_used_last_is_taken_and_new_ones_only_if_none_is_at_rest() {
        let places = Places::new(3, Reuse::Recent);
        let (mut first, mut second) = (places.take(turn(0, 0)).await, places.take(turn(1, 0)).await);
        assert_eq!((used(&mut first, 1), used(&mut second, 2)), (1, 2));
        drop(second);
        drop(first);
        let mut recent = places.take(turn(1, 1)).await;
        assert_eq!(used(&mut recent, 3), 1);
        // What has ended leaves an empty place, which comes last.
        *recent = None;
        drop(recent);
        assert_eq!(used(&mut places.take(turn(0, 1)).await, 3), 2);
        let mut all = places.clear().await;
        all.sort_unstable();
        assert_eq!(all, [2]);
    }

    #[tokio::test]
    async fn no_more_than_there_are_places_are_taken_at_once() {
        let places = Places::<u32>::new(1, Reuse::Recent);
        let taken = places.take(turn(0, 0)).await;
        let waiting = tokio::time::timeout(std::time::Duration::from_millis(10), places.take(turn(1, 0))).await;
        assert!(waiting.is_err());
        drop(taken);
        drop(places.take(turn(1, 0)).await);
    }

    #[tokio::test]
    async fn shards_keep_their_own_or_take_turns() {
        for (reuse, second) in [(Reuse::Own, 1), (Reuse::Turns, 2)] {
            let places = Places::new(2, reuse);
            assert_eq!(used(&mut places.take(turn(0, 0)).await, 1), 1);
            assert_eq!(used(&mut places.take(turn(0, 1)).await, 2), second, "{reuse:?}");
            assert_eq!(used(&mut places.take(turn(0, 2)).await, 3), 1, "{reuse:?}");
        }
    }
}
