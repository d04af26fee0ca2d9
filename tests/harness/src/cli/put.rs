//! `cargo tidemill put`.

use std::io::{BufRead, BufReader, IsTerminal, stdin};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::sync::mpsc;

use crate::error::Error;
use crate::findings::{Findings, listed};
use crate::input::{MAX_RECORD, PartitionKey, Record, check_pointer};
use crate::replay::Chain;
use crate::scenario::Scenario;
use crate::streams::{Put, Streams, resolve};
use crate::template::Template;

use super::place::PlaceArguments;
use super::style::Style;
use super::summary::grouped;

const EXAMPLES: &str = "\
Examples:
  cargo tidemill put flights < events/departures/input.jsonl
  cargo tidemill put flights --partition-key origin < my.jsonl
  head -100 my.jsonl | cargo tidemill put flights --partition-key /origin --every 100ms
  producer | cargo tidemill put flights --aws      what comes, as it comes
  cargo tidemill put lines --key all --endpoint-url http://127.0.0.1:4600 < lines.txt

STREAM is a stream's name, its logical id in the template, or what a pipeline calls it. The rule for partition keys is \
that of the scenario which feeds the stream, unless --partition-key or --key gives one. Each line is a record, as it \
is. Where shards are full, it waits. Exit codes: 0 all taken, 1 some were not, 2 it could not run.";

/// Options of `put`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct PutArguments {
    /// The stream
    stream: String,

    /// The member of a payload that is the partition key: a name, or a JSON pointer such as /bid/auction
    #[arg(long, value_name = "FIELD", group = "rule")]
    partition_key: Option<String>,

    /// One partition key for all records
    #[arg(long, value_name = "TEXT", group = "rule")]
    key: Option<String>,

    /// Read this file in place of the standard input; `-` is the standard input
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,

    /// Put a record at a time, so far apart, such as 100ms or 2s
    #[arg(long, value_name = "TIME", value_parser = super::duration::parse)]
    every: Option<Duration>,

    #[command(flatten)]
    place: PlaceArguments,

    /// Print what became of them as one JSON object
    #[arg(long)]
    json: bool,
}

/// Lines that wait to be put: reading rests while the stream takes no more.
const WAITING: usize = 2_000;
/// How many lines are put at once.
const AT_ONCE: usize = 500;
/// How many refused records are shown one by one.
const SHOWN: usize = 10;

/// A line of the input.
struct Line {
    number: usize,
    text: Vec<u8>,
}

/// Puts all lines, and says what became of them.
pub(super) async fn run(arguments: PutArguments, template: Option<PathBuf>) -> Result<ExitCode, Error> {
    let lines = lines(arguments.input.as_deref())?;
    let streams = Streams::open(&arguments.place.place(), template.as_deref()).await?;
    let stream = resolve(&streams, &arguments.stream, template.as_deref()).await?;
    let rule = arguments.rule(&stream, template.as_deref())?;
    let style = Style::of_stderr();
    eprintln!("{}", style.dim(&format!("{stream} in {}, partition keys {rule}", streams.from)));
    let mut counted = Counted::default();
    counted.put_all(&streams, &stream, &rule, lines, arguments.every).await?;
    if arguments.json {
        println!("{}", counted.json(&stream));
    } else {
        eprint!("{}", counted.text(&stream, style));
    }
    Ok(ExitCode::from(u8::from(!counted.refused.is_empty())))
}

impl PutArguments {
    /// Where partition keys come from.
    fn rule(&self, stream: &str, template: Option<&Path>) -> Result<PartitionKey, Error> {
        if let Some(key) = &self.key {
            return Ok(PartitionKey::Constant(key.clone()));
        }
        if let Some(field) = &self.partition_key {
            let pointer = if field.starts_with('/') { field.clone() } else { format!("/{field}") };
            check_pointer(&pointer).map_err(|why| Error::Option(format!("--partition-key: {why}")))?;
            return Ok(PartitionKey::At(vec![pointer]));
        }
        rule_of_scenario(stream, template).map_err(|why| {
            Error::Option(format!(
                "{why}: give --partition-key FIELD, the member of a payload that is its partition key"
            ))
        })
    }
}

/// The rule of the scenarios that feed a stream, if they agree.
fn rule_of_scenario(stream: &str, template: Option<&Path>) -> Result<PartitionKey, String> {
    let none = || format!("no scenario here feeds `{stream}`, to say where partition keys come from");
    let here = std::env::current_dir().map_err(|_| none())?;
    let path = Template::locate(template, &here).map_err(|_| none())?;
    let mut findings = Findings::default();
    let template = Template::load(&path, &mut findings).ok().flatten().ok_or_else(none)?;
    let mut rules: Vec<(String, PartitionKey)> = Vec::new();
    for name in Scenario::names(template.folder()) {
        let Ok(Some(scenario)) = Scenario::load(template.folder(), &name, &mut findings) else { continue };
        let chain = Chain::read(&template, &scenario, &mut findings);
        if chain.is_some_and(|chain| chain.fed() == stream)
            && !rules.iter().any(|(_, rule)| *rule == scenario.partition_key)
        {
            rules.push((name, scenario.partition_key));
        }
    }
    match rules.as_slice() {
        [] => Err(none()),
        [(_, rule)] => Ok(rule.clone()),
        several => {
            let several: Vec<String> = several.iter().map(|(name, rule)| format!("{rule} ({name})")).collect();
            Err(format!("scenarios feed `{stream}` by {}", listed(several.iter().map(String::as_str))))
        }
    }
}

