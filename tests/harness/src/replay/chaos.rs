//! Replaying with faults and without, and comparing what came out.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::OnceCell;
use tokio::task::JoinSet;

use crate::chaos::Plan;
use crate::environment::KillKind;
use crate::error::Error;
use crate::progress::{OneOfSeveral, Progress};

use super::difference::Difference;
use super::options::Options;
use super::prepare::Prepared;
use super::report::Report;
use super::run::Executables;
use super::sinks::Collected;
use super::verdict::{Differences, Verdict};

/// What came of one seed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chaos {
    /// The seed.
    pub seed: u64,
    /// Whether faults made no difference.
    pub identical: bool,
    /// What was injected, by kind.
    pub injected: BTreeMap<String, u64>,
    /// The most records in a batch of the run with faults.
    pub batch_size: u32,
    /// The environments that took turns in the run with faults; `None` is one for each shard.
    pub environments: Option<u32>,
    /// What came out with faults and should not have, and the other way round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differences: Option<Differences>,
    /// The run with faults.
    pub disturbed: Report,
    /// The run without.
    #[serde(skip)]
    pub calm: Arc<Report>,
}

impl Chaos {
    /// Whether the results are what they must be: the same with faults, and as expected where something is.
    pub fn holds(&self) -> bool {
        let expected = |report: &Report| !matches!(report.verdict, Verdict::Differs(_));
        self.identical && expected(&self.disturbed) && expected(&self.calm)
    }

    /// How much was injected.
    pub fn count(&self) -> u64 {
        self.injected.values().sum()
    }
}

/// The run without faults of all seeds that leave the shards alone.
type Calm = Arc<OnceCell<Arc<Report>>>;

/// How many seeds are replayed at once: faults are mostly waited for.
const AT_ONCE: usize = 6;
/// Of more records a single run takes all there is.
const MANY_RECORDS: usize = 100_000;

impl Prepared {
    /// Replays with the faults of each seed, and without faults; `each` hears of a seed when it is done. What
    /// becomes of the shards is the same in both runs of a seed, since it decides what is late.
    pub async fn chaos(
        &self,
        seeds: RangeInclusive<u64>,
        progress: &Arc<dyn Progress>,
        mut each: impl FnMut(&Chaos),
    ) -> Result<Vec<Chaos>, Error> {
        let executables = Arc::new(self.build(&**progress).await?);
        progress.phase("replaying with faults and without");
        let several = seeds.start() < seeds.end();
        let progress =
            if several { &(Arc::new(OneOfSeveral(Arc::clone(progress))) as Arc<dyn Progress>) } else { progress };
        let at_once = if self.records.len() > MANY_RECORDS { 1 } else { AT_ONCE };
        let (mut running, mut all, calm) = (JoinSet::new(), Vec::new(), Calm::default());
        for seed in seeds {
            if running.len() == at_once {
                all.extend(next(&mut running, &mut each).await?);
            }
            let (prepared, executables) = (self.clone(), Arc::clone(&executables));
            let (progress, calm) = (Arc::clone(progress), Arc::clone(&calm));
            running.spawn(async move { prepared.seed(seed, &executables, &progress, &calm).await });
        }
        while let Some(chaos) = next(&mut running, &mut each).await? {
            all.push(chaos);
        }
        all.sort_by_key(|chaos| chaos.seed);
        Ok(all)
    }

    async fn seed(
        &self,
        seed: u64,
        executables: &Executables,
        progress: &Arc<dyn Progress>,
        calm: &Calm,
    ) -> Result<Chaos, Error> {
        let plan = self.plan(seed);
        let disturbed = self.disturbed(&plan).replay(executables, progress).await;
        let disturbed =
            disturbed.inspect_err(|_| progress.warn(&format!("this happened with the faults of seed {seed}")))?;
        let without = self.calm(&plan);
        let run = async || without.replay(executables, progress).await.map(Arc::new);
        let calm = if plan.reshards > 0 { &run().await? } else { calm.get_or_try_init(run).await? };
        Ok(self.compare(&plan, disturbed, calm))
    }

    /// The plan of a seed. What the options ask for by themselves stays.
    fn plan(&self, seed: u64) -> Plan {
        let asked = &self.options;
        let usual = self.chain.functions.first().map_or(1, |function| self.batch_size(function));
        let mut plan = Plan::of(seed, self.records.len() as u64, usual);
        plan.batch_size = asked.batch_size.unwrap_or(plan.batch_size);
        plan.environments = asked.environments.or(plan.environments);
        plan.kills = if asked.kills > 0 { asked.kills } else { plan.kills };
        // Behind a function whose shards are split, order depends on their pace, and with it what is late.
        let reshards = if self.chain.functions.len() > 1 { 0 } else { plan.reshards };
        plan.reshards = if asked.reshards > 0 { asked.reshards } else { reshards };
        plan
    }

