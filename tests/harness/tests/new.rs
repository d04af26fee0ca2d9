//! `new`: the project that it makes builds, replays as expected, and passes its tests; and what `doctor` finds in it once
//! its template and its program do not fit any more.

use std::path::Path;
use std::process::Command;

/// Where this very test was built: the project shares what is built there, and its profile, so that little is built anew.
fn target() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_tidemill")).ancestors().nth(2).expect("<target>/debug/tidemill")
}

/// What a command that succeeds printed, on both outputs.
fn ran(command: &mut Command) -> String {
    let output = command.env("CARGO_TARGET_DIR", target()).env_remove("TIDEMILL_LOG").output().expect("it runs");
    let printed = [output.stdout, output.stderr].map(|printed| String::from_utf8_lossy(&printed).into_owned()).concat();
    assert!(output.status.success(), "{printed}");
    printed
}

#[test]
fn a_new_project_replays_as_expected_and_passes_its_tests() {
    let folder = tempfile::tempdir().expect("a folder");
    // A name that no other package of the target folder has.
    let made = ran(Command::new(env!("CARGO_BIN_EXE_tidemill")).args(["new", "made-by-new"]).current_dir(&folder));
    assert!(made.contains("cd made-by-new"), "{made}");
    let project = folder.path().join("made-by-new");

    let replay = ran(Command::new(env!("CARGO_BIN_EXE_tidemill")).arg("replay").current_dir(&project));
    assert!(replay.contains("as expected: 18 results (expected.jsonl) and 1 late"), "{replay}");

    let cargo = |arguments: &[&str]| {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        for name in ["CARGO", "CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PRIMARY_PACKAGE", "LD_LIBRARY_PATH"] {
            command.env_remove(name);
        }
        ran(command.args(arguments).current_dir(&project))
    };
    // What the checkout has is enough: nothing is fetched.
    let tested = cargo(&["test", "--offline"]);
    assert!(tested.contains("4 passed"), "{tested}");
    cargo(&["fmt", "--check"]);
}

/// A second function of the same program, behind the first one.
const BEHIND: &str = "
  BehindFunction:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: seen-by-doctor}}
    Properties:
      CodeUri: .
      Runtime: provided.al2023
      MemorySize: 512
      Timeout: 60
      Role: arn:aws:iam::1:role/r
      Environment:
        Variables:
          TIDEMILL_JOURNAL_TABLE: !Ref Journal
          TIDEMILL_STREAM_RESULTS: !Ref Further
          TIDEMILL_STREAM_LATE: !Ref Late
          TIDEMILL_QUARANTINE: !Ref Quarantine
      Events:
        Source:
          Type: Kinesis
          Properties:
            Stream: !GetAtt Results.Arn
            StartingPosition: TRIM_HORIZON
            FunctionResponseTypes: [ReportBatchItemFailures]
  Further: {Type: AWS::Kinesis::Stream}
";

/// What `doctor` says of a project, each finding as `level of: what`.
fn found(project: &Path) -> Vec<String> {
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    doctor.args(["doctor", "--json"]).current_dir(project).env("CARGO_TARGET_DIR", target());
    let output = doctor.output().expect("it runs");
    let complaints = String::from_utf8_lossy(&output.stderr);
    let found: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).expect(&complaints);
    let text = |found: &serde_json::Value, name: &str| found[name].as_str().unwrap_or_default().to_owned();
    found
        .iter()
        .map(|found| format!("{} {}: {}", text(found, "level"), text(found, "of"), text(found, "what")))
        .collect()
}

fn change(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).expect("it reads");
    assert!(text.contains(from), "{from}");
    std::fs::write(file, text.replacen(from, to, 1)).expect("it writes");
}

#[test]
fn what_only_the_program_knows_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    ran(Command::new(env!("CARGO_BIN_EXE_tidemill")).args(["new", "seen-by-doctor"]).current_dir(&folder));
    let project = folder.path().join("seen-by-doctor");
    let (template, scenario) = (project.join("template.yaml"), project.join("events/seen-by-doctor/scenario.toml"));
    assert_eq!(found(&project), [""; 0]);

    // A slip, a sink that the pipeline has not, and a variable of nobody's.
    change(&template, "TIDEMILL_STREAM_RESULTS:", "TIDEMILL_STREAM_RESULT:");
    change(
        &template,
        "TIDEMILL_STREAM_LATE:",
        "PAGES_URL: x\n          TIDEMILL_STREAM_ALARMS: !Ref Late\n          #",
    );
    change(&scenario, "partition_key = \"/page\"", "partition_key = { constant = \"all\" }");
    let name = "SeenByDoctorFunction";
    let of = |level: &str, what: &str| format!("{level} {name}: {what}");
    assert_eq!(
        found(&project),
        [
            of(
                "error",
                "scenario `seen-by-doctor` puts 181 of its first 181 records under other partition keys than the \
                         pipeline takes: one under \"all\", and its key asks for \"/pricing\""
            ),
            of("error", "TIDEMILL_STREAM_LATE is not set"),
            of("error", "TIDEMILL_STREAM_RESULTS is not set, and nothing reads TIDEMILL_STREAM_RESULT"),
            of("warning", "PAGES_URL is set, and that name does not occur in the program `seen-by-doctor`"),
            of("warning", "TIDEMILL_STREAM_ALARMS is set, and pipeline `seen-by-doctor` has no sink of that name"),
        ]
    );

    // A pipeline behind it, and no scenario that plays both; a program that does not get as far as its pipeline.
    change(&template, "TIDEMILL_STREAM_RESULT:", "TIDEMILL_STREAM_RESULTS:");
    change(
        &template,
        "PAGES_URL: x\n          TIDEMILL_STREAM_ALARMS: !Ref Late\n          #",
        "TIDEMILL_STREAM_LATE:",
    );
    change(&scenario, "partition_key = { constant = \"all\" }", "partition_key = \"/page\"");
    let text = std::fs::read_to_string(&template).expect("it reads");
    std::fs::write(&template, text + BEHIND).expect("it writes");
    let chained = "warning SeenByDoctorFunction: `BehindFunction` reads what goes to TIDEMILL_STREAM_RESULTS: each result has \
                   its own key as partition key, and the reader's key is asked for; whether these are the same, no scenario \
                   shows";
    let chain = found(&project);
    assert!(chain.iter().any(|found| found == chained), "{chain:#?}");
    change(
        &scenario,
        "function = \"SeenByDoctorFunction\"",
        "functions = [\"SeenByDoctorFunction\", \"BehindFunction\"]",
    );
    let played = found(&project);
    assert!(!played.contains(&chained.to_owned()) && played.len() + 1 == chain.len(), "{played:#?}");

    change(
        &project.join("functions/seen-by-doctor/src/main.rs"),
        "tidemill::lambda::run",
        "std::env::var(\"PAGES_URL\").expect(\"where pages are\");\n    tidemill::lambda::run",
    );
    let silent = found(&project);
    let what = of("error", "its program `seen-by-doctor` does not tell what its pipeline is");
    assert!(silent.contains(&what), "{silent:#?}");
}
