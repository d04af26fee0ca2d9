//! Tables and streams.

use std::collections::BTreeSet;

use crate::template::{Node, Template};

use super::{Diagnosis, Level, Subject, diagnosis};

/// What a record of a stream may weigh for a pipeline: more than that does not fit into a quarantine entry.
pub(super) const MOST_KIB: i64 = 1_024;
pub(super) const TOO_LARGE: &str =
    "an event for Lambda is 6 MB at most, and what cannot be processed would be cut in the quarantine";
pub(super) const KEYS: &str = "items stand under the text keys `pk` and `sk`: the function's requests would be refused";
pub(super) const RIGHT_KEYS: &str = "AttributeDefinitions: pk and sk of type S; KeySchema: pk HASH, sk RANGE";
pub(super) const RING: &str =
    "slots are a ring and are never deleted: a journal that loses one cannot be read any more";

pub(super) fn examine(template: &Template, found: &mut Vec<Diagnosis>) {
    let subjects = template.function_nodes().map(|(id, node)| Subject { template, id, node });
    let mut journals = BTreeSet::new();
    let mut results = BTreeSet::new();
    for subject in subjects {
        journals.extend(subject.variable("TIDEMILL_JOURNAL_TABLE"));
        let tables = subject.variables().into_iter().filter(|(name, ..)| name.starts_with("TIDEMILL_TABLE_"));
        results.extend(tables.filter_map(|(_, value, _)| value));
    }
    for table in &template.tables {
        let Some(node) = template.resource(&table.id) else { continue };
        let (journal, result) = (journals.contains(&table.name), results.contains(&table.name));
        if journal || result {
            keys(template, &table.id, node, found);
        }
        if journal {
            expiry(template, &table.id, node, found);
        }
    }
    for stream in &template.streams {
        let size = template.resource(&stream.id).and_then(|node| node.at(&["Properties", "MaxRecordSizeInKiB"]));
        let Some(node) = size else { continue };
        let value = template.text(node).unwrap_or_default();
        if value.parse::<i64>().is_ok_and(|kib| kib > MOST_KIB) {
            let what = format!("records may be {value} KiB");
            let fix = String::from("leave MaxRecordSizeInKiB out: 1 MiB is the default");
            found.push(diagnosis(Level::Warning, &stream.id, &template.path, node.line, what, TOO_LARGE, fix));
        }
    }
}

/// Journals and results stand under the text keys `pk` and `sk`.
fn keys(template: &Template, id: &str, node: &Node, found: &mut Vec<Diagnosis>) {
    let mut push = |line, what| {
        found.push(diagnosis(Level::Error, id, &template.path, line, what, KEYS, RIGHT_KEYS.to_owned()));
    };
    let list = |name: &str| node.at(&["Properties", name]);
    let pair = |item: &Node, of: &str| {
        let text = |name: &str| item.get(name).and_then(|node| template.text(node)).unwrap_or_default();
        (text("AttributeName"), text(of))
    };
    let schema = list("KeySchema").map_or(&[][..], Node::items);
    let schema: Vec<_> = schema.iter().map(|item| pair(item, "KeyType")).collect();
    let right = [("pk", "HASH"), ("sk", "RANGE")].map(|(name, kind)| (name.to_owned(), kind.to_owned()));
    if schema != right {
        let shown: Vec<String> = schema.iter().map(|(name, kind)| format!("{name} ({kind})")).collect();
        let line = list("KeySchema").map_or(node.line, |node| node.line);
        push(line, format!("its keys are {}", crate::findings::listed(shown.iter().map(String::as_str))));
        return;
    }
    for item in list("AttributeDefinitions").map_or(&[][..], Node::items) {
        let (name, kind) = pair(item, "AttributeType");
        if (name == "pk" || name == "sk") && kind != "S" {
            push(item.line, format!("`{name}` is of type {kind}"));
        }
    }
}

fn expiry(template: &Template, id: &str, node: &Node, found: &mut Vec<Diagnosis>) {
    let Some(expiry) = node.at(&["Properties", "TimeToLiveSpecification"]) else { return };
    let enabled = expiry.get("Enabled").and_then(|node| template.text(node));
    if enabled.as_deref() == Some("true") {
        found.push(diagnosis(
            Level::Error,
            id,
            &template.path,
            expiry.line,
            String::from("items expire by TTL"),
            RING,
            String::from("leave TimeToLiveSpecification out"),
        ));
    }
}
