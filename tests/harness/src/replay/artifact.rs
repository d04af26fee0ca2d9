//! An executable that somebody else has built.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::template::is_executable;

/// The executable's path from the root, since its processes run in the template's folder. An error
/// if there is nothing to be run.
pub(super) fn find(path: &Path, binary: &str) -> Result<PathBuf, Error> {
    let shown = path.display();
    let refused = |why: &str| {
        Err(Error::Option(format!(
            "--artifact {shown}: {why}. `cargo lambda build --release --bin {binary}` makes target/lambda/{binary}/bootstrap"
        )))
    };
    match path.metadata() {
        Err(source) => refused(&source.to_string()),
        Ok(found) if found.is_dir() => refused("it is a folder; the executable is expected"),
        Ok(found) if !is_executable(&found) => refused("it is not executable"),
        Ok(_) => std::path::absolute(path).map_err(|source| Error::reading(path, source)),
    }
}
