//! The function: what it runs on, and its variables.

use crate::template::stream_arn;

use super::{Diagnosis, Subject};

/// A request to AWS takes up to 5 s here, and is tried again; below that no batch is safe to end.
pub(super) const LEAST_TIMEOUT: i64 = 10;
/// Lambda gives CPU by memory: at 128 MB, the first TLS handshake alone takes most of a second.
pub(super) const LEAST_MEMORY: i64 = 256;

pub(super) const SHORT: &str =
    "a request to AWS that does not answer is tried again after 5 s: the function would be ended before";
pub(super) const SMALL: &str =
    "Lambda gives CPU by memory: starts and batches take long, and a shard's state must fit in";
pub(super) const OWN_SOURCE: &str = "it would read what it wrote, without end";
/// What is wrong, and why it matters.
pub(super) const NO_QUARANTINE: (&str, &str) = (
    "TIDEMILL_QUARANTINE is not set",
    "the function does not start without a place for records that cannot be processed",
);
pub(super) const ALLOWS_DRAIN: (&str, &str) = (
    "TIDEMILL_ALLOW_DRAIN is set",
    "whoever may invoke the function could end its input, and close all windows for ever",
);

/// The variables that tidemill reads, beside those that begin with one of [`PREFIXES`].
const KNOWN: [&str; 6] = [
    "TIDEMILL_SOURCE",
    "TIDEMILL_JOURNAL_TABLE",
    "TIDEMILL_QUARANTINE",
    "TIDEMILL_LOG",
    "TIDEMILL_METRICS",
    "TIDEMILL_ALLOW_DRAIN",
];
const PREFIXES: [&str; 2] = ["TIDEMILL_STREAM_", "TIDEMILL_TABLE_"];

/// Whether some pipeline reads a variable of that name.
pub(super) fn is_known(name: &str) -> bool {
    KNOWN.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

impl Subject<'_> {
    /// A whole number among the function's settings, and its line.
    pub(super) fn number(&self, name: &str) -> Option<(i64, usize)> {
        let node = self.setting(name)?;
        Some((self.template.text(node)?.parse().ok()?, node.line))
    }
}

pub(super) fn examine(subject: &Subject<'_>, found: &mut Vec<Diagnosis>) {
    resources(subject, found);
    variables(subject, found);
    for (name, value, line) in subject.variables() {
        let own = subject
            .events("Kinesis")
            .into_iter()
            .filter_map(|(_, event, _)| subject.template.text(event.get("Stream")?));
        let is_source = |value: &String| own.clone().any(|arn| arn == *value || arn == stream_arn(value));
        if (name.starts_with(PREFIXES[0]) || name == "TIDEMILL_QUARANTINE") && value.as_ref().is_some_and(is_source) {
            found.push(subject.error(
                line,
                format!("{name} is the function's own source"),
                OWN_SOURCE,
                "name another stream",
            ));
        }
    }
}

fn resources(subject: &Subject<'_>, found: &mut Vec<Diagnosis>) {
    let (timeout, line) = subject.number("Timeout").unwrap_or((3, subject.node.line));
    if timeout < LEAST_TIMEOUT {
        found.push(subject.error(line, format!("Timeout is {timeout} s"), SHORT, "set Timeout: 60"));
    }
    let (memory, line) = subject.number("MemorySize").unwrap_or((128, subject.node.line));
    if memory < LEAST_MEMORY {
        found.push(subject.warning(line, format!("MemorySize is {memory} MB"), SMALL, "set MemorySize: 512"));
    }
    if let Some((0, line)) = subject.number("ReservedConcurrentExecutions") {
        found.push(subject.error(
            line,
            "ReservedConcurrentExecutions is 0",
            "the function is never invoked",
            "leave it out, or reserve one for each shard",
        ));
    }
}

fn variables(subject: &Subject<'_>, found: &mut Vec<Diagnosis>) {
    let line = subject.setting("Environment").map_or(subject.node.line, |node| node.line);
    if subject.variable("TIDEMILL_QUARANTINE").is_none_or(|value| value.is_empty()) {
        found.push(subject.error(line, NO_QUARANTINE.0, NO_QUARANTINE.1, "set TIDEMILL_QUARANTINE: !Ref of a stream"));
    }
    let ticked = !subject.events("Schedule").is_empty() || !subject.events("ScheduleV2").is_empty();
    let keyed = subject.variable("TIDEMILL_JOURNAL_TABLE").is_some();
    if ticked && keyed && subject.variable("TIDEMILL_SOURCE").is_none_or(|value| value.is_empty()) {
        found.push(subject.error(
            line,
            "TIDEMILL_SOURCE is not set, and a schedule invokes the function",
            "an event of a schedule names no stream: the function cannot tell whose quiet shards are meant",
            "set TIDEMILL_SOURCE: !GetAtt of the source stream's Arn",
        ));
    }
    for (name, _, line) in subject.variables() {
        if name == "TIDEMILL_ALLOW_DRAIN" {
            found.push(subject.error(
                line,
                ALLOWS_DRAIN.0,
                ALLOWS_DRAIN.1,
                "leave it out: the harness sets it by itself",
            ));
        }
        if name.starts_with("TIDEMILL_") && !is_known(name) {
            let near = crate::near::did_you_mean(name, KNOWN.into_iter().chain(PREFIXES));
            found.push(subject.warning(
                line,
                format!("{name} is no variable that tidemill reads"),
                "a slip in a name leaves the right one unset",
                format!("correct it, or leave it out{near}"),
            ));
        }
    }
}
