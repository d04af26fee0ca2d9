//! `cargo tidemill redrive`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use crate::error::Error;
use crate::kept::Kept;
use crate::redrive::{Entry, Known, Ledger, Sorted, Wanted, sort};
use crate::streams::{From, Streams, Taken, read_kept, resolve};
use crate::template::Template;

use super::place::PlaceArguments;
use super::style::Style;
use super::summary::grouped;
use super::table::{cut, printable};

const EXAMPLES: &str = "\
Examples:
  cargo tidemill redrive                                  what would be put back, and where
  cargo tidemill redrive --reason undecodable --since 2h  of one reason, of the last two hours
  cargo tidemill redrive --pipeline departures --apply    put them back
  cargo tidemill redrive --run departures --apply         from a kept run, into what runs here
  cargo tidemill redrive --aws --quarantine STACK-Quarantine-1X --apply

A record goes back to the stream that it came from, under its partition key, as a new one: the pipeline judges it under \
the watermark of then, so it may be late. What was put back is written down in .tidemill/redriven.jsonl, and is not put \
back again. What an attempt that ended was about to put back may have been taken: it is told, and put back with \
--doubtful only.";

/// How many records go back at once, between two notes.
const AT_ONCE: usize = 100;
/// How many are shown one by one.
const SHOWN: usize = 10;
/// How many messages of a reason are shown.
const MESSAGES: usize = 3;

/// Options of `redrive`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RedriveArguments {
    /// The quarantine stream
    #[arg(long, value_name = "STREAM", default_value = "quarantine")]
    quarantine: String,

    /// Put them on this stream, not on the one that they came from
    #[arg(long, value_name = "STREAM")]
    to: Option<String>,

    /// Only those with this reason; may be given several times
    #[arg(long, value_name = "REASON", help_heading = "Which")]
    reason: Vec<String>,

    /// Only those of this pipeline
    #[arg(long, value_name = "NAME", help_heading = "Which")]
    pipeline: Option<String>,

    /// Only those that came to the quarantine since: a time, or how long ago
    #[arg(long, value_name = "TIME", value_parser = super::duration::instant, help_heading = "Which")]
    since: Option<Timestamp>,

    /// Also those of which nobody knows whether an earlier attempt put them back
    #[arg(long, help_heading = "Which")]
    doubtful: bool,

    /// Take them from the kept run of this scenario
    #[arg(long, value_name = "SCENARIO", help_heading = "Where")]
    run: Option<String>,

    #[command(flatten)]
    place: PlaceArguments,

    /// Put them back; without it, only what would be done is shown
    #[arg(long)]
    apply: bool,
}

/// Shows what would be put back, or puts it back.
pub(super) async fn run(arguments: RedriveArguments, template: Option<PathBuf>) -> Result<ExitCode, Error> {
    let here = std::env::current_dir().map_err(|source| Error::system("tell the current folder", source))?;
    let found = Template::locate(template.as_deref(), &here)?;
    let folder = found.parent().unwrap_or(&here);
    let (records, from) = arguments.quarantined(folder, template.as_deref()).await?;
    let mut ledger = Ledger::open(folder)?;
    let wanted = Wanted { reasons: arguments.reason.clone(), pipeline: arguments.pipeline.clone() };
    let mut sorted = sort(&records, &wanted, &ledger);
    let style = Style::of_stderr();
    eprintln!("{}", style.dim(&cut(&format!("quarantine in {from}"))));
    eprint!("{}", text(&sorted, style));
    if arguments.doubtful {
        sorted.due.append(&mut sorted.doubtful);
    }
    if sorted.due.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    if !arguments.apply {
        eprintln!("nothing was put back: --apply does it. They may be late by then");
        return Ok(ExitCode::SUCCESS);
    }
    let streams = Streams::open(&arguments.place.place(), template.as_deref()).await?;
    put_back(&streams, arguments.to.as_deref(), template.as_deref(), &sorted.due, &mut ledger).await
}

