//! Reading a journal from nothing.

use crate::Mutant;
use crate::record::{Image, ImageId, Name, Record};
use crate::rules::format::Code;
use crate::rules::free;
use crate::step::{self, CELLS};
use crate::table::Table;
use crate::view::{self, Part, View};

/// Why there is no view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Unloaded {
    /// There is no record.
    Absent,
    /// A record or an image is not there (any more): read again.
    Moved,
    /// An item has a format that this code does not read: refuse.
    Unreadable,
}

/// The view at the highest record, all read at one moment.
pub(crate) fn load(table: &Table, code: Code, mutant: Option<Mutant>) -> Result<View, Unloaded> {
    let head = table.slots.iter().flatten().max_by_key(|record| record.number).ok_or(Unloaded::Absent)?;
    let mut records = Vec::new();
    for number in wanted(head) {
        records.extend(table.record(number).cloned());
    }
    check_complete(head, &records, mutant)?;
    let names = names(&records, mutant)?;
    let images: Vec<Image> =
        names.iter().filter_map(|part| part.name.image).filter_map(|id| table.image(id).cloned()).collect();
    assemble(&records, &images, code, mutant)
}

/// The records that a view at `head` is made of: those behind its `oldest`.
pub(crate) fn wanted(head: &Record) -> std::ops::RangeInclusive<u8> {
    head.oldest + 1..=head.number
}

/// All records behind `oldest`, of one incarnation. One that was emptied is missing: the Seal that was read is not the one
/// that stands there now.
pub(crate) fn check_complete(head: &Record, records: &[Record], mutant: Option<Mutant>) -> Result<(), Unloaded> {
    let is_held = |r: &Record| r.incarnation == head.incarnation && !free::is_emptied(r, mutant);
    let is_complete = records.len() == wanted(head).count() && records.iter().all(is_held);
    if is_complete || mutant == Some(Mutant::LoadWithGap) { Ok(()) } else { Err(Unloaded::Moved) }
}

/// The parts named last in these records.
pub(crate) fn names(records: &[Record], mutant: Option<Mutant>) -> Result<Vec<Part>, Unloaded> {
    let mut parts = Vec::new();
    let in_order: Vec<&Record> = match mutant {
        Some(Mutant::FirstNameCounts) => records.iter().rev().collect(),
        _ => records.iter().collect(),
    };
    for record in in_order {
        view::take_names(&mut parts, &record.parts);
    }
    if mutant == Some(Mutant::LoadWithGap) {
        let unnamed: Vec<u8> = (0..CELLS as u8).filter(|cell| !parts.iter().any(|part| part.covers(*cell))).collect();
        let empty = |cell: &u8| Part { name: Name { first: *cell, last: *cell, image: None, as_of: 0 }, touched: 0 };
        parts.extend(unnamed.iter().map(empty));
    }
    if view::tile(&parts) { Ok(parts) } else { Err(Unloaded::Moved) }
}

/// The view that records and images make: record k is applied to a part only if k > s.
pub(crate) fn assemble(
    records: &[Record],
    images: &[Image],
    code: Code,
    mutant: Option<Mutant>,
) -> Result<View, Unloaded> {
    let head = records.last().ok_or(Unloaded::Moved)?;
    let reads = |format: u8| code.reads(format, head.format, mutant);
    let mut parts = names(records, mutant)?;
    let mut cells = [0; CELLS];
    for part in &parts {
        let Some(image) = find(images, part.name.image, mutant)? else { continue };
        if !reads(image.format) {
            return Err(Unloaded::Unreadable);
        }
        (part.name.first..=part.name.last).for_each(|cell| cells[usize::from(cell)] = image.cells[usize::from(cell)]);
    }
    for record in records {
        if !reads(record.format) {
            return Err(Unloaded::Unreadable);
        }
        let seen = code.sees(record, mutant);
        let is_behind = |part: &Part| {
            record.number > part.name.as_of
                || (mutant == Some(Mutant::ApplyAtS) && record.number == part.name.as_of)
                || mutant == Some(Mutant::ApplyAll)
        };
        for (cell, log) in seen.again {
            if let Some(part) = parts.iter_mut().find(|part| part.covers(cell)).filter(|part| is_behind(part)) {
                part.touch(cell);
                cells[usize::from(cell)] = log;
            }
        }
        for change in seen.changes {
            if let Some(part) = parts.iter_mut().find(|part| part.covers(change.cell)).filter(|part| is_behind(part)) {
                part.touch(change.cell);
                step::apply(&mut cells, change);
            }
        }
    }
    Ok(at(head, cells, parts))
}

fn find(images: &[Image], id: Option<ImageId>, mutant: Option<Mutant>) -> Result<Option<&Image>, Unloaded> {
    let Some(id) = id else { return Ok(None) };
    let found = images.iter().find(|image| image.id == id);
    if found.is_none() && mutant != Some(Mutant::MissingPartIsEmpty) { Err(Unloaded::Moved) } else { Ok(found) }
}

fn at(head: &Record, cells: step::Cells, parts: Vec<Part>) -> View {
    View {
        incarnation: head.incarnation,
        number: head.number,
        format: head.format,
        kind: head.kind,
        progress: head.progress.clone(),
        cells,
        parts,
        outputs: head.outputs.clone(),
        is_flushed: head.outputs.is_empty(),
        is_own: false,
        is_current: true,
        is_wary: false,
        is_freed: head.is_freed,
    }
}
