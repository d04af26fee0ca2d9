//! The parts of a shard's state: which images stand for which keys.
//!
//! An image is as of s = n − 1, the view that the put of commit n is conditioned on: a function of the history, so two
//! writers of one name write the same. The loader applies to it every record after s. A later commit n may name it again
//! with s = n − 1, if nothing touched the part since, or if it states again itself all that did.

use std::borrow::Cow;

use bytes::Bytes;
use tidemill_core::{Change, PartRange, part_hash};

use crate::frame::{self, Plain};
use crate::record::PartImage;
use crate::touched::{self, Held, Touched};
use crate::{PartId, PartName, Record, View};

/// An item of DynamoDB has at most 400 KB; the rest is for names and envelope.
const CHUNK_BYTES: usize = 350_000;

/// All parts after the view's last commit, in order of their ranges, which tile the hash space.
#[derive(Clone, Debug)]
pub(crate) struct Parts(Vec<Part>);

#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) name: PartName,
    /// Bytes of the records behind `as_of`.
    pub(crate) grown: usize,
    /// Bytes of the changes behind `as_of` to cells of the part, before they are packed; `None` if there are none.
    pub(crate) changed: Option<usize>,
    /// Which cells those are.
    pub(crate) touched: Touched,
}

impl Part {
    fn new(name: PartName, held: Option<Held>) -> Self {
        let plain = name.image.as_ref().map_or(0, |image| image.plain as usize);
        Self { name, grown: 0, changed: None, touched: Touched::nothing(plain, held) }
    }

    /// Bytes of its image, as stored.
    pub(crate) fn image_bytes(&self) -> usize {
        self.name.image.as_ref().map_or(0, |image| image.bytes as usize)
    }

    /// Bytes of its cells, before they are packed.
    pub(crate) fn plain_bytes(&self) -> usize {
        self.name.image.as_ref().map_or(0, |image| image.plain as usize)
    }
}

/// An image that must be written before the commit that names it.
pub(crate) struct Image {
    pub(crate) id: PartId,
    pub(crate) chunks: Vec<Bytes>,
    /// What it holds, of a part.
    pub(crate) held: Held,
}

impl Parts {
    /// Of a journal whose records are all that there is: nothing named yet.
    pub(crate) const fn unnamed() -> Self {
        Self(Vec::new())
    }

    /// Takes over the names of `record`, then its changes. A name stands for its range in place of what was there, so a
    /// division or a union is one record that names what replaces it.
    pub(crate) fn advance(&mut self, record: &Record, size: usize) {
        if !record.parts.is_empty() {
            let overlaps = |a: &PartRange, b: &PartRange| a.first <= b.last && b.first <= a.last;
            let is_named = |part: &Part| record.parts.iter().any(|name| overlaps(&part.name.range, &name.range));
            let before: Vec<Part> = self.0.extract_if(.., |part| is_named(part)).collect();
            self.0.extend(record.parts.iter().map(|name| {
                let same = before.iter().find(|part| part.name.image == name.image);
                Part::new(name.clone(), same.and_then(|part| part.touched.held().cloned()))
            }));
            self.0.sort_by_key(|part| part.name.range);
        }
        for part in &mut self.0 {
            part.grown += size;
        }
        for change in &record.changes {
            if let Some(index) = self.index_of(&change.key) {
                let part = &mut self.0[index];
                *part.changed.get_or_insert(0) += change.bytes();
                part.touched.change(change);
            }
        }
    }

    /// What the image of a part holds, now that it was written or read.
    pub(crate) fn know(&mut self, name: &PartName, held: Held) {
        let place = self.0.binary_search_by_key(&name.range, |part| part.name.range);
        let part = place.ok().map(|place| &mut self.0[place]).filter(|part| part.name.image == name.image);
        if let Some(part) = part {
            part.touched.know(held);
        }
    }

    /// Whether the ranges tile the whole hash space.
    pub(crate) fn are_complete(&self) -> bool {
        let follows = |pair: &[Part]| pair[0].name.range.last.checked_add(1) == Some(pair[1].name.range.first);
        self.0.first().is_some_and(|part| part.name.range.first == 0)
            && self.0.last().is_some_and(|part| part.name.range.last == u64::MAX)
            && self.0.windows(2).all(follows)
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Part> {
        self.0.iter()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &PartName> {
        self.0.iter().map(|part| &part.name)
    }

    /// s of the part in which a key lies: its image holds the records up to it.
    pub(crate) fn as_of(&self, key: &[u8]) -> Option<u64> {
        self.index_of(key).map(|index| self.0[index].name.as_of)
    }

    fn index_of(&self, key: &[u8]) -> Option<usize> {
        let hash = part_hash(key);
        let behind = self.0.partition_point(|part| part.name.range.last < hash);
        self.0.get(behind).filter(|part| part.name.range.first <= hash).map(|_| behind)
    }

    /// The smallest s after a commit that names `renewed`.
    pub(crate) fn oldest_after(&self, renewed: &[PartName]) -> u64 {
        let inside = |name: &PartName| {
            renewed.iter().any(|new| {
                new.range.first <= name.range.first && name.range.last <= new.range.last
                    || name.range.first <= new.range.first && new.range.last <= name.range.last
            })
        };
        let kept = self.names().filter(|name| !inside(name));
        kept.chain(renewed).map(|name| name.as_of).min().unwrap_or(0)
    }
}

/// The image of a range as of the view, or `None` if it has no cells.
pub(crate) fn seal_image(view: &View, range: PartRange, cells: Vec<Change>) -> Result<Option<Image>, String> {
    if cells.is_empty() {
        return Ok(None);
    }
    let plain = cells.iter().map(Change::bytes).sum();
    let held = Held::new(cells.iter().map(touched::cell_hash).collect());
    let mut image = PartImage { incarnation: view.incarnation, range, as_of: view.number, cells };
    let bytes = Bytes::from(frame::seal(view.format, &mut image)?);
    // Two versions of the code may encode one state differently: the content is part of the name.
    let id = format!("{}-{:016x}-{}-{:016x}", view.incarnation, range.first, view.number, part_hash(&bytes));
    Ok(Some(Image { held, ..chunked(id, &bytes, plain) }))
}

/// Bytes, once `plain` of them, as an item of so many chunks.
pub(crate) fn chunked(id: String, bytes: &Bytes, plain: usize) -> Image {
    let starts = (0..bytes.len()).step_by(CHUNK_BYTES);
    let chunks: Vec<Bytes> = starts.map(|at| bytes.slice(at..bytes.len().min(at + CHUNK_BYTES))).collect();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let id = PartId { id, chunks: count(chunks.len()), bytes: count(bytes.len()), plain: count(plain) };
    Image { id, chunks, held: Held::default() }
}

/// Hands the cells in an image's chunks to `restore`, which may have got some of them before an error.
///
/// # Errors
/// If the bytes are damaged, or of another part; the first error of `restore`.
pub(crate) fn open_image(
    name: &PartName,
    chunks: &[Bytes],
    mut restore: impl FnMut(&Change) -> Result<(), String>,
) -> Result<(), String> {
    let bytes = match chunks {
        [whole] => Cow::Borrowed(whole.as_ref()),
        several => Cow::Owned(several.concat()),
    };
    let image: PartImage = Plain::open(&bytes)?.read(&mut restore)?;
    // A name may say a later s than the image: the commit that says so states again what changed between them.
    if image.range != name.range || image.as_of > name.as_of {
        return Err(format!(
            "it holds {:?} as of {}, not {:?} as of {}",
            image.range, image.as_of, name.range, name.as_of
        ));
    }
    image.cells.iter().try_for_each(restore)
}
