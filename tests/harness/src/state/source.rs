//! Where journals are read from.

use std::path::{Path, PathBuf};

use tidemill_aws::{DynamoStore, TABLE_VARIABLE, list_journals};
use tidemill_journal::{JournalId, StoreError};

use crate::emulators::DynamoDb;
use crate::error::Error;
use crate::findings::{Findings, listed, shown};
use crate::kept::{Account, Kept};
use crate::template::Template;

use super::client;

/// Which account to look into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// What was kept last: a run, or what `serve` works on.
    Newest,
    /// The kept run of a scenario.
    Run(String),
    /// What `serve` works on.
    Served,
    /// Whatever answers at a URL.
    Endpoint(String),
    /// AWS, as the environment says.
    Aws,
}

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The template; the nearest one if `None`.
    pub template: Option<PathBuf>,
    /// The account.
    pub source: Source,
    /// The table; what made the account, the environment or the template says it if `None`.
    pub table: Option<String>,
}

/// A table with journals.
pub struct Opened {
    /// Where it is, in words.
    pub from: String,
    /// Its name.
    pub table: String,
    /// Its journals.
    pub store: DynamoStore,
    client: aws_sdk_dynamodb::Client,
    /// What to try if it does not answer, or has not got the table.
    advice: String,
    tables: Option<DynamoDb>,
}

impl Opened {
    /// Opens what is asked for, to look at it. Nothing is sent to an endpoint yet.
    pub async fn open(options: &Options) -> Result<Self, Error> {
        match &options.source {
            Source::Endpoint(_) | Source::Aws => Self::reach(options).await,
            Source::Newest | Source::Run(_) | Source::Served => {
                let account = kept(options)?;
                let copy = DynamoDb::copy_of(&account.tables()).await?;
                Self::kept(&account, options, copy)
            }
        }
    }

    /// Opens what is asked for, to change it: a kept run in its file.
    pub async fn open_to_change(options: &Options) -> Result<Self, Error> {
        match &options.source {
            Source::Endpoint(_) | Source::Aws => Self::reach(options).await,
            Source::Newest | Source::Run(_) | Source::Served => {
                let account = kept(options)?;
                if account.is_served() {
                    return Err(Error::Option(String::from(
                        "what `serve` works on is changed through it: start `cargo tidemill serve`, and give \
                         --endpoint-url http://127.0.0.1:4600",
                    )));
                }
                let tables = DynamoDb::open(&account.tables()).await?;
                Self::kept(&account, options, tables)
            }
        }
    }

    /// What is not kept here.
    async fn reach(options: &Options) -> Result<Self, Error> {
        match &options.source {
            Source::Endpoint(url) => {
                let advice = format!("is {url} up? `cargo tidemill serve` brings the template's tables up");
                let table = table(options, || of_template(options))?;
                Ok(Self::at(client::at(url).await?, table, url.clone(), advice, None))
            }
            _ => {
                let table = table(options, || Ok(Vec::new()))?;
                let advice = "account, region and credentials are the environment's (AWS_PROFILE, AWS_REGION, …)";
                Ok(Self::at(client::aws().await, table, String::from("AWS"), advice.to_owned(), None))
            }
        }
    }

    /// What is kept, through its tables.
    fn kept(account: &Account, options: &Options, tables: DynamoDb) -> Result<Self, Error> {
        let label = account.label()?;
        let table = match &options.table {
            Some(table) => table.clone(),
            None => only(label.journal_tables)?,
        };
        let from = format!("{} ({})", shown(&account.folder).display(), label.made_by);
        let advice = format!("it is read from {from}");
        Ok(Self::at(client::local(tables.address()), table, from, advice, Some(tables)))
    }

    fn at(
        client: aws_sdk_dynamodb::Client,
        table: String,
        from: String,
        advice: String,
        tables: Option<DynamoDb>,
    ) -> Self {
        let store = DynamoStore::new(client.clone(), table.clone());
        Self { from, table, store, client, advice, tables }
    }

    /// Whether it is a kept run, at which nothing else is at work.
    pub const fn is_kept(&self) -> bool {
        self.tables.is_some()
    }

