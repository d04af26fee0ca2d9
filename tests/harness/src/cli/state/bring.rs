//! `cargo tidemill state import` and `state restore`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tidemill_journal::JournalId;

use crate::error::Error;
use crate::findings::listed;
use crate::state::Opened;
use crate::state::archive::{Contents, Reader, Summary};
use crate::state::moving::{Dropped, Into, Standing, begin_at, bring, check_quiet, drop_journal, renamed, standings};

use super::export::line;
use super::steps::{Begin, Confirmation};
use super::{Place, tell_where};

const IMPORT_NOTES: &str = "\
Examples:
  cargo tidemill state import departures.state.zst --as departures-2         told only
  cargo tidemill state import departures.state.zst --as departures-2 --yes
  cargo tidemill state import departures.state.zst --aws --table OTHER --yes

The pipeline goes on exactly where the file has it: records of before come again and
are told by the position. Its function must be of the same operator, key and version,
or it refuses the state and says what differs. A file is of shards of one stream, by
their sequence numbers: it cannot be brought to another stream, or to shards that
own other keys, since which shard a key belongs to is for the pipeline's code to say.
There, begin from nothing (with a new name) and let windows fill.";

const RESTORE_NOTES: &str = "\
Examples:
  cargo tidemill state restore departures.state.zst                          told only
  cargo tidemill state restore departures.state.zst --yes
A table that DynamoDB restored to a point in time holds journals of then:
  cargo tidemill state export departures --to then.state.zst --aws --table RESTORED
  cargo tidemill state restore then.state.zst --aws --table STACK-Journal-1ABC --yes

What is there is deleted, and the state begins another life, under a new incarnation:
what it sends is new to whoever drops repeats by ids. So what was sent behind the
file's commit goes out once more; a table as sink keeps one of each, and so does
whoever goes by `resultkey`. Run again, it begins from the start.";

/// Options of `state import`.
#[derive(Debug, Args)]
#[command(after_help = IMPORT_NOTES)]
pub(super) struct ImportArguments {
    /// The file
    file: PathBuf,

    /// The pipeline's name from now on [default: the file's]
    #[arg(long = "as", value_name = "NAME")]
    pipeline: Option<String>,

    #[command(flatten)]
    confirmation: Confirmation,

    #[command(flatten)]
    place: Place,
}

/// Options of `state restore`.
#[derive(Debug, Args)]
#[command(after_help = RESTORE_NOTES)]
pub(super) struct RestoreArguments {
    /// The file
    file: PathBuf,

    #[command(flatten)]
    confirmation: Confirmation,

    #[command(flatten)]
    place: Place,
}

/// Begins journals where there are none.
pub(super) async fn import(arguments: &ImportArguments, template: Option<PathBuf>) -> Result<ExitCode, Error> {
    let ImportArguments { file, pipeline, confirmation, place } = arguments;
    if let Some(name) = pipeline {
        check_name(name)?;
    }
    let contents = Reader::check(file)?;
    let name = pipeline.as_deref();
    let opened = Opened::open_to_change(&place.options(template)).await?;
    tell_where(&opened);
    let journals = journals_of(&contents, name);
    let there = opened.journals_if_any().await?;
    let taken: Vec<&str> = there
        .iter()
        .filter(|there| there.pipeline == *target(&contents, name))
        .map(|there| there.shard.as_str())
        .collect();
    if !taken.is_empty() {
        return Err(Error::Option(format!(
            "pipeline `{}` has journals in table `{}` already, of {}: take another name with --as, or put it in their place \
             with `state restore` (after `state drop` too: what that begins anew is a journal)",
            target(&contents, name),
            opened.table,
            listed(taken)
        )));
    }
    for told in contents_lines(&contents) {
        println!("{told}");
    }
    println!("begins {} of `{}`", shards(journals.len()), target(&contents, name));
    let behind = confirmation.behind(&streams(&journals), Begin::of(begin_at(&contents)), true);
    if !confirmation.is_given() {
        return Ok(only_told(&behind));
    }
    bring(&opened.store, file, name, Into::Nothing, |journal, summary| println!("{}", begun(journal, summary))).await?;
    behind.iter().for_each(|line| println!("{line}"));
    Ok(ExitCode::SUCCESS)
}

