//! Asking other services about events, before the step.

use std::any::Any;
use std::fmt::Display;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use tidemill_core::read::{self, Enrich, Read};
use tidemill_core::{Enriched, Events, Mapped, Reason, Record, Reject};

use super::draft::Draft;

/// How another service is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calls {
    at_once: usize,
    timeout: Duration,
    attempts: u32,
}

/// The first pause before a call is tried again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

impl Calls {
    /// So many records at once, at least 1: what the other service bears from each of the function's environments. Each
    /// call may take 5 seconds and is tried 3 times unless set.
    pub const fn at_once(records: usize) -> Self {
        Self { at_once: records, timeout: Duration::from_secs(5), attempts: 3 }
    }

    /// How long one call may take.
    #[must_use]
    pub const fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// How often a call is tried, at least 1.
    #[must_use]
    pub const fn attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }
}

/// An asynchronous stage without its types.
pub(crate) trait Enricher: Send + Sync {
    /// What the stage makes of each record, in order.
    fn enrich<'r>(&'r self, records: &'r [Record<'r>]) -> Pin<Box<dyn Future<Output = Vec<Enriched>> + Send + 'r>>;
}

struct Stage<E: Events, C> {
    inner: Arc<dyn Read<E>>,
    calls: Calls,
    call: C,
}

/// Adds the stage to the pipeline.
pub(super) fn stage<E, T, X, Fut, C>(
    mut draft: Draft,
    reader: Box<dyn Read<E>>,
    calls: Calls,
    call: C,
) -> (Draft, Box<dyn Read<Mapped<T>>>)
where
    E: Events,
    T: Clone + Send + Sync + 'static,
    X: Display + 'static,
    Fut: Future<Output = Result<T, X>> + Send + 'static,
    C: for<'a> Fn(E::Event<'a>) -> Fut + Send + Sync + 'static,
{
    if calls.at_once == 0 || calls.attempts == 0 {
        draft.problem("enrich: calls at once and attempts must be at least one".to_owned());
    }
    if draft.enricher.is_some() {
        draft.problem("enrich: a pipeline has one asynchronous stage; ask all services in it".to_owned());
    }
    let inner: Arc<dyn Read<E>> = reader.into();
    draft.enricher = Some(Box::new(Stage { inner: Arc::clone(&inner), calls, call }));
    (draft, Box::new(Enrich { inner, made: PhantomData::<fn() -> T> }))
}

impl<E, T, X, Fut, C> Enricher for Stage<E, C>
where
    E: Events,
    T: Clone + Send + Sync + 'static,
    X: Display + 'static,
    Fut: Future<Output = Result<T, X>> + Send + 'static,
    C: for<'a> Fn(E::Event<'a>) -> Fut + Send + Sync + 'static,
{
    fn enrich<'r>(&'r self, records: &'r [Record<'r>]) -> Pin<Box<dyn Future<Output = Vec<Enriched>> + Send + 'r>> {
        let calls = records.iter().map(|record| self.record(record));
        Box::pin(stream::iter(calls).buffered(self.calls.at_once).collect())
    }
}

impl<E, T, X, Fut, C> Stage<E, C>
where
    E: Events,
    T: Clone + Send + Sync + 'static,
    X: Display + 'static,
    Fut: Future<Output = Result<T, X>> + Send + 'static,
    C: for<'a> Fn(E::Event<'a>) -> Fut + Send + Sync + 'static,
{
    async fn record(&self, record: &Record<'_>) -> Enriched {
        Enriched(self.events(record).await.map(|made| Box::new(made) as Box<dyn Any + Send + Sync>))
    }

    async fn events(&self, record: &Record<'_>) -> Result<Vec<T>, Reject> {
        let count = read::events(self.inner.as_ref(), record)?.len();
        let mut made = Vec::with_capacity(count);
        for index in 0..count {
            made.push(self.event(record, index).await?);
        }
        Ok(made)
    }

    async fn event(&self, record: &Record<'_>, index: usize) -> Result<T, Reject> {
        let mut pause = FIRST_PAUSE;
        let mut tried = 1;
        loop {
            let failed = match self.attempt(record, index).await {
                Ok(made) => return Ok(made),
                Err(reject) => reject,
            };
            if tried >= self.calls.attempts || failed.reason == Reason::Panicked {
                return Err(Reject::new(failed.reason, format!("{} (attempt {tried})", failed.message)));
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
            tried += 1;
        }
    }

    async fn attempt(&self, record: &Record<'_>, index: usize) -> Result<T, Reject> {
        let call = AssertUnwindSafe(self.begin(record, index)?).catch_unwind();
        match tokio::time::timeout(self.calls.timeout, call).await {
            Ok(Ok(Ok(made))) => Ok(made),
            Ok(Ok(Err(e))) => Err(Reject::new(Reason::Failed, format!("the enrich closure failed: {e}"))),
            Ok(Err(_)) => Err(panicked()),
            Err(_) => {
                let message = format!("the enrich closure took longer than {:?}", self.calls.timeout);
                Err(Reject::new(Reason::Failed, message))
            }
        }
    }

    fn begin(&self, record: &Record<'_>, index: usize) -> Result<Fut, Reject> {
        let event = read::events(self.inner.as_ref(), record)?.into_iter().nth(index);
        let event = event.ok_or_else(|| Reject::new(Reason::Failed, "a stage before enrich is not deterministic"))?;
        std::panic::catch_unwind(AssertUnwindSafe(|| (self.call)(event))).map_err(|_| panicked())
    }
}

fn panicked() -> Reject {
    Reject::new(Reason::Panicked, "the enrich closure panicked")
}
