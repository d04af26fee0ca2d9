//! The table of all rows, as the documentation has it.

use std::any::Any;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::row::{Row, Source};
use crate::{answers, batches, delivery, destinations, events, observable, retries, settings, shards};

const PAGES: &str = "https://docs.aws.amazon.com/lambda/latest/dg/";

/// What is not emulated, and why.
const ABSENT: &[(&str, &str)] = &[
    (
        "Tumbling windows (`TumblingWindowInSeconds`)",
        "refused in the template: lost at a split, 15 minutes and 1 MB at most, at least once; tidemill has windows of its own",
    ),
    ("SNS and Kafka as destinations", "a topic is counted only, with a warning; Kafka is for Kafka event sources"),
    ("An age check while a window still gathers", "seen by one emulator only; here a batch is checked when it is sent"),
    (
        "Records that leave the stream while a shard is held up",
        "the emulated stream keeps what a replay needs; `MaximumRecordAgeInSeconds` shows the same loss, with a document",
    ),
    (
        "Two pollers at once after a fail-over, batches that come twice without an error",
        "not documented in detail; a replay with `--kill` and several `--environments` shows what a function makes of repeats",
    ),
    ("`KmsKeyArn`, `MetricsConfig`, `Tags`", "read, without influence on delivery"),
    ("`Enabled: false`, and changes while a mapping runs", "a disabled event is replayed all the same, with a warning"),
];

/// What becomes of environments, where that is known from, and what is switched how.
const ENVIRONMENTS: &[(&str, &str, &str)] = &[
    (
        "One takes one invocation at a time; there are as many as batches come at once: shards times `ParallelizationFactor`.",
        "[documented](https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html)",
        "`--environments N`: N, taking turns on every shard",
    ),
    (
        "Of those at rest the one that was used last takes the next, whichever shard that is of.",
        "chosen",
        "`--sticky`: each shard keeps its own",
    ),
    (
        "It is frozen between invocations.",
        "[documented](https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html)",
        "",
    ),
    (
        "One that crashed, or whose time was up, is gone; the next begins cold.",
        "[documented](https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html)",
        "`--zombies`: it goes on for a while beside its successor",
    ),
    (
        "Lambda ends one every few hours, however busy it is; a replay is over before.",
        "[documented](https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html)",
        "`--recycle N`: after N invocations",
    ),
];

/// What the emulators lack, and what becomes of it.
const GAPS: &[(&str, &str)] = &[
    ("Kinesis: `ChildShards`, the end of a closed shard at once", "made up for, `emulators/gaps.rs`"),
    (
        "Kinesis: `ShardFilter`, `NextToken` of ListShards, a `StreamARN` in place of a name",
        "made up for, `emulators/gaps.rs`",
    ),
    ("Kinesis: `MillisBehindLatest`", "made up for, `emulators/gaps.rs`"),
    ("Kinesis: arrival times in milliseconds", "made up for, `emulators/arrival.rs`; not for records put in CBOR"),
    ("Kinesis: what a shard takes in a second", "made up for, `emulators/limits.rs`: `replay --limits`"),
    (
        "Kinesis: what a shard gives in a second: five reads and 2 MB, which one read of 10 MB at most may overdraw",
        "made up for, `emulators/limits.rs`: `replay --limits` holds functions to it, apart from the event source, which \
         keeps to five reads a second itself",
    ),
    ("Kinesis: records over 1 MiB, SubscribeToShard's limits", "as the emulator has them"),
    (
        "Kinesis: records that leave a stream",
        "those older than 24 hours by the system's clock, and a replay is over before; `replay --trim A..B` takes some \
         away before they are read",
    ),
    (
        "DynamoDB: reads that are not strongly consistent",
        "strongly consistent, unless faults are asked for: `replay --fault stale_read=N`, and `--chaos`, answer reads of \
         single items, queries and scans of a function's own tables as before a write of the last second; \
         `emulators/stale.rs`",
    ),
    (
        "DynamoDB: conflicts of transactions",
        "requests come one after the other, so there are none, unless faults are asked for: `replay --fault \
         transaction_conflict=N`, and `--chaos`, refuse writes as DynamoDB does",
    ),
    (
        "SQS",
        "queues of the template, for given-up records: send, receive, delete, purge, attributes; `emulators/queues.rs`",
    ),
    ("S3", "objects of given-up records are files below `.tidemill/buckets/`"),
];

fn all() -> Vec<&'static Row> {
    let areas = [
        settings::ROWS,
        batches::ROWS,
        delivery::ROWS,
        events::ROWS,
        answers::ROWS,
        retries::ROWS,
        destinations::ROWS,
        shards::ROWS,
    ];
    areas.into_iter().flatten().collect()
}

/// What a row comes to.
fn outcome(row: &Row) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    match catch_unwind(AssertUnwindSafe(|| runtime.block_on((row.run)()))) {
        Ok(()) => String::from("pass"),
        Err(panic) => format!("**fails**: {}", message(&*panic)),
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked").lines().next().unwrap_or_default().to_owned()
}

fn source(source: Source) -> String {
    match source {
        Source::Documented(page) => format!("[documented]({PAGES}{page})"),
        Source::Observed(by) => format!("[observed](https://{by})"),
        Source::Chosen => String::from("chosen"),
    }
}

fn table() -> String {
    let mut text = String::from(
        "# The event source, row by row\n\n\
         What the harness does between a Kinesis stream and a function, and where it is known from that Lambda does so. \
         *Documented* is AWS's documentation; *observed* was seen on AWS by others and written down by them, which is a \
         sample and no promise; *chosen* is neither. Every row is a test of that name in `tests/harness/tests/event_source/`, \
         and this page is written by it: `BLESS=1 cargo test -p tidemill-harness --test event_source`.\n\n\
         The pauses that are not documented are settings of `mapping::Pace`: how long a retry waits, how long a shard's \
         children do, how often an idle shard is read. A replay waits no longer than need be (`Pace::REPLAY`); the rows run \
         with `Pace::LAMBDA`, in virtual time.\n\n\
         What rows marked † ask is data (`observable.json`), and can be asked of another emulator or of AWS: \
         `tests/harness/tests/event_source/elsewhere.py`.\n",
    );
    let mut area = "";
    for row in all() {
        if row.area != area {
            area = row.area;
            let _ = write!(text, "\n## {area}\n\n| Rule | Known from | Test | |\n|---|---|---|---|\n");
        }
        let Row { rule, test, source: from, .. } = row;
        let mark = if observable::has(test) { " †" } else { "" };
        let _ = writeln!(text, "| {} | {} | `{test}`{mark} | {} |", rule.trim(), source(*from), outcome(row));
    }
    text.push_str("\n## Environments\n\n| What becomes of them | Known from | Otherwise |\n|---|---|---|\n");
    for (what, known, otherwise) in ENVIRONMENTS {
        let _ = writeln!(text, "| {what} | {known} | {otherwise} |");
    }
    text.push_str("\n## Not emulated\n\n| What | Why |\n|---|---|\n");
    for (what, why) in ABSENT {
        let _ = writeln!(text, "| {what} | {why} |");
    }
    text.push_str("\n## The emulated account\n\n| What the emulators lack | What becomes of it |\n|---|---|\n");
    for (what, becomes) in GAPS {
        let _ = writeln!(text, "| {what} | {becomes} |");
    }
    text
}

#[test]
fn the_documentation_has_every_row_as_it_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/harness-conformance.md");
    let table = table();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &table).expect("cannot write the page");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == table,
        "docs/harness-conformance.md is not what the rows say: write it anew with `BLESS=1 cargo test -p tidemill-harness --test event_source`"
    );
}
