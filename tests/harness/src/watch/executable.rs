//! What runs: copies of what Cargo builds, so that a build in progress, or one that fails, does not touch it; programs
//! that somebody else builds, where they lie, since files may lie beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::cargo::Binary;
use crate::error::Error;
use crate::progress::Progress;
use crate::template::{Code, Function};

/// The executables of functions, each a copy in a folder of its own; the folder goes with this.
pub(super) struct Executables {
    /// Where Cargo runs.
    workspace: PathBuf,
    /// Where the copies lie.
    folder: PathBuf,
    release: bool,
    /// What runs, each with when what is run now was built.
    codes: BTreeMap<Code, Option<SystemTime>>,
}

impl Executables {
    pub(super) fn new(workspace: &Path, folder: PathBuf, functions: &[Function], release: bool) -> Self {
        let codes = functions.iter().map(|function| (function.code.clone(), None)).collect();
        Self { workspace: workspace.to_path_buf(), folder, release, codes }
    }

    /// Where what runs lies.
    pub(super) fn of(&self, code: &Code) -> PathBuf {
        match code {
            Code::Binary(name) => self.folder.join(name),
            Code::Bootstrap(path) => path.clone(),
        }
    }

    /// Builds all, and copies those that are new once all are built; says which.
    pub(super) async fn build(&mut self, progress: &dyn Progress) -> Result<BTreeSet<Code>, Error> {
        let mut built = Vec::new();
        for code in self.codes.keys() {
            built.push((code.clone(), self.build_one(code, progress).await?));
        }
        let mut new = BTreeSet::new();
        for (code, executable) in built {
            let when = fs::metadata(&executable).and_then(|file| file.modified()).ok();
            if when.is_none() || self.codes.get(&code) != Some(&when) {
                if let Code::Binary(name) = &code {
                    self.copy(name, &executable)?;
                }
                self.codes.insert(code.clone(), when);
                new.insert(code);
            }
        }
        Ok(new)
    }

    async fn build_one(&self, code: &Code, progress: &dyn Progress) -> Result<PathBuf, Error> {
        match code {
            Code::Binary(name) => {
                let binary = Binary { folder: &self.workspace, name, release: self.release };
                binary.build(progress).await
            }
            Code::Bootstrap(path) => Ok(path.clone()),
        }
    }

    /// Replaces a copy at once: whatever runs keeps the file that it was started from.
    fn copy(&self, name: &str, executable: &Path) -> Result<(), Error> {
        let (copy, part) = (self.folder.join(name), self.folder.join(format!("{name}.part")));
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
