//! One line of metrics an invocation, in CloudWatch's embedded metric format: Lambda carries stdout to CloudWatch Logs,
//! which makes metrics of it. No request is sent, and nothing that goes wrong here fails an invocation.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
//!
//! What each metric means, and what to do about it: `docs/operations/metrics.md`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use tidemill_aws::Usage;
use tidemill_core::Watermark;

use crate::handler::Tally;

/// The variable that names the CloudWatch namespace of the metrics; `off` switches them off. Unset it is `Tidemill`.
pub const METRICS: &str = "TIDEMILL_METRICS";
/// The one dimension: each combination of values is billed as metrics of its own, so that shards and requests are none.
const DIMENSION: &str = "Pipeline";
const DEFAULT_NAMESPACE: &str = "Tidemill";

/// What one invocation did and met.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// The request, the shard at work: properties of the line, to look for in the logs.
    pub(crate) request_id: String,
    pub(crate) shard: Option<String>,
    pub(crate) tally: Tally,
    pub(crate) usage: Usage,
    pub(crate) decode: Duration,
    pub(crate) all: Duration,
    /// Since the invocation before ended, or the process began.
    pub(crate) since: Duration,
    /// Of the environment, in its first line.
    pub(crate) init: Option<Duration>,
    /// The kind of the error that it ended with.
    pub(crate) error: Option<&'static str>,
}

/// Writes lines of metrics.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    namespace: String,
    pipeline: String,
    /// The function's memory in bytes.
    memory: Option<u64>,
}

impl Metrics {
    /// Metrics in the namespace that the variable names; `None` if it says off.
    ///
    /// # Errors
    /// If CloudWatch takes no such namespace.
    pub(crate) fn of(pipeline: &str, variable: Option<&str>, memory: Option<u64>) -> Result<Option<Self>, String> {
        let namespace = match variable.map(str::trim) {
            Some("off") => return Ok(None),
            None | Some("") => DEFAULT_NAMESPACE,
            Some(namespace) => namespace,
        };
        let allowed = |character: char| character.is_ascii_alphanumeric() || ".-_/#:".contains(character);
        if namespace.len() > 255 || namespace.starts_with("AWS/") || !namespace.chars().all(allowed) {
            return Err(format!(
                "{METRICS} is {namespace:?}: a CloudWatch namespace has 1 to 255 letters, digits and . - _ / # : and does \
                 not begin with AWS/; `off` writes no metrics"
            ));
        }
        let pipeline = serde_json::Value::from(pipeline).to_string();
        Ok(Some(Self { namespace: namespace.to_owned(), pipeline, memory }))
    }

    /// Writes the line of an invocation that ended at `now`, in milliseconds since 1970.
    pub(crate) fn write(&self, sample: &Sample, now: i64) {
        let mut line = self.line(sample, now, resident());
        line.push('\n');
        // Whoever reads the log may be gone; the work is done all the same.
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }

