//! The streams of a run that is over.

use crate::error::Error;
use crate::findings::{listed, shown};
use crate::kept::Account;
use crate::near::did_you_mean;

use super::taken::Taken;

/// All records that a kept run's stream holds, in the order in which they stand in its file.
pub fn read(account: &Account, stream: &str) -> Result<Vec<Taken>, Error> {
    let file = account.file(&format!("{stream}.jsonl"));
    if !file.is_file() {
        let names = names(account);
        let names = || names.iter().map(String::as_str);
        return Err(Error::NotFound(format!(
            "{} holds no stream `{stream}`; it holds {}{}",
            shown(&account.folder).display(),
            listed(names()),
            did_you_mean(stream, names())
        )));
    }
    let text = std::fs::read_to_string(&file).map_err(|source| Error::reading(&file, source))?;
    text.lines().map(Taken::of_line).collect()
}

/// The streams that are kept.
fn names(account: &Account) -> Vec<String> {
    let files = std::fs::read_dir(&account.folder).into_iter().flatten().flatten();
    let names = files.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".jsonl")?.to_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}
