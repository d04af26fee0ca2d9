//! What is wrong with a function that is deployed.

use serde_json::Value;

use crate::doctor::{Diagnosis, Level, function, mapping, routing, storage};
use crate::findings::listed;

use super::read::{Deployed, Unread};

/// All that is wrong with a function.
pub(super) fn judge(of: &Deployed) -> Vec<Diagnosis> {
    let mut findings = Findings { of, found: Vec::new() };
    findings.function();
    findings.sources();
    findings.variables();
    findings.streams();
    findings.tables();
    findings.role();
    findings.found
}

struct Findings<'a> {
    of: &'a Deployed,
    found: Vec<Diagnosis>,
}

impl Findings<'_> {
    fn error(&mut self, what: impl Into<String>, why: &str, fix: impl Into<String>) {
        self.push(Level::Error, what.into(), why, fix.into());
    }

    fn warning(&mut self, what: impl Into<String>, why: &str, fix: impl Into<String>) {
        self.push(Level::Warning, what.into(), why, fix.into());
    }

    fn push(&mut self, level: Level, what: String, why: &str, fix: String) {
        let (of, why) = (self.of.name.clone(), why.to_owned());
        self.found.push(Diagnosis { level, of, place: None, what, why, fix });
    }

    fn function(&mut self) {
        let of = self.of;
        let number = |name: &str| of.configuration[name].as_i64();
        if let Some(timeout) = number("Timeout").filter(|timeout| *timeout < function::LEAST_TIMEOUT) {
            self.error(format!("Timeout is {timeout} s"), function::SHORT, "set Timeout: 60, and deploy");
        }
        if let Some(memory) = number("MemorySize").filter(|memory| *memory < function::LEAST_MEMORY) {
            self.warning(format!("MemorySize is {memory} MB"), function::SMALL, "set MemorySize: 512, and deploy");
        }
        if of.configuration["LastUpdateStatus"] == "Failed" {
            let why = of.configuration["LastUpdateStatusReason"].as_str().unwrap_or("Lambda does not say why");
            self.error("its last update failed", why, "deploy again");
        }
        self.concurrency();
    }

    /// Each shard needs an invocation of its own at any time.
    fn concurrency(&mut self) {
        let of = self.of;
        let open = |mapping: &Value| {
            let stream = of.streams.get(Deployed::source(mapping)).and_then(|told| told.as_ref().ok());
            stream.and_then(|stream| stream["OpenShardCount"].as_u64()).unwrap_or_default()
        };
        let shards: u64 = of.mappings.iter().map(open).sum();
        match (of.reserved, of.unreserved) {
            (Some(0), _) => self.error(
                "no invocation at once is reserved for it",
                "it is never invoked, and its stream forgets",
                "leave ReservedConcurrentExecutions out, or reserve one for each shard",
            ),
            (Some(reserved), _) if reserved < shards => self.warning(
                format!("{reserved} invocations at once are reserved for it, and its source has {shards} shards"),
                "shards wait for each other, and lag",
                format!("set ReservedConcurrentExecutions: {shards} or more"),
            ),
            (None, Some(unreserved)) if unreserved < shards => self.warning(
                format!(
                    "the account has {unreserved} invocations at once to share, and its source has {shards} shards"
                ),
                "shards wait for each other and for other functions, and lag",
                "ask for a higher quota (Lambda, concurrent executions), or give the stream fewer shards",
            ),
            _ => {}
        }
    }

    fn sources(&mut self) {
        let of = self.of;
        match of.mappings.len() {
            0 => self.error(
                "no Kinesis stream feeds it",
                "it has variables of tidemill's, and takes batches of a stream",
                "deploy its event of Type Kinesis",
            ),
            1 => {}
            several => self.error(
                format!("{several} Kinesis event sources feed it"),
                mapping::ONE_SOURCE,
                "give the other streams functions of their own",
            ),
        }
        for mapping in &of.mappings {
            self.mapping(mapping);
        }
    }

    fn mapping(&mut self, mapping: &Value) {
        for (name, right, why, fix) in mapping::NUMBERS {
            if let Some(value) = mapping[name].as_i64().filter(|value| *value != right) {
                self.error(format!("{name} is {value}"), why, format!("{fix}, and deploy"));
            }
        }
        let types = mapping["FunctionResponseTypes"].as_array();
        if !types.is_some_and(|types| types.iter().any(|kind| kind == "ReportBatchItemFailures")) {
            self.error(mapping::NO_REPORTS.0, mapping::NO_REPORTS.1, mapping::NO_REPORTS.2);
        }
        if mapping["FilterCriteria"]["Filters"].as_array().is_some_and(|filters| !filters.is_empty()) {
            self.error(mapping::FILTERED.0, mapping::FILTERED.1, mapping::FILTERED.2);
        }
        if mapping["StartingPosition"] == "LATEST" {
            self.warning(mapping::LATEST.0, mapping::LATEST.1, mapping::LATEST.2);
        }
        if let Some(state) = mapping["State"].as_str().filter(|state| state.starts_with("Disabl")) {
            self.warning(
                format!("its event source is {}", state.to_lowercase()),
                "nothing comes to the function until it is enabled, and what the stream forgets meanwhile is lost",
                "enable it: aws lambda update-event-source-mapping --enabled",
            );
        }
        if let Some(problem) = mapping["LastProcessingResult"].as_str().filter(|last| last.starts_with("PROBLEM")) {
            self.warning(
                format!("its event source says `{problem}`"),
                "a batch is tried again and again, and nothing behind it on its shard is taken",
                "read the function's log: cargo tidemill doctor does not",
            );
        }
    }

    fn variables(&mut self) {
        let of = self.of;
        let is_set = |name: &str| of.variables.get(name).is_some_and(|value| !value.is_empty());
        if !is_set("TIDEMILL_QUARANTINE") {
            self.error(
                function::NO_QUARANTINE.0,
                function::NO_QUARANTINE.1,
                "set it to the name of a stream, and deploy",
            );
        }
        if of.variables.contains_key("TIDEMILL_ALLOW_DRAIN") {
            self.error(function::ALLOWS_DRAIN.0, function::ALLOWS_DRAIN.1, "leave it out, and deploy");
        }
        for (name, arn) in of.sinks() {
            if of.mappings.iter().any(|mapping| Deployed::source(mapping) == arn) {
                self.error(format!("{name} is the function's own source"), function::OWN_SOURCE, "name another stream");
            }
        }
        let source = of.variables.get("TIDEMILL_SOURCE").map(|source| of.arn("kinesis", "stream", source));
        let fed = of.mappings.iter().map(Deployed::source).collect::<Vec<_>>();
        if let Some(source) = source.filter(|source| !fed.is_empty() && !fed.contains(&source.as_str())) {
            self.error(
                format!("TIDEMILL_SOURCE is {source}, and {} feeds it", listed(fed)),
                "ticks would look at the shards of another stream",
                "set it to the ARN of the stream that feeds the function",
            );
        }
    }

    fn streams(&mut self) {
        let of = self.of;
        for (arn, told) in &of.streams {
            let is_source = of.mappings.iter().any(|mapping| Deployed::source(mapping) == arn);
            let stream = match told {
                Ok(stream) => stream,
                Err(Unread::Absent) => {
                    self.error(
                        format!("there is no stream {arn}"),
                        "what goes to it fails, or nothing comes",
                        "create it, or correct the variable or event that names it",
                    );
                    continue;
                }
                Err(Unread::Refused(why)) => {
                    self.warning(format!("stream {arn} is not looked at"), why, "allow kinesis:DescribeStreamSummary");
                    continue;
                }
            };
            if is_source && stream["RetentionPeriodHours"].as_i64().is_some_and(|hours| hours <= 24) {
                self.warning(
                    format!("stream {arn} keeps records for a day"),
                    "what leaves the stream before it is processed is lost: an outage over a weekend is longer",
                    "set RetentionPeriodHours: 168",
                );
            }
            if is_source
                && stream["RecordDistributionStrategy"] == "AUTO"
                && of.variables.contains_key("TIDEMILL_JOURNAL_TABLE")
            {
                self.error(
                    format!("RecordDistributionStrategy of stream {arn} is AUTO"),
                    routing::SPREAD,
                    "aws kinesis update-stream-record-distribution-strategy, USER_PARTITION_KEY; or put a routing function in front",
                );
            }
            if let Some(kib) = stream["MaxRecordSizeInKiB"].as_i64().filter(|kib| *kib > storage::MOST_KIB) {
                self.warning(
                    format!("stream {arn} takes records of {kib} KiB"),
                    storage::TOO_LARGE,
                    "aws kinesis update-max-record-size --max-record-size-in-ki-b 1024",
                );
            }
        }
    }

    fn tables(&mut self) {
        let of = self.of;
        for (name, told) in &of.tables {
            match told {
                Err(Unread::Absent) => self.error(
                    format!("there is no table {name}"),
                    "no commit and no result can be written",
                    "create it, or correct the variable that names it",
                ),
                Err(Unread::Refused(why)) => {
                    self.warning(format!("table {name} is not looked at"), why, "allow dynamodb:DescribeTable");
                }
                Ok(table) if !has_right_keys(table) => {
                    self.error(format!("the keys of table {name} are others"), storage::KEYS, storage::RIGHT_KEYS);
                }
                Ok(_) => {}
            }
        }
        for name in of.expires.iter().filter(|(_, expires)| **expires).map(|(name, _)| name) {
            self.error(
                format!("items of table {name} expire by TTL"),
                storage::RING,
                "aws dynamodb update-time-to-live, Enabled=false",
            );
        }
    }

    fn role(&mut self) {
        let of = self.of;
        match &of.denied {
            Err(why) => self.warning(
                "what its role allows is not looked at",
                why,
                "allow iam:SimulatePrincipalPolicy on it to who runs this",
            ),
            Ok(denied) => {
                for same in denied.chunk_by(|one, other| one.1 == other.1) {
                    let actions = listed(same.iter().map(|(action, _)| action.as_str()));
                    self.error(
                        format!("its role may not {actions} on {}", same[0].1),
                        "the function would be refused",
                        "allow it in the role's policy",
                    );
                }
            }
        }
    }
}

/// Whether a table has text keys `pk` and `sk`.
fn has_right_keys(table: &Value) -> bool {
    let pairs = |list: &str, of: &str| -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let items = table[list].as_array().into_iter().flatten();
        items.map(|item| (text(&item["AttributeName"]), text(&item[of]))).collect()
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let types = pairs("AttributeDefinitions", "AttributeType");
    pairs("KeySchema", "KeyType") == [pair("pk", "HASH"), pair("sk", "RANGE")]
        && ["pk", "sk"].iter().all(|name| types.contains(&pair(name, "S")))
}
