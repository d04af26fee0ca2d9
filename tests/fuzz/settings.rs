//! Files that a user writes.

use std::path::PathBuf;

use tempfile::TempDir;
use tidemill_harness::findings::Findings;
use tidemill_harness::scenario::Scenario;
use tidemill_harness::template::Template;

use crate::targets::files;

pub(crate) fn templates() -> Vec<Vec<u8>> {
    files("", "yaml")
}

pub(crate) fn scenarios() -> Vec<Vec<u8>> {
    ["departures", "routes", "rotations"]
        .into_iter()
        .flat_map(|name| files(&format!("events/{name}"), "toml"))
        .collect()
}

thread_local! {
    static FOLDER: TempDir = tempfile::tempdir().expect("a folder");
}

/// The file, written so, in a folder of its own.
fn written(path: &str, bytes: &[u8]) -> PathBuf {
    let path = FOLDER.with(|folder| folder.path().join(path));
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(&path, bytes).expect("a file");
    path
}

pub(crate) fn template(bytes: &[u8]) {
    let (path, mut findings) = (written("template.yaml", bytes), Findings::default());
    if let Ok(Some(template)) = Template::load(&path, &mut findings) {
        for given in template.given(&mut findings) {
            drop(given);
        }
    }
}

pub(crate) fn scenario(bytes: &[u8]) {
    written("events/x/scenario.toml", bytes);
    let folder = FOLDER.with(|folder| folder.path().to_path_buf());
    let _ = Scenario::load(&folder, "x", &mut Findings::default());
}
