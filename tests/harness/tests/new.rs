//! `new`: the project that it makes builds, replays as expected, and passes its tests.

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
