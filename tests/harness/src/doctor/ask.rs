//! Asking a function's program what its pipeline is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::cargo::Binary;
use crate::error::Error;
use crate::findings::Findings;
use crate::input::{self, Record};
use crate::progress::Progress;
use crate::scenario::Scenario;
use crate::template::{Given, REGION, Template};

/// The variable that asks (`tidemill::settings::DESCRIBE`).
const DESCRIBE: &str = "TIDEMILL_DESCRIBE";
/// How long a program may take to answer: what Lambda gives it to start.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many records of a scenario a program is asked about.
const SAMPLE: usize = 1_000;
/// What a program inherits; everything else comes from the template.
const INHERITED: [&str; 5] = ["PATH", "HOME", "TMPDIR", "LANG", "RUST_BACKTRACE"];
/// How much of a program's last words is shown.
const LAST_LINES: usize = 10;

/// What a program tells of its pipeline.
#[derive(Debug, Clone, Deserialize)]
pub struct Description {
    /// Its name.
    pub pipeline: String,
    /// Whether it keeps state by key.
    pub keyed: bool,
    /// Under which partition keys its records come, and its results go on.
    pub routes: Routes,
    /// The variables that it reads.
    pub reads: Vec<Reads>,
    /// For each record that was asked about, the partition key under which it must come, if that can be told.
    partition_keys: Vec<Option<String>>,
}

/// Under which partition keys records come to a pipeline, and its results go on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Routes {
    /// The key's own text.
    Key,
    /// What a closure takes of the key.
    Part,
    /// One for all.
    Constant(String),
    /// Without key: the one that the record came under.
    Record,
    /// Without key: what a closure takes of the event.
    Assigned,
}

/// A variable that a program reads.
#[derive(Debug, Clone, Deserialize)]
pub struct Reads {
    /// Its name.
    pub name: String,
    /// What it holds, if the program does not start without it.
    pub needed: Option<String>,
}

/// A program that was asked.
#[derive(Debug)]
pub struct Asked {
    /// The function's logical id.
    pub id: String,
    /// The Cargo binary.
    pub binary: String,
    /// The program itself, which holds the names that it reads.
    pub program: Vec<u8>,
    /// What it told, or why it did not.
    pub told: Result<Description, Silence>,
    /// The scenarios that feed it.
    pub fed: Vec<Fed>,
}

/// Why a program told nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silence {
    /// It cannot be built here.
    Unbuilt(String),
    /// It ended otherwise: its last words.
    Mute(String),
}

/// A scenario, and what a program says of its records.
#[derive(Debug)]
pub struct Fed {
    /// The scenario.
    pub scenario: Scenario,
    /// The partition keys under which it puts records, each with the one that the pipeline takes.
    pub keys: Vec<(String, String)>,
}

/// Builds the programs of a template's pipelines and asks each. Functions that are no Cargo binaries are left out.
pub async fn ask(template: &Template, progress: &dyn Progress) -> Result<Vec<Asked>, Error> {
    let mut asked = Vec::new();
    for given in template.given(&mut Findings::default()) {
        let is_pipeline = given.variables.keys().any(|name| name.starts_with("TIDEMILL_"));
        let Some(binary) = given.binary.as_deref().filter(|_| is_pipeline) else { continue };
        asked.push(match (Binary { folder: template.folder(), name: binary, release: false }).build(progress).await {
            Ok(program) => {
                progress.phase(&format!("asking {binary}"));
                of(template.folder(), &given, binary, &program).await?
            }
            // What the template alone tells is worth telling all the same.
            Err(Error::Build { why, .. }) => Asked {
                id: given.id.clone(),
                binary: binary.to_owned(),
                program: Vec::new(),
                told: Err(Silence::Unbuilt(why)),
                fed: Vec::new(),
            },
            Err(other) => return Err(other),
        });
    }
    Ok(asked)
}

async fn of(folder: &Path, given: &Given, binary: &str, program: &Path) -> Result<Asked, Error> {
    let scenarios = feeding(folder, &given.id)?;
    let payloads: Vec<&Record> = scenarios.iter().flat_map(|(_, records)| records).collect();
    let told = answer(program, folder, &given.variables, &payloads).await?;
    let mut wanted = told.as_ref().map_or(&[][..], |told| &told.partition_keys).iter();
    let keys = |records: Vec<Record>| -> Vec<(String, String)> {
        let pairs = records.into_iter().zip(wanted.by_ref());
        pairs.filter_map(|(record, wanted)| Some((record.partition_key, wanted.clone()?))).collect()
    };
    let fed = scenarios.into_iter().scan(keys, |keys, (scenario, records)| Some(Fed { scenario, keys: keys(records) }));
    let fed = fed.collect();
    let told = told.map_err(Silence::Mute);
    let bytes = std::fs::read(program).map_err(|source| Error::reading(program, source))?;
    Ok(Asked { id: given.id.clone(), binary: binary.to_owned(), program: bytes, told, fed })
}

