//! What the harness keeps beside a template, in `.tidemill/`.
//!
//! ```text
//! .tidemill/runs/<scenario>/   what `replay --keep` left: the newest replaces older ones
//! .tidemill/failed/            the event at which each function failed last, of a replay that could not go on
//! .tidemill/redriven.jsonl     what `redrive` put back
//! .tidemill/serve/             what `serve` works on
//!     kept.json                what made it, and which tables hold journals
//!     used.json                what it used of AWS, of `replay`
//!     tables.sqlite            the DynamoDB tables
//!     streams.jsonl            the Kinesis streams
//!     <stream>.jsonl           what a sink holds, one record a line, of `replay`
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::cost::Used;
use crate::error::Error;

/// The folder beside the template.
const FOLDER: &str = ".tidemill";
const RUNS: &str = "runs";
const SERVE: &str = "serve";
const FAILED: &str = "failed";
const LABEL: &str = "kept.json";
const USED: &str = "used.json";
const TABLES: &str = "tables.sqlite";
const STREAMS: &str = "streams.jsonl";

/// The folder of everything kept for one template.
#[derive(Debug, Clone)]
pub struct Kept {
    folder: PathBuf,
}

/// One account that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its folder.
    pub folder: PathBuf,
}

/// What a kept account says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The command that made it.
    pub made_by: String,
    /// The tables that hold journals.
    pub journal_tables: Vec<String>,
}

impl Kept {
    /// What is kept beside the template in `folder`.
    pub fn beside(folder: &Path) -> Self {
        Self { folder: folder.join(FOLDER) }
    }

    /// What `serve` works on.
    pub fn serve(&self) -> Account {
        Account { folder: self.folder.join(SERVE) }
    }

    /// What a replay of `scenario` left.
    pub fn run(&self, scenario: &str) -> Account {
        Account { folder: self.folder.join(RUNS).join(scenario) }
    }

    /// The scenarios of which a run is kept, in order.
    pub fn runs(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.join(RUNS)).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| self.run(name).since().is_some()).collect();
        names.sort();
        names
    }

    /// The account that was made last.
    pub fn newest(&self) -> Option<Account> {
        let runs = self.runs().into_iter().map(|name| self.run(&name));
        let all = runs.chain([self.serve()]).filter_map(|account| Some((account.since()?, account)));
        all.max_by_key(|(since, _)| *since).map(|(_, account)| account)
    }

    /// A folder for a new run, empty; [`install`](Self::install) puts it in place.
    pub fn begin(&self, scenario: &str) -> Result<Account, Error> {
        let account = Account { folder: self.folder.join(format!("new-{scenario}")) };
        account.clear()?;
        self.make(&account)?;
        Ok(account)
    }

    /// Puts a complete run in the place of the one before.
    pub fn install(&self, new: &Account, scenario: &str) -> Result<Account, Error> {
        let account = self.run(scenario);
        account.clear()?;
        let parent = self.folder.join(RUNS);
        fs::create_dir_all(&parent).map_err(|source| Error::writing(&parent, source))?;
        fs::rename(&new.folder, &account.folder).map_err(|source| Error::writing(&account.folder, source))?;
        Ok(account)
    }

    /// Writes the event at which a function failed, in place of the one before; says where.
    pub fn keep_failed(&self, function: &str, event: &[u8]) -> Result<PathBuf, Error> {
        let account = Account { folder: self.folder.join(FAILED) };
        self.make(&account)?;
        let file = account.file(&format!("{function}.json"));
        fs::write(&file, event).map_err(|source| Error::writing(&file, source))?;
        Ok(file)
    }

    /// Makes an account's folder. Nothing in `.tidemill` is for version control.
    pub fn make(&self, account: &Account) -> Result<(), Error> {
        fs::create_dir_all(&account.folder).map_err(|source| Error::writing(&account.folder, source))?;
        let ignore = self.folder.join(".gitignore");
        fs::write(&ignore, "*\n").map_err(|source| Error::writing(&ignore, source))
    }
}

impl Account {
    /// The file of its tables.
    pub fn tables(&self) -> PathBuf {
        self.folder.join(TABLES)
    }

    /// The file of its streams.
    pub fn streams(&self) -> PathBuf {
        self.folder.join(STREAMS)
    }

    /// Whether it is what `serve` works on.
    pub fn is_served(&self) -> bool {
        self.folder.ends_with(Path::new(FOLDER).join(SERVE))
    }

    /// A file of it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// When it was made, if it was.
    pub fn since(&self) -> Option<SystemTime> {
        fs::metadata(self.file(LABEL)).and_then(|label| label.modified()).ok()
    }

    /// What it says of itself.
    pub fn label(&self) -> Result<Label, Error> {
        let path = self.file(LABEL);
        let text = fs::read(&path).map_err(|source| Error::reading(&path, source))?;
        serde_json::from_slice(&text).map_err(|error| Error::reading(&path, error.into()))
    }

    /// Writes what it says of itself: from now on it is the newest.
    pub fn set_label(&self, label: &Label) -> Result<(), Error> {
        let path = self.file(LABEL);
        // A label is plain data, which serialises.
        let text = serde_json::to_string(label).unwrap_or_default();
        fs::write(&path, text).map_err(|source| Error::writing(&path, source))
    }

    /// What it used of AWS.
    pub fn used(&self) -> Result<Used, Error> {
        let path = self.file(USED);
        let text = fs::read(&path).map_err(|source| Error::reading(&path, source))?;
        serde_json::from_slice(&text).map_err(|error| Error::reading(&path, error.into()))
    }

    /// Writes what it used of AWS.
    pub fn set_used(&self, used: &Used) -> Result<(), Error> {
        let path = self.file(USED);
        // What was used is plain data, which serialises.
        let text = serde_json::to_string(used).unwrap_or_default();
        fs::write(&path, text).map_err(|source| Error::writing(&path, source))
    }

    /// Deletes it with all that it holds.
    pub fn clear(&self) -> Result<(), Error> {
        match fs::remove_dir_all(&self.folder) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(Error::writing(&self.folder, source)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn label(made_by: &str) -> Label {
        Label { made_by: made_by.to_owned(), journal_tables: vec![String::from("Journal")] }
    }

    fn keep(kept: &Kept, scenario: &str, made_by: &str) {
        let new = kept.begin(scenario).unwrap();
        new.set_label(&label(made_by)).unwrap();
        kept.install(&new, scenario).unwrap();
    }

    #[test]
    fn a_new_run_replaces_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::beside(folder.path());
        assert_eq!((kept.runs(), kept.newest()), (Vec::new(), None));
        keep(&kept, "a", "first");
        fs::write(kept.run("a").file("left-over"), "").unwrap();
        keep(&kept, "a", "second");
        assert_eq!(kept.run("a").label().unwrap(), label("second"));
        assert!(!kept.run("a").file("left-over").exists());
        assert_eq!(kept.runs(), ["a"]);
    }

    #[test]
    fn the_newest_of_all_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::beside(folder.path());
        for (scenario, age) in [("b", 300), ("a", 100), ("c", 200)] {
            keep(&kept, scenario, scenario);
            let label = fs::File::options().write(true).open(kept.run(scenario).file(LABEL)).unwrap();
            label.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        assert_eq!(kept.newest(), Some(kept.run("a")));
        kept.make(&kept.serve()).unwrap();
        assert_eq!(kept.newest(), Some(kept.run("a")));
        kept.serve().set_label(&label("serve")).unwrap();
        assert_eq!(kept.newest(), Some(kept.serve()));
    }
}
