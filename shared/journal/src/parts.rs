//! The parts of a shard's state: which images stand for which keys, and when they are renewed.
//!
//! An image is as of s = n − 1, the view that the put of commit n is conditioned on: a function of the history, so two
//! writers of one name write the same. The loader applies to it every record after s.

use bytes::Bytes;
use tidemill_core::{PartRange, part_hash};

use crate::record::PartImage;
use crate::{Error, JournalId, PartId, PartName, Record, Ring, State, View, frame};

/// Images are renewed once the records since then outweigh the image, and this.
const RENEW_BYTES: usize = 1 << 20;
/// An item of DynamoDB has at most 400 KB; the rest is for names and envelope.
const CHUNK_BYTES: usize = 350_000;

/// All parts after the view's last commit, in order of their ranges, which tile the hash space.
#[derive(Clone, Debug)]
pub(crate) struct Parts(Vec<Part>);

#[derive(Clone, Debug)]
struct Part {
    name: PartName,
    /// Bytes of the records behind `as_of`.
    grown: usize,
    /// Whether a record behind `as_of` changed a cell of the part.
    touched: bool,
}

impl Part {
    const fn new(name: PartName) -> Self {
        Self { name, grown: 0, touched: false }
    }

    fn image_bytes(&self) -> usize {
        self.name.image.as_ref().map_or(0, |image| image.chunks as usize * CHUNK_BYTES)
    }
}

/// An image that must be written before the commit that names it.
pub(crate) struct Image {
    pub(crate) id: PartId,
    pub(crate) chunks: Vec<Bytes>,
}

/// What a commit does to the parts.
#[derive(Default)]
pub(crate) struct Renewal {
    pub(crate) names: Vec<PartName>,
    pub(crate) images: Vec<Image>,
    /// Images that nothing names once the commit is acknowledged.
    pub(crate) replaced: Vec<PartId>,
}

impl Parts {
    /// Of a journal whose records are all that there is: nothing named yet.
    pub(crate) const fn unnamed() -> Self {
        Self(Vec::new())
    }

    /// The name under which all keys begin: empty as of nothing.
    pub(crate) const fn empty_name() -> PartName {
        PartName { range: PartRange::ALL, image: None, as_of: 0 }
    }

    /// Takes over the names of `record`, then its changes. A name stands for its range in place of what was there.
    pub(crate) fn advance(&mut self, record: &Record, size: usize) {
        for name in &record.parts {
            self.0.retain(|part| part.name.range.last < name.range.first || part.name.range.first > name.range.last);
            self.0.push(Part::new(name.clone()));
        }
        self.0.sort_by_key(|part| part.name.range);
        for part in &mut self.0 {
            part.grown += size;
            part.touched = part.touched || record.changes.iter().any(|change| part.name.range.contains(&change.key));
        }
    }

    /// Whether the ranges tile the whole hash space.
    pub(crate) fn are_complete(&self) -> bool {
        let follows = |pair: &[Part]| pair[0].name.range.last.checked_add(1) == Some(pair[1].name.range.first);
        self.0.first().is_some_and(|part| part.name.range.first == 0)
            && self.0.last().is_some_and(|part| part.name.range.last == u64::MAX)
            && self.0.windows(2).all(follows)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &PartName> {
        self.0.iter().map(|part| &part.name)
    }

    /// s of the part in which a key lies: its image holds the records up to it.
    pub(crate) fn as_of(&self, key: &[u8]) -> Option<u64> {
        let hash = part_hash(key);
        self.names().find(|name| (name.range.first..=name.range.last).contains(&hash)).map(|name| name.as_of)
    }

    /// The smallest s after a commit that names `renewed`.
    fn oldest_after(&self, renewed: &[PartName]) -> u64 {
        let kept = self.names().filter(|name| !renewed.iter().any(|new| new.range == name.range));
        kept.chain(renewed).map(|name| name.as_of).min().unwrap_or(0)
    }
}

impl Renewal {
    /// `oldest` of the commit that carries this renewal.
    pub(crate) fn oldest(&self, parts: &Parts) -> u64 {
        parts.oldest_after(&self.names)
    }
}

/// What commit n+1 of this view must and should renew. `state` is as of n.
///
/// I5: a part with s ≤ (n+1) − R is renewed now, or its records would be overwritten. A part that no record in (s, n]
/// touched keeps its image under a new s.
pub(crate) fn plan(journal: &JournalId, view: &View, state: &(impl State + ?Sized)) -> Result<Renewal, Error> {
    let mut renewal = Renewal::default();
    let due = view.parts.0.iter().filter(|part| must_renew(part, view) || should_renew(part));
    for part in due {
        let mut name = PartName { as_of: view.number, ..part.name.clone() };
        if part.touched {
            let image = take_image(journal, view, part.name.range, state)?;
            renewal.replaced.extend(name.image.take());
            name.image = image.as_ref().map(|image| image.id.clone());
            renewal.images.extend(image);
        }
        renewal.names.push(name);
    }
    let named = |id: &PartId| renewal.images.iter().any(|image| image.id == *id);
    renewal.replaced = std::mem::take(&mut renewal.replaced).into_iter().filter(|id| !named(id)).collect();
    Ok(renewal)
}

fn must_renew(part: &Part, view: &View) -> bool {
    part.name.as_of + u64::from(Ring::slots(view.ring)) <= view.number + 1
}

fn should_renew(part: &Part) -> bool {
    part.grown >= RENEW_BYTES.max(part.image_bytes())
}

fn take_image(
    journal: &JournalId,
    view: &View,
    range: PartRange,
    state: &(impl State + ?Sized),
) -> Result<Option<Image>, Error> {
    let encode = |why| Error::Encode { journal: journal.clone(), number: view.number + 1, why };
    let cells = state.image(&range).map_err(|reject| encode(reject.message))?;
    if cells.is_empty() {
        return Ok(None);
    }
    let image = PartImage { incarnation: view.incarnation, range, as_of: view.number, cells };
    let bytes = Bytes::from(frame::seal(&image).map_err(encode)?);
    let chunks: Vec<Bytes> =
        (0..bytes.len()).step_by(CHUNK_BYTES).map(|at| bytes.slice(at..bytes.len().min(at + CHUNK_BYTES))).collect();
    let id = PartId {
        // Two versions of the code may encode one state differently: the content is part of the name.
        id: format!("{}-{:016x}-{}-{:016x}", view.incarnation, range.first, view.number, part_hash(&bytes)),
        chunks: u32::try_from(chunks.len()).unwrap_or(u32::MAX),
    };
    Ok(Some(Image { id, chunks }))
}

/// The cells in an image's chunks.
///
/// # Errors
/// If the bytes are damaged, or of another part.
pub(crate) fn open_image(name: &PartName, chunks: &[Bytes]) -> Result<PartImage, String> {
    let image: PartImage = frame::open(&chunks.concat())?;
    // A name may say a later s than the image: nothing touched the part between them.
    if image.range == name.range && image.as_of <= name.as_of {
        Ok(image)
    } else {
        Err(format!("it holds {:?} as of {}, not {:?} as of {}", image.range, image.as_of, name.range, name.as_of))
    }
}
