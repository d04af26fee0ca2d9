//! Which shards came of which, as far as their journals tell, and where a mapping has to begin for them.

use tidemill_core::{EventTime, HashRange, Progress};
use tidemill_journal::{Kind, Schema};

/// Records come with arrivals that are nearly in order: a mapping begins so much earlier.
const MARGIN_MS: i64 = 60_000;

/// What matters of a shard.
#[derive(Clone, Copy)]
pub(super) struct Shard<'s> {
    pub(super) schema: &'s Schema,
    pub(super) kind: Kind,
    pub(super) progress: &'s Progress,
}

impl Shard<'_> {
    /// Whether this shard came, perhaps over others, of a sealed one. What is not known counts for it: to begin such a shard
    /// empty would lose its parents' state.
    pub(super) fn is_child_of(&self, other: &Self) -> bool {
        let range = |shard: &Self| shard.schema.hash_range.unwrap_or(HashRange::ALL);
        let is_later = match (&self.schema.starting_sequence, &other.schema.starting_sequence) {
            (Some(own), Some(theirs)) => own > theirs,
            _ => self.schema.journal.shard > other.schema.journal.shard,
        };
        let (own, theirs) = (&self.schema.journal, &other.schema.journal);
        own.stream == theirs.stream
            && other.kind == Kind::Seal
            && is_later
            && range(self).intersection(&range(other)).is_some()
    }
}

/// When a mapping must begin at the latest so that no record is left out; `None` if only the stream's start will do. What it
/// delivers from before a shard's position is told by the position.
pub(super) fn begin(shards: &[Shard<'_>]) -> Option<EventTime> {
    let has_child = |shard: &Shard<'_>| shards.iter().any(|other| other.is_child_of(shard));
    let last = shards.iter().filter(|shard| shard.kind != Kind::Seal || !has_child(shard));
    let arrivals: Option<Vec<EventTime>> = last.map(|shard| shard.progress.arrival).collect();
    arrivals?.into_iter().min().map(|arrival| arrival.plus(-MARGIN_MS))
}

#[cfg(test)]
mod tests {
    use tidemill_core::SequenceNumber;
    use tidemill_journal::JournalId;

    use super::*;

    fn schema(shard: u32, began: u32, range: (u128, u128)) -> Schema {
        let journal = JournalId { pipeline: "p".into(), stream: "s".into(), shard: format!("shardId-{shard:012}") };
        let starting_sequence = SequenceNumber::parse(&began.to_string());
        let hash_range = Some(HashRange { first: range.0, last: range.1 });
        Schema { starting_sequence, hash_range, ..Schema::unclaimed(journal) }
    }

    fn arrived(at: i64) -> Progress {
        Progress { arrival: Some(EventTime::from_millis(at)), ..Progress::start() }
    }

    #[test]
    fn children_are_known_by_their_keys_and_their_beginning() {
        let schemas =
            [schema(0, 5, (0, 99)), schema(1, 5, (100, 199)), schema(2, 8, (0, 49)), schema(3, 8, (100, 150))];
        let progress = arrived(0);
        let shard = |at: usize, kind| Shard { schema: &schemas[at], kind, progress: &progress };
        let (parent, sister, child, other) =
            (shard(0, Kind::Seal), shard(1, Kind::Data), shard(2, Kind::Data), shard(3, Kind::Init));
        assert!(child.is_child_of(&parent) && !other.is_child_of(&parent) && !sister.is_child_of(&parent));
        assert!(!other.is_child_of(&sister), "the other one is not sealed");
        assert!(!parent.is_child_of(&child));
    }

    #[test]
    fn a_mapping_begins_before_the_shard_that_is_furthest_behind() {
        let schemas = [schema(0, 5, (0, 99)), schema(1, 5, (100, 199)), schema(2, 8, (0, 99))];
        let (sealed, behind, child, none) = (arrived(100_000), arrived(500_000), arrived(700_000), Progress::start());
        let shard = |at: usize, kind, progress| Shard { schema: &schemas[at], kind, progress };
        let parent = shard(0, Kind::Seal, &sealed);
        let all = [parent, shard(1, Kind::Data, &behind), shard(2, Kind::Data, &child)];
        assert_eq!(begin(&all), Some(EventTime::from_millis(440_000)));
        assert_eq!(begin(&all[..2]), Some(EventTime::from_millis(40_000)), "the child has not begun");
        assert_eq!(begin(&[shard(0, Kind::Init, &none), all[1]]), None);
        assert_eq!(begin(&[]), None);
    }
}
