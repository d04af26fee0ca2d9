//! Which parts a commit renews. Which of the ways it takes is left open here; the code chooses by size.

use crate::Mutant;
use crate::record::{ImageId, Name};
use crate::step::CELLS;
use crate::view::{Part, View};

/// What a journal's commits may do to its parts beyond what they must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Freedom {
    /// Renew a part before its turn.
    pub(crate) early: bool,
    /// Divide a part, unite two.
    pub(crate) reshape: bool,
    /// Name a part again although cells of it changed, and state them again.
    pub(crate) again: bool,
}

/// All sets of names that commit n+1 of this view may carry, on a ring of `ring` slots, in format `format`.
pub(crate) fn ways(view: &View, ring: u8, format: u8, freedom: Freedom, mutant: Option<Mutant>) -> Vec<Vec<Name>> {
    let next = view.number + 1;
    let mut all = vec![Vec::new()];
    for part in view.parts.iter().filter(|part| must_be_renewed(part, next, ring, mutant)) {
        all = all.into_iter().flat_map(|names| with(names, part, view, format, freedom, mutant)).collect();
    }
    if freedom.early {
        let more: Vec<Vec<Name>> = all
            .iter()
            .flat_map(|names| {
                view.parts.iter().flat_map(|part| with(names.clone(), part, view, format, freedom, mutant))
            })
            .collect();
        all.extend(more);
        all.dedup();
    }
    all
}

/// I5: s > n − R for every part. At commit `next`, a part with s <= next − R is renewed in it.
fn must_be_renewed(part: &Part, next: u8, ring: u8, mutant: Option<Mutant>) -> bool {
    let overdue = i16::from(next) - i16::from(ring) - i16::from(part.name.as_of);
    match mutant {
        Some(Mutant::NoRingRule) => false,
        Some(Mutant::RingRuleOffByOne) => overdue > 0,
        Some(Mutant::UntouchedNeedsNoName) if !part.is_touched() => false,
        _ => overdue >= 0,
    }
}

/// `names` with each way to renew `part`; as they are if one of them covers it already.
fn with(
    names: Vec<Name>,
    part: &Part,
    view: &View,
    format: u8,
    freedom: Freedom,
    mutant: Option<Mutant>,
) -> Vec<Vec<Name>> {
    let covers = |other: &Name, name: &Name| other.first <= name.last && name.first <= other.last;
    if names.iter().any(|name| covers(name, &part.name)) {
        return vec![names];
    }
    let mut renewals = Vec::new();
    let is_stated_again = freedom.again && part.name.image.is_some();
    if !part.is_touched() || is_stated_again || mutant == Some(Mutant::RenameTouched) {
        let as_of = if mutant == Some(Mutant::NameAhead) { view.number + 1 } else { view.number };
        renewals.push(vec![Name { as_of, ..part.name }]);
    }
    if part.is_touched() || freedom.early {
        renewals.push(vec![written(view, part.name.first, part.name.last, format, mutant)]);
    }
    if freedom.reshape {
        renewals.extend(divided(view, part, format, mutant));
        renewals.extend(united(view, part, format, mutant));
    }
    let free = renewals.into_iter().filter(|more| !more.iter().any(|name| names.iter().any(|old| covers(old, name))));
    free.map(|more| names.iter().copied().chain(more).collect()).collect()
}

fn divided(view: &View, part: &Part, format: u8, mutant: Option<Mutant>) -> Option<Vec<Name>> {
    let Name { first, last, .. } = part.name;
    let middle = first + (last - first).div_ceil(2);
    let halves =
        vec![written(view, first, middle.checked_sub(1)?, format, mutant), written(view, middle, last, format, mutant)];
    match mutant {
        _ if first == last => None,
        Some(Mutant::DivisionNamesOneHalf) => Some(halves[..1].to_vec()),
        Some(Mutant::HalvesKeepOldImage) => {
            Some(halves.into_iter().map(|half| Name { image: part.name.image, as_of: view.number, ..half }).collect())
        }
        Some(Mutant::HalvesShareAnId) => {
            let id = halves[0].image.or(halves[1].image);
            Some(halves.into_iter().map(|half| Name { image: half.image.and(id), ..half }).collect())
        }
        _ => Some(halves),
    }
}

fn united(view: &View, part: &Part, format: u8, mutant: Option<Mutant>) -> Option<Vec<Name>> {
    let next = view.parts.iter().find(|other| other.name.first == part.name.last + 1)?;
    match mutant {
        Some(Mutant::UnionTakesOneImage) => Some(vec![Name { last: next.name.last, as_of: view.number, ..part.name }]),
        Some(Mutant::UnionKeepsOldestS) => {
            let name = written(view, part.name.first, next.name.last, format, mutant);
            Some(vec![Name { as_of: part.name.as_of.min(next.name.as_of), ..name }])
        }
        _ => Some(vec![written(view, part.name.first, next.name.last, format, mutant)]),
    }
}

/// The cells that changed since the image of a part that is named again.
pub(crate) fn stated_again(view: &View, names: &[Name], mutant: Option<Mutant>) -> impl Iterator<Item = u8> {
    let is_named_again = |part: &&Part| {
        let same =
            |name: &Name| (name.first, name.last, name.image) == (part.name.first, part.name.last, part.name.image);
        names.iter().any(same) && mutant != Some(Mutant::RenameTouched)
    };
    let touched = view.parts.iter().filter(is_named_again).fold(0, |all, part| all | part.touched);
    (0..CELLS as u8).filter(move |cell| touched & (1 << cell) != 0)
}

/// The name of an image of a range as of the view: what is to be written before the commit.
fn written(view: &View, first: u8, last: u8, format: u8, mutant: Option<Mutant>) -> Name {
    let has_cells = (first..=last).any(|cell| view.cells[usize::from(cell)] != 0);
    let content = if mutant == Some(Mutant::ImageIdWithoutContent) { 0 } else { format };
    let as_of = if mutant == Some(Mutant::ImageIdReused) { 0 } else { view.number };
    let id = ImageId { incarnation: view.incarnation, first, last, as_of, content };
    Name { first, last, image: has_cells.then_some(id), as_of: view.number }
}

/// The smallest s over all parts after a commit that carries `names`.
pub(crate) fn oldest_after(view: &View, names: &[Name], mutant: Option<Mutant>) -> u8 {
    let is_renewed =
        |part: &&Part| names.iter().any(|name| name.first <= part.name.last && part.name.first <= name.last);
    let kept = view.parts.iter().filter(|part| !is_renewed(part));
    let of_names = names.iter().map(|name| name.as_of);
    match mutant {
        Some(Mutant::OldestOfNamedOnly) if !names.is_empty() => of_names.min(),
        Some(Mutant::OldestIsNewest) => kept.map(|part| part.name.as_of).chain(of_names).max(),
        Some(Mutant::UntouchedNeedsNoName) => {
            let untouched = |part: &Part| if part.is_touched() { part.name.as_of } else { view.number };
            kept.map(untouched).chain(of_names).min()
        }
        _ => kept.map(|part| part.name.as_of).chain(of_names).min(),
    }
    .unwrap_or(0)
}