/// The scenarios whose records go to that function first, each with the first of them. One that cannot be read is for a
/// replay to tell of.
fn feeding(folder: &Path, id: &str) -> Result<Vec<(Scenario, Vec<Record>)>, Error> {
    let mut feeding = Vec::new();
    for name in Scenario::names(folder) {
        let mut findings = Findings::default();
        let Some(scenario) = Scenario::load(folder, &name, &mut findings)? else { continue };
        if findings.into_warnings().is_err() || scenario.functions.first().is_none_or(|first| first != id) {
            continue;
        }
        let mut records = input::read(&scenario.input, &scenario.partition_key, &mut Findings::default())?;
        records.truncate(SAMPLE);
        feeding.push((scenario, records));
    }
    Ok(feeding)
}

/// What the program answers, or its last words.
async fn answer(
    program: &Path,
    folder: &Path,
    variables: &BTreeMap<String, String>,
    payloads: &[&Record],
) -> Result<Result<Description, String>, Error> {
    let inherited = INHERITED.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)));
    let mut command = Command::new(program);
    command.env_clear().envs(inherited).envs(variables);
    // It is not to reach AWS, whatever it does before it hands over its pipeline.
    command.env("AWS_REGION", REGION).env("AWS_ACCESS_KEY_ID", "none").env("AWS_SECRET_ACCESS_KEY", "none");
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").env("NO_PROXY", "127.0.0.1").env(DESCRIBE, "1");
    command.current_dir(folder).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let not_run = |source| Error::system("ask the program", source);
    let mut process = command.spawn().map_err(not_run)?;
    let input = process.stdin.take();
    let lines = payloads.iter().flat_map(|record| [&record.payload[..], b"\n"]).collect::<Vec<_>>().concat();
    let writing = async {
        if let Some(mut input) = input {
            // A program that ends before it has read says why by itself.
            let _ = input.write_all(&lines).await;
        }
    };
    let ended = tokio::time::timeout(PATIENCE, async { tokio::join!(writing, process.wait_with_output()).1 }).await;
    Ok(match ended {
        Err(_) => Err(format!("it did not answer within {} s", PATIENCE.as_secs())),
        Ok(output) => read(&output.map_err(not_run)?),
    })
}

/// Reads an answer: the last line, since the program may print before.
fn read(output: &Output) -> Result<Description, String> {
    let printed = String::from_utf8_lossy(&output.stdout);
    let last = printed.lines().last().unwrap_or_default();
    if let (true, Ok(told)) = (output.status.success(), serde_json::from_str(last)) {
        return Ok(told);
    }
    let complaints = String::from_utf8_lossy(&output.stderr);
    let complaints: Vec<&str> = complaints.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = complaints.len().saturating_sub(LAST_LINES);
    match &complaints[from..] {
        [] => Err(format!("it ended ({}) without a word", output.status)),
        last => Err(last.join("\n      ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    async fn answered(script: &str, payloads: &[&str]) -> Result<Description, String> {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let record = |text: &&str| Record { payload: text.as_bytes().to_vec().into(), partition_key: String::new() };
        let records: Vec<Record> = payloads.iter().map(record).collect();
        let variables = BTreeMap::from([(String::from("GIVEN"), String::from("g"))]);
        answer(&program, folder.path(), &variables, &records.iter().collect::<Vec<_>>()).await.unwrap()
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_program_answers_on_its_last_line() {
        let script = r#"echo "starting"; read one; echo "{\"pipeline\":\"$GIVEN$TIDEMILL_DESCRIBE\",\"keyed\":true,
            \"routes\":{\"constant\":\"all\"},\"reads\":[],\"partition_keys\":[\"$one\",null]}" | tr -d '\n'"#;
        let told = answered(script, &["a", "b"]).await.unwrap();
        assert_eq!((told.pipeline.as_str(), told.keyed), ("g1", true));
        assert_eq!(told.routes, Routes::Constant(String::from("all")));
        assert_eq!(told.partition_keys, [Some(String::from("a")), None]);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_last_words_of_one_that_does_not_answer_are_kept() {
        assert_eq!(answered("echo no such file >&2; exit 3", &[]).await.unwrap_err(), "no such file");
        let silent = answered("exit 3", &["a"]).await.unwrap_err();
        assert!(silent.contains("exit status: 3") && silent.ends_with("without a word"), "{silent}");
        assert!(answered("echo '{}'", &[]).await.is_err());
    }
}
