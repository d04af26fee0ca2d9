//! A user's pipeline under the faults of Lambda and Kinesis.

use std::ops::Range;

use serde::Serialize;

use super::given::Given;
use super::plan::Plan;
use super::run::run;
use super::seeds::{Seeds, Simulated, run_seeds};
use super::shrink::{Failure, tell};
use crate::Pipeline;

/// Names the one seed to be run, in place of all that a test asks for.
const SEED: &str = "SEED";

/// Runs a pipeline under the faults of Lambda and Kinesis, once for each seed: the handler, the journal and the outbox that
/// a function runs, over a stream, a table and an event source mapping that are simulated in one thread and virtual time.
///
/// `make` gives the pipeline anew for each process that is simulated. Events are given as JSON, in the order in which they
/// arrive; each is put once, no earlier than at its event time. Of the rest the seed decides: how batches are cut, which
/// come again, which requests get lost, come late or lose their answer, which processes die, freeze for minutes and go on
/// beside their successors, when shards are split and merged, when ticks come, when an operator makes the mapping anew,
/// drops the journals or upgrades them, and that earlier code is still about.
///
/// After that, what each journal took in (its records and ticks, in order) is given to one process to which nothing
/// happens. Results, late and quarantined records must be the same, each once, in the same order. On the way the
/// invariants of the commit protocol are checked at every write.
///
/// A pipeline with an asynchronous stage is asked in virtual time, any number of times for a record: give it a stage that
/// answers from memory, always the same.
///
/// With the environment variable `SEED=n` only that seed is run, and all that happens is printed.
///
/// # Errors
/// The lowest seed that failed among those that were run, with a story that was made as short as it goes.
///
/// # Panics
/// If an event does not serialise, or `SEED` is no number.
///
/// ```
/// # use std::time::Duration;
/// # use serde::Deserialize;
/// # use serde_json::json;
/// # use tidemill::{Json, Kinesis, OutOfOrder, Pipeline, Session, testing::simulate};
/// # #[derive(Deserialize)]
/// # struct Click { page: String, at: i64 }
/// # fn visits() -> Pipeline {
/// #     Pipeline::named("visits").source(Json::<Click>::new())
/// #     .event_time(|click| click.at, OutOfOrder::at_most(Duration::from_secs(5)))
/// #     .key_by(|click| click.page.clone()).window(Session::gap(Duration::from_secs(10)))
/// #     .aggregate(|over| over.count()).emit(|pane, clicks| (pane.key, clicks))
/// #     .to(Kinesis::stream("visits")).build().unwrap()
/// # }
/// let events = (0..100).map(|n| json!({"page": if n % 3 == 0 { "/" } else { "/help" }, "at": n * n * 10}));
/// let simulated = simulate(visits, events, 0..10).unwrap();
/// assert!(simulated.counts["commits"] > 100);
/// ```
pub fn simulate<T: Serialize>(
    make: impl Fn() -> Pipeline + Sync,
    events: impl IntoIterator<Item = T>,
    seeds: Range<u64>,
) -> Result<Simulated, Failure> {
    let payloads = events.into_iter().map(|event| serde_json::to_vec(&event).expect("the event serialises as JSON"));
    let given = Given::new(make, payloads.collect());
    let plan = |seed| Plan::of(seed, given.len(), true);
    let (seeds, tells) = match chosen() {
        Some(seed) => (seed..seed + 1, true),
        None => (seeds, false),
    };
    let (simulated, failed) = run_seeds(&Seeds { seeds, until: None }, |seed| {
        let report = run(&plan(seed), &given, None);
        if tells {
            println!("{}", report.story.join("\n"));
        }
        report
    });
    failed.map_or(Ok(simulated), |seed| Err(tell(seed, plan(seed), &given, None)))
}

fn chosen() -> Option<u64> {
    let text = std::env::var(SEED).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{SEED} is to be a number, not {text:?}")))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::testing::clicks;
    use crate::{Json, Kinesis, OutOfOrder, Tumbling};

    fn events(number: i64) -> impl Iterator<Item = Value> {
        (0..number).map(|n| json!({"page": (n % 5).to_string(), "at": n * 900 - n % 7 * 1_000, "weight": n}))
    }

    #[test]
    fn a_sound_pipeline_comes_through_all_faults() {
        let simulated = simulate(clicks, events(300), 0..8).expect("no difference");
        assert_eq!((simulated.seeds, simulated.counts["records"]), (8, 8 * 300));
        assert!(simulated.counts["invocations"] > 100, "{simulated}");
    }

    #[test]
    fn a_pipeline_without_key_comes_through_all_faults() {
        let relay = || {
            let each = Pipeline::named("relay").source(Json::<Value>::new()).filter(|click| click["weight"] != 3);
            each.branch(|click| click["page"] == "1", Kinesis::stream("ones"))
                .to(Kinesis::stream("out").plain())
                .build()
        };
        simulate(|| relay().expect("sound"), events(60), 0..8).expect("no difference");
    }

    static CALLS: AtomicU64 = AtomicU64::new(0);

    fn counting() -> Pipeline {
        Pipeline::named("counting")
            .source(Json::<Value>::new())
            .event_time(|click| click["at"].as_i64().unwrap_or(0), OutOfOrder::at_most(Duration::ZERO))
            .key_by(|click| click["page"].as_str().unwrap_or("-").to_owned())
            .window(Tumbling::every(Duration::from_secs(10)))
            .aggregate(|over| over.count())
            .emit(|pane, count| (pane.key, count, CALLS.fetch_add(1, Ordering::Relaxed)))
            .to(Kinesis::stream("out"))
            .build()
            .expect("sound")
    }

    #[test]
    fn a_closure_that_counts_its_calls_is_found_out() {
        let failure = simulate(counting, events(60), 5..7).expect_err("a difference");
        assert!((5..7).contains(&failure.seed) && !failure.story.is_empty(), "{failure}");
        assert!(failure.to_string().contains(&format!("SEED={}", failure.seed)), "{failure}");
    }
}
