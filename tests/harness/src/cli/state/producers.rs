//! What was taken of upstream producers.

use crate::cli::style::Style;
use crate::cli::summary::{grouped, many};
use crate::cli::table::{Align, Table, cut};
use crate::state::{Producer, ShardState};

use super::text::{INDENT, ROWS, place, rest};

/// The producers of all shards in order of their names, as many as a person reads; nothing if there are none.
pub(super) fn list(shards: &[ShardState], style: Style) -> Vec<String> {
    let of = |shard: &ShardState| {
        let id = shard.journal.shard.clone();
        shard.producers().map(move |producer| (producer, id.clone())).collect::<Vec<_>>()
    };
    let mut all: Vec<(Producer, String)> = shards.iter().flat_map(of).collect();
    all.sort_by_cached_key(|(producer, shard)| (producer.short_name(), shard.clone()));
    let (producers, ids): (Vec<Producer>, Vec<String>) = all.into_iter().unzip();
    table(&producers, if shards.len() > 1 { &ids } else { &[] }, style)
}

/// A row for each producer, with the shard if there are several, and the floor in a line of its own.
pub(super) fn table(producers: &[Producer], shards: &[String], style: Style) -> Vec<String> {
    if producers.is_empty() {
        return Vec::new();
    }
    let first = &producers[..producers.len().min(ROWS)];
    let mut table = Table::new(&[("producer", Align::Left), ("taken", Align::Left)]);
    for producer in first {
        table.row(vec![producer.short_name(), taken(producer)]);
    }
    if !shards.is_empty() {
        table.column("in", Align::Left, shards.to_vec());
    }
    let mut lines = table.lines(INDENT, style).into_iter();
    let mut shown: Vec<String> = lines.next().into_iter().collect();
    for (line, producer) in lines.zip(first) {
        shown.push(line);
        let floor = producer.floor.as_ref().map(|floor| format!("    and all before {}", place(floor)));
        shown.extend(floor.map(|floor| style.dim(&cut(&floor))));
    }
    shown.extend(rest(producers.len(), style));
    shown
}

/// `commit 7, outputs 0 to 3`; `81 outputs`, which the floor's own line follows.
fn taken(producer: &Producer) -> String {
    let mut parts = Vec::new();
    if let Some((number, ranges)) = &producer.commit {
        parts.push(format!("commit {}", grouped(*number)));
        let range = |(first, last): &(u32, u32)| match first == last {
            true => first.to_string(),
            false => format!("{first} to {last}"),
        };
        let outputs = if matches!(ranges.as_slice(), [(first, last)] if first == last) { "output" } else { "outputs" };
        parts.push(format!("{outputs} {}", ranges.iter().map(range).collect::<Vec<_>>().join(", ")));
    }
    if !producer.outputs.is_empty() || producer.floor.is_some() {
        parts.push(many(producer.outputs.len() as u64, "output", "outputs"));
    }
    if producer.forgotten > 0 {
        parts.push(format!("{} forgotten", grouped(producer.forgotten as u64)));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tidemill_core::Position;

    use super::*;

    fn producer(name: &str) -> Producer {
        Producer::of(json!(name), [])
    }

    #[test]
    fn a_producer_with_commits_shows_the_last_and_which_of_its_outputs() {
        let with = |ranges: &[(u32, u32)]| Producer {
            commit: Some((1_054, ranges.to_vec())),
            ..producer("p/arn:aws:kinesis:us-east-1:1:stream/in/shardId-0/0a")
        };
        assert_eq!(
            table(&[with(&[(0, 3), (5, 5)]), with(&[(2, 2)])], &[], Style::plain()),
            [
                "  producer           taken",
                "  p/in/shardId-0/0a  commit 1,054, outputs 0 to 3, 5",
                "  p/in/shardId-0/0a  commit 1,054, output 2",
            ]
        );
    }

    #[test]
    fn a_producer_without_commits_shows_its_floor() {
        let place: Position = serde_json::from_value(json!({"sequence": "12"})).expect("a position");
        let outputs = vec![(place.clone(), 0), (place.clone(), 1)];
        let one = Producer { floor: Some(place), outputs, forgotten: 500, ..producer("p") };
        assert_eq!(
            table(&[one], &["shardId-7".to_owned()], Style::plain()),
            [
                "  producer  taken                     in",
                "  p         2 outputs, 500 forgotten  shardId-7",
                "    and all before 12",
            ]
        );
    }

    #[test]
    fn of_many_the_first_are_shown() {
        let many: Vec<Producer> = (0..ROWS + 3).map(|number| producer(&number.to_string())).collect();
        let lines = table(&many, &[], Style::plain());
        assert_eq!(lines.len(), ROWS + 2);
        assert!(lines[ROWS + 1].contains("and 3 more"), "{lines:#?}");
    }
}
