//! What runs: copies of what Cargo builds, so that a build in progress, or one that fails, does not touch it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::cargo::Binary;
use crate::error::Error;
use crate::progress::Progress;
use crate::template::Function;

/// The executables of functions, each a copy in a folder of its own; the folder goes with this.
pub(super) struct Executables {
    /// Where Cargo runs.
    workspace: PathBuf,
    /// Where the copies lie.
    folder: PathBuf,
    release: bool,
    /// The binaries, each with when what was copied last was built.
    binaries: BTreeMap<String, Option<SystemTime>>,
}

impl Executables {
    pub(super) fn new(workspace: &Path, folder: PathBuf, functions: &[Function], release: bool) -> Self {
        let binaries = functions.iter().map(|function| (function.binary.clone(), None)).collect();
        Self { workspace: workspace.to_path_buf(), folder, release, binaries }
    }

    /// Where the copy of a binary lies.
    pub(super) fn of(&self, binary: &str) -> PathBuf {
        self.folder.join(binary)
    }

    /// Builds all, and copies those that are new once all are built; says which.
    pub(super) async fn build(&mut self, progress: &dyn Progress) -> Result<BTreeSet<String>, Error> {
        let mut built = Vec::new();
        for name in self.binaries.keys() {
            let binary = Binary { folder: &self.workspace, name, release: self.release };
            built.push((name.clone(), binary.build(progress).await?));
        }
        let mut new = BTreeSet::new();
        for (name, executable) in built {
            let when = fs::metadata(&executable).and_then(|file| file.modified()).ok();
            if when.is_none() || self.binaries.get(&name) != Some(&when) {
                self.copy(&name, &executable)?;
                self.binaries.insert(name.clone(), when);
                new.insert(name);
            }
        }
        Ok(new)
    }

    /// Replaces a copy at once: whatever runs keeps the file that it was started from.
    fn copy(&self, name: &str, executable: &Path) -> Result<(), Error> {
        let (copy, part) = (self.of(name), self.folder.join(format!("{name}.part")));
        let copied = fs::create_dir_all(&self.folder).and_then(|()| fs::copy(executable, &part));
        copied.and_then(|_| fs::rename(&part, &copy)).map_err(|source| Error::writing(&copy, source))
    }
}

impl Drop for Executables {
    fn drop(&mut self) {
        // What cannot be deleted lies in a folder of things that are kept for no version control.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
