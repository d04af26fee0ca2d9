//! The streams of a run that is over.

use std::path::Path;

use crate::error::Error;
use crate::findings::{listed, shown};
use crate::kept::Account;
use crate::near::did_you_mean;

use super::names::{called, find};
use super::taken::Taken;

/// All records that a kept run's stream holds, in the order in which they stand in its file. The stream goes by its name,
/// by its logical id in the template, and by what a pipeline calls it.
pub fn read(account: &Account, stream: &str, template: Option<&Path>) -> Result<Vec<Taken>, Error> {
    let names = names(account);
    let Some(name) = find(stream, &names, &called(template)) else {
        let names = || names.iter().map(String::as_str);
        return Err(Error::NotFound(format!(
            "{} holds no stream `{stream}`; it holds {}{}",
            shown(&account.folder).display(),
            listed(names()),
            did_you_mean(stream, names())
        )));
    };
    let file = account.file(&format!("{name}.jsonl"));
    let text = std::fs::read_to_string(&file).map_err(|source| Error::reading(&file, source))?;
    text.lines().map(Taken::of_line).collect()
}

/// The streams that are kept.
fn names(account: &Account) -> Vec<String> {
    let files = std::fs::read_dir(&account.folder).into_iter().flatten().flatten();
    let names = files.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".jsonl")?.to_owned()));
    // The source streams of the whole account lie in one file, as the emulator has them.
    let mut names: Vec<String> =
        names.filter(|name| account.file(&format!("{name}.jsonl")) != account.streams()).collect();
    names.sort();
    names
}
