//! Delivering to functions that are chained through streams.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;

use crate::emulators::ShardContent;
use crate::error::Error;
use crate::progress::Progress;

use super::deliver::Shard;
use super::{Mapping, Upstream};

/// A mapping in its place.
pub struct Link {
    /// The mapping.
    pub mapping: Arc<Mapping>,
    /// Its stream's shards, each with the records that lie there before anything runs.
    pub shards: Vec<ShardContent>,
    /// The places of those whose functions write to its stream; all are before its own.
    pub upstream: Vec<usize>,
}

/// Delivers all records of the first link's stream, and what comes of them to the others, until
/// nothing is left. Then the inputs end: a link's when all is delivered that those upstream sent
/// when theirs ended. `progress` hears of the first link's records.
pub async fn run(links: &[Link], progress: &Arc<dyn Progress>) -> Result<(), Error> {
    let mut shards = Vec::new();
    for link in links {
        let mut all = Vec::new();
        for (number, content) in link.shards.iter().enumerate() {
            all.push(Shard::at_start(Arc::clone(&link.mapping), number, content).await?);
        }
        shards.push(all);
    }
    let caught_up = catch_up(links, shards, progress).await?;
    for (link, shards) in links.iter().zip(caught_up) {
        let shards = deliver(shards, &Upstream::default(), None).await?;
        if link.mapping.drains {
            drain(shards).await?;
        }
    }
    Ok(())
}

/// Where a link's records are shown, and of how many.
type Shown = (Arc<dyn Progress>, u64);

/// All links at once, until each has delivered all that those upstream send it for now.
async fn catch_up(
    links: &[Link],
    shards: Vec<Vec<Shard>>,
    progress: &Arc<dyn Progress>,
) -> Result<Vec<Vec<Shard>>, Error> {
    let total = links.first().map_or(0, |link| link.shards.iter().map(|shard| shard.records).sum());
    let done: Vec<Arc<AtomicBool>> = links.iter().map(|_| Arc::default()).collect();
    let mut tasks = JoinSet::new();
    for (place, (link, shards)) in links.iter().zip(shards).enumerate() {
        let upstream = Upstream(link.upstream.iter().map(|place| Arc::clone(&done[*place])).collect());
        let shown = (place == 0).then(|| (Arc::clone(progress), total));
        let done = Arc::clone(&done[place]);
        tasks.spawn(async move {
            let delivered = deliver(shards, &upstream, shown.as_ref()).await;
            done.store(true, Ordering::Release);
            delivered.map(|shards| (place, shards))
        });
    }
    in_order(tasks).await
}

/// All shards of a link at once.
async fn deliver(shards: Vec<Shard>, upstream: &Upstream, shown: Option<&Shown>) -> Result<Vec<Shard>, Error> {
    let mut tasks = JoinSet::new();
    for (number, mut shard) in shards.into_iter().enumerate() {
        let (upstream, shown) = (upstream.clone(), shown.cloned());
        tasks.spawn(async move {
            let done = |records| {
                if let Some((progress, total)) = &shown {
                    progress.records(records, *total);
                }
            };
            shard.deliver_all(&upstream, &done).await?;
            Ok((number, shard))
        });
    }
    in_order(tasks).await
}

async fn drain(shards: Vec<Shard>) -> Result<(), Error> {
    let mut tasks = JoinSet::new();
    for (number, mut shard) in shards.into_iter().enumerate() {
        tasks.spawn(async move { shard.drain().await.map(|()| (number, ())) });
    }
    in_order(tasks).await.map(drop)
}

/// What numbered tasks give, in the order of their numbers. The first error ends them all.
async fn in_order<T: 'static>(mut tasks: JoinSet<Result<(usize, T), Error>>) -> Result<Vec<T>, Error> {
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
