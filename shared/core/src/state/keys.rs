//! The keys of a shard, found by their bytes and in the order of their hashes.

use std::collections::BTreeMap;

use super::StateKey;
use crate::PartRange;

/// Keys lie in so many trees, by the first bits of their hashes: a shard mostly has some thousands of keys, and then each
/// tree is one node.
const TREES: usize = 1 << TREE_BITS;
const TREE_BITS: u32 = 10;

/// Where a key lies, as long as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(usize);

/// Something of each key, in a place that stays the same.
pub(super) struct Keys<T> {
    trees: Vec<BTreeMap<StateKey, Place>>,
    held: Vec<Option<T>>,
    free: Vec<Place>,
}

const fn tree_of(hash: u64) -> usize {
    (hash >> (u64::BITS - TREE_BITS)) as usize
}

impl<T> Keys<T> {
    pub(super) fn new() -> Self {
        Self { trees: (0..TREES).map(|_| BTreeMap::new()).collect(), held: Vec::new(), free: Vec::new() }
    }

    pub(super) fn find(&self, key: &StateKey) -> Option<Place> {
        self.trees[tree_of(key.hash)].get(key).copied()
    }

    /// Puts a key that is not there.
    pub(super) fn insert(&mut self, key: StateKey, of_key: T) -> Place {
        let place = self.free.pop().unwrap_or_else(|| {
            self.held.push(None);
            Place(self.held.len() - 1)
        });
        self.held[place.0] = Some(of_key);
        self.trees[tree_of(key.hash)].insert(key, place);
        place
    }

    pub(super) fn remove(&mut self, key: &StateKey) -> Option<T> {
        let place = self.trees[tree_of(key.hash)].remove(key)?;
        self.free.push(place);
        self.held[place.0].take()
    }

    pub(super) fn get(&self, place: Place) -> Option<&T> {
        self.held.get(place.0)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut T> {
        self.held.get_mut(place.0)?.as_mut()
    }

    /// Those whose hashes lie in the range, in order of hash and bytes.
    pub(super) fn range(&self, range: &PartRange) -> impl Iterator<Item = (&StateKey, &T)> {
        let (first, last) = (StateKey::before(range.first), range.last);
        let trees = self.trees.get(tree_of(first.hash)..=tree_of(last)).unwrap_or_default();
        let inside = trees.iter().flat_map(move |tree| tree.range(first.clone()..));
        inside.take_while(move |(key, _)| key.hash <= last).filter_map(|(key, place)| Some((key, self.get(*place)?)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::KeyBytes;

    fn key(number: u16) -> StateKey {
        StateKey::of(KeyBytes::stored(&number.to_be_bytes()))
    }

    proptest! {
        #[test]
        fn keys_are_an_ordered_map(
            changes in prop::collection::vec((0..400_u16, any::<bool>()), 0..800), first: u64, length in 0..u64::MAX / 8,
        ) {
            let (mut keys, mut model, mut places) = (Keys::new(), BTreeMap::new(), BTreeMap::new());
            for (number, comes) in changes {
                let key = key(number);
                prop_assert_eq!(keys.find(&key), places.get(&key).copied());
                if !comes {
                    prop_assert_eq!(keys.remove(&key), model.remove(&key));
                    places.remove(&key);
                } else if model.insert(key.clone(), number).is_none() {
                    places.insert(key.clone(), keys.insert(key, number));
                }
            }
            for (key, place) in &places {
                prop_assert_eq!(keys.get(*place), model.get(key));
            }
            prop_assert!(keys.range(&PartRange::ALL).eq(&model));
            let range = PartRange { first, last: first.saturating_add(length) };
            prop_assert!(keys.range(&range).eq(model.iter().filter(|(key, _)| (range.first..=range.last).contains(&key.hash))));
            for key in model.keys() {
                let alone = PartRange { first: key.hash, last: key.hash };
                prop_assert_eq!(keys.range(&alone).count(), 1);
            }
        }
    }
}
