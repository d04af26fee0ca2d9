//! Which parts a commit renews.
//!
//! Parts roll: each commit renews few, so that no invocation stalls and the cost follows what changed. A part is renewed
//!
//! - at the latest when its s would leave the ring (I5), and before that early enough that every part finds its turn at
//!   an even pace, one a commit or a few if there are more parts than slots;
//! - when the records behind the oldest s outweigh the whole state, and 1 MB: a load reads about as much of both;
//! - when it has grown so much that its image would be long to write.
//!
//! A part that nothing touched since s is named again as it is, and so is one of which few cells changed: the commit that
//! names it states them again. One that grew is divided, small neighbours become one.

use tidemill_core::{Change, PartRange, Reject, part_hash};

use crate::parts::{self, Image, Part, Parts};
use crate::touched::Held;
use crate::{Error, JournalId, PartId, PartName, State, View};

/// Records behind the oldest s may outweigh a small state up to this.
const RECORDS_BYTES: usize = 1 << 20;
/// What the cells of a part should take before they are packed: some thousand small ones, a millisecond. More for a large
/// state, so that few parts a commit are enough.
const PART_BYTES: usize = 50 << 10;
/// A part of so many per cent of that size is divided at once.
const OVERGROWN: usize = 250;
/// How many parts that nothing touched one commit names again beyond those whose turn it is: a name takes some 60 bytes.
const NAMES_AT_ONCE: usize = 32;

/// What a commit does to the parts.
#[derive(Default)]
pub(crate) struct Renewal {
    pub(crate) names: Vec<PartName>,
    pub(crate) images: Vec<Image>,
    /// Cells, as of the view, that changed since the images of parts that are named again.
    pub(crate) stated_again: Vec<Change>,
    /// Images that nothing names once the commit is acknowledged.
    pub(crate) replaced: Vec<PartId>,
}

impl Renewal {
    /// `oldest` of the commit that carries this renewal.
    pub(crate) fn oldest(&self, parts: &Parts) -> u64 {
        parts.oldest_after(&self.names)
    }

    /// What the images hold that are written.
    pub(crate) fn held(&self) -> impl Iterator<Item = (&PartName, &Held)> {
        let image = |name: &PartName| self.images.iter().find(|image| name.image.as_ref() == Some(&image.id));
        self.names.iter().filter_map(move |name| image(name).map(|image| (name, &image.held)))
    }

    fn covers(&self, range: &PartRange) -> bool {
        self.names.iter().any(|name| name.range.first <= range.last && range.first <= name.range.last)
    }
}

/// What commit n+1 of this view renews. `state` is as of n.
pub(crate) fn plan(journal: &JournalId, view: &View, state: &(impl State + ?Sized)) -> Result<Renewal, Error> {
    let mut by_age: Vec<&Part> = view.parts.iter().collect();
    by_age.sort_by_key(|part| part.name.as_of);
    let turns = turns(&by_age, view);
    let mut renewal = Renewal::default();
    let mut rewritten = 0;
    for (place, part) in by_age.iter().enumerate() {
        let is_due = place < turns || (outweighs(part, view) && rewritten < turns.max(1));
        if !is_due || (place >= turns && renewal.names.len() >= NAMES_AT_ONCE) {
            break;
        }
        if renewal.covers(&part.name.range) {
            continue;
        }
        match stated_again(journal, view, part, state)? {
            Some(mut cells) => {
                renewal.names.push(PartName { as_of: view.number, ..part.name.clone() });
                renewal.stated_again.append(&mut cells);
            }
            None => rewrite(journal, view, part, state, target_bytes(view), &mut renewal)?,
        }
        rewritten += usize::from(part.changed.is_some());
    }
    if rewritten == 0
        && let Some(part) = overgrown(view, state).filter(|part| !renewal.covers(&part.name.range))
    {
        // It grows: in four, not in two, or it would be written again for every doubling.
        rewrite(journal, view, part, state, target_bytes(view) / 2, &mut renewal)?;
    }
    Ok(renewal)
}

/// What changed in a part since its image, if that is so little that the image can stay: nothing, or few cells. `None` also of
/// a part that is to be united with a neighbour.
fn stated_again(
    journal: &JournalId,
    view: &View,
    part: &Part,
    state: &(impl State + ?Sized),
) -> Result<Option<Vec<Change>>, Error> {
    if part.changed.is_none() {
        return Ok(Some(Vec::new()));
    }
    if small_neighbour(view, part).is_some() {
        return Ok(None);
    }
    let encode = |reject: Reject| Error::encode(journal, view.number + 1, reject.message);
    part.touched.stated_again(state).map_err(encode)
}

/// The largest part, if it is far too large. What it grew by is not known: at most by what was changed in it, and it has its
/// share of what the whole state grew by since the images of all parts were taken. So cells that change and do not grow make
/// no part overgrown.
fn overgrown<'v>(view: &'v View, state: &(impl State + ?Sized)) -> Option<&'v Part> {
    let known: usize = view.parts.iter().map(Part::plain_bytes).sum();
    let all = state.bytes().saturating_sub(known);
    let changed: usize = view.parts.iter().filter_map(|part| part.changed).sum();
    let share = |bytes: usize| (all as u128 * bytes as u128 / changed.max(1) as u128).min(bytes as u128) as usize;
    let size = |part: &Part| part.plain_bytes() + part.changed.map_or(0, share);
    let largest = view.parts.iter().filter(|part| part.changed.is_some()).max_by_key(|part| size(part));
    largest.filter(|part| 100 * size(part) > OVERGROWN * target_bytes(view))
}