    /// The journals in the table, if there are any. Reads all of it.
    pub async fn journals_if_any(&self) -> Result<Vec<JournalId>, Error> {
        list_journals(&self.client, &self.table).await.map_err(|error| match error {
            StoreError::Foreign { .. } => Error::Journal(error.into()),
            unanswered => Error::NotFound(format!("{unanswered}\n{}", self.advice)),
        })
    }

    /// The journals in the table. Reads all of it.
    pub async fn journals(&self) -> Result<Vec<JournalId>, Error> {
        let journals = self.journals_if_any().await?;
        if journals.is_empty() {
            let (table, from) = (&self.table, &self.from);
            return Err(Error::NotFound(format!(
                "table `{table}` holds no journal yet: no function made a commit in {from}"
            )));
        }
        Ok(journals)
    }
}

/// The kept account that is asked for.
fn kept(options: &Options) -> Result<Account, Error> {
    let template = template(options)?;
    let kept = Kept::beside(template.parent().unwrap_or(Path::new(".")));
    let (found, missing) = match &options.source {
        Source::Run(scenario) => {
            let known = kept.runs().contains(scenario);
            (known.then(|| kept.run(scenario)), format!("no run of `{scenario}` is kept here"))
        }
        Source::Served => {
            let served = kept.serve();
            (served.since().map(|_| served), String::from("nothing was served here yet"))
        }
        _ => (kept.newest(), String::from("nothing is kept here yet")),
    };
    found.ok_or_else(|| nothing_kept(&missing, &kept))
}

fn template(options: &Options) -> Result<PathBuf, Error> {
    let here = std::env::current_dir().map_err(|source| Error::system("tell the current folder", source))?;
    Template::locate(options.template.as_deref(), &here)
}

/// The table asked for, else that of the environment, else the only one that `known` gives.
fn table(options: &Options, known: impl FnOnce() -> Result<Vec<String>, Error>) -> Result<String, Error> {
    let set = || std::env::var(TABLE_VARIABLE).ok().filter(|table| !table.is_empty());
    match options.table.clone().or_else(set) {
        Some(table) => Ok(table),
        None => only(known()?),
    }
}

fn only(mut tables: Vec<String>) -> Result<String, Error> {
    match tables.pop() {
        Some(table) if tables.is_empty() => Ok(table),
        None => {
            Err(Error::Option(format!("which table holds the journals? Give --table NAME, or set {TABLE_VARIABLE}")))
        }
        Some(last) => {
            let all = listed(tables.iter().map(String::as_str).chain([last.as_str()]));
            Err(Error::Option(format!("which table? There are {all}: give --table NAME")))
        }
    }
}

/// The tables that the template gives its functions.
fn of_template(options: &Options) -> Result<Vec<String>, Error> {
    let mut findings = Findings::default();
    let template = Template::load(&template(options)?, &mut findings)?;
    let given = template.map_or(Vec::new(), |template| template.given(&mut findings));
    findings.into_warnings()?;
    let mut tables: Vec<String> = given.iter().filter_map(|given| given.journal_table()).map(str::to_owned).collect();
    tables.sort();
    tables.dedup();
    Ok(tables)
}

fn nothing_kept(what: &str, kept: &Kept) -> Error {
    let runs = kept.runs();
    let there = match runs.is_empty() {
        true => String::new(),
        false => format!(" (kept are runs of {})", listed(runs.iter().map(String::as_str))),
    };
    Error::NotFound(format!(
        "{what}{there}: `cargo tidemill replay --keep --no-drain` keeps a run with its windows open, `cargo tidemill \
         serve` works on data of its own; --endpoint-url and --aws look elsewhere"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_table_is_taken_and_several_are_a_question() {
        assert_eq!(only(vec![String::from("a")]).unwrap(), "a");
        assert!(only(Vec::new()).unwrap_err().to_string().contains("--table NAME"));
        let several = only(vec![String::from("a"), String::from("b")]).unwrap_err().to_string();
        assert!(several.contains("There are a and b"), "{several}");
    }
}
