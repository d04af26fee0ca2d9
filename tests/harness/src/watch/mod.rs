//! The template's functions, running on an account that is served: what is put on a stream goes through them at once.
//! When their source changes they are built again, and what is built takes the place of what ran.
//!
//! Each function reads its stream from the first record on whenever this begins, as a new event source mapping at
//! `TRIM_HORIZON` does: a function with a journal passes over what it has taken.

mod executable;
mod functions;
mod sources;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::emulators::Meter;
use crate::environment::{Deployment, KillPlan, Observed, Pool, Reuse};
use crate::error::Error;
use crate::mapping::{Destinations, FunctionName, Mapping, Pace, Tally, live};
use crate::progress::Progress;
use crate::serve::Serving;
use crate::template::{EventSource, Function, Position};

use executable::Executables;
pub use functions::choose;
use sources::Sources;

/// Environments of a function at once: of more shards some wait.
const ENVIRONMENTS: usize = 8;

/// Runs functions on a served account and builds them again when their source changes. Ends only with an error of the
/// account or of the watching itself; dropping it ends all that it started, but for environments in the midst of
/// something, which end with the process.
///
/// # Errors
/// Cargo cannot be run, sources cannot be watched, files cannot be written. What a function or the compiler does wrong
/// is told to `progress`, and what ran before goes on.
pub async fn run(
    serving: &Serving,
    functions: Vec<Function>,
    release: bool,
    progress: Arc<dyn Progress>,
) -> Result<(), Error> {
    let folder = serving.template.folder();
    let mut executables = Executables::new(folder, serving.account.file("bin"), &functions, release);
    // Watched before anything is built: a change meanwhile counts.
    let mut sources = Sources::watch(folder, &serving.template.path, &functions).await?;
    build_first(&mut executables, &mut sources, &*progress).await?;
    let (renewed, _) = watch::channel(());
    let mut mappings = JoinSet::new();
    let mut pools = Vec::new();
    for function in functions {
        let mapping = Arc::new(mapping(serving, function, &executables, &progress));
        pools.push(Arc::clone(&mapping));
        mappings.spawn(keep_delivering(Arc::clone(&mapping), renewed.subscribe(), Arc::clone(&progress)));
        mappings.spawn(keep_ticking(mapping, Arc::clone(&progress)));
    }
    progress.warn("running: what is put on a stream goes through its functions at once");
    loop {
        let template = sources.changed().await?;
        if template {
            progress.warn("the template has changed: end this and start it again to follow");
        }
        rebuild(&mut executables, &pools, &renewed, &*progress).await?;
    }
}

/// Builds until it succeeds, again on each change.
async fn build_first(
    executables: &mut Executables,
    sources: &mut Sources,
    progress: &dyn Progress,
) -> Result<(), Error> {
    while let Err(error) = executables.build(progress).await {
        progress.pause();
        let Error::Build { .. } = error else { return Err(error) };
        progress.warn(&format!("{error}\nwaiting for a change"));
        sources.changed().await?;
    }
    progress.pause();
    Ok(())
}

async fn rebuild(
    executables: &mut Executables,
    mappings: &[Arc<Mapping>],
    renewed: &watch::Sender<()>,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let begun = Instant::now();
    let built = executables.build(progress).await;
    progress.pause();
    let changed = match built {
        Ok(changed) => changed,
        Err(error @ Error::Build { .. }) => {
            progress.warn(&format!("{error}\nwhat ran before goes on"));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for mapping in mappings {
        let function = &mapping.pool.deployment().function;
        if changed.contains(&function.code) {
            mapping.pool.end().await;
            progress.warn(&format!("{} is new, after {:.1} s", function.id, begun.elapsed().as_secs_f64()));
        }
    }
    if !changed.is_empty() {
        renewed.send_replace(());
    }
    Ok(())
}

fn mapping(serving: &Serving, function: Function, executables: &Executables, progress: &Arc<dyn Progress>) -> Mapping {
    let emulators = serving.emulators();
    let buckets = serving.template.folder().join(".tidemill").join("buckets");
    let destinations = Destinations::new(&function.id, emulators.queues.clone(), buckets);
    let deployment = Deployment {
        executable: executables.of(&function.code),
        folder: serving.template.folder().to_path_buf(),
        emulators: Arc::clone(&emulators),
        meter: Arc::new(Meter::default()),
        progress: Arc::clone(progress),
        started: AtomicU64::new(0),
        longest_ms: AtomicU64::new(0),
        cpu: Mutex::new(Some(Duration::ZERO)),
        zombies: false,
        observed: Observed::default(),
        function: function.clone(),
    };
    Mapping {
        pool: Pool::new(deployment, ENVIRONMENTS, Reuse::Recent, None, KillPlan::default()),
        function: FunctionName { id: function.id, name: function.name },
        kinesis: emulators.kinesis.clone(),
        source: EventSource { position: Position::Horizon, ..function.source },
        pace: Pace::AT_WORK,
        destinations,
        drains: false,
        ticks: None,
        tally: Tally::default(),
    }
}

/// Delivers, and when the function does not get on, says so and waits for a new one.
async fn keep_delivering(mapping: Arc<Mapping>, mut renewed: watch::Receiver<()>, progress: Arc<dyn Progress>) {
    loop {
        renewed.mark_unchanged();
        let Err(error) = live::deliver(&mapping).await;
        progress.warn(&format!("{error}\n{} waits for a change of its source", mapping.pool.deployment().function.id));
        if renewed.changed().await.is_err() {
            return;
        }
    }
}

async fn keep_ticking(mapping: Arc<Mapping>, progress: Arc<dyn Progress>) {
    let Some(schedule) = mapping.pool.deployment().function.schedule.clone() else { return };
    loop {
        let Err(error) = live::tick(&mapping, &schedule).await;
        progress.warn(&error.to_string());
    }
}
