//! `cargo tidemill tail`.

use std::io::{self, Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::Value;

use crate::error::Error;
use crate::kept::Kept;
use crate::streams::{Follower, From, Streams, Taken, read_kept, resolve};
use crate::template::Template;

use super::outputs::unless_closed;
use super::place::PlaceArguments;
use super::serve::ended;
use super::style::Style;
use super::table::printable;

const EXAMPLES: &str = "\
Examples:
  cargo tidemill tail departures                      what comes from now on, until Ctrl-C
  cargo tidemill tail departures --from start         all that is there, and what comes
  cargo tidemill tail departures --from 10m --for 5s  what came in the last ten minutes
  cargo tidemill tail departures --count 1 --json     the next record, whole
  cargo tidemill tail departures --run departures     what a kept run sent (replay --keep)
  cargo tidemill tail quarantine --raw --aws          payloads as they are

STREAM is a stream's name, its logical id in the template, or what a pipeline calls it. All shards are followed, and \
those that come of them. Results are CloudEvents: their data is shown, behind what they are about.";

/// Options of `tail`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TailArguments {
    /// The stream
    stream: String,

    /// Where to begin: latest, start, a time, or how long ago
    #[arg(long, value_name = "latest|start|TIME", default_value = "latest", value_parser = super::duration::from)]
    from: From,

    /// End after N records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// End after so long, such as 10s
    #[arg(long = "for", value_name = "TIME", value_parser = super::duration::parse)]
    lasts: Option<Duration>,

    /// Print what the kept run of this scenario sent there, and end
    #[arg(long, value_name = "SCENARIO", conflicts_with_all = ["account", "from", "lasts"], help_heading = "Where")]
    run: Option<String>,

    #[command(flatten)]
    place: PlaceArguments,

    /// Print payloads as they are, one a line
    #[arg(long, conflicts_with = "json")]
    raw: bool,

    /// Print each record as one JSON object: shard, sequence number, partition key, arrival, data
    #[arg(long)]
    json: bool,
}

/// Prints records until there are enough, the time is over, nobody reads them, or the user ends it.
pub(super) async fn run(arguments: TailArguments, template: Option<PathBuf>) -> Result<ExitCode, Error> {
    if let Some(scenario) = &arguments.run {
        return arguments.print_kept(scenario, template.as_deref());
    }
    // Asked before anything is shown: a signal that comes at once counts.
    let ended = ended()?;
    let streams = Streams::open(&arguments.place.place(), template.as_deref()).await?;
    let stream = resolve(&streams, &arguments.stream, template.as_deref()).await?;
    let mut follower = Follower::begin(&streams, &stream, arguments.from).await?;
    let shards = follower.shards;
    let of = if shards == 1 { String::from("1 shard") } else { format!("{shards} shards") };
    let style = Style::of_stderr();
    eprintln!("{}", style.dim(&format!("{stream} ({of}) in {}, until {}", streams.from, arguments.until())));
    tokio::select! {
        printed = arguments.print(&mut follower) => printed?,
        () = over(arguments.lasts) => {}
        () = ended => {}
    }
    Ok(ExitCode::SUCCESS)
}

async fn over(lasts: Option<Duration>) {
    match lasts {
        Some(lasts) => tokio::time::sleep(lasts).await,
        None => std::future::pending().await,
    }
}

impl TailArguments {
    fn until(&self) -> String {
        match (self.count, self.lasts) {
            (Some(1), _) => String::from("1 record came"),
            (Some(count), _) => format!("{count} records came"),
            (None, Some(lasts)) => format!("{} s are over", lasts.as_secs_f64()),
            (None, None) => String::from("Ctrl-C"),
        }
    }

