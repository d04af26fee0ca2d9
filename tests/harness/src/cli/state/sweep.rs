//! `cargo tidemill state sweep`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tidemill_journal::{Count, LONGEST_LIFE, Swept};

use crate::error::Error;
use crate::state::Opened;
use crate::state::maintenance::sweep_journals;

use super::super::summary::grouped;
use super::{Place, tell_where};

const NOTES: &str = "\
A function stores a part of its state before the commit that names it. If that commit
fails, the part is an orphan. One is deleted when no commit names it and it is older
than any function's environment can live. Parts of early versions do not say when they
were written: a sweep with --delete stamps them, and a later one deletes them.
A shard that was split or merged hands its state on: when its children have begun, the
first sweep with --delete notes it, and one a day later frees what the parent holds.
Reads the whole table (on AWS: one read unit per 4 KB). Functions may run meanwhile.";

/// Options of `state sweep`.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct SweepArguments {
    /// The pipeline; all of them if left out
    pipeline: Option<String>,

    /// Delete, in place of telling what would be
    #[arg(long)]
    delete: bool,

    /// Only what is older, in hours or days; 24h is the least
    #[arg(long, value_name = "AGE", default_value = "24h", value_parser = age)]
    older_than: Duration,

    #[command(flatten)]
    place: Place,
}

/// Tells what there is, and deletes it if so asked.
pub(super) async fn run(arguments: &SweepArguments, template: Option<PathBuf>) -> Result<ExitCode, Error> {
    let SweepArguments { pipeline, delete, older_than, place } = arguments;
    let opened = Opened::open_to_change(&place.options(template)).await?;
    tell_where(&opened);
    let asked = |journal: &tidemill_journal::JournalId| pipeline.as_ref().is_none_or(|name| journal.pipeline == *name);
    let swept = sweep_journals(&opened.store, asked, *older_than, !delete).await?;
    for line in lines(&swept, *delete) {
        println!("{line}");
    }
    if swept.unread.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    // Their parts were left alone.
    let unread: Vec<String> = swept.unread.iter().map(ToString::to_string).collect();
    Err(Error::NotFound(unread.join("\n")))
}

fn lines(swept: &Swept, delete: bool) -> Vec<String> {
    let line = |what: &str, Count { items, bytes }: Count| {
        format!("{what:<24} {:>9} items {:>15} bytes", grouped(items), grouped(bytes))
    };
    let [stamped, deleted, freed] = if delete {
        ["stamped, had no age", "deleted", "freed of sealed shards"]
    } else {
        ["without an age", "to be deleted", "to be freed, sealed"]
    };
    let mut lines = vec![
        line("in use", swept.named),
        line("too young to tell", swept.young),
        line(stamped, swept.stamped),
        line(deleted, swept.deleted),
    ];
    lines.extend((swept.freed.items > 0).then(|| line(freed, swept.freed)));
    lines.extend((swept.waiting > 0).then(|| {
        format!("{:<24} {:>9} shards, since whose children have begun no day has passed", "sealed", swept.waiting)
    }));
    lines
}

/// An age as `36h` or `7d`.
fn age(text: &str) -> Result<Duration, String> {
    let hours = |digits: &str, each: u64| digits.parse::<u64>().ok()?.checked_mul(each);
    let hours = match text.as_bytes().last() {
        Some(b'h') => hours(&text[..text.len() - 1], 1),
        Some(b'd') => hours(&text[..text.len() - 1], 24),
        _ => None,
    };
    // More than a thousand years are as good as never.
    let age = hours.map(|hours| Duration::from_hours(hours.min(10_000_000)));
    match age {
        None => Err(String::from("give hours or days, such as 36h or 7d")),
        Some(age) if age < LONGEST_LIFE => {
            Err(String::from("24h is the least: so long a function may live, and name what it wrote"))
        }
        Some(age) => Ok(age),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_in_hours_or_days_and_not_too_short() {
        assert_eq!(age("36h"), Ok(Duration::from_hours(36)));
        assert_eq!(age("7d"), Ok(Duration::from_hours(168)));
        assert!(age("23h").is_err_and(|why| why.contains("24h is the least")));
        assert!(age("99999999999999999999d").is_err() && age("18446744073709551615h").is_ok());
        for odd in ["", "h", "24", "1w", "-3d", "1.5d", "\u{e9}"] {
            assert!(age(odd).is_err(), "{odd}");
        }
    }
}
