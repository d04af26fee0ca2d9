//! What was put back, written down beside the template.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Error;

use super::entry::{Entry, Identity};

/// The file, in the folder of all that is kept.
const FILE: &str = ".tidemill/redriven.jsonl";

/// How far it came with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Known {
    /// It was about to be put back.
    Begun,
    /// The stream has taken it.
    Done,
}

#[derive(Serialize, Deserialize)]
struct Line {
    state: Known,
    #[serde(flatten)]
    identity: Identity,
}

/// The records that were put back so far. The last line about a record counts.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    known: BTreeMap<Identity, Known>,
}

impl Ledger {
    /// Reads what was written down beside the template in `folder`.
    ///
    /// # Errors
    /// A file that cannot be read, or is none of these.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => String::new(),
            read => read.map_err(|source| Error::reading(&path, source))?,
        };
        let mut known = BTreeMap::new();
        for line in text.lines() {
            // A line that was cut off is of a record that was not put back yet: it is written before.
            if let Ok(Line { state, identity }) = serde_json::from_str(line) {
                known.insert(identity, state);
            }
        }
        Ok(Self { path, known })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is known of a record.
    pub fn knows(&self, identity: &Identity) -> Option<Known> {
        self.known.get(identity).copied()
    }

    /// Writes down how far it came with records, before it goes on.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn note<'a>(&mut self, entries: impl IntoIterator<Item = &'a Entry>, state: Known) -> Result<(), Error> {
        let mut text = String::new();
        for entry in entries {
            let identity = entry.identity.clone();
            self.known.insert(identity.clone(), state);
            // Plain data, which serialises.
            text.push_str(&serde_json::to_string(&Line { state, identity }).unwrap_or_default());
            text.push('\n');
        }
        self.append(&text).map_err(|source| Error::writing(&self.path, source))
    }

    fn append(&self, text: &str) -> std::io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
            fs::write(folder.join(".gitignore"), "*\n")?;
        }
        let mut file = File::options().create(true).append(true).open(&self.path)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()
    }
}
