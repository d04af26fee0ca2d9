//! Record 1: the state that a journal begins with.

use crate::record::{Floor, Image, ImageId, Kind, Name, Progress, Record};
use crate::rules::commit::Draft;
use crate::step::{CELLS, Cells};
use crate::view::View;
use crate::{Mutant, Shard};

/// Progress and cells of a shard as its parents' Seals leave them to it.
pub(crate) fn inherit(shard: &Shard, parents: &[(&Shard, &View)], mutant: Option<Mutant>) -> (Progress, Cells) {
    let mut cells = [0; CELLS];
    for (_, parent) in parents {
        for (cell, log) in cells.iter_mut().enumerate() {
            let is_ours = shard.owns(cell as u8) || mutant == Some(Mutant::NoHashCut);
            if is_ours && parent.cells[cell] != 0 {
                *log = parent.cells[cell];
            }
        }
    }
    (progress(shard, parents, mutant), cells)
}

/// W is the minimum of the parents', and the highest event time is that of the parent with the minimum. What the others
/// were ahead stays as floors, for the cells that were theirs.
fn progress(shard: &Shard, parents: &[(&Shard, &View)], mutant: Option<Mutant>) -> Progress {
    let by_watermark = |(_, view): &&(&Shard, &View)| view.progress.watermark;
    let lowest = match mutant {
        Some(Mutant::MergeTakesMaximum) => parents.iter().max_by_key(by_watermark),
        _ => parents.iter().min_by_key(by_watermark),
    };
    let lowest = lowest.map(|(_, view)| &view.progress);
    let highest = match mutant {
        Some(Mutant::HighestIsMaximum) => parents.iter().map(|(_, view)| view.progress.highest).max(),
        _ => lowest.map(|progress| progress.highest),
    };
    let watermark = lowest.map_or(0, |progress| progress.watermark);
    let floors = floors(shard, parents, watermark, mutant);
    Progress { position: shard.first - 1, watermark, highest: highest.unwrap_or(0), floors }
}

/// Each parent's (range, W) and its own floors, cut to the shard's range; what W has reached goes.
fn floors(shard: &Shard, parents: &[(&Shard, &View)], watermark: u8, mutant: Option<Mutant>) -> Vec<Floor> {
    let mut floors = Vec::new();
    for (parent, view) in parents {
        let own = Floor { first: parent.cells.0, last: parent.cells.1, watermark: view.progress.watermark };
        floors.extend((mutant != Some(Mutant::MergeWithoutFloors)).then_some(own));
        let are_lost = match mutant {
            Some(Mutant::ParentsFloorsLost) => parents.len() > 1,
            Some(Mutant::SplitLosesFloors) => parents.len() == 1,
            _ => false,
        };
        floors.extend(view.progress.floors.iter().copied().filter(|_| !are_lost));
    }
    let cut =
        |floor: Floor| Floor { first: floor.first.max(shard.cells.0), last: floor.last.min(shard.cells.1), ..floor };
    let mut floors: Vec<Floor> = floors.into_iter().map(cut).collect();
    floors.retain(|floor| floor.first <= floor.last && floor.watermark > watermark);
    floors.sort_unstable();
    floors.dedup();
    floors
}

/// Record 1, with the inherited state in an image as of nothing: the one exception to s = n − 1, since the state is not
/// in the record's own changes.
pub(crate) fn init(incarnation: u8, format: u8, (progress, cells): (Progress, Cells)) -> Draft {
    let (first, last) = (0, CELLS as u8 - 1);
    let has_cells = cells.iter().any(|log| *log != 0);
    let id = ImageId { incarnation, first, last, as_of: 0, content: format };
    let record = Record {
        incarnation,
        number: 1,
        format,
        kind: Kind::Init,
        progress,
        again: Vec::new(),
        changes: Vec::new(),
        outputs: Vec::new(),
        parts: vec![Name { first, last, image: has_cells.then_some(id), as_of: 0 }],
        oldest: 0,
        is_freed: false,
    };
    let images = if has_cells { vec![Image { id, format, cells }] } else { Vec::new() };
    Draft { record, images }
}
