//! What a program tells of its pipeline without being invoked, for tools that look whether it fits where it is deployed.
//!
//! Asked by [`DESCRIBE`](crate::settings::DESCRIBE)`=1` outside Lambda, it writes one JSON object to standard output and
//! ends. It makes no request, and runs of the user's code only what reads and keys an event.

use std::io::{self, BufRead, IsTerminal, Write};

use serde::Serialize;

use crate::Pipeline;
use crate::metrics::METRICS;
use crate::pipeline::Routes;
use crate::settings::{ALLOW_DRAIN, Needed, SOURCE, needed};
use crate::telemetry::LOG_LEVEL;

#[derive(Serialize)]
struct Description<'a> {
    pipeline: &'a str,
    keyed: bool,
    routes: &'a Routes,
    reads: Vec<Variable>,
    /// For each payload that was asked about, the partition key under which a producer must put it, if that can be told.
    partition_keys: Vec<Option<String>>,
}

/// A variable that the program reads.
#[derive(Serialize)]
struct Variable {
    name: String,
    /// What it holds, if the program does not start without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    needed: Option<String>,
}

/// Describes the pipeline on standard output. Each line of standard input, unless that is a terminal, is a payload whose
/// partition key is asked for.
pub(crate) fn tell(pipeline: &Pipeline) -> io::Result<()> {
    let input = io::stdin();
    let lines: Vec<Vec<u8>> =
        if input.is_terminal() { Vec::new() } else { input.lock().split(b'\n').collect::<Result<_, _>>()? };
    let mut text = serde_json::to_vec(&Description::of(pipeline, &lines))?;
    text.push(b'\n');
    io::stdout().write_all(&text)
}

impl<'a> Description<'a> {
    fn of(pipeline: &'a Pipeline, payloads: &[Vec<u8>]) -> Self {
        let needed = needed(pipeline).into_iter();
        let needed = needed.map(|Needed { variable, what }| Variable { name: variable, needed: Some(what) });
        let others = [SOURCE, METRICS, LOG_LEVEL, ALLOW_DRAIN];
        let others = others.into_iter().map(|name| Variable { name: name.to_owned(), needed: None });
        Self {
            pipeline: pipeline.name(),
            keyed: pipeline.is_keyed(),
            routes: pipeline.routes(),
            reads: needed.chain(others).collect(),
            partition_keys: payloads.iter().map(|payload| pipeline.partition_key(payload)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::clicks;
    use crate::{Kinesis, Text};

    fn described(pipeline: &Pipeline, payloads: &[&str]) -> Value {
        let payloads: Vec<Vec<u8>> = payloads.iter().map(|payload| payload.as_bytes().to_vec()).collect();
        serde_json::to_value(Description::of(pipeline, &payloads)).expect("plain data")
    }

    fn needed_by(described: &Value) -> Vec<&str> {
        let reads = described["reads"].as_array().into_iter().flatten();
        reads
            .filter(|variable| variable["needed"].is_string())
            .filter_map(|variable| variable["name"].as_str())
            .collect()
    }

    #[test]
    fn a_keyed_pipeline_tells_its_variables_and_the_partition_keys_of_payloads() {
        let told = described(&clicks(), &[r#"{"page":"a","at":1}"#, "no JSON"]);
        assert_eq!(
            (&told["pipeline"], &told["keyed"], &told["routes"]),
            (&json!("clicks"), &json!(true), &json!("key"))
        );
        let needed = ["JOURNAL_TABLE", "STREAM_CLICKS_PER_PAGE", "STREAM_LATE", "QUARANTINE"];
        assert_eq!(needed_by(&told), needed.map(|name| format!("TIDEMILL_{name}")));
        assert_eq!(told["partition_keys"], json!(["a", null]));
    }

    #[test]
    fn a_pipeline_without_key_tells_where_its_partition_keys_come_from() {
        let passed = Pipeline::named("lines").source(Text).to(Kinesis::stream("out")).build().expect("a pipeline");
        let told = described(&passed, &["x"]);
        assert_eq!((&told["keyed"], &told["routes"]), (&json!(false), &json!("record")));
        assert_eq!(needed_by(&told), ["TIDEMILL_STREAM_OUT", "TIDEMILL_QUARANTINE"]);
        assert_eq!(told["partition_keys"], json!([null]));
        let routing = Pipeline::named("lines").source(Text);
        let routing = routing.partitioned_by(String::clone).to(Kinesis::stream("out")).build().expect("a pipeline");
        assert_eq!(described(&routing, &[])["routes"], "assigned");
    }
}