    fn disturbed(&self, plan: &Plan) -> Self {
        let Plan { seed, batch_size, environments, kills, reshards, .. } = *plan;
        let batch_size = Some(batch_size);
        let options = Options { seed, batch_size, environments, kills, reshards, ..self.options.clone() };
        Self { options, disturbance: Some(plan.clone()), ..self.clone() }
    }

    fn calm(&self, plan: &Plan) -> Self {
        let Plan { seed, reshards, .. } = *plan;
        let options = Options { seed, reshards, kills: 0, environments: None, keep: false, ..self.options.clone() };
        Self { options, ..self.clone() }
    }

    fn compare(&self, plan: &Plan, disturbed: Report, calm: &Arc<Report>) -> Chaos {
        let ordered = self.scenario.expect_order.is_some() && plan.reshards == 0 && self.shards == 1;
        let differences = differences(&calm.collected, &disturbed.collected, ordered);
        Chaos {
            seed: plan.seed,
            identical: differences.0.is_empty(),
            injected: injected(&disturbed),
            batch_size: plan.batch_size,
            environments: plan.environments,
            differences: Some(differences).filter(|differences| !differences.0.is_empty()),
            disturbed,
            calm: Arc::clone(calm),
        }
    }
}

/// Waits for a seed to be done; `None` if none is running.
async fn next(
    running: &mut JoinSet<Result<Chaos, Error>>,
    each: &mut impl FnMut(&Chaos),
) -> Result<Option<Chaos>, Error> {
    let Some(done) = running.join_next().await else {
        return Ok(None);
    };
    let chaos = done.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))?;
    each(&chaos);
    Ok(Some(chaos))
}

/// Where two runs differ. The results' order counts if it is one.
fn differences(calm: &Collected, disturbed: &Collected, ordered: bool) -> Differences {
    let results = if ordered { Difference::in_order } else { Difference::between };
    let mut all = vec![
        (String::from("results"), results(&calm.results, &disturbed.results)),
        (String::from("late"), Difference::between(&calm.late, &disturbed.late)),
        (String::from("quarantined"), Difference::between(&calm.quarantined, &disturbed.quarantined)),
    ];
    for (kind, calm, disturbed) in
        [("stream", &calm.streams, &disturbed.streams), ("table", &calm.tables, &disturbed.tables)]
    {
        let none = Vec::new();
        let both = calm.iter().map(|(name, lines)| (name, lines, disturbed.get(name).unwrap_or(&none)));
        all.extend(both.map(|(name, calm, other)| (format!("in {kind} {name}"), Difference::between(calm, other))));
    }
    all.retain(|(_, difference)| !difference.is_none());
    Differences(all)
}

fn injected(report: &Report) -> BTreeMap<String, u64> {
    let kills = report.kills_by_kind.iter().map(|(kind, count)| {
        let name = match kind {
            KillKind::InFlight => "killed_in_flight",
            KillKind::BeforeFlush => "killed_before_flush",
            KillKind::BeforeAnswer => "killed_before_answer",
            KillKind::TimedOut => "timed_out",
        };
        (name.to_owned(), *count)
    });
    let faults = report.faults.iter().map(|(kind, count)| {
        // A fault's kind is plain text.
        let name = serde_json::to_value(kind).ok().and_then(|name| name.as_str().map(str::to_owned));
        (name.unwrap_or_default(), *count)
    });
    let splits = report.resharded.iter().map(|of| (String::from("split"), of.splits));
    let merges = report.resharded.iter().map(|of| (String::from("merged"), of.merges));
    let mut all = BTreeMap::new();
    for (name, count) in kills.chain(faults).chain(splits).chain(merges).filter(|(_, count)| *count > 0) {
        *all.entry(name).or_default() += count;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(results: &[&str], late: &[&str]) -> Collected {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        Collected { results: lines(results), late: lines(late), ..Collected::default() }
    }

    #[test]
    fn everything_that_came_out_is_compared() {
        let calm = collected(&["1", "2"], &["3"]);
        assert_eq!(differences(&calm, &calm, true), Differences(Vec::new()));
        assert!(differences(&calm, &collected(&["2", "1"], &["3"]), false).0.is_empty());
        let names = |found: Differences| found.0.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(differences(&calm, &collected(&["2", "1"], &["3"]), true)), ["results"]);
        assert_eq!(names(differences(&calm, &collected(&["1", "2", "2"], &[]), false)), ["results", "late"]);
        let with = |line: &str| Collected {
            streams: [(String::from("alerts"), vec![line.to_owned()])].into(),
            tables: [(String::from("latest"), vec![line.to_owned()])].into(),
            ..Collected::default()
        };
        assert_eq!(names(differences(&with("1"), &with("2"), false)), ["in stream alerts", "in table latest"]);
    }
}