/// How many of the oldest parts must be renewed now, so that from here on as many a commit are enough as are needed in the
/// long run; and never none now where it would be two later on, for a commit is to take no longer than others.
///
/// A part may wait for as many commits as its s has left in the ring, and the i-th oldest lets i others go first.
fn turns(by_age: &[&Part], view: &View) -> usize {
    let waits = |part: &Part| {
        let last = part.name.as_of + u64::from(view.ring.slots());
        usize::try_from(last.saturating_sub(view.number + 1)).unwrap_or(usize::MAX)
    };
    let queued = || by_age.iter().map(|part| waits(part)).zip(1_usize..);
    let pace = queued().map(|(waits, turn)| turn.div_ceil(waits.saturating_add(1))).max().unwrap_or(1);
    let must = queued().map(|(waits, turn)| turn.saturating_sub(waits.saturating_mul(pace))).max().unwrap_or(0);
    let even = queued().map(|(waits, turn)| turn / waits.saturating_add(1)).max().unwrap_or(0);
    must.max(even)
}

/// Whether the records that this part keeps from being forgotten outweigh the state.
fn outweighs(part: &Part, view: &View) -> bool {
    let state: usize = view.parts.iter().map(Part::image_bytes).sum();
    part.grown >= RECORDS_BYTES.max(state)
}

/// Writes a part anew: divided if it grew, together with its neighbour if both are small.
fn rewrite(
    journal: &JournalId,
    view: &View,
    part: &Part,
    state: &(impl State + ?Sized),
    target: usize,
    renewal: &mut Renewal,
) -> Result<(), Error> {
    let encode = |why| Error::encode(journal, view.number + 1, why);
    let mut range = part.name.range;
    let mut replaced: Vec<&Part> = vec![part];
    if let Some(neighbour) = small_neighbour(view, part).filter(|other| !renewal.covers(&other.name.range)) {
        range = PartRange {
            first: range.first.min(neighbour.name.range.first),
            last: range.last.max(neighbour.name.range.last),
        };
        replaced.push(neighbour);
    }
    let cells = state.image(&range).map_err(|reject| encode(reject.message))?;
    seal_divided(view, range, cells, target, renewal).map_err(encode)?;
    let written = |id: &PartId| renewal.images.iter().any(|image| image.id == *id);
    let ids = replaced.iter().filter_map(|part| part.name.image.clone());
    let garbage: Vec<PartId> = ids.filter(|id| !written(id)).collect();
    renewal.replaced.extend(garbage);
    Ok(())
}

/// All of a state that the journal did not make itself, for its first record to name. `view` is that of no record yet.
pub(crate) fn inherited(view: &View, state: &(impl State + ?Sized)) -> Result<Renewal, String> {
    let mut renewal = Renewal::default();
    let cells = state.image(&PartRange::ALL).map_err(|reject| reject.message)?;
    let target = PART_BYTES.max(state.bytes() / (2 * view.ring.slots() as usize));
    seal_divided(view, PartRange::ALL, cells, target, &mut renewal)?;
    Ok(renewal)
}

/// Names a range, divided until the cells of each part take about `target` bytes.
fn seal_divided(
    view: &View,
    range: PartRange,
    mut cells: Vec<Change>,
    target: usize,
    renewal: &mut Renewal,
) -> Result<(), String> {
    cells.sort_by_cached_key(|cell| part_hash(&cell.key));
    let mut waiting = vec![(range, cells)];
    while let Some((range, cells)) = waiting.pop() {
        let plain: usize = cells.iter().map(Change::bytes).sum();
        if plain > 2 * target && has_two_hashes(&cells) {
            waiting.extend(divide(range, cells));
            continue;
        }
        let image = parts::seal_image(view, range, cells)?;
        let name = image.as_ref().map(|image| image.id.clone());
        renewal.names.push(PartName { range, image: name, as_of: view.number });
        renewal.images.extend(image);
    }
    Ok(())
}

/// About twice as many parts as slots at most: with a few a commit, each has its turn before it must.
fn target_bytes(view: &View) -> usize {
    let state: usize = view.parts.iter().map(Part::plain_bytes).sum();
    PART_BYTES.max(state / (2 * view.ring.slots() as usize))
}

/// A part beside this one, if both are so small that one image holds them and has room to grow.
fn small_neighbour<'v>(view: &'v View, part: &Part) -> Option<&'v Part> {
    let small = |part: &Part| part.plain_bytes() + part.grown.min(PART_BYTES) / 8 < target_bytes(view) / 4;
    let beside = |other: &&Part| {
        other.name.range.last.checked_add(1) == Some(part.name.range.first)
            || part.name.range.last.checked_add(1) == Some(other.name.range.first)
    };
    if !small(part) {
        return None;
    }
    view.parts.iter().find(|other| beside(other) && small(other))
}

fn has_two_hashes(cells: &[Change]) -> bool {
    let hash = |cell: &Change| part_hash(&cell.key);
    cells.first().map(hash) != cells.last().map(hash)
}

/// A range and its cells, in order of their hash and of two hashes at least, cut in two of about as many cells. The cells
/// of one key stay together.
fn divide(range: PartRange, mut cells: Vec<Change>) -> [(PartRange, Vec<Change>); 2] {
    let hash = |cell: &Change| part_hash(&cell.key);
    let (lowest, middle) = (cells.first().map_or(0, hash), cells.get(cells.len() / 2).map_or(0, hash));
    // The upper half begins with the middle's hash, or behind it where that is the lowest there is.
    let behind = |cells: &[Change]| cells.iter().map(hash).find(|other| *other > middle).unwrap_or(range.last);
    let first = if lowest < middle { middle } else { behind(&cells) };
    let upper = cells.split_off(cells.partition_point(|cell| hash(cell) < first));
    [(PartRange { last: first - 1, ..range }, cells), (PartRange { first, ..range }, upper)]
}
