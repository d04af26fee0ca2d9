//! A plain commit.

use tidemill_core::{Change, Progress};
use tidemill_journal::{Draft, Kind};

/// Changes of the state and nothing else.
pub(crate) fn draft(changes: Vec<Change>) -> Draft {
    Draft {
        kind: Kind::Data,
        position: None,
        progress: Progress::start(),
        changes,
        outputs: Vec::new(),
        gap: None,
        tick: None,
        may_spill: true,
    }
}