/// The lines of the input as they come, blank ones left out. The thread ends with its input, or with the process.
fn lines(input: Option<&Path>) -> Result<mpsc::Receiver<std::io::Result<Line>>, Error> {
    let input: Box<dyn BufRead + Send> = match input.filter(|path| path.as_os_str() != "-") {
        Some(path) => {
            Box::new(BufReader::new(std::fs::File::open(path).map_err(|source| Error::reading(path, source))?))
        }
        None => Box::new(BufReader::new(stdin())),
    };
    if stdin().is_terminal() {
        eprintln!("records from the terminal, one a line; Ctrl-D ends them");
    }
    let (out, lines) = mpsc::channel(WAITING);
    std::thread::spawn(move || {
        for (index, text) in input.split(b'\n').enumerate() {
            let line = text.map(|text| Line {
                number: index + 1,
                text: text.strip_suffix(b"\r").map_or(text.clone(), <[u8]>::to_vec),
            });
            let blank = line.as_ref().is_ok_and(|line| line.text.trim_ascii().is_empty());
            let failed = line.is_err();
            if !blank && (out.blocking_send(line).is_err() || failed) {
                return;
            }
        }
    });
    Ok(lines)
}

/// What became of the lines so far.
#[derive(Default)]
struct Counted {
    taken: u64,
    throttled: u64,
    without_key: u64,
    /// Lines that the stream did not take, and why.
    refused: Vec<(usize, String)>,
}

impl Counted {
    async fn put_all(
        &mut self,
        streams: &Streams,
        stream: &str,
        rule: &PartitionKey,
        mut lines: mpsc::Receiver<std::io::Result<Line>>,
        every: Option<Duration>,
    ) -> Result<(), Error> {
        let at_once = if every.is_some() { 1 } else { AT_ONCE };
        loop {
            let mut waiting = Vec::new();
            if lines.recv_many(&mut waiting, at_once).await == 0 {
                return Ok(());
            }
            let waiting = waiting.into_iter().collect::<std::io::Result<Vec<Line>>>();
            let waiting = waiting.map_err(|source| Error::reading(Path::new("the input"), source))?;
            let (numbers, records): (Vec<usize>, Vec<Record>) =
                waiting.into_iter().filter_map(|line| self.record(line, rule)).unzip();
            let put = streams.put(stream, &records).await?;
            self.count(put, &numbers);
            if let Some(every) = every {
                tokio::time::sleep(every).await;
            }
        }
    }

    /// The record of a line. What has no partition key goes under its line's number: judging it is the function's.
    fn record(&mut self, line: Line, rule: &PartitionKey) -> Option<(usize, Record)> {
        let Line { number, text: payload } = line;
        let key = rule.of(&payload);
        self.without_key += u64::from(key.is_err());
        let partition_key = key.unwrap_or_else(|_| number.to_string());
        if payload.len() + partition_key.len() > MAX_RECORD {
            self.refused.push((number, format!("{} bytes; a Kinesis record holds 1 MiB", payload.len())));
            return None;
        }
        Some((number, Record { payload: payload.into(), partition_key }))
    }

    fn count(&mut self, put: Put, numbers: &[usize]) {
        self.taken += put.taken;
        self.throttled += put.throttled;
        self.refused.extend(put.refused.into_iter().map(|refused| (numbers[refused.index], refused.why)));
    }

    fn json(&self, stream: &str) -> serde_json::Value {
        let refused: Vec<_> = self.refused.iter().map(|(line, why)| json!({"line": line, "why": why})).collect();
        json!({
            "stream": stream,
            "records": self.taken,
            "throttled": self.throttled,
            "without_partition_key": self.without_key,
            "refused": refused,
        })
    }

    fn text(&self, stream: &str, style: Style) -> String {
        let mut text = format!("{} {} on {stream}\n", style.green("put"), records(self.taken));
        if self.throttled > 0 {
            text.push_str(&format!("  shards were full {} times, and took them later\n", grouped(self.throttled)));
        }
        if self.without_key > 0 {
            let of = records(self.without_key);
            text.push_str(&format!(
                "  {} {of} without partition key went under their line's number\n",
                style.yellow("note:")
            ));
        }
        for (line, why) in self.refused.iter().take(SHOWN) {
            text.push_str(&format!("  {} line {line}: {why}\n", style.red("refused:")));
        }
        if self.refused.len() > SHOWN {
            text.push_str(&format!("  and {} more\n", grouped((self.refused.len() - SHOWN) as u64)));
        }
        text
    }
}

/// "1 record", "2 records".
fn records(count: u64) -> String {
    format!("{} record{}", grouped(count), if count == 1 { "" } else { "s" })
}