impl RedriveArguments {
    /// What the quarantine holds, and where that is.
    async fn quarantined(&self, folder: &Path, template: Option<&Path>) -> Result<(Vec<Taken>, String), Error> {
        let since = |taken: &Taken| self.since.is_none_or(|since| taken.arrival * 1_000.0 >= millis(since));
        if let Some(scenario) = &self.run {
            let kept = Kept::beside(folder);
            if !kept.runs().contains(scenario) {
                return Err(Error::NotFound(format!(
                    "no run of `{scenario}` is kept here: `cargo tidemill replay {scenario} --keep`"
                )));
            }
            let name = crate::streams::called(template).into_iter().find(|(name, _)| *name == self.quarantine);
            let name = name.map_or_else(|| self.quarantine.clone(), |(_, stream)| stream);
            let mut records = read_kept(&kept.run(scenario), &name, None)?;
            records.retain(since);
            return Ok((records, format!("the kept run of {scenario}")));
        }
        let streams = Streams::open(&self.place.place(), template).await?;
        let stream = resolve(&streams, &self.quarantine, template).await?;
        let from = self.since.map_or(From::Start, From::Time);
        let records = streams.all(&stream, from).await?;
        Ok((records, format!("{stream} in {}", streams.from)))
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since the epoch are exact in 53 bits")]
fn millis(time: Timestamp) -> f64 {
    time.as_millisecond() as f64
}

/// Puts records back, stream by stream, and notes each before and behind.
async fn put_back(
    streams: &Streams,
    to: Option<&str>,
    template: Option<&Path>,
    due: &[Entry],
    ledger: &mut Ledger,
) -> Result<ExitCode, Error> {
    let mut by_stream: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in due {
        by_stream.entry(to.unwrap_or(&entry.identity.stream)).or_default().push(entry);
    }
    let mut refused = 0;
    for (stream, entries) in by_stream {
        let stream = resolve(streams, stream, template).await?;
        let mut taken = 0;
        for entries in entries.chunks(AT_ONCE) {
            let records: Vec<_> = entries.iter().map(|entry| entry.record.clone()).collect();
            ledger.note(entries.iter().copied(), Known::Begun)?;
            let put = streams.put(&stream, &records).await?;
            ledger.note(put.places.iter().map(|(index, _)| entries[*index]), Known::Done)?;
            taken += put.taken;
            for one in put.refused {
                refused += 1;
                eprintln!("not taken: record {} of {}: {}", entries[one.index].identity.sequence, stream, one.why);
            }
        }
        println!("put back {} on {stream}", grouped(taken));
    }
    eprintln!("noted in {}", crate::findings::shown(ledger.path()).display());
    Ok(ExitCode::from(u8::from(refused > 0)))
}

fn text(sorted: &Sorted, style: Style) -> String {
    let Sorted { due, done, doubtful, unfit, repeats, unwanted } = sorted;
    let mut text = groups(due, style);
    if due.is_empty() {
        text.push_str("nothing is to be put back\n");
    }
    let mut note = |count: usize, what: &str| {
        if count > 0 {
            text.push_str(&format!("  {count} {what}\n"));
        }
    };
    note(*done, "put back before");
    note(*repeats, "stand there once more");
    note(doubtful.len(), "that an earlier attempt may have put back before it ended: --doubtful puts them back too");
    for ((pipeline, reason), count) in unwanted {
        note(*count, &printable(&format!("not asked for, refused by {pipeline}: {reason}")));
    }
    note(unfit.len(), "that cannot be put back:");
    for unfit in unfit.iter().take(SHOWN) {
        text.push_str(&format!("    {}: {}\n", unfit.sequence_number, unfit.why));
    }
    text
}

/// Entries by where they go, who refused them and why, each with what was said of most of them.
fn groups(due: &[Entry], style: Style) -> String {
    let mut groups: BTreeMap<(&str, &str, &str), BTreeMap<&str, usize>> = BTreeMap::new();
    for entry in due {
        let group = (entry.identity.stream.as_str(), entry.pipeline.as_str(), entry.reason.as_str());
        *groups.entry(group).or_default().entry(&entry.message).or_default() += 1;
    }
    let mut text = String::new();
    for ((stream, pipeline, reason), messages) in groups {
        let count: usize = messages.values().sum();
        let head = format!("{count} to {stream}, refused by {pipeline}: {reason}");
        text.push_str(&format!("{}\n", style.bold(&printable(&head))));
        let mut messages: Vec<(&str, usize)> = messages.into_iter().collect();
        messages.sort_by_key(|(_, count)| Reverse(*count));
        for (message, count) in messages.iter().take(MESSAGES) {
            text.push_str(&format!("  {}\n", style.dim(&cut(&printable(&format!("{count}: {message}"))))));
        }
        let left: usize = messages.iter().skip(MESSAGES).map(|(_, count)| count).sum();
        if left > 0 {
            text.push_str(&format!("  {}\n", style.dim(&format!("{left}: in other words"))));
        }
    }
    text
}
