//! Moving a journal on to the newest format.

use crate::catch_up::{CaughtUp, catch_up};
use crate::commit::{self, Draft};
use crate::flush;
use crate::{Committed, Deadline, Error, Format, JournalId, Kind, State, Store, View};

/// How often a commit that others were quicker than is tried anew.
const ATTEMPTS: u32 = 16;

/// How an upgrade ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgraded {
    /// By a commit: everything from it on is in the newest format.
    Done {
        /// The format until then.
        from: Format,
        /// How many outputs of the commit before are not known to be acknowledged: they stand in this one again.
        carried: usize,
    },
    /// It was in the newest format.
    Already,
    /// Nothing is written any more behind the last record (I6).
    Ended(Kind),
    /// Others wrote so much that the view lost the journal, or were quicker every time: load it and try again.
    Outrun,
}

/// Commits a record that changes nothing but the format; with a `state` of any kind that gives back what it restored.
///
/// Whoever upgrades a journal has not got its pipeline's sinks, and cannot flush. So outputs that may not be acknowledged
/// are carried along, with their ids: the last record then still holds all that is unflushed, and whoever commits next
/// sends it before (I3, I4). Parts and records of earlier formats stay as they are until they are renewed.
///
/// # Errors
/// Those of [`commit`](crate::commit()) and [`catch_up()`]; in case of the latter view and state are to be thrown away.
pub async fn upgrade<S: Store, T: State + ?Sized>(
    store: &S,
    journal: &JournalId,
    view: &mut View,
    state: &mut T,
    deadline: Deadline,
) -> Result<Upgraded, Error> {
    for _ in 0..ATTEMPTS {
        if view.format >= Format::NEWEST {
            return Ok(Upgraded::Already);
        }
        if matches!(view.kind, Kind::Seal | Kind::Drain) {
            return Ok(Upgraded::Ended(view.kind));
        }
        let (from, draft) = (view.format, unchanged(store, journal, view).await);
        let carried = draft.outputs.len();
        match commit::write(store, journal, view, Format::NEWEST, draft, state, deadline).await? {
            Committed::Done => return Ok(Upgraded::Done { from, carried }),
            Committed::Conflict => {
                if catch_up(store, journal, view, state).await? == CaughtUp::Lost {
                    return Ok(Upgraded::Outrun);
                }
            }
            Committed::TooLarge { bytes } => {
                let why = format!("it would take {bytes} bytes");
                return Err(Error::encode(journal, view.number + 1, why));
            }
        }
    }
    Ok(Upgraded::Outrun)
}

/// What stands in the journal already.
async fn unchanged<S: Store>(store: &S, journal: &JournalId, view: &View) -> Draft {
    let flushed = view.flushed || flush::is_marked(store, journal, view).await;
    Draft {
        kind: Kind::Data,
        position: view.position.clone(),
        progress: view.progress.clone(),
        changes: Vec::new(),
        outputs: if flushed { Vec::new() } else { view.outputs.clone() },
        gap: None,
        tick: None,
        may_spill: true,
    }
}
