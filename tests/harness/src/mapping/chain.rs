//! Delivering to functions that are chained through streams.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;

use crate::emulators::{Emulators, ShardContent};
use crate::environment::Pool;
use crate::error::Error;
use crate::progress::Progress;
use crate::resharding::Resharding;

use super::shards::Shards;
use super::{Mapping, Pace, Upstream, tick};

/// A mapping in its place.
pub struct Link {
    /// The mapping.
    pub mapping: Arc<Mapping>,
    /// The shards of its stream that hold records before anything runs.
    pub shards: Vec<ShardContent>,
    /// The places of those whose functions write to its stream; all are before its own.
    pub upstream: Vec<usize>,
}

/// Mappings, each behind those that feed it.
pub struct Chain {
    /// The mappings.
    pub links: Vec<Link>,
    /// What is done to the shards of streams that functions write to, by how many of the first
    /// mapping's records are behind its checkpoint.
    pub reshardings: Vec<Resharding>,
    /// Whether all records of the first one's stream are there.
    pub fed: Arc<AtomicBool>,
    /// How many that are, or will be.
    pub records: u64,
    /// The account.
    pub emulators: Arc<Emulators>,
}

impl Chain {
    /// Delivers all records of the first link's stream, and what comes of them to the others, until
    /// nothing is left. Then each gets its scheduled events and its input ends, when all is delivered that
    /// those upstream sent in turn. `progress` hears of the first link's records.
    pub async fn run(&mut self, progress: &Arc<dyn Progress>) -> Result<(), Error> {
        let caught_up = self.catch_up(progress).await?;
        for (link, mut shards) in self.links.iter().zip(caught_up) {
            shards.deliver(&Upstream::default(), None).await?;
            if let Some(ticks) = &link.mapping.ticks {
                tick::send_all(&link.mapping, ticks).await?;
            }
            if link.mapping.drains {
                shards.drain().await?;
            }
        }
        Ok(())
    }

    /// All links at once, until each has delivered all that those upstream send it for now.
    async fn catch_up(&mut self, progress: &Arc<dyn Progress>) -> Result<Vec<Shards<Pool>>, Error> {
        let Self { links, reshardings, fed, records: total, emulators } = self;
        let Some(first) = links.first() else { return Ok(Vec::new()) };
        let done: Vec<Arc<AtomicBool>> = links.iter().map(|_| Arc::default()).collect();
        let resharded: Arc<AtomicBool> = Arc::default();
        let mut tasks = JoinSet::new();
        for (place, link) in links.iter().enumerate() {
            let mut upstream = Upstream(link.upstream.iter().map(|place| Arc::clone(&done[*place])).collect());
            if link.upstream.is_empty() {
                upstream.0.push(Arc::clone(fed));
            } else {
                // A shard that may still be closed is not caught up.
                upstream.0.push(Arc::clone(&resharded));
            }
            let shown = (place == 0).then(|| (Arc::clone(progress), *total));
            let done = Arc::clone(&done[place]);
            let mut shards = Shards::of(&link.mapping, &link.shards);
            tasks.spawn(async move {
                shards.deliver(&upstream, shown.as_ref()).await?;
                done.store(true, Ordering::Release);
                Ok((place, shards))
            });
        }
        let reshard = async {
            reshard(reshardings, emulators, &first.mapping, &done[0]).await?;
            resharded.store(true, Ordering::Release);
            Ok(())
        };
        tokio::try_join!(in_order(tasks), reshard).map(|(shards, ())| shards)
    }
}

/// Reshards at the moments planned, the last ones when all records of the first mapping are done.
async fn reshard(
    reshardings: &mut [Resharding],
    emulators: &Emulators,
    first: &Mapping,
    done: &AtomicBool,
) -> Result<(), Error> {
    while reshardings.iter().any(|resharding| resharding.next().is_some()) {
        let records = if done.load(Ordering::Acquire) { u64::MAX } else { first.tally.records.load(Ordering::Relaxed) };
        for resharding in &mut *reshardings {
            while resharding.next().is_some_and(|moment| moment <= records) {
                resharding.step(emulators).await?;
            }
        }
        tokio::time::sleep(Pace::REPLAY.idle).await;
    }
    Ok(())
}

/// What numbered tasks give, in the order of their numbers. The first error ends them all.
pub(super) async fn in_order<T: 'static>(mut tasks: JoinSet<Result<(usize, T), Error>>) -> Result<Vec<T>, Error> {
    let mut all = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(given) => all.push(given?),
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }
    all.sort_by_key(|(number, _)| *number);
    Ok(all.into_iter().map(|(_, given)| given).collect())
}
