//! Making record n+1 of a view.

use crate::Mutant;
use crate::record::{Image, Kind, Name, Record};
use crate::rules::renewal;
use crate::step::{CELLS, Stepping};
use crate::view::View;

/// What the writer of a record decides.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Draft {
    pub(crate) record: Record,
    pub(crate) images: Vec<Image>,
}

/// Record n+1 of a view, without names yet.
pub(crate) fn draft(view: &View, kind: Kind, stepped: Stepping<'_>, format: u8) -> Record {
    Record {
        incarnation: view.incarnation,
        number: view.number + 1,
        format,
        kind,
        progress: stepped.progress,
        again: Vec::new(),
        changes: stepped.changes,
        outputs: stepped.outputs,
        parts: Vec::new(),
        oldest: 0,
        is_freed: false,
    }
}

/// The record with these names, and the images that must be acknowledged before it is put: as of s = n, the view that
/// the put is conditioned on, without what the record itself changes.
pub(crate) fn with_names(view: &View, record: &Record, names: &[Name], mutant: Option<Mutant>) -> Draft {
    let oldest = renewal::oldest_after(view, names, mutant);
    let mut cells = view.cells;
    let own = [Some(Mutant::ImageHoldsOwnChanges), Some(Mutant::AgainHoldsOwnChanges)];
    if own.contains(&mutant) {
        record.changes.iter().for_each(|change| crate::step::apply(&mut cells, *change));
    }
    let again = renewal::stated_again(view, names, mutant).map(|cell| (cell, cells[usize::from(cell)])).collect();
    let record = Record { parts: names.to_vec(), oldest, again, ..record.clone() };
    let is_new = |name: &&Name| {
        !view.parts.iter().any(|part| part.name.image == name.image) || mutant == Some(Mutant::ImageIdReused)
    };
    let mut images: Vec<Image> = Vec::new();
    for name in names.iter().filter(is_new) {
        let Some(id) = name.image else { continue };
        let mut image = Image { id, format: record.format, cells: [0; CELLS] };
        (name.first..=name.last).for_each(|cell| image.cells[usize::from(cell)] = cells[usize::from(cell)]);
        images.push(image);
    }
    Draft { record, images }
}
