//! State for a person: aligned tables, no wider than a terminal.

use serde_json::Value as Json;
use tidemill_core::{EventTime, Position, Watermark};
use tidemill_journal::{JournalId, Kind};

use crate::cli::style::Style;
use crate::cli::summary::{WIDTH, grouped, many};
use crate::cli::table::{Align, Table, cut};
use crate::state::{Cell, CellKind, Commit, Diff, Producer, ShardState, key};

use super::json::output;
use super::{keys, producers, sections};

/// How many rows of keys, changes or outputs a person is shown.
pub(super) const ROWS: usize = 20;
pub(super) const INDENT: usize = 2;

/// Shards by pipeline and stream, with their keys if asked for.
pub(super) fn shards(shards: &[ShardState], with_keys: bool, style: Style) -> String {
    let same = |a: &ShardState, b: &ShardState| {
        a.journal.pipeline == b.journal.pipeline && a.journal.stream == b.journal.stream
    };
    let mut lines = Vec::new();
    for group in shards.chunk_by(same) {
        let JournalId { pipeline, stream, .. } = &group[0].journal;
        lines.push(title(pipeline, stream, style));
        let mut table = Table::new(&[
            ("shard", Align::Left),
            ("commit", Align::Right),
            ("watermark", Align::Left),
            ("cells", Align::Right),
            ("bytes", Align::Right),
        ]);
        for shard in group {
            table.row(vec![
                shard.journal.shard.clone(),
                grouped(shard.view.number()),
                watermark(shard.view.progress().watermark),
                grouped(shard.open_cells() as u64),
                grouped(shard.bytes() as u64),
            ]);
        }
        let mut rows = table.lines(INDENT, style).into_iter();
        lines.extend(rows.next());
        for (row, shard) in rows.zip(group) {
            lines.extend([row, style.dim(&cut(&last(shard)))]);
        }
    }
    if with_keys {
        lines.extend(keys::list(shards, style));
        lines.extend(producers::list(shards, style));
    }
    joined(&lines)
}

/// A commit's record.
pub(super) fn commit(commit: &Commit, style: Style) -> String {
    let (record, journal) = (&commit.record, &commit.journal);
    let mut lines =
        vec![title(&format!("{} commit {}", journal.pipeline, grouped(record.number)), &journal.shard, style)];
    let progress = &record.progress;
    let or_none = |time: Option<EventTime>| time.map_or_else(|| String::from("none yet"), self::time);
    let mut rows = vec![
        ("kind", kind(record.kind).to_owned()),
        ("position", record.position.as_ref().map_or_else(|| String::from("none yet"), ToString::to_string)),
        ("watermark", watermark(progress.watermark)),
        ("highest", or_none(progress.highest)),
        ("arrival", or_none(progress.arrival)),
        ("incarnation", record.incarnation.to_string()),
        ("ring", format!("slot {} of {}", record.ring.slot(record.number), grouped(record.ring.slots().into()))),
        ("parts", format!("{} named, records needed behind {}", record.parts.len(), grouped(record.oldest))),
    ];
    rows.extend(record.gap.as_ref().map(|gap| ("gap", format!("records are missing behind {gap}"))));
    let freed = record.freed().map(|freed| ("freed", format!("of all that it held, {}", self::time(freed))));
    rows.extend(freed.or_else(|| record.tick.map(|tick| ("tick", self::time(tick)))));
    rows.extend(record.is_emptied().then(|| ("freed", String::from("of all that it held, behind a seal"))));
    rows.extend(record.spills.iter().map(|spill| ("spill", format!("changes and outputs lie in {}", spill.id.id))));
    rows.extend(commit.missing.iter().map(|missing| ("gone", missing.clone())));
    lines.extend(
        rows.iter()
            .map(|(label, value)| format!("  {}{}", style.dim(&format!("{label:<13}")), cut_to(value, WIDTH - 15))),
    );
    lines.push(style.bold(&many(record.changes.len() as u64, "change", "changes")));
    if record.parts.iter().any(|part| part.image.is_some()) {
        lines.push(style.dim("  some may say again what changed before, for a part that is named"));
    }
    lines.extend(changes(commit.changes(), style));
    lines.push(style.bold(&many(record.outputs.len() as u64, "output", "outputs")));
    lines.extend(outputs(commit, style));
    joined(&lines)
}

