//! State as JSON, in full.

use serde::{Serialize, Serializer};
use serde_json::{Value as Json, json};
use tidemill_core::{EventTime, Position, Progress, Watermark};
use tidemill_journal::{JournalId, Output};

use crate::state::{Cell, Commit, Diff, KeyState, Producer, ShardState, cbor};

use super::json_cell::cell;

/// Shards, with all their keys if asked for: a shard may have millions, so each is made when its
/// turn comes.
#[derive(Serialize)]
pub(super) struct Shards<'a> {
    shards: Vec<Shard<'a>>,
}

#[derive(Serialize)]
struct Shard<'a> {
    #[serde(flatten)]
    head: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<Keys<'a>>,
}

struct Keys<'a>(&'a ShardState);

impl Serialize for Keys<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.keys().map(|state| key(&state)))
    }
}

pub(super) fn shards(shards: &[ShardState], with_keys: bool) -> Shards<'_> {
    let shards = shards.iter().map(|shard| Shard { head: head(shard), keys: with_keys.then_some(Keys(shard)) });
    Shards { shards: shards.collect() }
}

/// Keys, each with where its shard stands.
pub(super) fn keys(found: &[(&ShardState, KeyState)]) -> Json {
    let all: Vec<Json> = found
        .iter()
        .map(|(shard, state)| {
            let mut json = key(state);
            json["shard"] = head(shard);
            json
        })
        .collect();
    json!({ "keys": all })
}

/// A commit's record.
pub(super) fn commit(commit: &Commit) -> Json {
    let record = &commit.record;
    json!({
        "journal": journal(&commit.journal),
        "commit": record.number,
        "format": record.format.version(),
        "kind": record.kind,
        "incarnation": record.incarnation.to_string(),
        "ring": record.ring.slots(),
        "position": record.position.as_ref().map(position),
        "progress": progress(&record.progress),
        "gap": record.gap.as_ref().map(position),
        "tick": record.tick.filter(|_| record.freed().is_none()).map(time),
        "freed": record.freed().map(time),
        "oldest": record.oldest,
        "parts": record.parts,
        "spills": record.spills,
        "changes": changes(commit.changes()),
        "outputs": record.outputs.iter().map(output).collect::<Vec<_>>(),
    })
}

/// What changed between two commits.
pub(super) fn diff(diff: &Diff) -> Json {
    let end =
        |commit: &Commit| json!({ "commit": commit.record.number, "progress": progress(&commit.record.progress) });
    json!({
        "journal": journal(&diff.to.journal),
        "from": end(&diff.from),
        "to": end(&diff.to),
        "outputs": diff.outputs,
        "changes": changes(diff.changes()),
    })
}

/// Changes, each with its key.
fn changes(changes: impl Iterator<Item = (Json, Cell)>) -> Vec<Json> {
    let with_key = |(key, changed): (Json, Cell)| {
        let mut json = cell(&changed);
        json["key"] = key;
        json
    };
    changes.map(with_key).collect()
}

fn head(shard: &ShardState) -> Json {
    let view = &shard.view;
    json!({
        "journal": journal(&shard.journal),
        "commit": view.number(),
        "format": view.format().version(),
        "kind": view.kind(),
        "incarnation": view.incarnation().to_string(),
        "position": view.position().map(position),
        "progress": progress(view.progress()),
        "open_cells": shard.open_cells(),
        "open_keys": shard.open_keys(),
        "bytes": shard.bytes(),
        "producers": shard.producers().map(|one| producer(&one)).collect::<Vec<_>>(),
        "parts": view.parts().collect::<Vec<_>>(),
    })
}

fn key(state: &KeyState) -> Json {
    json!({ "key": state.key, "cells": state.cells.iter().map(cell).collect::<Vec<_>>() })
}

/// With commits: the last one, and first and last of each range of its outputs. Without: the floor, and the outputs at
/// or behind it.
fn producer(producer: &Producer) -> Json {
    let Producer { name, commit, floor, outputs, .. } = producer;
    match commit {
        Some((number, ranges)) => json!({ "producer": name, "commit": number, "output_ranges": ranges }),
        None => {
            let outputs: Vec<Json> = outputs.iter().map(|(place, index)| output_place(place, *index)).collect();
            json!({ "producer": name, "floor": floor.as_ref().map(position), "outputs": outputs })
        }
    }
}

/// An output of a producer without commits: the place of its record, and which of the record's.
pub(super) fn output_place(place: &Position, index: u32) -> Json {
    let mut json = position(place);
    json["index"] = index.into();
    json
}

fn journal(journal: &JournalId) -> Json {
    json!({ "pipeline": journal.pipeline, "stream": journal.stream, "shard": journal.shard })
}

pub(super) fn position(position: &Position) -> Json {
    json!({ "sequence_number": position.sequence.as_str(), "sub_sequence_number": position.sub_sequence })
}

/// The watermark is `null` before the first record, and `end` after the end of input.
fn progress(progress: &Progress) -> Json {
    let watermark = match progress.watermark {
        Watermark::START => Json::Null,
        Watermark::END => Json::from("end"),
        watermark => time(watermark.time()),
    };
    json!({
        "watermark": watermark,
        "highest_event_time": progress.highest.map(time),
        "arrival": progress.arrival.map(time),
        "floors": progress.floors,
    })
}

pub(super) fn time(time: EventTime) -> Json {
    time.to_string().into()
}

/// An output with its data as JSON, or in base64 if it is none.
pub(super) fn output(output: &Output) -> Json {
    let data = serde_json::from_slice(&output.data).unwrap_or_else(|_| json!({ "base64": cbor::base64(&output.data) }));
    json!({ "sink": output.sink, "partition_key": output.partition_key, "data": data })
}