    /// Prints the records of a run that is over.
    fn print_kept(&self, scenario: &str, template: Option<&Path>) -> Result<ExitCode, Error> {
        let here = std::env::current_dir().map_err(|source| Error::system("tell the current folder", source))?;
        let path = Template::locate(template, &here)?;
        let account = Kept::beside(path.parent().unwrap_or(&here)).run(scenario);
        if account.since().is_none() {
            return Err(Error::NotFound(format!(
                "no run of `{scenario}` is kept: `cargo tidemill replay {scenario} --keep` keeps one"
            )));
        }
        let style = Style::of_stdout();
        let wanted = self.count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
        let records = read_kept(&account, &self.stream, template)?;
        let written = records.iter().take(wanted).try_for_each(|taken| self.write(taken, style));
        unless_closed(written).map_err(|source| Error::writing(Path::new("standard output"), source))?;
        Ok(ExitCode::SUCCESS)
    }

    async fn print(&self, follower: &mut Follower) -> Result<(), Error> {
        let style = Style::of_stdout();
        let mut count = 0;
        while self.count.is_none_or(|wanted| count < wanted) {
            let taken = follower.next().await?;
            match self.write(&taken, style) {
                Ok(()) => count += 1,
                // Nobody reads on.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                Err(error) => return Err(Error::writing(Path::new("standard output"), error)),
            }
        }
        Ok(())
    }

    fn write(&self, taken: &Taken, style: Style) -> io::Result<()> {
        let mut out = stdout().lock();
        if self.raw {
            out.write_all(&taken.data)?;
            out.write_all(b"\n")?;
        } else if self.json {
            writeln!(out, "{}", taken.line())?;
        } else {
            writeln!(out, "{}", pretty(taken, style))?;
        }
        out.flush()
    }
}

/// When a record came, what it is about, and what it says.
fn pretty(taken: &Taken, style: Style) -> String {
    let event = serde_json::from_slice::<Value>(&taken.data).ok();
    let event = event.as_ref().filter(|event| event["specversion"] == "1.0");
    let kind = event.and_then(|event| event["type"].as_str()).unwrap_or_default();
    let time = event.and_then(|event| event["time"].as_str()).map_or_else(|| arrival(taken.arrival), str::to_owned);
    let subject = event.and_then(|event| event["subject"].as_str()).unwrap_or(&taken.partition_key);
    let data = match event {
        Some(event) => event["data"].to_string(),
        None => String::from_utf8_lossy(&taken.data).into_owned(),
    };
    let mark = match kind {
        "tidemill.late" => format!("{} ", style.yellow("late")),
        "tidemill.quarantine" => format!("{} ", style.red("quarantined")),
        _ => String::new(),
    };
    format!("{} {} {mark}{}", style.dim(&printable(&time)), style.bold(&printable(subject)), printable(&data))
}

fn arrival(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of any time that a stream has seen fit")]
    let millis = (seconds * 1_000.0) as i64;
    Timestamp::from_millisecond(millis).map_or_else(|_| String::from("?"), |time| format!("{time:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(data: &str) -> String {
        let taken = Taken {
            shard: None,
            sequence_number: String::from("1"),
            partition_key: String::from("k"),
            arrival: 1_767_225_600.25,
            data: data.as_bytes().to_vec(),
        };
        pretty(&taken, Style::plain())
    }

    #[test]
    fn an_event_is_shown_by_its_subject_and_data() {
        let event = r#"{"specversion":"1.0","type":"tidemill.late","time":"2026-01-01T00:00:00Z","subject":"JFK","data":{"n":1}}"#;
        assert_eq!(shown(event), r#"2026-01-01T00:00:00Z JFK late {"n":1}"#);
    }

    #[test]
    fn anything_else_is_shown_as_it_came_and_moves_no_cursor() {
        assert_eq!(shown(r#"{"n":1}"#), r#"2026-01-01T00:00:00.250Z k {"n":1}"#);
        assert_eq!(shown("a\u{1b}[2J"), r"2026-01-01T00:00:00.250Z k a\u{1b}[2J");
    }
}