/// Puts a file's state in the place of what is there.
pub(super) async fn restore(arguments: &RestoreArguments, template: Option<PathBuf>) -> Result<ExitCode, Error> {
    let RestoreArguments { file, confirmation, place } = arguments;
    let contents = Reader::check(file)?;
    let opened = Opened::open_to_change(&place.options(template)).await?;
    tell_where(&opened);
    let journals = journals_of(&contents, None);
    let streams = streams(&journals);
    let there = opened.journals_if_any().await?;
    let of_pipeline = |there: &&JournalId| there.pipeline == contents.header.pipeline;
    let others: Vec<JournalId> =
        there.iter().filter(of_pipeline).filter(|at| !journals.contains(at)).cloned().collect();
    let all: Vec<JournalId> = journals.iter().chain(&others).cloned().collect();
    let standing = standings(&opened.store, &all).await?;
    confirmation.before(&streams).iter().for_each(|line| println!("{line}"));
    for (summary, standing) in contents.shards.iter().zip(&standing) {
        println!("{}", compared(summary, standing));
    }
    for other in &others {
        println!("{}  is not in the file: deleted, begins when its parents are through", other.shard);
    }
    let behind = confirmation.behind(&streams, Begin::of(begin_at(&contents)), false);
    if !confirmation.is_given() {
        return Ok(only_told(&behind));
    }
    check_quiet(&opened.store, &standing, confirmation.apart(opened.is_kept())).await?;
    for other in &others {
        drop_journal(&opened.store, other, Dropped::Left).await?;
        println!("deleted {}", other.shard);
    }
    bring(&opened.store, file, None, Into::Place, |journal, summary| println!("{}", begun(journal, summary))).await?;
    behind.iter().for_each(|line| println!("{line}"));
    Ok(ExitCode::SUCCESS)
}

/// Says that nothing was done, and what would come behind.
pub(super) fn only_told(behind: &[String]) -> ExitCode {
    behind.iter().for_each(|line| println!("{line}"));
    println!("nothing was changed: --yes does it");
    ExitCode::SUCCESS
}

/// A name as a pipeline may have it, so that its journals can be found again.
fn check_name(name: &str) -> Result<(), Error> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && name.len() <= 64 && name.chars().all(is_plain) {
        return Ok(());
    }
    Err(Error::Option(format!("--as: `{name}` is no pipeline's name: letters, digits, `-`, `_` and `.`, at most 64")))
}

fn target<'a>(contents: &'a Contents, pipeline: Option<&'a str>) -> &'a str {
    pipeline.unwrap_or(&contents.header.pipeline)
}

fn journals_of(contents: &Contents, pipeline: Option<&str>) -> Vec<JournalId> {
    contents.shards.iter().map(|shard| renamed(&shard.snapshot.schema.journal, pipeline)).collect()
}

/// The streams of journals, each once.
pub(super) fn streams(journals: &[JournalId]) -> Vec<&str> {
    journals.iter().map(|journal| journal.stream.as_str()).collect::<BTreeSet<_>>().into_iter().collect()
}

pub(super) fn shards(count: usize) -> String {
    if count == 1 { String::from("1 shard") } else { format!("{count} shards") }
}

fn contents_lines(contents: &Contents) -> Vec<String> {
    let header = &contents.header;
    let mut lines = vec![format!("state of `{}`, exported {} by {}", header.pipeline, header.exported, header.by)];
    lines.extend(contents.shards.iter().map(line));
    lines
}

/// What is in the file against what is there.
fn compared(summary: &Summary, standing: &Standing) -> String {
    let there = match &standing.head {
        Err(unreadable) => format!("in the place of what cannot be read ({unreadable})"),
        Ok(None) => String::from("where there is nothing"),
        Ok(Some((incarnation, number))) if *incarnation != summary.incarnation => {
            format!("in the place of commit {number} of another life")
        }
        Ok(Some((_, number))) if *number > summary.commit => {
            let behind = number - summary.commit;
            format!("in the place of commit {number}: what {behind} commits sent is sent again")
        }
        Ok(Some((_, number))) => format!("in the place of commit {number}"),
    };
    format!("{}\n  {there}", line(summary))
}

fn begun(journal: &JournalId, summary: &Summary) -> String {
    format!("begun {}  {}, from commit {}", journal.pipeline, journal.shard, summary.commit)
}
