//! Delivering one shard: all of its lanes at once.

use std::ops::RangeInclusive;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::emulators::ShardContent;
use crate::environment::Turn;
use crate::error::Error;

use super::attempt::Invoke;
use super::chain::in_order;
use super::event::Renderer;
use super::feed::Feed;
use super::lane::{Delivered, Failures, Heard, Lane};
use super::{Mapping, Upstream};

/// A shard that is being delivered.
pub(super) struct Shard<F> {
    name: String,
    lanes: Vec<Lane<F>>,
}

impl<F: Invoke> Shard<F> {
    /// The shard `number` of a mapping's stream, with these hash keys, from an iterator on.
    pub(super) fn new(
        mapping: &Arc<Mapping<F>>,
        (number, keys): (usize, RangeInclusive<u128>),
        content: &ShardContent,
        iterator: String,
    ) -> Self {
        let source = &mapping.source;
        let factor = source.factor.max(1) as usize;
        let renderer = Renderer::new(&source.arn(), &content.shard, &mapping.function.name);
        let feed = Feed::new(mapping.kinesis.clone(), &source.stream, content, iterator, renderer, factor);
        let feed = feed.filtered(&source.filters, mapping.pace);
        let feed = if source.consumer.is_some() { feed.fanned_out(keys) } else { feed };
        let feed = Arc::new(Mutex::new(feed));
        let lane = |lane| Lane {
            mapping: Arc::clone(mapping),
            shard: content.shard.clone(),
            number: lane,
            feed: Arc::clone(&feed),
            turn: Turn { shard: number * factor + lane, invocation: 0 },
            requests: 0,
            failures: Failures::default(),
        };
        Self { name: content.shard.clone(), lanes: (0..factor).map(lane).collect() }
    }

    /// Its id.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Delivers all that lies in the shard, and what comes while anything is `upstream`.
    pub(super) async fn deliver_all(&mut self, upstream: &Upstream, done: &Heard) -> Result<Delivered, Error> {
        let mut tasks = JoinSet::new();
        for (number, mut lane) in self.lanes.drain(..).enumerate() {
            let (upstream, done) = (upstream.clone(), Arc::clone(done));
            tasks.spawn(async move {
                let delivered = lane.deliver_all(&upstream, &done).await?;
                Ok((number, (lane, delivered)))
            });
        }
        let mut ended = true;
        for (lane, delivered) in in_order(tasks).await? {
            ended &= delivered == Delivered::Ended;
            self.lanes.push(lane);
        }
        Ok(if ended { Delivered::Ended } else { Delivered::CaughtUp })
    }

    /// Declares its input ended, until the function agrees.
    pub(super) async fn drain(&mut self) -> Result<(), Error> {
        match self.lanes.first_mut() {
            Some(lane) => lane.drain().await,
            None => Ok(()),
        }
    }
}
