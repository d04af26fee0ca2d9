//! What an invocation did, and where its time went: so that the longest ones can be told.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tidemill_journal::{PartName, Record};
use tracing::Subscriber;
use tracing::span::Id;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Of this thread: the machine may be busy.
pub(crate) fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

thread_local! {
    static PHASES: RefCell<BTreeMap<&'static str, (Duration, Duration)>> = const { RefCell::new(BTreeMap::new()) };
}

/// CPU time in each of the handler's spans since this was last asked.
pub(crate) fn phases() -> BTreeMap<&'static str, Duration> {
    PHASES.take().into_iter().map(|(name, (_, spent))| (name, spent)).collect()
}

/// Takes the CPU time of spans as they are entered and left.
pub(crate) struct Clock;

impl<S: Subscriber + for<'l> LookupSpan<'l>> Layer<S> for Clock {
    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        PHASES.with_borrow_mut(|phases| phases.entry(span.name()).or_default().0 = cpu_time());
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        PHASES.with_borrow_mut(|phases| {
            let (entered, spent) = phases.entry(span.name()).or_default();
            *spent += cpu_time() - *entered;
        });
    }
}

/// What commits did to the parts of the state.
#[derive(Clone, Copy, Default)]
pub(crate) struct Parts {
    /// Images written, and their cells' bytes before and after they were packed.
    written: usize,
    plain: usize,
    packed: usize,
    /// Named again as they were.
    renamed: usize,
    /// Parts that several took the place of, and parts that one took the place of together.
    divided: usize,
    united: usize,
}

impl Parts {
    /// Takes in what a record names, in place of the parts there are.
    pub(crate) fn take(&mut self, record: &Record, all: &mut BTreeMap<u64, PartName>) {
        let is_written = |name: &&PartName| {
            let id = name.image.as_ref().map(|image| &image.id);
            id.is_some() && !all.values().any(|part| part.image.as_ref().map(|image| &image.id) == id)
        };
        let written: Vec<&PartName> = record.parts.iter().filter(is_written).collect();
        self.written += written.len();
        self.plain +=
            written.iter().filter_map(|name| name.image.as_ref()).map(|image| image.plain as usize).sum::<usize>();
        self.packed +=
            written.iter().filter_map(|name| name.image.as_ref()).map(|image| image.bytes as usize).sum::<usize>();
        self.renamed += record.parts.len() - written.len();
        let inside = |inner: &PartName, outer: &PartName| {
            outer.range.first <= inner.range.first && inner.range.last <= outer.range.last
        };
        let several = |count: usize| count > 1;
        self.divided +=
            all.values().filter(|part| several(record.parts.iter().filter(|name| inside(name, part)).count())).count();
        self.united +=
            record.parts.iter().filter(|name| several(all.values().filter(|part| inside(part, name)).count())).count();
        all.retain(|_, part| {
            !record.parts.iter().any(|name| part.range.first <= name.range.last && name.range.first <= part.range.last)
        });
        all.extend(record.parts.iter().map(|name| (name.range.first, name.clone())));
    }
}

/// One invocation.
pub(crate) struct Invocation {
    pub(crate) at: usize,
    pub(crate) time: Duration,
    pub(crate) phases: BTreeMap<&'static str, Duration>,
    pub(crate) commits: usize,
    /// Write units of slots, and of parts: written and deleted.
    pub(crate) slot_units: usize,
    pub(crate) part_units: usize,
    pub(crate) parts: Parts,
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let phase = |name| ms(self.phases.get(name).copied().unwrap_or_default());
        let Parts { written, plain, packed, renamed, divided, united } = self.parts;
        write!(
            f,
            "batch {:>5}: {:>5.1} ms, step {:.1}, commit {:.1}; {} commits, {} + {} units; parts: {written} written \
             ({plain} bytes, packed {packed}), {divided} divided, {united} united, {renamed} named again",
            self.at,
            ms(self.time),
            phase("step"),
            phase("commit"),
            self.commits,
            self.slot_units,
            self.part_units,
        )
    }
}
