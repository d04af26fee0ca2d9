//! The event source: how records come.

use crate::template::Node;

use super::{Diagnosis, Subject};

/// Numbers that must be as they are by default: the property, that value, why, and what to do.
pub(super) const NUMBERS: [(&str, i64, &str, &str); 4] = [
    (
        "ParallelizationFactor",
        1,
        "several batches of one shard would run at once, each with a part of its keys: a shard's records must come in order, \
         to one holder of its state",
        "set ParallelizationFactor: 1, and give the stream more shards if it must be faster",
    ),
    (
        "MaximumRetryAttempts",
        -1,
        "a batch that fails while DynamoDB or a sink does not answer would be given up, and its records lost; what cannot be \
         processed goes to the quarantine by itself",
        "set MaximumRetryAttempts: -1",
    ),
    (
        "MaximumRecordAgeInSeconds",
        -1,
        "records that wait longer than that would be given up, and lost",
        "set MaximumRecordAgeInSeconds: -1, or leave it out",
    ),
    (
        "TumblingWindowInSeconds",
        0,
        "Lambda's own windows send a state along that a pipeline does not know, and end batches by arrival",
        "leave TumblingWindowInSeconds out: the pipeline has windows of its own",
    ),
];

pub(super) const ONE_SOURCE: &str = "a pipeline has one source stream: its state is kept by that stream's shards";

/// What is wrong, why it matters, and what to do.
pub(super) type Rule = (&'static str, &'static str, &'static str);

pub(super) const NO_REPORTS: Rule = (
    "FunctionResponseTypes lacks ReportBatchItemFailures",
    "Lambda would take any answer for success: records that the function did not get done would be lost",
    "set FunctionResponseTypes: [ReportBatchItemFailures]",
);
pub(super) const FILTERED: Rule = (
    "the event source filters records",
    "the pipeline does not see that they were there: event time stands still, and gaps are told that are none",
    "leave FilterCriteria out, and filter in the pipeline: `.filter(|event| …)`",
);
pub(super) const LATEST: Rule = (
    "StartingPosition is LATEST",
    "what arrives before the event source is up, at each time that it is made anew, is left out",
    "set StartingPosition: TRIM_HORIZON",
);

pub(super) fn examine(subject: &Subject<'_>, found: &mut Vec<Diagnosis>) {
    let sources = subject.events("Kinesis");
    for (name, ..) in sources.iter().skip(1) {
        let line = sources.iter().find(|(other, ..)| other == name).map_or(1, |(.., line)| *line);
        found.push(subject.error(
            line,
            format!("`{name}` is a second event of Type Kinesis"),
            ONE_SOURCE,
            "give the other stream a function of its own",
        ));
    }
    for (_, properties, line) in &sources {
        numbers(subject, properties, found);
        rest(subject, properties, *line, found);
    }
}

fn numbers(subject: &Subject<'_>, properties: &Node, found: &mut Vec<Diagnosis>) {
    for (name, right, why, fix) in NUMBERS {
        let Some(node) = properties.get(name) else { continue };
        let value = subject.template.text(node).unwrap_or_default();
        if value.parse() != Ok(right) {
            found.push(subject.error(node.line, format!("{name} is {value}"), why, fix));
        }
    }
}

fn rest(subject: &Subject<'_>, properties: &Node, line: usize, found: &mut Vec<Diagnosis>) {
    let text = |name: &str| properties.get(name).and_then(|node| Some((subject.template.text(node)?, node.line)));
    let types = properties.get("FunctionResponseTypes");
    let reports =
        types.is_some_and(|types| types.items().iter().any(|item| item.text() == Some("ReportBatchItemFailures")));
    if !reports {
        let (what, why, fix) = NO_REPORTS;
        found.push(subject.error(types.map_or(line, |types| types.line), what, why, fix));
    }
    if let Some(filter) = properties.get("FilterCriteria") {
        let (what, why, fix) = FILTERED;
        found.push(subject.error(filter.line, what, why, fix));
    }
    if let Some((_, line)) = text("Enabled").filter(|(value, _)| value == "false") {
        found.push(subject.warning(
            line,
            "the event source is disabled",
            "nothing comes to the function until it is enabled, and what the stream forgets meanwhile is lost",
            "set Enabled: true, or leave it out",
        ));
    }
    if let Some((_, line)) = text("StartingPosition").filter(|(value, _)| value == "LATEST") {
        let (what, why, fix) = LATEST;
        found.push(subject.warning(line, what, why, fix));
    }
    window(subject, text("MaximumBatchingWindowInSeconds"), found);
}

fn window(subject: &Subject<'_>, window: Option<(String, usize)>, found: &mut Vec<Diagnosis>) {
    let Some((value, line)) = window else { return };
    let timeout = subject.number("Timeout").map_or(3, |(timeout, _)| timeout);
    if value.parse::<i64>().is_ok_and(|window| window > timeout) {
        found.push(subject.warning(
            line,
            format!("MaximumBatchingWindowInSeconds is {value}, longer than the Timeout of {timeout} s"),
            "what gathers in that time must be done within one Timeout, and each result waits so long",
            "set MaximumBatchingWindowInSeconds: 1, or more Timeout",
        ));
    }
}
