//! What is wrong with a template, by the rules that a pipeline depends on: what AWS would accept and run, and lose
//! records by.
//!
//! Only functions with a variable of tidemill's are looked at: others are none of its business. [`deployed`] looks at what
//! AWS has by the same rules.

mod access;
pub mod ask;
mod build;
pub mod deployed;
mod function;
mod mapping;
mod routing;
mod storage;
mod variables;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::findings::Findings;
use crate::scenario::Scenario;
use crate::template::{Node, Template};

use ask::{Asked, Silence};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It fails, or loses records.
    Error,
    /// It works, but worse than it could, or not as it seems.
    Warning,
}

/// What is wrong, where, why that matters, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// How bad it is.
    pub level: Level,
    /// The function, stream or table: its logical id, or its name on AWS.
    pub of: String,
    /// Where it stands; nowhere if it is what AWS has.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What is wrong.
    pub what: String,
    /// Why it matters.
    pub why: String,
    /// What to do.
    pub fix: String,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line there, counted from 1.
    pub line: usize,
}

/// Looks at a template, at the manifest that its functions are built by, and at what their programs told, if they were
/// asked. What is found stands in the order of its lines.
pub fn examine(template: &Template, asked: &[Asked]) -> Vec<Diagnosis> {
    let mut found = Vec::new();
    for (id, node) in template.function_nodes() {
        let subject = Subject { template, id, node };
        if subject.is_pipeline() {
            function::examine(&subject, &mut found);
            mapping::examine(&subject, &mut found);
            access::examine(&subject, &mut found);
            build::examine(&subject, &mut found);
        }
        if let Some(asked) = asked.iter().find(|asked| asked.id == id) {
            compare(&subject, asked, &mut found);
        }
    }
    storage::examine(template, &mut found);
    routing::streams(template, &mut found);
    routing::chains(template, asked, &mut found);
    found.sort_by(|one, other| one.place.cmp(&other.place));
    found.dedup();
    found
}

/// Compares the template with what a function's program told.
fn compare(subject: &Subject<'_>, asked: &Asked, found: &mut Vec<Diagnosis>) {
    match &asked.told {
        Ok(told) => {
            variables::examine(subject, asked, told, found);
            routing::producers(subject, asked, found);
        }
        Err(Silence::Unbuilt(why)) => found.push(subject.warning(
            subject.node.line,
            format!("its program `{}` cannot be built, and is not asked what it reads", asked.binary),
            why,
            "mend it, or leave it out of this look: --no-build",
        )),
        Err(Silence::Mute(why)) => found.push(subject.error(
            subject.node.line,
            format!("its program `{}` does not tell what its pipeline is", asked.binary),
            why,
            "mend what it says; in Lambda it would end likewise when it starts. Its main is to hand its pipeline to \
             tidemill::lambda::run",
        )),
    }
}

/// The functions of each scenario beside a template.
fn scenarios(template: &Template) -> Vec<Vec<String>> {
    let load = |name: &String| Scenario::load(template.folder(), name, &mut Findings::default()).ok().flatten();
    Scenario::names(template.folder()).iter().filter_map(load).map(|scenario| scenario.functions).collect()
}

/// A function that is looked at.
struct Subject<'a> {
    template: &'a Template,
    id: &'a str,
    node: &'a Node,
}

impl<'a> Subject<'a> {
    /// Whether any of its variables is tidemill's.
    fn is_pipeline(&self) -> bool {
        self.variables().iter().any(|(name, ..)| name.starts_with("TIDEMILL_"))
    }

    /// Its variables, the globals' included: name, value, line. What cannot be resolved has no value.
    fn variables(&self) -> Vec<(&'a str, Option<String>, usize)> {
        let path = ["Environment", "Variables"];
        let own = self.node.at(&["Properties"]).and_then(|node| node.at(&path));
        let global = self.template.global("Environment").and_then(|node| node.at(&path[1..]));
        let entries = global.into_iter().chain(own).flat_map(Node::entries);
        entries.map(|entry| (entry.key.as_str(), self.template.text(&entry.node), entry.line)).collect()
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables().into_iter().rev().find(|(found, ..)| *found == name).and_then(|(_, value, _)| value)
    }

