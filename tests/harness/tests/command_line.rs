//! What the command says about mistakes, and how it exits.

mod support;

use support::{Project, SCENARIO, TEMPLATE};

/// The command fails without having run anything, and its message has all these parts.
#[track_caller]
fn assert_refused(project: &Project, arguments: &[&str], parts: &[&str]) {
    let outcome = project.tidemill(arguments);
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, "");
    for part in parts {
        assert!(outcome.stderr.contains(part), "no `{part}` in:\n{}", outcome.stderr);
    }
}

fn project() -> Project {
    Project::new(TEMPLATE, SCENARIO)
}

#[test]
fn without_a_command_it_prints_its_help() {
    let outcome = project().tidemill(&[]);
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.stdout.contains("Examples:"), "{}", outcome.stdout);
}

#[test]
fn every_command_has_examples() {
    for command in
        ["new", "replay", "cost", "list", "serve", "watch", "put", "tail", "redrive", "state", "doctor", "completions"]
    {
        let outcome = project().tidemill(&[command, "--help"]);
        assert_eq!(outcome.code, Some(0));
        assert!(outcome.stdout.contains("Examples:"), "{}", outcome.stdout);
    }
}

#[test]
fn scenarios_are_listed_with_title_function_and_records() {
    let outcome = project().tidemill(&["list"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let words: Vec<&str> = outcome.stdout.split_whitespace().collect();
    assert_eq!(words, ["test", "Function", "2", "records", "Test"]);
}

#[test]
fn the_template_may_be_named() {
    let (project, elsewhere) = (project(), tempfile::tempdir().expect("no temporary folder"));
    let template = project.folder().join("template.yaml");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.current_dir(elsewhere.path()).arg("list").arg("--template").arg(template);
    let outcome = support::outcome(&mut command);
    assert!(outcome.stdout.starts_with("test"), "{}", outcome.stderr);
}

#[test]
fn a_folder_without_a_template_is_refused() {
    let project = project();
    std::fs::remove_file(project.folder().join("template.yaml")).expect("no template");
    assert_refused(&project, &["list"], &["no template.yaml in", "--template FILE"]);
}

#[test]
fn an_unknown_scenario_is_refused() {
    assert_refused(&project(), &["replay", "departures"], &["no scenario `departures` in events", "there is test"]);
}

#[test]
fn a_scenario_that_is_nearly_one_is_suggested() {
    assert_refused(&project(), &["replay", "tset"], &["there is test; did you mean `test`?"]);
    assert_refused(&project(), &["replya"], &["a similar subcommand exists: 'replay'"]);
}

#[test]
fn the_doctor_says_what_where_why_and_what_to_do() {
    let project = project();
    let outcome = project.tidemill(&["doctor"]);
    assert_eq!(outcome.code, Some(1), "{}{}", outcome.stdout, outcome.stderr);
    for part in [
        "template.yaml:13: error: Function: Timeout is 2 s",
        "  why a request to AWS",
        "  fix set Timeout: 60",
        "cannot be built",
    ] {
        assert!(outcome.stdout.contains(part), "no `{part}` in {}", outcome.stdout);
    }
    let json = project.tidemill(&["doctor", "--json"]);
    let found: serde_json::Value = json.stdout.parse().expect("JSON");
    assert!(
        found
            .as_array()
            .is_some_and(|found| found.iter().any(|found| found["what"] == "TIDEMILL_QUARANTINE is not set"))
    );
    assert_eq!((&found[0]["level"], &found[0]["of"]), (&"warning".into(), &"Function".into()));
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let outcome = project().tidemill(&["completions", shell]);
        assert!(outcome.code == Some(0) && outcome.stdout.contains("replay"));
    }
}

#[test]
fn a_malformed_template_is_refused_with_its_line() {
    let project = Project::new("Resources:\n  In: {Type: [\n  Out: 1\n", SCENARIO);
    assert_refused(&project, &["replay", "test"], &["template.yaml:3: "]);
}

#[test]
fn an_unknown_function_is_refused_where_it_is_named() {
    let project = Project::new(TEMPLATE, &SCENARIO.replace("\"Function\"", "\"Functoin\""));
    assert_refused(
        &project,
        &["replay", "test"],
        &[
            "events/test/scenario.toml:2: `Functoin` is no resource of template.yaml; its functions are Function; did you mean `Function`?",
        ],
    );
}

#[test]
fn unknown_streams_are_refused_where_they_are_named() {
    let template = TEMPLATE.replace("!GetAtt In.Arn", "!GetAtt Inn.Arn").replace("!Ref Out", "elsewhere");
    assert_refused(
        &Project::new(&template, SCENARIO),
        &["replay", "test"],
        &[
            "template.yaml:19: `Inn` is no parameter or resource of this template; there are Function, In, Journal and Out",
            "template.yaml:14: TIDEMILL_STREAM_OUT is `elsewhere`, no stream of this template",
        ],
    );
}

#[test]
fn a_malformed_scenario_is_refused_with_its_line() {
    let project = Project::new(TEMPLATE, &format!("{SCENARIO}sharts = 2\n"));
    assert_refused(&project, &["replay", "test"], &["events/test/scenario.toml:4: unknown field `sharts`"]);
}

#[test]
fn mistakes_in_several_files_are_reported_together() {
    let template = TEMPLATE.replace("BatchSize: 10", "BatchSize: 0");
    let project = Project::new(&template, &format!("{SCENARIO}shards = 0\n"));
    project.write("events/test/expected.jsonl", "{}\nnot json\n");
    assert_refused(
        &project,
        &["replay", "test"],
        &[
            "events/test/scenario.toml:4: shards is 0",
            "template.yaml:21: BatchSize is `0`; a whole number from 1 to 10000 is expected",
            "events/test/expected.jsonl:2: no JSON",
        ],
    );
}

#[test]
fn a_partition_key_that_is_no_pointer_is_refused() {
    assert_refused(
        &project(),
        &["replay", "test", "--partition-key", "key"],
        &["--partition-key: `key` is no JSON pointer; one starts with a slash, like /origin"],
    );
}

#[test]
fn options_out_of_range_are_refused() {
    for (option, value) in [
        ("--batch-size", "0"),
        ("--batch-size", "10001"),
        ("--shards", "0"),
        ("--environments", "many"),
        ("--kill", "-1"),
    ] {
        assert_refused(&project(), &["replay", "test", &format!("{option}={value}")], &[option, value]);
    }
}

#[test]
fn files_that_are_not_there_are_named() {
    let project = project();
    for option in ["--input", "--expect"] {
        assert_refused(&project, &["replay", "test", option, "no.jsonl"], &["cannot read no.jsonl"]);
    }
    assert_refused(
        &project,
        &["replay", "test", "--output", "no/where.jsonl"],
        &["cannot write no/where.jsonl: there is no folder no"],
    );
}

#[test]
fn the_standard_output_has_one_use() {
    assert_refused(&project(), &["replay", "test", "--json", "--output", "-"], &["takes one of --json and a `-`"]);
}

#[test]
fn a_binary_that_the_workspace_does_not_have_is_refused() {
    let project = project();
    project.write("Cargo.toml", "[package]\nname = \"other\"\nedition = \"2024\"\n[workspace]\n");
    project.write("src/main.rs", "fn main() {}\n");
    assert_refused(
        &project,
        &["replay", "test"],
        &["cannot build `function`: the workspace has no such binary; its binaries are other"],
    );
}

#[test]
fn an_artifact_that_cannot_be_run_is_refused() {
    let project = project();
    project.write("bootstrap", "no program");
    for (file, why) in [("none", "No such file"), ("events", "it is a folder"), ("bootstrap", "it is not executable")] {
        let fix = "`cargo lambda build --release --bin function` makes target/lambda/function/bootstrap";
        assert_refused(&project, &["replay", "test", "--artifact", file], &[&format!("--artifact {file}: {why}"), fix]);
    }
    assert_refused(&project, &["replay", "test", "--artifact", "bootstrap", "--release"], &["cannot be used with"]);
}

#[cfg(target_os = "linux")]
#[test]
fn an_artifact_of_another_machine_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let project = project();
    project.write("bootstrap", "\x7fELF");
    let artifact = project.folder().join("bootstrap");
    std::fs::set_permissions(artifact, std::fs::Permissions::from_mode(0o755)).expect("cannot make it executable");
    assert_refused(
        &project,
        &["replay", "test", "--artifact", "bootstrap"],
        &["cannot start ", "bootstrap: it is no program of this machine", "without --arm64"],
    );
}
