//! Building a function with Cargo.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::Command;

use crate::error::Error;
use crate::findings::listed;
use crate::progress::Progress;

/// A binary of the workspace that a template belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Binary<'a> {
    /// The folder that Cargo runs in.
    pub folder: &'a Path,
    /// The name.
    pub name: &'a str,
    /// Whether it is built with the release profile.
    pub release: bool,
}

/// What `cargo metadata` says, as far as it matters here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// A line that `cargo build` writes for programs to read.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

/// The folders of the packages of the workspace in `folder`.
pub async fn packages(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let metadata = Binary { folder, name: "", release: false }.read_metadata().await?;
    let folders = metadata.packages.iter().filter_map(|package| Some(package.manifest_path.parent()?.to_path_buf()));
    Ok(folders.collect())
}

impl Binary<'_> {
    /// Builds the binary and says where it is. A first build shows Cargo's own progress, since it
    /// takes minutes; later ones are silent unless they fail.
    pub async fn build(self, progress: &dyn Progress) -> Result<PathBuf, Error> {
        let metadata = self.metadata().await?;
        let profile = if self.release { "release" } else { "debug" };
        let file = format!("{}{}", self.name, std::env::consts::EXE_SUFFIX);
        let first = !metadata.target_directory.join(profile).join(file).is_file();
        if first {
            let name = self.name;
            progress.warn(&format!("building `{name}` for the first time takes about 2 to 4 minutes"));
            progress.pause();
        } else {
            progress.phase(&format!("building {}", self.name));
        }
        // From the root, whichever member the template belongs to: what is built is shared by all of them then.
        Binary { folder: &metadata.workspace_root, ..self }.compile(first).await
    }

    /// What the workspace has.
    async fn read_metadata(self) -> Result<Metadata, Error> {
        let output = self.cargo(&["metadata", "--no-deps", "--format-version", "1"]).output().await;
        let Output { status, stdout, stderr } = output.map_err(no_cargo)?;
        if !status.success() {
            return Err(self.failed(status, &stderr));
        }
        serde_json::from_slice(&stdout)
            .map_err(|error| self.error(format!("cargo metadata answered something else: {error}")))
    }

    /// What the workspace has; an error if this binary is not among it.
    async fn metadata(self) -> Result<Metadata, Error> {
        let metadata = self.read_metadata().await?;
        let mut binaries = metadata.binaries();
        if binaries.any(|binary| binary == self.name) {
            drop(binaries);
            return Ok(metadata);
        }
        let known = listed(metadata.binaries());
        Err(self.error(format!("the workspace has no such binary; its binaries are {known}")))
    }

    async fn compile(self, shown: bool) -> Result<PathBuf, Error> {
        let mut arguments = vec!["build", "--bin", self.name, "--message-format=json-render-diagnostics"];
        if self.release {
            arguments.push("--release");
        }
        if !shown {
            arguments.push("--quiet");
        }
        let stderr = if shown { Stdio::inherit() } else { Stdio::piped() };
        let mut cargo = self.cargo(&arguments).stderr(stderr).spawn().map_err(no_cargo)?;
        let (stdout, stderr) = (cargo.stdout.take(), cargo.stderr.take());
        let (executable, complaints) = tokio::join!(executable(stdout, self.name), all(stderr));
        let status = cargo.wait().await.map_err(no_cargo)?;
        if !status.success() {
            return Err(self.failed(status, &complaints));
        }
        executable.ok_or_else(|| self.error(String::from("Cargo built it but does not say where it is")))
    }

    /// Cargo, with an environment as if the harness had not itself been started by Cargo: what
    /// `cargo run` sets would make it build parts of the workspace again.
    fn cargo(self, arguments: &[&str]) -> Command {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(set_by_cargo_run) {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .current_dir(self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    fn failed(self, status: ExitStatus, complaints: &[u8]) -> Error {
        let complaints = String::from_utf8_lossy(complaints);
        self.error(match complaints.trim() {
            "" => format!("cargo failed ({status}), see above"),
            complaints => format!("cargo failed ({status})\n{complaints}"),
        })
    }

    fn error(self, why: String) -> Error {
        let binary = self.name.to_owned();
        Error::Build { binary, why }
    }
}

impl Metadata {
    fn binaries(&self) -> impl Iterator<Item = &str> {
        let targets = self.packages.iter().flat_map(|package| &package.targets);
        targets.filter(|target| target.kind.iter().any(|kind| kind == "bin")).map(|target| target.name.as_str())
    }
}

fn set_by_cargo_run(name: &str) -> bool {
    const PREFIXES: [&str; 3] = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_"];
    const NAMES: [&str; 5] =
        ["CARGO", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "LD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn no_cargo(source: std::io::Error) -> Error {
    Error::system("run cargo", source)
}

/// Reads Cargo's messages to their end for the one that names the binary's file.
async fn executable(messages: Option<impl AsyncRead + Unpin>, name: &str) -> Option<PathBuf> {
    let mut found = None;
    let mut lines = BufReader::new(messages?).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(message) = serde_json::from_str::<Message>(&line) else {
            continue;
        };
        if message.target.is_some_and(|target| target.name == name) {
            found = message.executable.or(found);
        }
    }
    found
}

async fn all(output: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut text = Vec::new();
    if let Some(mut output) = output {
        // What could not be read is missing from an error message, no more.
        let _ = output.read_to_end(&mut text).await;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_run_sets_is_told_from_what_the_user_sets() {
        for name in ["CARGO", "CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_BIN_NAME", "LD_LIBRARY_PATH"] {
            assert!(set_by_cargo_run(name), "{name}");
        }
        for name in ["CARGO_HOME", "CARGO_TARGET_DIR", "RUSTUP_TOOLCHAIN", "CARGO_TERM_COLOR"] {
            assert!(!set_by_cargo_run(name), "{name}");
        }
    }

    #[tokio::test]
    async fn the_message_that_names_the_binary_is_found() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"departures","kind":["lib"]},"executable":null}
{"reason":"compiler-artifact","target":{"name":"departures","kind":["bin"]},"executable":"/t/debug/departures"}
{"reason":"build-finished","success":true}
"#;
        let found = executable(Some(messages.as_bytes()), "departures").await;
        assert_eq!(found, Some(PathBuf::from("/t/debug/departures")));
    }
}