/// What changed between two commits.
pub(super) fn diff(diff: &Diff, style: Style) -> String {
    let (from, to) = (&diff.from.record, &diff.to.record);
    let JournalId { pipeline, shard, .. } = &diff.to.journal;
    let what = format!("{pipeline} commits {} to {}", grouped(from.number), grouped(to.number));
    let watermarks = [from, to].map(|record| watermark(record.progress.watermark));
    let changed: Vec<(Json, Cell)> = diff.changes().collect();
    let count = many(changed.len() as u64, "cell changed", "cells changed");
    let mut lines = vec![
        title(&what, shard, style),
        format!("  {}{} to {}", style.dim(&format!("{:<13}", "watermark")), watermarks[0], watermarks[1]),
        format!("  {}{}", style.dim(&format!("{:<13}", "outputs")), grouped(diff.outputs as u64)),
        style.bold(&count),
    ];
    lines.extend(changes(changed.into_iter(), style));
    joined(&lines)
}

pub(super) fn joined(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// A heading: what it is, and of what.
pub(super) fn title(what: &str, of: &str, style: Style) -> String {
    let room = WIDTH.saturating_sub(what.chars().count() + INDENT);
    format!("{}  {}", style.bold(what), style.dim(&cut_to(of, room)))
}

pub(super) fn cut_to(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

/// The last commit of a shard.
fn last(shard: &ShardState) -> String {
    let view = &shard.view;
    let at = view
        .position()
        .map_or_else(|| String::from("before the first record"), |position| format!("at {}", place(position)));
    format!("    {}, {}, {at}", kind(view.kind()), many(view.parts().count() as u64, "part", "parts"))
}

/// A record's place: the sequence number, and the number inside of an aggregate.
pub(super) fn place(position: &Position) -> String {
    let sub = if position.sub_sequence == 0 { String::new() } else { format!("/{}", position.sub_sequence) };
    format!("{}{sub}", position.sequence)
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Init => "init",
        Kind::Data => "data",
        Kind::Tick => "tick",
        Kind::Seal => "sealed",
        Kind::Drain => "drained",
    }
}

/// RFC 3339; milliseconds only where there are any. The ends of all time have no date.
pub(super) fn time(time: EventTime) -> String {
    match time.as_millis() {
        i64::MIN => return String::from("no start"),
        i64::MAX => return String::from("no end"),
        _ => {}
    }
    let text = time.to_string();
    text.strip_suffix(".000Z").map_or(text.clone(), |whole| format!("{whole}Z"))
}

/// When something goes.
pub(super) fn expiry(at: Option<EventTime>) -> String {
    at.filter(|at| at.as_millis() != i64::MAX).map_or_else(|| String::from("never"), time)
}

pub(super) fn watermark(watermark: Watermark) -> String {
    match watermark {
        Watermark::START => String::from("none yet"),
        Watermark::END => String::from("end of input"),
        watermark => time(watermark.time()),
    }
}

pub(super) fn rest(count: usize, style: Style) -> Option<String> {
    let more = count.checked_sub(ROWS).filter(|more| *more > 0)?;
    Some(style.dim(&format!("  and {} more: --json has them all", grouped(more as u64))))
}

/// What was set, then what was removed: by kind, and of producers by producer.
fn changes(changes: impl Iterator<Item = (Json, Cell)>, style: Style) -> Vec<String> {
    let (kept, removed): (Vec<_>, Vec<_>) = changes.partition(|(_, cell)| cell.holds.is_some());
    let all: Vec<(Json, Cell)> = kept.into_iter().chain(removed).collect();
    let pairs = all.iter().map(|(key, cell)| (key, cell));
    let (taken, of_keys): (Vec<_>, Vec<_>) = pairs.partition(|(_, cell)| cell.kind() == CellKind::Producer);
    let mut lines = sections::of_keys(&of_keys, style);
    lines.extend(producers::table(&gathered(taken), &[], style));
    lines
}

/// Changes of what was taken, by producer.
fn gathered(mut taken: Vec<(&Json, &Cell)>) -> Vec<Producer> {
    taken.sort_by_key(|(name, _)| key::text(name));
    let of = |group: &[(&Json, &Cell)]| Producer::of(group[0].0.clone(), group.iter().map(|(_, cell)| *cell));
    taken.chunk_by(|a, b| a.0 == b.0).map(of).collect()
}

/// Outputs with what they say: of a CloudEvent, its data.
fn outputs(commit: &Commit, style: Style) -> Vec<String> {
    let outputs = &commit.record.outputs;
    if outputs.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(&[("sink", Align::Left), ("key", Align::Left), ("data", Align::Left)]);
    for one in outputs.iter().take(ROWS) {
        let json = output(one);
        let event = json["data"]["specversion"].is_string();
        let data = if event { &json["data"]["data"] } else { &json["data"] };
        table.row(vec![one.sink.clone(), cut_to(&one.partition_key, 12), data.to_string()]);
    }
    let mut lines = table.lines(INDENT, style);
    lines.extend(rest(outputs.len(), style));
    lines
}
