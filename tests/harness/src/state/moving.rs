//! A pipeline's state between tables, names and lives: export, import, restore, drop.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidemill_core::EventTime;
use tidemill_journal::{
    Erasable, Incarnation, JournalId, Kind, Schema, Snapshot, Store, View, drop, head, import, load, restore,
};

use crate::error::Error;

use super::archive::{Contents, Exported, Reader, Summary, Writer};
use super::cells::Cells;
use super::lineage::{self, Shard};

/// Reads a journal as of its last commit.
pub async fn read(store: &impl Store, journal: &JournalId) -> Result<Exported, Error> {
    let loaded = load(store, journal, None, || Box::new(Cells::default())).await?;
    let Some((view, cells)) = loaded else {
        return Err(Error::NotFound(format!("journal {journal} has no commit any more: it was dropped meanwhile")));
    };
    let snapshot = Snapshot::of(store, journal, &view).await;
    Ok(Exported::new(snapshot, view.incarnation(), view.number(), *cells))
}

/// Exports journals of one pipeline into a new file, and tells of each. How many bytes the file has.
///
/// Children before parents: one that has begun has sealed its parents, so what is read of them afterwards is what it began
/// with. The other way round, a parent could be read before its last records, and a child with them.
pub async fn export(
    store: &impl Store,
    journals: &[JournalId],
    file: &Path,
    mut tell: impl FnMut(&Summary),
) -> Result<u64, Error> {
    let pipeline = journals.first().map_or("", |journal| &journal.pipeline);
    let mut writer = Writer::create(file, pipeline, now())?;
    // Shards are numbered as they come about.
    let mut journals: Vec<&JournalId> = journals.iter().collect();
    journals.sort_by(|one, other| other.cmp(one));
    for journal in journals {
        let exported = read(store, journal).await?;
        writer.shard(&exported)?;
        tell(&exported.summary());
    }
    writer.finish()
}

/// Where a journal stands in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The journal.
    pub journal: JournalId,
    /// Its incarnation and last commit; an error's text if it cannot be read.
    pub head: Result<Option<(Incarnation, u64)>, String>,
}

/// Where journals stand. What cannot be read is told, and is no reason not to go on: it may be what is to be thrown away.
pub async fn standings(store: &impl Store, journals: &[JournalId]) -> Result<Vec<Standing>, Error> {
    let mut standings = Vec::new();
    for journal in journals {
        let head = match head(store, journal).await {
            Ok(head) => Ok(head),
            Err(error @ tidemill_journal::Error::Store(_)) => return Err(error.into()),
            Err(unreadable) => Err(unreadable.to_string()),
        };
        standings.push(Standing { journal: journal.clone(), head });
    }
    Ok(standings)
}

/// Looks twice, so far apart, and refuses what moved meanwhile.
pub async fn check_quiet(store: &impl Store, before: &[Standing], apart: Duration) -> Result<(), Error> {
    tokio::time::sleep(apart).await;
    let journals: Vec<JournalId> = before.iter().map(|standing| standing.journal.clone()).collect();
    let moved = standings(store, &journals).await?.into_iter().zip(before).find(|(now, before)| now != *before);
    let Some((now, before)) = moved else { return Ok(()) };
    let commit = |standing: &Standing| match &standing.head {
        Ok(Some((_, number))) => format!("commit {number}"),
        Ok(None) => "nothing".to_owned(),
        Err(_) => "something unreadable".to_owned(),
    };
    Err(Error::Option(format!(
        "{} of {} went from {} to {} in {} s: a function is at work. Stop it, as told above, wait until it has ended, and \
         run this again",
        now.journal.shard,
        now.journal.pipeline,
        commit(before),
        commit(&now),
        apart.as_secs()
    )))
}

/// What a shard of a file is called under another name.
pub fn renamed(journal: &JournalId, pipeline: Option<&str>) -> JournalId {
    let pipeline = pipeline.unwrap_or(&journal.pipeline).to_owned();
    JournalId { pipeline, ..journal.clone() }
}

/// Whether journals are put where there are none, or in the place of what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Into {
    /// Where there are none.
    Nothing,
    /// In the place of what is there.
    Place,
}

/// Begins the journals of a file, under another name if one is given, and tells of each.
pub async fn bring(
    store: &impl Erasable,
    file: &Path,
    pipeline: Option<&str>,
    into: Into,
    mut tell: impl FnMut(&JournalId, &Summary),
) -> Result<(), Error> {
    let mut reader = Reader::open(file)?;
    while let Some(exported) = reader.shard()? {
        let journal = renamed(&exported.snapshot.schema.journal, pipeline);
        let schema = Schema { journal: journal.clone(), ..exported.snapshot.schema.clone() };
        let snapshot = Snapshot { schema, ..exported.snapshot.clone() };
        match into {
            Into::Nothing => import(store, &snapshot, draw(), exported.state()).await?,
            Into::Place => std::mem::drop(restore(store, &snapshot, draw(), exported.state()).await?),
        }
        tell(&journal, &exported.summary());
    }
    Ok(())
}

/// What becomes of a journal that is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// It begins anew, empty.
    Begun,
    /// It is not there; it begins when its parents are through.
    Left,
}

/// What is to become of each of a pipeline's journals when all are dropped. Reads their names.
pub async fn plan_drop(store: &impl Store, journals: &[JournalId]) -> Result<Vec<(JournalId, Dropped)>, Error> {
    let mut views: Vec<Option<View>> = Vec::new();
    for journal in journals {
        match load(store, journal, None, || Box::new(Cells::default())).await {
            Ok(loaded) => views.push(loaded.map(|(view, _)| view)),
            Err(error @ tidemill_journal::Error::Store(_)) => return Err(error.into()),
            Err(_) => views.push(None),
        }
    }
    let becomes = |view: &Option<View>| {
        let is_child =
            view.as_ref().is_some_and(|view| views.iter().flatten().any(|other| of(view).is_child_of(&of(other))));
        // One that cannot be read may be a child if any shard was split or merged.
        let is_unknown = view.is_none() && views.iter().flatten().any(|other| other.kind() == Kind::Seal);
        if is_child || is_unknown { Dropped::Left } else { Dropped::Begun }
    };
    let mut plan: Vec<(JournalId, Dropped)> = journals.iter().cloned().zip(views.iter().map(becomes)).collect();
    // Children first: while their parents are sealed, a drop that broke off still knows them.
    plan.sort_by_key(|(_, becomes)| *becomes == Dropped::Begun);
    Ok(plan)
}

fn of(view: &View) -> Shard<'_> {
    Shard { schema: view.schema(), kind: view.kind(), progress: view.progress() }
}

/// Drops one journal.
pub async fn drop_journal(store: &impl Erasable, journal: &JournalId, becomes: Dropped) -> Result<(), Error> {
    let begins = (becomes == Dropped::Begun).then(draw);
    drop(store, journal, begins).await?;
    Ok(())
}

/// When a mapping must begin at the latest for the shards of a file; `None` if only the stream's start will do.
pub fn begin_at(contents: &Contents) -> Option<EventTime> {
    let shard = |summary: &'_ Summary| summary.snapshot.clone();
    let snapshots: Vec<Snapshot> = contents.shards.iter().map(shard).collect();
    let shards: Vec<Shard<'_>> = snapshots
        .iter()
        .map(|snapshot| Shard { schema: &snapshot.schema, kind: snapshot.kind, progress: &snapshot.progress })
        .collect();
    lineage::begin(&shards)
}

/// This machine's clock.
pub fn now() -> EventTime {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    EventTime::from_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

fn draw() -> Incarnation {
    Incarnation(fastrand::u64(..))
}
