//! Records that kill the process, on the real function binary: each ends in quarantine, and every other one is counted.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tidemill_harness::progress::Silent;
use tidemill_harness::replay::{Options, Report, Verdict, prepare};

fn replay(change: impl FnOnce(Options) -> Options) -> Report {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("poison/template.yaml");
    let options = change(Options { template: Some(template), ..Options::of("poison") });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let prepared = prepare(options).expect("it can be replayed");
    runtime.block_on(prepared.run(Arc::new(Silent))).expect("it runs")
}

/// The quarantine's reasons, by what the record does.
fn reasons(report: &Report) -> BTreeMap<String, String> {
    let reason = |entry: &String| {
        let entry: Value = serde_json::from_str(entry).expect("JSON");
        let payload: Value = entry["payload"].as_str().expect("the payload").parse().expect("JSON");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        (text(&payload["do"]), text(&entry["reason"]))
    };
    report.collected.quarantined.iter().map(reason).collect()
}

#[track_caller]
fn assert_only_poison_is_quarantined(report: &Report) {
    assert_eq!(report.verdict, Verdict::Holds, "{:?}", report.differences);
    assert_eq!(report.quarantined, 4);
    let expected = [("abort", "crashed"), ("loop", "crashed"), ("oom", "crashed"), ("panic", "panicked")];
    assert_eq!(reasons(report), expected.map(|(deed, reason)| (deed.to_owned(), reason.to_owned())).into());
}

#[test]
fn records_that_kill_the_process_are_quarantined_and_all_others_counted() {
    let report = replay(|options| options);
    assert_only_poison_is_quarantined(&report);
    // Of one batch: four crashes on the first culprit, two on each of the others, which are alone already.
    assert_eq!((report.batches, report.retries), (1, 8));
}

#[test]
fn the_size_of_batches_and_who_takes_them_do_not_matter_for_poison() {
    let report = replay(|options| Options { batch_size: Some(3), environments: Some(2), ..options });
    assert_only_poison_is_quarantined(&report);
}
