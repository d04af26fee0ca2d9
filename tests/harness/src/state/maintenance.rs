//! What is done to journals from outside, through the commit protocol and its rules.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidemill_core::EventTime;
use tidemill_journal::{Deadline, JournalId, Store, Sweepable, Swept, Upgraded, load, sweep, upgrade};

use crate::error::Error;

use super::cells::Cells;

/// How often a journal is read anew that functions write to meanwhile.
const ATTEMPTS: u32 = 5;

/// How a journal stands after an upgrade: what was done, and the last commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// What was done.
    pub upgraded: Upgraded,
    /// The last commit.
    pub number: u64,
}

/// Moves a journal on to the newest format. Reads its whole state, whatever it is of: a commit may have to write a part.
pub async fn upgrade_journal(store: &impl Store, journal: &JournalId) -> Result<Done, Error> {
    for _ in 0..ATTEMPTS {
        let loaded = load(store, journal, None, || Box::new(Cells::default())).await?;
        let Some((mut view, mut cells)) = loaded else {
            return Err(Error::NotFound(format!("journal {journal} has no commit any more: it was dropped meanwhile")));
        };
        let upgraded = upgrade(store, journal, &mut view, cells.as_mut(), Deadline::NONE).await?;
        if upgraded != Upgraded::Outrun {
            return Ok(Done { upgraded, number: view.number() });
        }
    }
    Err(Error::NotFound(format!(
        "journal {journal} was written to faster than it could be upgraded: try again when its shard is quieter"
    )))
}

/// Deletes the orphans of these journals; with `rehearsal` it tells only. Takes this machine's clock for the time.
pub async fn sweep_journals(
    store: &impl Sweepable,
    chosen: impl Fn(&JournalId) -> bool,
    older_than: Duration,
    rehearsal: bool,
) -> Result<Swept, Error> {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = EventTime::from_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX));
    let swept = sweep(store, chosen, now, older_than, rehearsal).await;
    swept.map_err(|error| Error::Journal(error.into()))
}
