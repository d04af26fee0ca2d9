//! The last record of a shard that was split or merged.

use crate::Mutant;
use crate::record::Kind;
use crate::view::View;

/// Whether this view's shard still needs a Seal before a child may take its state over.
pub(crate) fn is_wanted(view: Option<&View>, is_first_parent: bool, mutant: Option<Mutant>) -> bool {
    match mutant {
        Some(Mutant::NoSeal) => view.is_none_or(|view| !view.is_current),
        Some(Mutant::SealOneParent) if !is_first_parent => view.is_none_or(|view| !view.is_current),
        _ => view.is_none_or(|view| view.kind != Kind::Seal),
    }
}

/// Whether a shard with these unfinished timers may be sealed.
pub(crate) fn may_seal(is_firing: bool, mutant: Option<Mutant>) -> bool {
    !is_firing || mutant == Some(Mutant::SealInsideFiring)
}
