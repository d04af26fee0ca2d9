//! What a function reads from its environment: the physical names behind the pipeline's logical ones.

use std::collections::BTreeMap;

use crate::pipeline::Sink;
use crate::{Error, Pipeline};

/// The variable that names the journal table.
pub const JOURNAL_TABLE: &str = "TIDEMILL_JOURNAL_TABLE";
/// The variable that names the quarantine stream.
pub const QUARANTINE: &str = "TIDEMILL_QUARANTINE";
/// The variable that holds the ARN of the source stream. Needed by a function that a schedule invokes, for its quiet shards.
pub const SOURCE: &str = "TIDEMILL_SOURCE";
/// The variable by which a tool asks a program to tell of itself ([`describe`](crate::describe)) and end. It has no effect
/// in Lambda.
pub const DESCRIBE: &str = "TIDEMILL_DESCRIBE";
/// The variable by which a harness allows the end of input. Never set it on AWS.
pub const ALLOW_DRAIN: &str = "TIDEMILL_ALLOW_DRAIN";

const STREAM_PREFIX: &str = "TIDEMILL_STREAM_";
const TABLE_PREFIX: &str = "TIDEMILL_TABLE_";

/// The logical name of the quarantine among a function's sinks.
pub(crate) const QUARANTINE_SINK: &str = "quarantine";

/// Physical names of what a pipeline uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The DynamoDB table of the journals; `None` for a pipeline without key.
    pub journal_table: Option<String>,
    /// Stream names or ARNs by logical name, the quarantine among them.
    pub streams: BTreeMap<String, String>,
    /// Names of tables for results by logical name.
    pub tables: BTreeMap<String, String>,
    /// The ARN of the source stream, if it is set.
    pub source: Option<String>,
    /// Whether the end of input is accepted: only in a process that a harness started.
    pub allow_drain: bool,
}

impl Settings {
    /// Reads the settings of `pipeline` from these variables.
    ///
    /// Streams that the pipeline does not name are kept too: the journal may hold outputs for a sink that an earlier or a
    /// later version of the pipeline has, and nothing goes on before they are sent.
    ///
    /// # Errors
    /// All variables that are unset or empty, together.
    pub fn read(pipeline: &Pipeline, variables: &BTreeMap<String, String>) -> Result<Self, Error> {
        let value = |variable: &str| variables.get(variable).filter(|value| !value.trim().is_empty()).cloned();
        let unset = needed(pipeline).into_iter().filter(|needed| value(&needed.variable).is_none());
        let problems: Vec<String> = unset
            .map(|Needed { variable, what }| {
                format!("{variable} is not set: {what}. Set it in the template, under Environment")
            })
            .collect();
        let mut streams: BTreeMap<String, String> = named(variables, STREAM_PREFIX);
        streams.extend(value(QUARANTINE).map(|quarantine| (QUARANTINE_SINK.to_owned(), quarantine)));
        let tables = named(variables, TABLE_PREFIX);
        let journal_table = value(JOURNAL_TABLE).filter(|_| pipeline.is_keyed());
        let allow_drain = variables.get(ALLOW_DRAIN).is_some_and(|value| value == "1");
        let source = value(SOURCE);
        if problems.is_empty() {
            Ok(Self { journal_table, streams, tables, source, allow_drain })
        } else {
            Err(Error::Settings(problems))
        }
    }
}

/// A variable that a function does not start without.
pub(crate) struct Needed {
    pub(crate) variable: String,
    /// What it holds.
    pub(crate) what: String,
}

/// The variables that the function of `pipeline` does not start without.
pub(crate) fn needed(pipeline: &Pipeline) -> Vec<Needed> {
    let needed = |variable: String, what: String| Needed { variable, what };
    let journal = "the name of the DynamoDB table for journals, `!Ref` of it";
    let quarantine = "the stream for records that cannot be processed, `!Ref` of it";
    let mut all = Vec::new();
    if pipeline.is_keyed() {
        all.push(needed(JOURNAL_TABLE.to_owned(), journal.to_owned()));
    }
    all.extend(pipeline.sinks().map(|sink| {
        let name = sink.logical_name();
        let (variable, kind) = match sink {
            Sink::Kinesis(_) => (stream_variable(name), "stream"),
            Sink::Table(_) => (table_variable(name), "table"),
        };
        needed(variable, format!("the {kind} that pipeline {:?} calls {name:?}, `!Ref` of it", pipeline.name()))
    }));
    all.push(needed(QUARANTINE.to_owned(), quarantine.to_owned()));
    all
}

/// Logical and physical names of the variables with this prefix.
fn named(variables: &BTreeMap<String, String>, prefix: &str) -> BTreeMap<String, String> {
    let of_prefix = |(variable, physical): (&String, &String)| {
        let name = variable.strip_prefix(prefix)?.to_ascii_lowercase().replace('_', "-");
        (!physical.trim().is_empty()).then(|| (name, physical.clone()))
    };
    variables.iter().filter_map(of_prefix).collect()
}

/// The variable that names a sink's stream, the quarantine's too.
pub(crate) fn sink_variable(sink: &str) -> String {
    if sink == QUARANTINE_SINK { QUARANTINE.to_owned() } else { stream_variable(sink) }
}

/// The variable that holds the physical name of a table: `latest-departures` → `TIDEMILL_TABLE_LATEST_DEPARTURES`.
pub fn table_variable(logical_name: &str) -> String {
    variable(TABLE_PREFIX, logical_name)
}

/// The variable that holds the physical name of a stream: `late-flights` → `TIDEMILL_STREAM_LATE_FLIGHTS`.
pub fn stream_variable(logical_name: &str) -> String {
    variable(STREAM_PREFIX, logical_name)
}

fn variable(prefix: &str, logical_name: &str) -> String {
    format!("{prefix}{}", logical_name.to_ascii_uppercase().replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::clicks;

    fn variables(named: &[&str]) -> BTreeMap<String, String> {
        named.iter().map(|name| ((*name).to_owned(), format!("physical-{name}"))).collect()
    }

    #[test]
    fn all_unset_variables_are_reported_together() {
        let mut unset = variables(&[]);
        unset.insert(QUARANTINE.to_owned(), " ".to_owned());
        let text = Settings::read(&clicks(), &unset).expect_err("refused").to_string();
        for variable in [JOURNAL_TABLE, QUARANTINE, "TIDEMILL_STREAM_CLICKS_PER_PAGE", "TIDEMILL_STREAM_LATE"] {
            assert!(text.contains(&format!("{variable} is not set")), "{text}");
        }
    }

    #[test]
    fn streams_are_found_by_their_logical_names_also_those_of_other_versions() {
        let streams = ["TIDEMILL_STREAM_CLICKS_PER_PAGE", "TIDEMILL_STREAM_LATE", "TIDEMILL_STREAM_FORMER_NAME"];
        let set = variables(&[&[JOURNAL_TABLE, QUARANTINE, ALLOW_DRAIN], streams.as_slice()].concat());
        let settings = Settings::read(&clicks(), &set).expect("all set");
        assert_eq!(settings.journal_table.as_deref(), Some("physical-TIDEMILL_JOURNAL_TABLE"));
        assert_eq!(settings.streams["late"], "physical-TIDEMILL_STREAM_LATE");
        assert_eq!(settings.streams["former-name"], "physical-TIDEMILL_STREAM_FORMER_NAME");
        assert_eq!(settings.streams[QUARANTINE_SINK], "physical-TIDEMILL_QUARANTINE");
        assert!(!settings.allow_drain, "only `1` allows it");
    }
}
