//! A replay that is interrupted leaves nothing: no process, no file.
#![cfg(unix)]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{Project, SCENARIO, TEMPLATE};

/// The process that took the first invocation.
fn function(project: &Project) -> u32 {
    let begun = Instant::now();
    loop {
        let invocations = std::fs::read_to_string(project.folder().join("invocations")).unwrap_or_default();
        if let Some(id) = invocations.split(' ').next().and_then(|id| id.parse().ok()) {
            return id;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "the function is not invoked");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn runs(process: u32) -> bool {
    Command::new("kill").args(["-0", &process.to_string()]).stderr(Stdio::null()).status().expect("kill runs").success()
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_signal_ends_the_functions_and_leaves_no_file() {
    let project = Project::new(TEMPLATE, SCENARIO);
    project.write("Cargo.toml", include_str!("fixtures/function/Cargo.toml"));
    project.write("src/main.rs", include_str!("fixtures/function/src/main.rs"));
    let slow: String = (0..200).map(|n| format!("{{\"key\":\"slow{n}\"}}\n")).collect();
    project.write("events/test/input.jsonl", &slow);
    for signal in ["-INT", "-TERM", "-HUP"] {
        let temporary = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
        command.args(["replay", "--keep"]).current_dir(project.folder()).env("TMPDIR", temporary.path());
        command.env_remove("CARGO_TARGET_DIR").stdout(Stdio::null()).stderr(Stdio::null());
        let mut replay = command.spawn().expect("starts");
        let function = function(&project);
        assert!(runs(function));
        Command::new("kill").args([signal, &replay.id().to_string()]).status().expect("kill runs");
        assert_eq!(replay.wait().expect("ends").code(), Some(130), "{signal}");
        let begun = Instant::now();
        while runs(function) {
            assert!(begun.elapsed() < Duration::from_secs(10), "{signal}: the function goes on");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(files(temporary.path()), [""; 0], "{signal}");
        assert!(!project.folder().join(".tidemill").exists(), "{signal}");
        std::fs::remove_file(project.folder().join("invocations")).expect("removed");
    }
    let outcome = project.tidemill(&["list"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{}", outcome.stdout);
}