    fn line(&self, sample: &Sample, now: i64, resident: Option<u64>) -> String {
        let memory = resident.zip(self.memory).map(|(resident, memory)| percent(resident, memory));
        let values = values(sample, now, memory);
        let (mut definitions, mut members) = (String::with_capacity(1_024), String::with_capacity(512));
        for (name, unit, value) in values.iter().filter(|(_, _, value)| *value != 0.0) {
            let comma = if definitions.is_empty() { "" } else { "," };
            let _ = write!(definitions, r#"{comma}{{"Name":"{name}","Unit":"{unit}"}}"#);
            let _ = write!(members, r#","{name}":{value}"#);
        }
        let mut line = String::with_capacity(definitions.len() + members.len() + 512);
        let (namespace, pipeline) = (&self.namespace, &self.pipeline);
        let _ = write!(
            line,
            r#"{{"_aws":{{"Timestamp":{now},"CloudWatchMetrics":[{{"Namespace":"{namespace}","Dimensions":[["{DIMENSION}"]],"Metrics":[{definitions}]}}]}},"{DIMENSION}":{pipeline}{members}"#
        );
        property(&mut line, "RequestId", Some(&sample.request_id));
        property(&mut line, "Shard", sample.shard.as_deref());
        property(&mut line, "Error", sample.error);
        if let Some(commit) = sample.tally.commit {
            let _ = write!(line, r#","Commit":{commit}"#);
        }
        line.push('}');
        line
    }
}

/// Name, unit and value of each metric. What is 0 is left out of the line: most of it mostly is, and a line costs by its
/// length.
fn values(sample: &Sample, now: i64, memory: Option<f64>) -> Vec<(&'static str, &'static str, f64)> {
    let Sample { tally, usage, .. } = sample;
    let done = &tally.done;
    let flag = |is: bool| if is { 1.0 } else { 0.0 };
    vec![
        ("Records", "Count", count(done.taken)),
        ("Repeats", "Count", count(done.repeats)),
        ("SentTwice", "Count", count(done.sent_twice)),
        ("Results", "Count", count(done.results)),
        ("Late", "Count", count(done.late)),
        ("Quarantined", "Count", count(done.quarantined)),
        ("Commits", "Count", count(done.commits)),
        ("Conflicts", "Count", count(done.conflicts)),
        ("Loads", "Count", count(done.loads)),
        ("CatchUps", "Count", count(tally.catch_ups)),
        ("Gaps", "Count", flag(done.gap.is_some())),
        ("Unfinished", "Count", flag(done.is_unfinished)),
        ("Failed", "Count", flag(sample.error.is_some())),
        ("Breaker", "Count", flag(sample.error == Some("Tidemill.BadRecords"))),
        ("FlushRetries", "Count", whole(usage.flush_retries)),
        ("Throttles", "Count", whole(usage.throttles)),
        ("WriteUnits", "Count", usage.write_units),
        ("SinkWriteUnits", "Count", usage.sink_write_units),
        ("ReadUnits", "Count", usage.read_units),
        ("WriteRate", "Count/Second", rate(usage.write_units, sample.since)),
        ("WatermarkAge", "Seconds", tally.watermark.map_or(0.0, |watermark| age(watermark, now))),
        ("StateBytes", "Bytes", count(tally.state_bytes)),
        ("MemoryUse", "Percent", memory.unwrap_or_default()),
        ("DecodeTime", "Milliseconds", millis(sample.decode)),
        ("LoadTime", "Milliseconds", millis(tally.phases.load)),
        ("EnrichTime", "Milliseconds", millis(tally.phases.enrich)),
        ("StepTime", "Milliseconds", millis(tally.phases.step)),
        ("CommitTime", "Milliseconds", millis(tally.phases.commit)),
        ("FlushTime", "Milliseconds", millis(tally.phases.flush)),
        ("Time", "Milliseconds", millis(sample.all)),
        ("InitTime", "Milliseconds", sample.init.map_or(0.0, millis)),
    ]
}

fn property(line: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        let _ = write!(line, r#","{name}":{}"#, serde_json::Value::from(value));
    }
}

/// How far event time lies behind the clock, in seconds; 0 if it does not.
fn age(watermark: Watermark, now: i64) -> f64 {
    whole(u64::try_from(now.saturating_sub(watermark.time().as_millis())).unwrap_or(0)) / 1_000.0
}

/// To the microsecond: more digits cost and say nothing.
fn millis(time: Duration) -> f64 {
    whole(u64::try_from(time.as_micros()).unwrap_or(u64::MAX)) / 1_000.0
}

fn count(number: usize) -> f64 {
    whole(u64::try_from(number).unwrap_or(u64::MAX))
}

/// Exact up to 2⁵³, which CloudWatch keeps no better.
#[expect(clippy::cast_precision_loss, reason = "a metric is a double")]
const fn whole(number: u64) -> f64 {
    number as f64
}

/// A second, rounded.
fn rate(units: f64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { (units / time.as_secs_f64() * 10.0).round() / 10.0 }
}

fn percent(part: u64, all: u64) -> f64 {
    (whole(part) * 1_000.0 / whole(all.max(1))).round() / 10.0
}

/// The memory that the process holds, in bytes, where the system tells it.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    kilobytes.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::{Value, json};
    use tidemill_core::EventTime;

    use super::*;
    use crate::handler::{Done, Phases};

    fn metrics(variable: Option<&str>) -> Metrics {
        Metrics::of("departures", variable, Some(512 << 20)).expect("a namespace").expect("on")
    }

    fn sample() -> Sample {
        let done = Done { taken: 500, results: 24, outputs: 25, quarantined: 1, commits: 1, ..Done::default() };
        let phases = Phases { commit: Duration::from_micros(4_250), ..Phases::default() };
        let watermark = Some(Watermark::at(EventTime::from_millis(1_700_000_000_000)));
        Sample {
            request_id: "r-1".to_owned(),
            shard: Some("shardId-000000000000".to_owned()),
            tally: Tally { done, phases, watermark, commit: Some(7), state_bytes: 1_234, ..Tally::default() },
            usage: Usage { write_units: 2.5, ..Usage::default() },
            init: Some(Duration::from_millis(40)),
            since: Duration::from_millis(500),
            ..Sample::default()
        }
    }

    fn line(sample: &Sample) -> Value {
        metrics(None).line(sample, 1_700_000_090_500, Some(256 << 20)).parse().expect("JSON")
    }

    #[test]
    fn every_metric_of_a_line_is_defined_with_its_unit_and_has_its_value_beside() {
        let line = line(&sample());
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(line["_aws"]["Timestamp"], 1_700_000_090_500_i64);
        assert_eq!(directive["Namespace"], "Tidemill");
        assert_eq!(directive["Dimensions"], json!([["Pipeline"]]));
        let defined = directive["Metrics"].as_array().expect("definitions");
        let expected = [
            ("Records", "Count", 500.0),
            ("Results", "Count", 24.0),
            ("Quarantined", "Count", 1.0),
            ("Commits", "Count", 1.0),
            ("WriteUnits", "Count", 2.5),
            ("WriteRate", "Count/Second", 5.0),
            ("WatermarkAge", "Seconds", 90.5),
            ("StateBytes", "Bytes", 1_234.0),
            ("MemoryUse", "Percent", 50.0),
            ("CommitTime", "Milliseconds", 4.25),
            ("InitTime", "Milliseconds", 40.0),
        ];
        assert_eq!(defined.len(), expected.len(), "what is 0 is left out: {defined:?}");
        for (definition, (name, unit, value)) in defined.iter().zip(expected) {
            assert_eq!(*definition, json!({"Name": name, "Unit": unit}));
            assert_eq!(line[name].as_f64(), Some(value), "{name}");
        }
        assert_eq!((&line["Pipeline"], &line["RequestId"]), (&json!("departures"), &json!("r-1")));
        assert_eq!((&line["Shard"], &line["Commit"]), (&json!("shardId-000000000000"), &json!(7)));
    }

    fn names() -> Vec<&'static str> {
        values(&Sample::default(), 0, None).into_iter().map(|(name, ..)| name).collect()
    }

    #[test]
    fn the_page_tells_of_each_metric_with_its_unit() {
        let page = include_str!("../../../docs/operations/metrics.md");
        let units = |unit| match unit {
            "Milliseconds" => "ms".to_owned(),
            unit => str::to_ascii_lowercase(unit),
        };
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
        let of_metrics = |(name, unit, _)| format!("| `{name}` | {} |", units(unit));
        for row in values(&Sample::default(), 0, None).into_iter().map(of_metrics) {
            assert!(rows.iter().any(|line| line.starts_with(&row)), "{row}");
        }
    }

    /// What a template's alarms and dashboard look at: `SELECT MAX(Time)`, `MetricName="Time"`.
    fn looked_at(template: &str) -> Vec<&str> {
        let of_alarm = template.split("SELECT ").skip(1).filter_map(|rest| rest.split_once('(')?.1.split_once(')'));
        let of_graph = template.split("MetricName=\\\"").skip(1).filter_map(|rest| rest.split_once("\\\""));
        of_alarm.chain(of_graph).map(|(name, _)| name).collect()
    }

    #[test]
    fn alarms_and_dashboard_look_at_metrics_that_there_are() {
        let template = include_str!("../../../template.yaml");
        let (names, looked_at) = (names(), looked_at(template));
        assert!(looked_at.len() > 30, "{looked_at:?}");
        assert_eq!(looked_at.iter().find(|name| !names.contains(name)), None);
        let unwatched: Vec<&str> = names.into_iter().filter(|name| !looked_at.contains(name)).collect();
        assert_eq!(unwatched, ["Commits", "Failed", "DecodeTime", "LoadTime", "EnrichTime"]);
    }

    #[test]
    fn the_page_tells_what_to_do_at_each_alarm() {
        let (template, page) =
            (include_str!("../../../template.yaml"), include_str!("../../../docs/operations/metrics.md"));
        let alarms = template.lines().filter_map(|line| line.strip_prefix("  ")?.strip_suffix("Alarm:"));
        let alarms: Vec<&str> = alarms.filter(|name| !name.starts_with(' ')).collect();
        assert_eq!(alarms.len(), 14);
        for name in &alarms {
            assert!(page.contains(&format!("\n| `{name}` | ")), "{name}");
        }
        assert_eq!(template.matches("AlarmDescription: >-").count(), alarms.len());
    }

    /// Lambda's own metrics know no stack.
    #[test]
    fn alarms_on_lambdas_own_metrics_name_each_function() {
        let template = include_str!("../../../template.yaml");
        let mut functions: Vec<&str> =
            template.lines().filter_map(|line| line.strip_prefix("  ")?.strip_suffix("Function:")).collect();
        functions.retain(|name| !name.is_empty() && !name.contains(' '));
        assert_eq!(functions.len(), 6);
        for metric in ["IteratorAge", "Errors", "Throttles"] {
            for function in &functions {
                let named = format!(
                    "MetricName: {metric}, Dimensions: [{{Name: FunctionName, Value: !Ref {function}Function}}]"
                );
                assert!(template.contains(&named), "{metric} of {function}");
            }
        }
    }

    #[test]
    fn an_open_breaker_is_a_failure_too() {
        let line = line(&Sample { error: Some("Tidemill.BadRecords"), ..Sample::default() });
        assert_eq!((&line["Failed"], &line["Breaker"]), (&json!(1), &json!(1)));
        assert_eq!(line["Error"], "Tidemill.BadRecords");
    }

    #[test]
    fn text_of_others_cannot_break_the_line() {
        let mut sample = sample();
        sample.request_id = "a\"b\n".to_owned();
        assert_eq!(line(&sample)["RequestId"], "a\"b\n");
        assert!(!metrics(None).line(&sample, 0, None).contains('\n'));
    }

    #[test]
    fn the_variable_names_a_namespace_or_says_off() {
        assert!(Metrics::of("p", Some("off"), None).expect("fine").is_none());
        assert!(metrics(Some("Shop/Orders")).line(&sample(), 0, None).contains(r#""Namespace":"Shop/Orders""#));
        for refused in ["AWS/Lambda", "a b", "ä", &"x".repeat(256)] {
            assert!(Metrics::of("p", Some(refused), None).expect_err("refused").contains(METRICS));
        }
    }

    #[test]
    fn a_full_line_is_far_below_what_an_invocation_costs() {
        let (metrics, sample) = (metrics(None), sample());
        let begun = Instant::now();
        for now in 0..1_000 {
            std::hint::black_box(metrics.line(&sample, now, resident()));
        }
        let each = begun.elapsed() / 1_000;
        println!("{each:?} a line of {} bytes", metrics.line(&sample, 0, resident()).len());
        assert!(each < Duration::from_millis(1), "{each:?}, although a commit takes milliseconds");
    }
}