    /// A property of the function, or of the globals.
    fn setting(&self, name: &str) -> Option<&'a Node> {
        self.node.at(&["Properties", name]).or_else(|| self.template.global(name))
    }

    /// Its events of that type: names, properties, lines.
    fn events(&self, kind: &str) -> Vec<(&'a str, &'a Node, usize)> {
        let events = self.node.at(&["Properties", "Events"]).map_or(&[][..], Node::entries).iter();
        let of_kind = events.filter(|event| event.node.get("Type").and_then(Node::text) == Some(kind));
        of_kind
            .map(|event| (event.key.as_str(), event.node.get("Properties").unwrap_or(&event.node), event.line))
            .collect()
    }

    fn error(&self, line: usize, what: impl Into<String>, why: &str, fix: impl Into<String>) -> Diagnosis {
        diagnosis(Level::Error, self.id, &self.template.path, line, what.into(), why, fix.into())
    }

    fn warning(&self, line: usize, what: impl Into<String>, why: &str, fix: impl Into<String>) -> Diagnosis {
        diagnosis(Level::Warning, self.id, &self.template.path, line, what.into(), why, fix.into())
    }
}

fn diagnosis(level: Level, of: &str, file: &Path, line: usize, what: String, why: &str, fix: String) -> Diagnosis {
    let place = Some(Place { file: file.to_path_buf(), line });
    Diagnosis { level, of: of.to_owned(), place, what, why: why.to_owned(), fix }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::new;

    /// The project that `new` makes, its template changed: what is found, as `level line what`.
    #[track_caller]
    fn found(change: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let project = new::create(folder.path(), "demo", None).unwrap();
        let path = project.join("template.yaml");
        let mut text = std::fs::read_to_string(&path).unwrap();
        for (from, to) in change {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        std::fs::write(&path, text).unwrap();
        let template = Template::load(&path, &mut Findings::default()).unwrap().unwrap();
        let found = examine(&template, &[]);
        found.iter().map(|found| format!("{:?} {}", found.level, found.what)).collect()
    }

    #[track_caller]
    fn assert_found(from: &str, to: &str, expected: &str) {
        assert_eq!(found(&[(from, to)]), [expected], "{from} -> {to}");
    }

    #[test]
    fn a_new_project_is_in_order() {
        assert_eq!(found(&[]), [""; 0]);
    }

    #[test]
    fn the_template_of_the_checkout_is_in_order() {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml"));
        let template = Template::load(path, &mut Findings::default()).unwrap().unwrap();
        assert_eq!(examine(&template, &[]), []);
    }

    #[test]
    fn a_mapping_that_would_lose_or_mix_records_is_found() {
        const BATCH: &str = "            BatchSize: 500\n";
        let with = |line: &str| format!("{BATCH}            {line}\n");
        for (line, expected) in [
            ("ParallelizationFactor: 4", "Error ParallelizationFactor is 4"),
            ("MaximumRecordAgeInSeconds: 3600", "Error MaximumRecordAgeInSeconds is 3600"),
            ("TumblingWindowInSeconds: 60", "Error TumblingWindowInSeconds is 60"),
            ("FilterCriteria: {Filters: [{Pattern: '{}'}]}", "Error the event source filters records"),
            ("Enabled: false", "Warning the event source is disabled"),
        ] {
            assert_found(BATCH, &with(line), expected);
        }
        assert_found("MaximumRetryAttempts: -1", "MaximumRetryAttempts: 3", "Error MaximumRetryAttempts is 3");
        assert_found(
            "FunctionResponseTypes: [ReportBatchItemFailures]",
            "FunctionResponseTypes: []",
            "Error FunctionResponseTypes lacks ReportBatchItemFailures",
        );
        assert_found(
            "StartingPosition: TRIM_HORIZON",
            "StartingPosition: LATEST",
            "Warning StartingPosition is LATEST",
        );
        assert_found(
            "MaximumBatchingWindowInSeconds: 1",
            "MaximumBatchingWindowInSeconds: 120",
            "Warning MaximumBatchingWindowInSeconds is 120, longer than the Timeout of 60 s",
        );
    }

    #[test]
    fn a_function_that_would_not_work_is_found() {
        assert_found("MemorySize: 512", "MemorySize: 128", "Warning MemorySize is 128 MB");
        assert_found("Timeout: 60", "Timeout: 5", "Error Timeout is 5 s");
        assert_found("Runtime: provided.al2023", "Runtime: python3.13", "Error Runtime is python3.13");
        assert_found("      BuildMethod: rust-cargolambda\n", "", "Warning there is no BuildMethod: rust-cargolambda");
        assert_found("          TIDEMILL_QUARANTINE: !Ref Quarantine\n", "", "Error TIDEMILL_QUARANTINE is not set");
        assert_found(
            "          TIDEMILL_SOURCE: !GetAtt Events.Arn\n",
            "",
            "Error TIDEMILL_SOURCE is not set, and a schedule invokes the function",
        );
        let own = found(&[("!Ref Results\n", "!Ref Events\n")]);
        assert!(own.contains(&String::from("Error TIDEMILL_STREAM_RESULTS is the function's own source")), "{own:?}");
        assert_found(
            "          TIDEMILL_SOURCE:",
            "          TIDEMILL_ALLOW_DRAIN: 1\n          TIDEMILL_SOURCE:",
            "Error TIDEMILL_ALLOW_DRAIN is set",
        );
        assert_found(
            "          TIDEMILL_SOURCE:",
            "          TIDEMILL_STREAMS_X: 1\n          TIDEMILL_SOURCE:",
            "Warning TIDEMILL_STREAMS_X is no variable that tidemill reads",
        );
    }

    #[test]
    fn missing_permissions_are_found() {
        assert_found(
            ", dynamodb:ConditionCheckItem",
            "",
            "Error the role may not dynamodb:ConditionCheckItem on Journal",
        );
        assert_found(
            "!GetAtt Late.Arn, ",
            "",
            "Error the role may not kinesis:PutRecords and kinesis:DescribeStreamSummary on Late",
        );
        assert_found("kinesis:GetRecords, ", "", "Error the role may not kinesis:GetRecords on Events");
        assert_eq!(found(&[("[kinesis:PutRecords, kinesis:DescribeStreamSummary]", "'kinesis:*'")]), [""; 0]);
        assert_found(
            "      Policies:\n",
            "      Role: arn:aws:iam::1:role/x\n      Policies:\n",
            "Warning its permissions are not looked at: its Role is not of this template, or has policies that are not",
        );
    }

    #[test]
    fn a_table_that_cannot_hold_a_journal_is_found() {
        assert_found("        - {AttributeName: sk, KeyType: RANGE}\n", "", "Error its keys are pk (HASH)");
        assert_found(
            "AttributeName: sk, AttributeType: S",
            "AttributeName: sk, AttributeType: N",
            "Error `sk` is of type N",
        );
        assert_found(
            "      BillingMode: PAY_PER_REQUEST\n",
            "      TimeToLiveSpecification: {AttributeName: ttl, Enabled: true}\n",
            "Error items expire by TTL",
        );
        assert_found(
            "      ShardCount: 1\n\n  # What comes out",
            "      ShardCount: 1\n      MaxRecordSizeInKiB: 10240\n\n  # What comes out",
            "Warning records may be 10240 KiB",
        );
    }

    #[test]
    fn a_release_that_aborts_at_a_panic_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let project = new::create(folder.path(), "demo", None).unwrap();
        let manifest = project.join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest).unwrap().replace("panic = \"unwind\"\n", "");
        std::fs::write(&manifest, text).unwrap();
        let template = Template::load(&project.join("template.yaml"), &mut Findings::default()).unwrap().unwrap();
        let found = examine(&template, &[]);
        assert_eq!((found.len(), found[0].level), (1, Level::Error));
        assert_eq!(found[0].place.as_ref().unwrap().file, manifest);
    }
}
