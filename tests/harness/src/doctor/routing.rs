//! Partition keys: all records of a key must come through one shard.

use crate::template::{Node, Template, stream_arn};

use super::ask::{Asked, Description, Fed, Routes};
use super::{Diagnosis, Level, Subject, diagnosis};

pub(super) const SPREAD: &str = "records are spread over the shards without regard to their partition keys: those of one \
                                 key come through several, and a pipeline with a key quarantines them as misrouted";
const MISROUTED: &str = "records of one key must share a shard: one that comes under another partition key is quarantined \
                         as misrouted, and when most are, the function halts";

/// Streams that choose shards by themselves.
pub(super) fn streams(template: &Template, found: &mut Vec<Diagnosis>) {
    let keyed = template.function_nodes().map(|(id, node)| Subject { template, id, node });
    let sources: Vec<String> = keyed
        .filter(|subject| subject.variable("TIDEMILL_JOURNAL_TABLE").is_some())
        .filter_map(|subject| subject.source())
        .collect();
    for stream in template.streams.iter().filter(|stream| sources.contains(&stream_arn(&stream.name))) {
        let strategy =
            template.resource(&stream.id).and_then(|node| node.at(&["Properties", "RecordDistributionStrategy"]));
        let Some(node) = strategy.filter(|node| template.text(node).as_deref() == Some("AUTO")) else { continue };
        let what = String::from("RecordDistributionStrategy is AUTO, and a pipeline with a key reads the stream");
        let fix = String::from("leave it out, or set USER_PARTITION_KEY; or put a routing function in front");
        found.push(diagnosis(Level::Error, &stream.id, &template.path, node.line, what, SPREAD, fix));
    }
}

/// Scenarios that put records under other partition keys than the pipeline takes.
pub(super) fn producers(subject: &Subject<'_>, asked: &Asked, found: &mut Vec<Diagnosis>) {
    for Fed { scenario, keys } in &asked.fed {
        let mut wrong = keys.iter().filter(|(put, wanted)| put != wanted);
        let count = wrong.clone().count();
        // A few are there on purpose; the pipeline itself halts at more than half.
        let Some((put, wanted)) = wrong.next().filter(|_| count * 2 > keys.len()) else { continue };
        let what = format!(
            "scenario `{}` puts {count} of its first {} records under other partition keys than the pipeline takes: one \
             under {put:?}, and its key asks for {wanted:?}",
            scenario.name,
            keys.len()
        );
        let fix = String::from(
            "if the producer does so too: key by what it uses, declare it by `.routed_by(..)`, or put a routing function in \
             front; else correct partition_key",
        );
        let line = scenario.partition_key_line;
        found.push(diagnosis(Level::Error, subject.id, &scenario.file, line, what, MISROUTED, fix));
    }
}

/// Functions whose results another with a key reads, where no scenario plays both.
pub(super) fn chains(template: &Template, asked: &[Asked], found: &mut Vec<Diagnosis>) {
    let played = super::scenarios(template);
    for (ahead, told) in told(asked) {
        let Some(subject) = Subject::of(template, &ahead.id) else { continue };
        for (behind, reads) in told_keyed(asked) {
            let source = Subject::of(template, &behind.id).and_then(|subject| subject.source());
            let Some((name, line)) = source.and_then(|source| subject.sink_to(&source)) else { continue };
            let both = |functions: &Vec<String>| functions.contains(&ahead.id) && functions.contains(&behind.id);
            if played.iter().any(both) {
                continue;
            }
            let (level, how) = fits(&told.routes, &reads.routes);
            let (one, other) = (&ahead.id, &behind.id);
            let what = format!("`{other}` reads what goes to {name}: {how}");
            let fix = format!(
                "play both, by a scenario with functions = [\"{one}\", \"{other}\"]; if records are misrouted, put a routing \
                 function between them"
            );
            found.push(diagnosis(level, one, &template.path, line, what, MISROUTED, fix));
        }
    }
}

fn told(asked: &[Asked]) -> impl Iterator<Item = (&Asked, &Description)> {
    asked.iter().filter_map(|asked| Some((asked, asked.told.as_ref().ok()?)))
}

fn told_keyed(asked: &[Asked]) -> impl Iterator<Item = (&Asked, &Description)> {
    told(asked).filter(|(_, told)| told.keyed)
}

/// How bad it is that one writes so and the other reads so, and in words.
fn fits(written: &Routes, read: &Routes) -> (Level, String) {
    let puts = match written {
        Routes::Key => String::from("each result has its own key as partition key"),
        Routes::Part => String::from("each result has a part of its key as partition key"),
        Routes::Constant(key) => format!("every result has the partition key {key:?}"),
        Routes::Record => String::from("each record keeps the partition key that it came under"),
        Routes::Assigned => String::from("a closure gives each record its partition key"),
    };
    let wants = match read {
        Routes::Part => String::from("a part of the reader's key is asked for"),
        Routes::Constant(key) => format!("{key:?} is asked for"),
        _ => String::from("the reader's key is asked for"),
    };
    match (written, read) {
        (Routes::Constant(one), Routes::Constant(other)) if one == other => (Level::Warning, puts),
        (Routes::Constant(_), _) | (Routes::Key | Routes::Part, Routes::Constant(_)) => {
            (Level::Error, format!("{puts}, and {wants}"))
        }
        _ => (Level::Warning, format!("{puts}, and {wants}; whether these are the same, no scenario shows")),
    }
}

impl<'a> Subject<'a> {
    fn of(template: &'a Template, id: &str) -> Option<Self> {
        let (id, node) = template.function_nodes().find(|(found, _)| *found == id)?;
        Some(Subject { template, id, node })
    }

    /// The ARN of the stream that feeds it, by itself or by a consumer.
    fn source(&self) -> Option<String> {
        let events = self.events("Kinesis");
        let stream = events.first().and_then(|(_, event, _)| event.get("Stream")).map(|stream: &Node| stream)?;
        let arn = self.template.text(stream)?;
        Some(arn.split("/consumer/").next().unwrap_or(&arn).to_owned())
    }

    /// The variable that names that stream as a sink, and its line.
    fn sink_to(&self, arn: &str) -> Option<(&'a str, usize)> {
        let is_it = |value: &String| *value == arn || stream_arn(value) == arn;
        let sinks = self.variables().into_iter().filter(|(name, ..)| name.starts_with("TIDEMILL_STREAM_"));
        sinks.filter(|(_, value, _)| value.as_ref().is_some_and(is_it)).map(|(name, _, line)| (name, line)).next_back()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_fits_itself_alone() {
        let constant = |key: &str| Routes::Constant(key.to_owned());
        let level = |written: &Routes, read: &Routes| fits(written, read).0;
        assert_eq!(level(&constant("all"), &constant("all")), Level::Warning);
        assert_eq!(level(&constant("all"), &constant("one")), Level::Error);
        assert_eq!(level(&constant("all"), &Routes::Key), Level::Error);
        assert_eq!(level(&Routes::Key, &constant("all")), Level::Error);
        assert_eq!(level(&Routes::Assigned, &constant("all")), Level::Warning);
        assert_eq!(level(&Routes::Key, &Routes::Key), Level::Warning);
    }
}
