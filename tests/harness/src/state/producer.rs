//! What was taken of a producer: an upstream pipeline, whose outputs may come twice.

use serde_json::Value as Json;
use tidemill_core::Position;

use super::{Cell, Content, Slot};

/// What was taken of a producer, or what a commit changed of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Producer {
    /// Its name: `<pipeline>/<stream ARN>/<shard>`, and with commits `/<incarnation>`.
    pub name: Json,
    /// The last commit, and which of its outputs: first and last of each range.
    pub commit: Option<(u64, Vec<(u32, u32)>)>,
    /// The place in the producer's source before which all outputs were taken.
    pub floor: Option<Position>,
    /// Outputs at or behind the floor that were taken: their records' places, and which of the records'.
    pub outputs: Vec<(Position, u32)>,
    /// How many outputs are not remembered any more, as the floor rose.
    pub forgotten: usize,
}

impl Producer {
    /// A producer from its cells.
    pub fn of<'a>(name: Json, cells: impl IntoIterator<Item = &'a Cell>) -> Self {
        let mut producer = Self { name, commit: None, floor: None, outputs: Vec::new(), forgotten: 0 };
        for cell in cells {
            match (&cell.slot, &cell.holds) {
                (_, Some(Content::Commits(number, taken))) => producer.commit = Some((*number, taken.clone())),
                (_, Some(Content::Floor(place))) => producer.floor = Some(place.clone()),
                (Slot::Output(place, index), Some(_)) => producer.outputs.push((place.clone(), *index)),
                (Slot::Output(..), None) => producer.forgotten += 1,
                _ => {}
            }
        }
        producer.outputs.sort();
        producer
    }

    /// Its name with the stream's own name in place of the ARN: `<pipeline>/<stream>/<shard>`.
    pub fn short_name(&self) -> String {
        let name = super::key::text(&self.name);
        match name.split_once("/arn:") {
            Some((pipeline, rest)) => match rest.split_once('/') {
                Some((_, stream)) => format!("{pipeline}/{stream}"),
                None => name,
            },
            None => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn place(number: u64) -> Position {
        serde_json::from_value(json!({"sequence": number.to_string()})).expect("a position")
    }

    #[test]
    fn a_producer_is_gathered_from_its_cells() {
        let cell = |slot, holds| Cell { slot, holds };
        let cells = [
            cell(Slot::Floor, Some(Content::Floor(place(9)))),
            cell(Slot::Output(place(10), 1), Some(Content::Nothing)),
            cell(Slot::Output(place(9), 0), Some(Content::Nothing)),
            cell(Slot::Output(place(8), 0), None),
        ];
        let producer = Producer::of(json!("p"), &cells);
        assert_eq!(producer.floor, Some(place(9)));
        assert_eq!(producer.outputs, [(place(9), 0), (place(10), 1)]);
        assert_eq!((producer.forgotten, producer.commit), (1, None));
    }

    #[test]
    fn names_are_shortened_where_they_have_the_usual_form() {
        for (name, short) in [
            ("p/arn:aws:kinesis:r:1:stream/in/shardId-0/0a", "p/in/shardId-0/0a"),
            ("p/arn:odd", "p/arn:odd"),
            ("other", "other"),
        ] {
            assert_eq!(Producer::of(json!(name), []).short_name(), short);
        }
    }
}
