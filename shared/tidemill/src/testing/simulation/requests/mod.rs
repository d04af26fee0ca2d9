//! The requests of one environment to the table, downstream and to the source, each of which may go wrong.

mod fate;
mod services;
mod writes;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use tidemill_core::SequenceNumber;
use tidemill_journal::{Format, MemoryStore, Record, SlotItem, StoreError};

use crate::testing::simulation::ledger::Sender;
use crate::testing::simulation::mutant::Mutant;
use crate::testing::simulation::plan::Rates;
use crate::testing::simulation::world::World;
use fate::{Asked, Fate};

/// What one environment asks. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Requests {
    pub(crate) world: Arc<World>,
    pub(crate) environment: u64,
    /// It runs earlier code: format 1 alone.
    pub(crate) old: bool,
    now: Arc<Mutex<Now>>,
}

/// The invocation at work.
struct Now {
    rng: Rng,
    rates: Rates,
    sender: Sender,
}

impl Requests {
    pub(crate) fn new(world: &Arc<World>, environment: u64, old: bool) -> Self {
        let now = Now { rng: Rng::with_seed(environment), rates: Rates::default(), sender: Sender::default() };
        Self { world: Arc::clone(world), environment, old, now: Arc::new(Mutex::new(now)) }
    }

    /// The next invocation begins.
    pub(crate) fn begin(&self, seed: u64, rates: Rates, batch_first: Option<SequenceNumber>) {
        let sender = Sender { batch_first, is_blind: false };
        *self.lock() = Now { rng: Rng::with_seed(seed), rates, sender };
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time passes on the way; then it shows how the request goes.
    async fn go(&self, asked: Asked) -> Fate {
        let is_calm = self.world.lock().is_calm;
        let (fate, latency) = {
            let Now { rng, rates, .. } = &mut *self.lock();
            let fate = Fate::draw(rng, *rates, asked);
            (if is_calm { Fate::Well } else { fate }, rng.u64(1..12))
        };
        tokio::time::sleep(Duration::from_millis(latency)).await;
        if fate == Fate::FrozenBefore {
            self.freeze().await;
        }
        fate
    }

    async fn read<T>(&self, what: &str, read: impl FnOnce(&MemoryStore) -> T) -> Result<T, StoreError> {
        let fate = self.go(Asked::Read).await;
        match fate {
            Fate::Lost => return Err(self.no_answer(what, "reads lost")),
            Fate::Throttled => return Err(self.no_answer(what, "reads throttled")),
            _ => {}
        }
        let answer = match self.stale() {
            Some(before) => read(&before),
            None => read(&self.world.items),
        };
        if fate == Fate::FrozenAfter {
            self.freeze().await;
        }
        Ok(answer)
    }

    /// The table as one reads it who does not insist on consistency.
    fn stale(&self) -> Option<MemoryStore> {
        let is_stale = self.world.is(Mutant::StaleReads) && self.lock().rng.u8(0..4) == 0;
        self.world.lock().before.first().filter(|_| is_stale).map(MemoryStore::copy)
    }

    async fn freeze(&self) {
        self.world.count("frozen");
        let pause = self.lock().rng.u64(20_000..300_000);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }

    fn no_answer(&self, what: &str, why: &'static str) -> StoreError {
        self.world.count(why);
        self.world.tell(format!("environment {}: {what}: {why}", self.environment));
        StoreError::Unavailable { what: what.to_owned(), why: why.to_owned() }
    }

    /// What code that does not know format 2 makes of it.
    fn check_known(&self, item: &SlotItem) -> Result<(), StoreError> {
        let format = Record::decode(&item.body).map(|record| record.format);
        if self.old && format == Ok(Format::V2) {
            self.world.count("formats unknown to old code");
            return Err(StoreError::Foreign { what: "a slot".to_owned(), why: "unknown format 2".to_owned() });
        }
        Ok(())
    }
}
