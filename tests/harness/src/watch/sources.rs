//! When the source of the functions changes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::cargo;
use crate::error::Error;
use crate::template::{Code, Function};

/// How long nothing must happen behind a change: editors and version control write many files at once.
const QUIET: Duration = Duration::from_millis(150);

/// The packages of a workspace and a template, watched.
pub(super) struct Sources {
    changes: mpsc::UnboundedReceiver<PathBuf>,
    template: PathBuf,
    _watcher: RecommendedWatcher,
}

impl Sources {
    /// Watches the packages of the workspace in `folder`: their manifests, build scripts and `src`; and the programs of
    /// `functions` that somebody else builds.
    pub(super) async fn watch(folder: &Path, template: &Path, functions: &[Function]) -> Result<Self, Error> {
        let codes: BTreeSet<&Code> = functions.iter().map(|function| &function.code).collect();
        let has_packages = functions.is_empty() || codes.iter().any(|code| matches!(code, Code::Binary(_)));
        let programs: BTreeSet<PathBuf> = codes.into_iter().filter_map(program).collect();
        let built = programs.clone();
        let (out, changes) = mpsc::unbounded_channel();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let Ok(Event { kind, paths, .. }) = event else { return };
            if !matches!(kind, EventKind::Access(_)) {
                for path in paths.into_iter().filter(|path| is_source(path) || built.contains(path)) {
                    // Nobody listens any more if this fails.
                    let _ = out.send(path);
                }
            }
        })
        .map_err(|error| failed(folder, &error))?;
        let mut watch = |path: &Path, mode| watcher.watch(path, mode).map_err(|error| failed(path, &error));
        watch(folder, RecursiveMode::NonRecursive)?;
        for program in &programs {
            // Not the file: a build puts another one in its place.
            watch(program.parent().unwrap_or(folder), RecursiveMode::NonRecursive)?;
        }
        for package in if has_packages { cargo::packages(folder).await? } else { Vec::new() } {
            // Not all of the package: the workspace's `target` may lie in it.
            if package != folder {
                watch(&package, RecursiveMode::NonRecursive)?;
            }
            let src = package.join("src");
            if src.is_dir() {
                watch(&src, RecursiveMode::Recursive)?;
            }
        }
        Ok(Self { changes, template: template.to_path_buf(), _watcher: watcher })
    }

    /// Waits for a change, and until it is over; says whether the template was among it.
    pub(super) async fn changed(&mut self) -> Result<bool, Error> {
        let gone = || Error::NotFound(String::from("nothing is watched any more: the watcher ended"));
        let mut template = self.changes.recv().await.ok_or_else(gone)? == self.template;
        while let Ok(Some(path)) = tokio::time::timeout(QUIET, self.changes.recv()).await {
            template |= path == self.template;
        }
        Ok(template)
    }
}

/// The program that somebody else builds.
fn program(code: &Code) -> Option<PathBuf> {
    match code {
        Code::Binary(_) => None,
        Code::Bootstrap(path) => Some(path.clone()),
    }
}

/// Whether a change of a file can change what is built, or what is run.
fn is_source(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let temporary = name.starts_with('.') || name.ends_with('~');
    let manifest = ["Cargo.toml", "build.rs", "template.yaml", "template.yml"].contains(&name);
    !temporary && (manifest || path.components().any(|part| part.as_os_str() == "src"))
}

fn failed(path: &Path, error: &notify::Error) -> Error {
    Error::NotFound(format!("cannot watch {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_editors_and_cargo_leave_about_is_no_source() {
        for path in ["w/src/lib.rs", "w/src/views/mod.rs", "w/Cargo.toml", "w/build.rs", "template.yaml"] {
            assert!(is_source(Path::new(path)), "{path}");
        }
        for path in ["w/src/.lib.rs.swp", "w/src/lib.rs~", "w/Cargo.lock", "w/target", "w/README.md"] {
            assert!(!is_source(Path::new(path)), "{path}");
        }
    }

    #[tokio::test]
    async fn many_changes_at_once_are_one() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(folder.join("src")).unwrap();
        std::fs::write(folder.join("Cargo.toml"), "[package]\nname = \"p\"\n[workspace]\n").unwrap();
        std::fs::write(folder.join("src/lib.rs"), "").unwrap();
        let template = folder.join("template.yaml");
        let mut sources = Sources::watch(&folder, &template, &[]).await.unwrap();
        for number in 0..5 {
            std::fs::write(folder.join("src/lib.rs"), format!("// {number}")).unwrap();
        }
        assert!(!sources.changed().await.unwrap());
        std::fs::write(&template, "").unwrap();
        assert!(sources.changed().await.unwrap());
        std::fs::write(folder.join("notes"), "").unwrap();
        assert!(tokio::time::timeout(2 * QUIET, sources.changed()).await.is_err(), "a note is no source");
    }
}
